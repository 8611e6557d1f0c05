/** What Lambda takes of a template and what it refuses, at the edges of its limits. */

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../testing/temporary-folder.ts";
import { templateFunction, templateFunctions } from "./function.ts";
import { wrongSettings } from "./wrong-settings.ts";

/** A template with a function of these properties. */
function template(properties: string, sections = ""): string {
  const path = join(temporaryFolder("template"), "template.yaml");
  writeFileSync(
    path,
    `${sections}
Resources:
  Probe:
    Type: AWS::Serverless::Function
    Properties: { ${properties} }
`,
  );
  return path;
}

/** What is wrong with a function of these properties, without the place. */
function wrongOf(properties: string): readonly string[] {
  const path = template(properties);
  const place = `${path}: Probe: `;
  return wrongSettings(templateFunction(path, undefined), path).map((each) => {
    expect(each).toStartWith(place);
    return each.slice(place.length);
  });
}

const EFS = "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0";
const S3_FILES =
  "arn:aws:s3files:eu-west-1:123456789012:file-system/fs-0123456789abcdef0/access-point/fsap-0123456789abcdef0";
const MANAGED = "CapacityProviderConfig: { Arn: x }";
const files = (arn: string, more = "") =>
  `FileSystemConfigs: [{ Arn: "${arn}", LocalMountPath: /mnt/a${more} }]`;

test.each([
  "Architectures: [x86_64]",
  "Architectures: [arm64]",
  "Architectures: !ImportValue x",
  "Timeout: 1",
  "Timeout: 1800",
  `Timeout: 5400, ${MANAGED}`,
  "MemorySize: 128",
  "MemorySize: 32768",
  `FunctionName: ${"n".repeat(64)}`,
  "CapacityProviderConfig: { Arn: x, PerExecutionEnvironmentMaxConcurrency: 1600, ExecutionEnvironmentMemoryGiBPerVCpu: 2.5 }",
  "CapacityProviderConfig: { Arn: x, ExecutionEnvironmentMemoryGiBPerVCpu: 2 }",
  "CapacityProviderConfig: { Arn: x, ExecutionEnvironmentMemoryGiBPerVCpu: 8 }",
  "EphemeralStorage: { Size: 512 }",
  "EphemeralStorage: { Size: 10240 }",
  "EphemeralStorage: { Size: 32768 }, AcceleratorConfig: { AcceleratorMemorySize: 1 }",
  "EphemeralStorage: { Size: !ImportValue x }",
  "EphemeralStorage: { Size: 20000 }, AcceleratorConfig: !ImportValue x",
  "DurableConfig: { ExecutionTimeout: 31622400, RetentionPeriodInDays: 90 }",
  "TenancyConfig: { TenantIsolationMode: PER_TENANT }",
  "PublishTo: LATEST_PUBLISHED",
  `Description: ${"d".repeat(256)}`,
  ...["COPY", "REFERENCE", "!ImportValue x"].flatMap((mode) => [
    `Code: { S3Bucket: b, S3Key: k, S3ObjectStorageMode: ${mode} }`,
    `CodeUri: { Bucket: b, Key: k, StorageMode: ${mode} }`,
  ]),
  files(EFS),
  files(S3_FILES),
  ...["ENABLED", "DISABLED", "AUTO", "!ImportValue x"].map((mode) =>
    files(S3_FILES, `, S3FilesConfig: { DirectS3Read: ${mode} }`),
  ),
  "FileSystemConfigs: [{ Arn: !ImportValue x, LocalMountPath: /mnt/a-b_c.d, S3FilesConfig: { DirectS3Read: AUTO } }]",
  "FileSystemConfigs: !ImportValue x",
])("Lambda takes %s", (properties) => {
  expect(wrongOf(properties)).toEqual([]);
});

test.each([
  ...["amd64", "aarch64", "x64", "ARM64"].map((name) => [
    `Architectures: [${name}]`,
    `Architectures: "${name}" is not x86_64 or arm64`,
  ]),
  ["Timeout: 0", 'Timeout: "0" is not a whole number of seconds from 1 to 1800'],
  ["Timeout: 1801", 'Timeout: "1801" is not a whole number of seconds from 1 to 1800'],
  ["Timeout: 0.5", 'Timeout: "0.5" is not a whole number of seconds from 1 to 1800'],
  ["Timeout: 10s", 'Timeout: "10s" is not a whole number of seconds from 1 to 1800\n  write: 10'],
  [
    "MemorySize: 1 GB",
    'MemorySize: "1 GB" is not a whole number of MB from 128 to 32768\n  write: 1024',
  ],
  [`Timeout: 5401, ${MANAGED}`, 'Timeout: "5401" is not a whole number of seconds from 1 to 5400'],
  ["MemorySize: 127", 'MemorySize: "127" is not a whole number of MB from 128 to 32768'],
  ["MemorySize: 32769", 'MemorySize: "32769" is not a whole number of MB from 128 to 32768'],
  [
    "FunctionName: a.b",
    'FunctionName: "a.b" is not a function name: 1 to 64 letters, digits, - and _',
  ],
  [
    "CapacityProviderConfig: { Arn: x, PerExecutionEnvironmentMaxConcurrency: 1601 }",
    'PerExecutionEnvironmentMaxConcurrency: "1601" is not a whole number from 1 to 1600',
  ],
  [
    "CapacityProviderConfig: { Arn: x, ExecutionEnvironmentMemoryGiBPerVCpu: 8.5 }",
    'ExecutionEnvironmentMemoryGiBPerVCpu: "8.5" is not a number from 2 to 8',
  ],
  [
    "EphemeralStorage: { Size: 511 }",
    'EphemeralStorage.Size: "511" is not a whole number of MB from 512 to 10240, 32768 with AcceleratorConfig',
  ],
  [
    "EphemeralStorage: { Size: 10241 }",
    'EphemeralStorage.Size: "10241" is not a whole number of MB from 512 to 10240, 32768 with AcceleratorConfig',
  ],
  [
    "EphemeralStorage: { Size: 32769 }, AcceleratorConfig: { AcceleratorMemorySize: 1 }",
    'EphemeralStorage.Size: "32769" is not a whole number of MB from 512 to 32768',
  ],
  [
    "DurableConfig: { ExecutionTimeout: 31622401 }",
    'DurableConfig.ExecutionTimeout: "31622401" is not a whole number of seconds from 1 to 31622400',
  ],
  [
    "DurableConfig: { RetentionPeriodInDays: 91 }",
    'DurableConfig.RetentionPeriodInDays: "91" is not a whole number from 1 to 90',
  ],
  [
    "TenancyConfig: { TenantIsolationMode: PER_USER }",
    'TenancyConfig.TenantIsolationMode: "PER_USER" is not PER_TENANT',
  ],
  ["PublishTo: LATEST", 'PublishTo: "LATEST" is not LATEST_PUBLISHED'],
  [`Description: ${"d".repeat(257)}`, "Description: has 257 characters, Lambda takes at most 256"],
  [
    "Code: { S3Bucket: b, S3Key: k, S3ObjectStorageMode: LINK }",
    'Code.S3ObjectStorageMode: "LINK" is not COPY or REFERENCE',
  ],
  [
    "CodeUri: { Bucket: b, Key: k, StorageMode: reference }",
    'CodeUri.StorageMode: "reference" is not COPY or REFERENCE',
  ],
  [
    files(S3_FILES, ", S3FilesConfig: { DirectS3Read: true }"),
    'FileSystemConfigs.S3FilesConfig.DirectS3Read: "true" is not ENABLED, DISABLED or AUTO',
  ],
  [
    files(EFS, ", S3FilesConfig: { DirectS3Read: AUTO }"),
    `FileSystemConfigs.S3FilesConfig: is for access points of S3 Files, not for ${EFS}`,
  ],
  [
    "FileSystemConfigs: [{ Arn: x, LocalMountPath: /data }]",
    'FileSystemConfigs.LocalMountPath: "/data" is not a folder in /mnt, of letters, digits, -, _ and .',
  ],
  [
    "FileSystemConfigs: [{ Arn: x, LocalMountPath: /mnt/a }, { Arn: y, LocalMountPath: /mnt/b }]",
    "FileSystemConfigs: 2 file systems, Lambda takes at most 1",
  ],
  ...["AWS_LAMBDA_METADATA_API", "AWS_LAMBDA_METADATA_TOKEN", "LAMBDA_TASK_ROOT"].map((name) => [
    `Environment: { Variables: { ${name}: x } }`,
    "Environment: Lambda was unable to configure your environment variables because the " +
      "environment variables you have provided contains reserved keys that are currently not " +
      `supported for modification. Reserved keys used in this request: ${name}`,
  ]),
])("Lambda refuses %s", (properties, reason) => {
  expect(wrongOf(properties)).toEqual([reason]);
});

test("all that is wrong is told at once", () => {
  expect(wrongOf("Timeout: 0, MemorySize: 1, PublishTo: x").length).toBe(3);
});

test.each([
  ["A: !Condition A", "A refers to itself"],
  ["A: !Not [!Condition A]", "A refers to itself"],
  ["A: { Condition: A }", "A refers to itself"],
  ["A: !Not [!Condition B], B: !Not [!Condition A]", "A -> B -> A"],
  [
    'A: !Equals [a, a], B: !And [!Condition A, !Condition C], C: { "Fn::Or": [{ Condition: B }] }',
    "B -> C -> B",
  ],
  ["A: !Condition B, B: !Condition C, C: !Condition D, D: !Condition B", "B -> C -> D -> B"],
  ["A: !If [B, a, b], B: !Condition A", "A -> B -> A"],
])("conditions that refer to each other in a circle are refused: %s", (conditions, circle) => {
  const path = template("", `Conditions: { ${conditions} }`);
  const words = circle.includes("->") ? "they refer to each other in a circle: " : "";
  expect(templateFunctions(path).refused).toEqual([`${path}: Conditions: ${words}${circle}`]);
});

test.each([
  "A: !Equals [a, a], B: !And [!Condition A, !Condition A], C: !Or [!Condition B, !Condition A]",
  "A: !Condition NoSuch",
  "A: !Equals [A, Condition]",
])("conditions that lead to an end are taken: %s", (conditions) => {
  const path = template("", `Conditions: { ${conditions} }`);
  expect(templateFunctions(path).refused).toEqual([]);
});
