/** What is wrong with the options of a server is said before it listens, and ends it. */

import { expect, test } from "bun:test";

import { functionFolder, SCRIPTED, startTool, tool } from "../../testing/running-tool.ts";

const WRONG: readonly (readonly [
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  message: string,
])[] = [
  [["serve", "--port", "0x1"], {}, '--port: "0x1" is no port from 0 to 65535'],
  [["serve", "--metrics-port", "abc"], {}, '--metrics-port: "abc" is no port from 0 to 65535'],
  [["serve"], { PORT: "65536" }, 'PORT: "65536" is no port from 0 to 65535'],
  [
    ["serve"],
    { METRICS_PROMETHEUS_PORT: "abc" },
    'METRICS_PROMETHEUS_PORT: "abc" is no port from 0 to 65535',
  ],
  [["serve", "--grace", "x"], {}, '--grace: "x" is no time: 10, 500ms, 1m30s'],
  [["serve", "--async-retries", "x"], {}, '--async-retries: "x" is no whole number from 0 to 2'],
  [["serve", "--async-retries=-1"], {}, '--async-retries: "-1" is no whole number from 0 to 2'],
  [
    ["serve", "--async-retries", "1.5"],
    {},
    '--async-retries: "1.5" is no whole number from 0 to 2',
  ],
  [["dev", "--port", "abc"], {}, '--port: "abc" is no port from 0 to 65535'],
  [["dev", "--grace", "x"], {}, '--grace: "x" is no time: 10, 500ms, 1m30s'],
  [["dev", "--async-retries", "3"], {}, '--async-retries: "3" is no whole number from 0 to 2'],
];

test.each(WRONG)("%j with %j ends with: %s", async (args, environment, message) => {
  const result = await tool([...args, ...SCRIPTED], { environment });
  expect(result).toEqual({ status: 2, out: "", errors: `error: ${message}\n` });
});

test("an option wins over a variable that is wrong", async () => {
  const args = ["serve", "--port", "0", "--metrics-port", "0", "--workers", "1", ...SCRIPTED];
  const environment = { PORT: "abc", METRICS_PROMETHEUS_PORT: "abc" };
  await using served = await startTool(args, { environment });
  expect((await fetch(served.url, { method: "POST", body: "{}" })).status).toBe(200);
});

test("dev refuses two functions of one name", async () => {
  const [one, two] = [functionFolder({ "function.sh": "" }), functionFolder({ "function.sh": "" })];
  const result = await tool(["dev", "--port", "0", one, two, ...SCRIPTED]);
  expect(result).toEqual({
    status: 2,
    out: "",
    errors:
      `error: two functions are named "probe": ${one}, ${two}\n` +
      "  rename a folder, or run one of them by itself: lambda-shell dev DIR --port 9001\n",
  });
});

test("GetFunctionUrlConfig tells the mode of --invoke-mode", async () => {
  const modes = ["buffered", "response-stream"].map(async (mode) => {
    const args = ["serve", "--port", "0", "--metrics-port", "0", "--invoke-mode", mode];
    await using served = await startTool([...args, "--name", "probe", ...SCRIPTED]);
    const answer = await fetch(`${served.url}/2021-10-31/functions/probe/url`);
    return ((await answer.json()) as { InvokeMode: string }).InvokeMode;
  });
  expect(await Promise.all(modes)).toEqual(["BUFFERED", "RESPONSE_STREAM"]);
});
