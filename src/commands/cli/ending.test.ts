import { expect, test } from "bun:test";
import { join } from "node:path";

const MODULE = JSON.stringify(join(import.meta.dir, "ending.ts"));
/** More than a pipe holds. */
const BYTES = 1_000_000;

test.each([
  ["a server", "Bun.serve({ port: 0, fetch: () => new Response() });"],
  ["a timer", "setInterval(() => {}, 1_000);"],
  ["a program", 'Bun.spawn(["sleep", "60"], { stdout: "ignore", stderr: "ignore" });'],
])(
  "a command that fails ends when its output is written, whatever it has left open: %s",
  async (_, left) => {
    const script = `
    import { endAfterOutput } from ${MODULE};
    ${left}
    process.stdout.write("x".repeat(${BYTES}));
    process.stderr.write("error: why\\n");
    await endAfterOutput(3);`;
    const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "pipe" });
    // Nobody reads for a while: what is printed waits in the process.
    await Bun.sleep(200);
    const [output, errors] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    expect(await child.exited).toBe(3);
    expect(output.length).toBe(BYTES);
    expect(errors).toBe("error: why\n");
  },
);
