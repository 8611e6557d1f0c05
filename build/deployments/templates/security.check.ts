/**
 * Every deployment under checkov, a program that looks for unsafe settings. What it finds is mended,
 * or is in checkov-exceptions.json with the reason why it stays. It does not know Knative's resources:
 * of service.yaml it sees no more than that it is a service.
 *
 * @module
 */

import { expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { z } from "zod";

import { temporaryFolder } from "../../../src/testing/temporary-folder.ts";
import { ROOT } from "../layer-dist.ts";
import { renderAll } from "../release/render-sar.ts";
import { run } from "../run.ts";
import { translateSam } from "./sam-translation.ts";

const LIMIT_MS = 300_000;
const CHECKOV = join(ROOT, "cache/checkov/bin/checkov");

const EXCEPTIONS = z
  .array(z.strictObject({ check: z.string(), where: z.string(), reason: z.string().min(20) }))
  .parse(JSON.parse(readFileSync(join(import.meta.dir, "checkov-exceptions.json"), "utf8")));

const REPORTS = z.array(
  z.object({
    check_type: z.string(),
    summary: z.object({ passed: z.number(), parsing_errors: z.number() }),
    results: z.object({
      failed_checks: z.array(
        z.object({ check_id: z.string(), file_path: z.string(), resource: z.string() }),
      ),
    }),
  }),
);

type Report = z.infer<typeof REPORTS>[number];

/** What checkov says of a folder; nothing of it leaves this machine. */
async function scan(folder: string): Promise<readonly Report[]> {
  if (!existsSync(CHECKOV)) {
    throw new Error(`failed to find ${CHECKOV}: run "make cache/checkov/.ready" first`);
  }
  const frameworks = ["cloudformation", "terraform", "dockerfile", "kubernetes", "github_actions"];
  const { stdout } = await run(
    [
      ...[CHECKOV, "--directory", folder, "--framework", ...frameworks],
      ...["--skip-download", "--quiet", "--compact", "--soft-fail", "--output", "json"],
    ],
    { env: { HOME: temporaryFolder("home") } },
  );
  const reports: unknown = JSON.parse(stdout);
  return REPORTS.parse(Array.isArray(reports) ? reports : [reports]);
}

/** The findings, as `CHECK FILE RESOURCE`. */
const findings = (reports: readonly Report[]) =>
  reports.flatMap(({ results }) =>
    results.failed_checks.map((each) => `${each.check_id} ${each.file_path} ${each.resource}`),
  );

const fits = ({ check, where }: (typeof EXCEPTIONS)[number], finding: string) =>
  finding.startsWith(`${check} `) && new RegExp(where).test(finding);

test(
  "checkov finds nothing in the deployments but the reviewed exceptions, and each of these",
  async () => {
    const folder = temporaryFolder("scan");
    for (const name of ["container", "knative", "runtime", "terraform"]) {
      cpSync(join(ROOT, "layer", name), join(folder, name), { recursive: true });
    }
    cpSync(join(ROOT, ".github"), join(folder, ".github"), { recursive: true });
    mkdirSync(join(folder, "cdk"));
    const golden = join(ROOT, "layer/cdk/test");
    for (const name of readdirSync(golden).filter((each) => each.endsWith(".template.json"))) {
      cpSync(join(golden, name), join(folder, "cdk", name));
    }
    renderAll(join(folder, "sar"), {});
    for (const name of ["sam/template.yaml", "sam/image.yaml"]) {
      const file = join(folder, name.replace("/", "-").replace(".yaml", ".json"));
      writeFileSync(file, JSON.stringify(await translateSam(name)));
    }
    const reports = await scan(folder);
    expect(reports.map(({ check_type }) => check_type).sort()).toEqual([
      ...["cloudformation", "dockerfile", "github_actions", "kubernetes", "terraform"],
    ]);
    for (const { check_type, summary } of reports) {
      expect(`${check_type} ${summary.parsing_errors}`).toBe(`${check_type} 0`);
    }
    const found = findings(reports);
    expect(found.filter((each) => !EXCEPTIONS.some((one) => fits(one, each)))).toEqual([]);
    const needless = EXCEPTIONS.filter((one) => !found.some((each) => fits(one, each)));
    expect(needless.map(({ check }) => check)).toEqual([]);
  },
  LIMIT_MS,
);

test(
  "checkov finds faults that are put into the deployments",
  async () => {
    const folder = temporaryFolder("faults");
    const plant = (file: string, from: string, to: string) => {
      const text = readFileSync(join(ROOT, "layer", file), "utf8");
      expect(text).toContain(from);
      writeFileSync(join(folder, file.replaceAll("/", "-")), text.replace(from, to));
    };
    plant("sar/aws-setup.yaml", "BlockPublicPolicy: true", "BlockPublicPolicy: false");
    plant("terraform/main.tf", '"sts:AssumeRole"', '"sts:*"');
    plant("container/invoker.Dockerfile", "USER 993:990", "USER root");
    plant("runtime/consumer.yaml", "[logs:CreateLogStream, logs:PutLogEvents]", '"*"');
    const found = findings(await scan(folder)).map((each) => each.split(" ").slice(0, 2).join(" "));
    for (const finding of [
      "CKV_AWS_54 /sar-aws-setup.yaml",
      "CKV_AWS_107 /terraform-main.tf",
      "CKV_DOCKER_8 /container-invoker.Dockerfile",
      "CKV_AWS_63 /runtime-consumer.yaml",
    ]) {
      expect(found).toContain(finding);
    }
  },
  LIMIT_MS,
);
