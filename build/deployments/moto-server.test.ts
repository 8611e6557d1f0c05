import { expect, test } from "bun:test";
import { join } from "node:path";

import { childrenOf, commandOf, stateOf } from "../../src/testing/process-facts.ts";
import { MotoServer } from "./moto-server.ts";

const LIMIT_MS = 60_000;

test(
  "a server of moto ends with the process that has started it, also when that is killed",
  async () => {
    const module = join(import.meta.dir, "moto-server.ts");
    const program = `import { MotoServer } from "${module}";
      console.log((await MotoServer.start()).url);
      await Bun.sleep(${LIMIT_MS});`;
    const child = Bun.spawn([process.execPath, "-e", program], { stdin: "ignore" });
    const { value } = await child.stdout.getReader().read();
    expect(new TextDecoder().decode(value)).toStartWith("http://127.0.0.1:");
    const [server = 0] = childrenOf(child.pid);
    expect(commandOf(server)).toContain("moto_server");

    child.kill("SIGKILL");
    await child.exited;
    while (!["", "Z"].includes(stateOf(server))) await Bun.sleep(10);
  },
  LIMIT_MS,
);

test(
  "a server of moto ends with its block, also when that fails",
  async () => {
    let url = "";
    const failing = async () => {
      await using moto = await MotoServer.start();
      url = moto.url;
      throw new Error("failed in the block");
    };
    await expect(failing()).rejects.toThrow("failed in the block");
    await expect(fetch(url)).rejects.toThrow();
  },
  LIMIT_MS,
);
