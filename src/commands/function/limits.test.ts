/** Lambda's limits of today, at their edges. */

import { expect, test } from "bun:test";

import { functionFolder } from "../../testing/running-tool.ts";
import { type FunctionOptions, functionSettings } from "./options.ts";
import { parseSettings } from "./settings.ts";

const NAMED = { name: "probe" } as const;

const given = (member: string, value: string, managedInstances = false) => {
  const text = { ...NAMED, [member]: value } as unknown as Parameters<typeof parseSettings>[0];
  const parsed = parseSettings(text, managedInstances);
  return parsed.kind === "valid" ? parsed.settings : parsed.message;
};

test.each([
  ["timeout", "1ms", { timeoutMs: 1 }, false],
  ["timeout", "900", { timeoutMs: 900_000 }, false],
  ["timeout", "1800", { timeoutMs: 1_800_000 }, false],
  ["timeout", "30m", { timeoutMs: 1_800_000 }, false],
  ["timeout", "5400", { timeoutMs: 5_400_000 }, true],
  ["memory", "10240", { memoryMb: 10_240 }, false],
  ["memory", "32768", { memoryMb: 32_768 }, false],
  ["concurrency", "65", { concurrency: 65 }, false],
  ["concurrency", "1600", { concurrency: 1_600 }, false],
] as const)("%s %s is taken", (member, value, settings, managed) => {
  expect(given(member, value, managed)).toMatchObject(settings);
});

test.each([
  ["timeout", "0", "between 1ms and 30m", false],
  ["timeout", "1801", "between 1ms and 30m", false],
  ["timeout", "30m1s", "between 1ms and 30m", false],
  ["timeout", "5401", "between 1ms and 90m", true],
  ["memory", "32769", "from 16 to 32768", false],
  ["memory", "1.5", "from 16 to 32768", false],
  ["concurrency", "0", "from 1 to 1600", false],
  ["concurrency", "1601", "from 1 to 1600", false],
] as const)("%s %s is refused with the bounds: %s", (member, value, bounds, managed) => {
  expect(given(member, value, managed)).toContain(bounds);
});

const SNAP_START = "SnapStart: { ApplyOn: PublishedVersions }";
const MANAGED = "CapacityProviderConfig: { Arn: x }";

const TIMES_TO_START: readonly (readonly [
  options: FunctionOptions,
  template: string,
  ms: number,
])[] = [
  [{}, "", 10_000],
  [{ timeout: "600" }, "", 10_000],
  [{ initTimeout: "20" }, "", 20_000],
  [{ snapStart: true }, "", 130_000],
  [{ snapStart: true, timeout: "129" }, "", 130_000],
  [{ snapStart: true, timeout: "131" }, "", 131_000],
  [{ snapStart: true, timeout: "30m" }, "", 1_800_000],
  [{ snapStart: true, initTimeout: "5" }, "", 5_000],
  [{}, SNAP_START, 130_000],
  [{}, `${SNAP_START}, Timeout: 600`, 600_000],
  [{ timeout: "3" }, `${SNAP_START}, Timeout: 600`, 130_000],
  [{}, "SnapStart: { ApplyOn: None }", 10_000],
  [{ managedInstances: true }, "", 130_000],
  [{ managedInstances: true, timeout: "5400" }, "", 5_400_000],
  [{}, `${MANAGED}, Timeout: 900`, 900_000],
];

test.each(TIMES_TO_START)(
  "with %j and the template %j a start may take %i ms",
  (options, properties, ms) => {
    const template = `Resources:
  Probe:
    Type: AWS::Serverless::Function
    Properties: { Runtime: provided.al2023, Handler: function.handler${properties === "" ? "" : `, ${properties}`} }
`;
    const folder = functionFolder({ "template.yaml": template });
    const from = properties === "" ? {} : { template: `${folder}/template.yaml` };
    const settings = functionSettings(folder, ["sleep"], { ...from, ...options });
    expect(settings.initTimeoutMs).toBe(ms);
  },
);
