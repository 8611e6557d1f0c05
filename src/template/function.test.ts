/** What is known of a function from its template, without a deployment. */

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../testing/temporary-folder.ts";
import { type TemplateFunction, templateFunction, templateFunctions } from "./function.ts";
import { wrongSettings } from "./wrong-settings.ts";

const INDENT = "      ";

/** A template with one function and these sections; its path. */
function template(properties: string, sections = "", type = "AWS::Serverless::Function"): string {
  const path = join(temporaryFolder("template"), "template.yaml");
  const indented = properties.trim().replace(/^/gm, INDENT);
  writeFileSync(
    path,
    `${sections}
Resources:
  Bucket: { Type: AWS::S3::Bucket }
  Probe:
    Type: ${type}
    Properties:
${indented}
`,
  );
  return path;
}

const SECTIONS = `
Parameters:
  Stage: { Default: test }
  Empty: { Default: "" }
  Size: { Type: Number, Default: 1.50 }
  Names: { Type: CommaDelimitedList, Default: "a, b,c" }
  Secret: { Type: "AWS::SSM::Parameter::Value<String>", Default: /a/b }
  Unsaid: { Type: String }
  On: { Type: String, Default: true }
  constructor: { Type: String, Default: built }
Mappings:
  Sizes:
    eu-central-1: { memory: 512, name: Frankfurt }
Conditions:
  IsTest: !Equals [!Ref Stage, test]
  IsOther: !Not [!Condition IsTest]
  IsBoth: !And [!Condition IsTest, !Equals [a, a]]
  IsOn: !Equals [!Ref On, true]
  IsOnText: !Equals [true, "true"]
  IsOff: !Equals [!Ref On, false]
  IsOffText: !Equals ["false", !Ref On]
  IsOneKnown: !Or [!Condition IsUnsaid, !Condition IsTest]
  IsNoneKnown: !And [!Condition IsUnsaid, !Condition IsOther]
  IsUnsaid: !Equals [!Ref Unsaid, x]
  IsItself: !Condition IsItself
  IsOne: !Not [!Condition IsTwo]
  IsTwo: !And [!Condition IsTest, !Condition IsOne]
`;

/** The value of a variable that is written so, or why it is left out. */
function variable(written: string, sections = SECTIONS): string {
  const path = template(
    `FunctionName: probe\nEnvironment:\n  Variables:\n    V: ${written}`,
    sections,
  );
  // Some of its conditions are ones that CloudFormation would refuse.
  const { variables = {}, unknown = [] } =
    templateFunctions(path, "eu-central-1").functions[0] ?? {};
  const [left] = unknown;
  return left === undefined
    ? `${variables["V"]}`
    : left.message.replace(/^.* is left out: |\n.*$/gs, "");
}

test.each([
  ["!Ref Stage", "test"],
  ["!Ref Empty", ""],
  ["{ Ref: Size }", "1.5"],
  ["!Ref AWS::Region", "eu-central-1"],
  ["!Ref AWS::AccountId", "123456789012"],
  ["!Ref AWS::Partition", "aws"],
  ["!Ref AWS::URLSuffix", "amazonaws.com"],
  ["!Ref Probe", "probe"],
  ["!GetAtt Probe.Arn", "arn:aws:lambda:eu-central-1:123456789012:function:probe"],
  ["!GetAtt [Probe, Arn]", "arn:aws:lambda:eu-central-1:123456789012:function:probe"],
  ['!Sub "${AWS::Region}/${AWS::AccountId}/${Stage}"', "eu-central-1/123456789012/test"],
  ['!Sub "arn:${AWS::Partition}:s3:::${!kept}-${ Stage }"', "arn:aws:s3:::${kept}-test"],
  ['!Sub ["${A}-${Stage}", { A: !Ref Size }]', "1.5-test"],
  ['!Sub "${Probe.Arn}:live"', "arn:aws:lambda:eu-central-1:123456789012:function:probe:live"],
  ['!Join ["-", [a, !Ref Stage, !Sub "${AWS::Region}"]]', "a-test-eu-central-1"],
  ['{ "Fn::Join": ["", [x, { Ref: Size }]] }', "x1.5"],
  ['!Join [",", !Ref Names]', "a,b,c"],
  ["!Select [1, !Ref Names]", "b"],
  ['!Select [2, !Split ["/", "a/b/c"]]', "c"],
  ["!FindInMap [Sizes, !Ref AWS::Region, name]", "Frankfurt"],
  ["!If [IsTest, a, b]", "a"],
  ["!If [IsOther, a, b]", "b"],
  ["!If [IsBoth, !Ref Stage, !Ref Unsaid]", "test"],
  ["!Base64 abc", "YWJj"],
  ['{ "Fn::ToJsonString": { a: !Ref Stage } }', '{"a":"test"}'],
  // A parameter is text, also where its default is a boolean.
  ["!If [IsOn, a, b]", "a"],
  ["!If [IsOnText, a, b]", "a"],
  ["!If [IsOff, a, b]", "b"],
  ["!If [IsOffText, a, b]", "b"],
  ["!If [IsOneKnown, a, b]", "a"],
  ["!If [IsNoneKnown, a, b]", "b"],
  ['!Sub ["${A}", { A: true }]', "true"],
  ["!FindInMap [Sizes, nowhere, name, { DefaultValue: !Ref Stage }]", "test"],
  ["!FindInMap [Sizes, eu-central-1, name, { DefaultValue: x }]", "Frankfurt"],
  // Names that every object of JavaScript has.
  ["!FindInMap [Sizes, eu-central-1, toString, { DefaultValue: x }]", "x"],
  ["!FindInMap [valueOf, a, b, { DefaultValue: x }]", "x"],
  ['!Sub ["${constructor}", { A: a }]', "built"],
  ["true", "true"],
  ["yes", "true"],
  ["!If [IsTest, Off, x]", "false"],
  ["12:30", "750"],
  ["3.10", "3.1"],
  ['"3.10"', "3.10"],
  ["!!str 3.10", "3.10"],
  ["08", "08"],
])("the variable %s is %j", (written, value) => {
  expect(variable(written)).toBe(value);
});

test.each([
  ["!Ref Bucket", "only a deployment knows !Ref Bucket"],
  ["!Ref Unsaid", "only a deployment knows !Ref Unsaid"],
  ["!Ref Secret", "only a deployment knows !Ref Secret"],
  ["!GetAtt Bucket.Arn", "only a deployment knows !GetAtt Bucket.Arn"],
  ['!Sub "${AWS::StackName}-x"', "only a deployment knows !Sub ${AWS::StackName}-x"],
  ['!Join ["-", [a, !Ref Bucket]]', "only a deployment knows !Ref Bucket"],
  ["!If [IsUnsaid, a, b]", "only a deployment knows !Ref Unsaid"],
  ["!If [NoSuch, a, b]", "only a deployment knows !If"],
  ["!If [IsItself, a, b]", "only a deployment knows !Condition IsItself"],
  ["!If [IsOne, a, b]", "only a deployment knows !Condition IsOne"],
  ["!ImportValue other", "only a deployment knows !ImportValue other"],
  ["!FindInMap [Sizes, nowhere, name]", "only a deployment knows !FindInMap"],
  ['"{{resolve:ssm:/a/b}}"', "only a deployment knows {{resolve:ssm:/a/b}}"],
  [
    '!Sub "x-{{resolve:secretsmanager:${Stage}}}"',
    "only a deployment knows {{resolve:secretsmanager:test}}",
  ],
  ["!Ref Names", "it is not text"],
  ["", "it is empty"],
])("the variable %s is left out: %s", (written, why) => {
  expect(variable(written)).toBe(why);
});

test("a function without a name has that of its stack, which only a deployment knows", () => {
  const path = template("Environment: { Variables: { V: !GetAtt Probe.Arn } }");
  const { name, unknown } = templateFunction(path, undefined);
  expect(name).toBe("Probe");
  expect(unknown.map(({ message }) => message).join()).toContain("!GetAtt Probe.Arn");
});

test("regions of other partitions have their names in ARNs and addresses", () => {
  const path = template(
    "FunctionName: probe\nEnvironment: { Variables: { V: !GetAtt Probe.Arn, U: !Ref AWS::URLSuffix } }",
  );
  for (const [region, partition, urlSuffix] of [
    ["cn-north-1", "aws-cn", "amazonaws.com.cn"],
    ["us-gov-west-1", "aws-us-gov", "amazonaws.com"],
    ["eusc-de-east-1", "aws-eusc", "amazonaws.eu"],
    ["us-iso-east-1", "aws-iso", "c2s.ic.gov"],
    ["us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov"],
    ["us-east-1", "aws", "amazonaws.com"],
  ]) {
    const { variables } = templateFunction(path, undefined, region);
    expect(variables["V"]).toBe(`arn:${partition}:lambda:${region}:123456789012:function:probe`);
    expect(variables["U"]).toBe(urlSuffix);
  }
});

test("Globals are joined with the function's own: lists, objects, single values", () => {
  const path = template(
    `
CodeUri: code
Timeout: 7
Layers: [own]
Environment: { Variables: { OWN: "1", BOTH: own } }`,
    `
Globals:
  Function:
    Handler: a.b
    Timeout: 5
    Layers: [global, !Ref Bucket]
    Runtime: provided.al2023
    Environment: { Variables: { GLOBAL: "2", BOTH: global } }
  Api: { BinaryMediaTypes: [image~1png, "*~1*"] }`,
  );
  expect(templateFunction(path, "Probe")).toMatchObject({
    handler: "a.b",
    timeout: "7",
    layers: 3,
    runtime: "provided.al2023",
    variables: { OWN: "1", BOTH: "own", GLOBAL: "2" },
    binaryMediaTypes: ["image/png", "*/*"],
    directory: join(path, "..", "code"),
  });
});

test("a function of plain CloudFormation is read too, and JSON", () => {
  const path = template(
    "Handler: a.b\nCode: ./code\nArchitectures: [arm64]\nPackageType: Zip",
    "",
    "AWS::Lambda::Function",
  );
  expect(templateFunction(path, undefined)).toMatchObject({
    handler: "a.b",
    architecture: "arm64",
    packageType: "Zip",
    directory: join(path, "..", "code"),
  });
  const json = join(temporaryFolder("template"), "template.json");
  const Properties = { Handler: "c.d", Timeout: 4, Code: { S3Bucket: "b", S3Key: "k" } };
  writeFileSync(
    json,
    JSON.stringify({ Resources: { F: { Type: "AWS::Lambda::Function", Properties } } }),
  );
  expect(templateFunction(json, undefined)).toMatchObject({ handler: "c.d", timeout: "4" });
});

const ACCESS_POINT =
  "arn:aws:s3files:eu-central-1:123456789012:file-system/fs-0123456789abcdef0/access-point/fsap-0123456789abcdef0";

test.each([
  ["Description: a !Sub of nothing", { Description: "a !Sub of nothing" }, []],
  ["Description: 2024", { Description: "2024" }, []],
  ["EphemeralStorage: { Size: 1024 }", { EphemeralStorage: { Size: 1024 } }, []],
  ["LoggingConfig: { LogFormat: JSON }", { LoggingConfig: { LogFormat: "JSON" } }, []],
  [
    "DurableConfig: { ExecutionTimeout: 3600, RetentionPeriodInDays: 7 }",
    { DurableConfig: { ExecutionTimeout: 3600, RetentionPeriodInDays: 7 } },
    ["DurableConfig"],
  ],
  [
    "TenancyConfig: { TenantIsolationMode: PER_TENANT }",
    { TenancyConfig: { TenantIsolationMode: "PER_TENANT" } },
    ["TenancyConfig"],
  ],
  ["PublishTo: LATEST_PUBLISHED", { PublishTo: "LATEST_PUBLISHED" }, ["PublishTo"]],
  ["Tracing: Active", { TracingConfig: { Mode: "Active" } }, ["Tracing"]],
  ["TracingConfig: { Mode: Active }", { TracingConfig: { Mode: "Active" } }, ["TracingConfig"]],
  ["KmsKeyArn: arn:aws:kms:x", { KMSKeyArn: "arn:aws:kms:x" }, ["KmsKeyArn"]],
  [
    "AcceleratorConfig: { AcceleratorMemorySize: 24 }",
    { AcceleratorConfig: { AcceleratorMemorySize: 24 } },
    ["AcceleratorConfig"],
  ],
  [
    "DeadLetterQueue: { Type: SQS, TargetArn: !Sub 'arn:aws:sqs:${AWS::Region}:1:q' }",
    { DeadLetterConfig: { TargetArn: "arn:aws:sqs:eu-central-1:1:q" } },
    ["DeadLetterQueue"],
  ],
  [
    "DeadLetterConfig: { TargetArn: !GetAtt Bucket.Arn }",
    { DeadLetterConfig: {} },
    ["DeadLetterConfig"],
  ],
  [
    "VpcConfig: { SubnetIds: [!Ref Bucket, subnet-1], SecurityGroupIds: !Ref Bucket }",
    { VpcConfig: { SubnetIds: ["subnet-1"] } },
    ["VpcConfig"],
  ],
  ["VpcConfig: !If [Unknown, { SubnetIds: [a] }, !Ref AWS::NoValue]", {}, ["VpcConfig"]],
  ["VpcConfig: !Ref AWS::NoValue", {}, []],
  [
    "CapacityProviderConfig: { Arn: !GetAtt Bucket.Arn, PerExecutionEnvironmentMaxConcurrency: 16 }",
    {
      CapacityProviderConfig: {
        LambdaManagedInstancesCapacityProviderConfig: { PerExecutionEnvironmentMaxConcurrency: 16 },
      },
    },
    [],
  ],
  [
    "CapacityProviderConfig: { Arn: arn:x, ExecutionEnvironmentMemoryGiBPerVCpu: 4.0 }",
    {
      CapacityProviderConfig: {
        LambdaManagedInstancesCapacityProviderConfig: {
          CapacityProviderArn: "arn:x",
          ExecutionEnvironmentMemoryGiBPerVCpu: 4,
        },
      },
    },
    [],
  ],
  [
    "CapacityProviderConfig: { LambdaManagedInstancesCapacityProviderConfig: { CapacityProviderArn: arn:x } }",
    {
      CapacityProviderConfig: {
        LambdaManagedInstancesCapacityProviderConfig: { CapacityProviderArn: "arn:x" },
      },
    },
    [],
  ],
  [
    `FileSystemConfigs: [{ Arn: "${ACCESS_POINT}", LocalMountPath: /mnt/data, S3FilesConfig: { DirectS3Read: ENABLED } }]`,
    {
      FileSystemConfigs: [
        {
          Arn: ACCESS_POINT,
          LocalMountPath: "/mnt/data",
          S3FilesConfig: { DirectS3Read: "ENABLED" },
        },
      ],
    },
    ["FileSystemConfigs"],
  ],
  [
    "FileSystemConfigs: [{ Arn: !GetAtt Bucket.Arn, LocalMountPath: /mnt/data, S3FilesConfig: { DirectS3Read: !Ref Mode } }]",
    {
      FileSystemConfigs: [{ LocalMountPath: "/mnt/data", S3FilesConfig: { DirectS3Read: "AUTO" } }],
    },
    ["FileSystemConfigs"],
  ],
])(
  "of %s the configuration has what is known, by the API's names",
  (written, configuration, idle) => {
    const path = template(written, "Parameters: { Mode: { Default: AUTO } }");
    const described = templateFunction(path, undefined, "eu-central-1");
    expect(described.configuration).toEqual(configuration);
    expect(described.idle).toEqual(idle);
  },
);

const S3_OBJECT = { S3Bucket: "b", S3Key: "k.zip" };

test.each([
  ["Code: { S3Bucket: b, S3Key: k.zip }", S3_OBJECT, []],
  ["CodeUri: { Bucket: b, Key: k.zip }", S3_OBJECT, []],
  [
    "Code: { S3Bucket: b, S3Key: k.zip, S3ObjectVersion: 7, S3ObjectStorageMode: REFERENCE }",
    { ...S3_OBJECT, S3ObjectVersion: "7", S3ObjectStorageMode: "REFERENCE" },
    ["Code.S3ObjectStorageMode"],
  ],
  [
    "CodeUri: { Bucket: !Ref Bucket, Key: k.zip, Version: v, StorageMode: COPY }",
    { S3Key: "k.zip", S3ObjectVersion: "v", S3ObjectStorageMode: "COPY" },
    ["CodeUri.StorageMode"],
  ],
  [
    "CodeUri: { Bucket: b, Key: k.zip, StorageMode: !ImportValue mode }",
    S3_OBJECT,
    ["CodeUri.StorageMode"],
  ],
])("the code is in S3: %s", (written, members, idle) => {
  const path = template(written);
  const described = templateFunction(path, undefined);
  expect(described.codeInS3?.members).toEqual(members);
  expect(described.idle).toEqual(idle);
  expect(described.directory).toBe(join(path, ".."));
  const [property] = written.split(":");
  expect(described.unknown).toEqual([
    {
      name: "CodeUri",
      message: `${path}: Probe: ${property} is left out: the code is in S3\n  set it: name the folder`,
    },
  ]);
});

test.each(["CodeUri: code", "Code: { ZipFile: x }", "Code: { ImageUri: x }", "Handler: a.b"])(
  "the code is not in S3: %s",
  (written) => {
    const { codeInS3, idle } = templateFunction(template(written), undefined);
    expect([codeInS3, idle]).toEqual([undefined, []]);
  },
);

test.each([
  ["SnapStart: { ApplyOn: PublishedVersions }", { snapStart: true, managedInstances: false }],
  ["SnapStart: { ApplyOn: None }", { snapStart: false }],
  [
    "CapacityProviderConfig: { Arn: !Ref Bucket, PerExecutionEnvironmentMaxConcurrency: 16 }",
    { managedInstances: true, concurrency: "16" },
  ],
  [
    "CapacityProviderConfig: { LambdaManagedInstancesCapacityProviderConfig: { CapacityProviderArn: x } }",
    { managedInstances: true, concurrency: undefined },
  ],
])("%s is %j", (properties, described) => {
  expect(templateFunction(template(properties), undefined)).toMatchObject(described);
});

const ARN = "arn:aws:lambda:eu-central-1:123456789012:runtime/shell";
const CUSTOM = (config: string) => `Runtime: custom\nRuntimeConfig: ${config}`;

test.each([
  [CUSTOM(`{ RuntimeArn: "${ARN}", RuntimeAlias: prod }`), ARN, "prod"],
  [CUSTOM(`{ RuntimeArn: "${ARN}-2.x_y", RuntimeAlias: v1.4.0 }`), `${ARN}-2.x_y`, "v1.4.0"],
  [
    CUSTOM(
      '{ RuntimeArn: !Sub "arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:runtime/shell", RuntimeAlias: a }',
    ),
    "arn:aws:lambda:us-east-1:123456789012:runtime/shell",
    "a",
  ],
  [CUSTOM("{ RuntimeArn: !ImportValue shell, RuntimeAlias: prod }"), "!ImportValue shell", "prod"],
])("%s names a customer-managed runtime", (properties, RuntimeArn, RuntimeAlias) => {
  const { runtimeConfig, configuration } = templateFunction(
    template(properties),
    undefined,
    "us-east-1",
  );
  expect(runtimeConfig).toEqual({ RuntimeArn, RuntimeAlias });
  expect(configuration).toEqual({ RuntimeConfig: { RuntimeArn, RuntimeAlias } });
});

test.each([
  ["Runtime: custom", "RuntimeConfig: Runtime: custom needs it, with RuntimeArn and RuntimeAlias"],
  [CUSTOM("{ RuntimeAlias: prod }"), "RuntimeConfig.RuntimeArn: is missing"],
  [CUSTOM(`{ RuntimeArn: "${ARN}" }`), "RuntimeConfig.RuntimeAlias: is missing"],
  [
    CUSTOM(`{ RuntimeArn: "${ARN}/version/1", RuntimeAlias: prod }`),
    `RuntimeConfig.RuntimeArn: "${ARN}/version/1" does not match ^arn:`,
  ],
  [
    CUSTOM(`{ RuntimeArn: "${ARN.toUpperCase()}", RuntimeAlias: prod }`),
    "RuntimeConfig.RuntimeArn: ",
  ],
  [
    CUSTOM(`{ RuntimeArn: "${ARN}", RuntimeAlias: "-x" }`),
    'RuntimeConfig.RuntimeAlias: "-x" does not match ^[A-Za-z0-9_]',
  ],
  [
    `Runtime: provided.al2023\nRuntimeConfig: { RuntimeArn: "${ARN}", RuntimeAlias: prod }`,
    "RuntimeConfig: needs Runtime: custom",
  ],
  [
    `RuntimeConfig: { RuntimeArn: "${ARN}", RuntimeAlias: prod }`,
    "RuntimeConfig: needs Runtime: custom",
  ],
  [
    `PackageType: Image\n${CUSTOM(`{ RuntimeArn: "${ARN}", RuntimeAlias: prod }`)}`,
    "PackageType: Image and a customer-managed runtime exclude each other",
  ],
])("%s is refused: %s", (properties, why) => {
  const path = template(properties);
  const [first, ...others] = wrongSettings(templateFunction(path, undefined), path);
  expect(first).toStartWith(`${path}: Probe: ${why}`);
  expect(others).toEqual([]);
});

test("what stands beside resources of a template makes it no other thing", () => {
  const path = join(temporaryFolder("template"), "template.yaml");
  writeFileSync(
    path,
    `Transform: AWS::LanguageExtensions
Base: &base { Runtime: provided.al2023, Timeout: 5 }
Resources:
  Fn::ForEach::Functions:
    - Name
    - !Ref Names
    - \${Name}Function: { Type: AWS::Serverless::Function }
  Probe:
    Type: AWS::Serverless::Function
    Properties: { <<: *base, Handler: a.b }
`,
  );
  const { functions } = templateFunctions(path);
  expect(functions.length).toBe(1);
  expect(functions[0]).toMatchObject({ runtime: "provided.al2023", timeout: "5", handler: "a.b" });
});

test.each([
  ["a: &a [*a]", "a part of it contains itself"],
  ["a: &a { b: { c: *a } }", "a part of it contains itself"],
  [
    [
      "a: &a [x, x, x]",
      ..."bcdefg".split("").map((name, at) => {
        const [last, count] = ["abcdef".charAt(at), 9];
        return `${name}: &${name} [${Array.from({ length: count }, () => `*${last}`).join(", ")}]`;
      }),
    ].join("\n"),
    "Excessive alias count",
  ],
  [`a: ${"[".repeat(20_000)}${"]".repeat(20_000)}`, "Maximum call stack size exceeded"],
])("a template that cannot be read ends in one message (%#)", (yaml, message) => {
  const path = join(temporaryFolder("template"), "template.yaml");
  writeFileSync(path, `${yaml}\nResources: {}\n`);
  expect(() => templateFunctions(path)).toThrow(new RegExp(`^${path}: .*${message}`, "s"));
});

test("variables that AWS reads otherwise than they are written are told", () => {
  const path = template(`Environment:
  Variables:
    DEBUG: yes
    AT: 12:30
    VERSION: "3.10"
    PLAIN: 08
    FLAG: True
    NAME: off
`);
  const described = templateFunction(path, undefined);
  expect(described.variables).toEqual({
    ...{ DEBUG: "true", AT: "750", VERSION: "3.10", PLAIN: "08", FLAG: "true", NAME: "false" },
  });
  const told = (name: string, value: string, written: string, kind: string) => ({
    name,
    message:
      `${path}: Probe: ${name} is "${value}": ${written} without quotes is a ${kind} to AWS\n` +
      `  write: ${name}: "${written}"`,
  });
  expect(described.reread).toEqual([
    told("DEBUG", "true", "yes", "boolean"),
    told("AT", "750", "12:30", "number"),
    told("NAME", "false", "off", "boolean"),
  ]);
});

test("variables of all functions are told, too", () => {
  const path = template(
    "Environment: { Variables: { OWN: x } }",
    "Globals: { Function: { Environment: { Variables: { ALL: on, OWN: on, toString: on } } } }",
  );
  const { reread } = templateFunction(path, undefined);
  expect(reread.map(({ name }) => name)).toEqual(["ALL", "toString"]);
});

const GLOBALS = `
Parameters: { P: { Type: String, Default: p }, Q: { Type: String, Default: q } }
Conditions: { IsA: !Equals [a, a] }
Globals:
  Function:
    Handler: !Ref P
    Timeout: 5
    Layers: [!Ref P]
    Architectures: [arm64]
    Environment: { Variables: { A: !Ref P, B: !Sub "\${P}-x", C: plain } }`;

test.each([
  // A function of the template is one value, and not an object whose members are joined.
  ["Handler: !Sub a.${Q}", { handler: "a.q" }],
  [
    'Environment: { Variables: { A: !Sub "own-${Q}", B: !Ref Q, C: !Ref Q } }',
    { variables: { A: "own-q", B: "q", C: "q" } },
  ],
  ["Environment: { Variables: !If [IsA, { Z: z }, { Y: y }] }", { variables: { Z: "z" } }],
  ["Environment: !If [IsA, { Variables: { Z: z } }, !Ref AWS::NoValue]", { variables: { Z: "z" } }],
  ["Architectures: [x86_64]", { architecture: "x86_64", layers: 1 }],
  ["Layers: [x]", { architecture: "arm64", layers: 2 }],
] as const)(
  "beside Globals, %s counts as SAM takes it",
  (properties, expected: Partial<TemplateFunction>) => {
    const described = templateFunction(template(properties, GLOBALS), undefined);
    expect(described).toMatchObject(expected);
    const { variables = described.variables } = expected;
    expect(described.variables).toEqual(variables);
    expect(described.unknown).toEqual([]);
  },
);

const CONDITIONAL = `
Parameters: { Stage: { Type: String, Default: test } }
Conditions:
  IsLive: !Equals [!Ref Stage, live]
  IsTest: !Not [!Condition IsLive]
  IsUnknown: !Equals [!Ref Unknown, x]
Resources:
  Other: { Type: "AWS::SNS::Topic", Condition: IsTest }
`;

test.each([
  [["IsLive", "IsTest"], undefined, "Second"],
  [["IsLive", undefined], undefined, "Second"],
  [["IsTest", "IsLive"], undefined, "First"],
  // What only a deployment knows may be deployed; so may what the template does not say.
  [["IsUnknown", "IsTest"], undefined, "First"],
  [["IsMissing", "IsTest"], undefined, "First"],
  [["IsLive", "IsLive"], undefined, "First"],
  // Two of one name, for two stages.
  [["IsLive", "IsTest"], "shared", "Second"],
  [["IsTest", "IsLive"], "shared", "First"],
  // Who names one wants it.
  [["IsLive", "IsTest"], "First", "First"],
] as const)("of functions with the conditions %p, %p is %s", (conditions, wanted, expected) => {
  const functions = ["First", "Second"].map((logicalId, index) => {
    const condition = conditions[index] === undefined ? "" : `Condition: ${conditions[index]}, `;
    const type = "Type: AWS::Serverless::Function";
    return `  ${logicalId}: { ${condition}${type}, Properties: { FunctionName: shared } }\n`;
  });
  const path = join(temporaryFolder("template"), "template.yaml");
  writeFileSync(path, `${CONDITIONAL}${functions.join("")}`);
  expect(templateFunction(path, wanted).logicalId).toBe(expected);
});

test("variables that only a deployment knows as a whole are told as such", () => {
  const path = template("Environment: { Variables: !If [IsB, { Z: z }, { Y: y }] }", GLOBALS);
  const { variables, unknown } = templateFunction(path, undefined);
  expect(variables).toEqual({});
  expect(unknown).toEqual([
    {
      name: "Environment",
      message:
        `${path}: Probe: Environment is left out: only a deployment knows !If\n` +
        "  set it: --env NAME=VALUE",
    },
  ]);
});

test.each([
  ['"*"', { handler: undefined, timeout: undefined, layers: 0, variables: {} }],
  ["[Environment, Layers]", { handler: "p", timeout: "5", layers: 0, variables: {} }],
  ["[]", { handler: "p", layers: 1, variables: { A: "p", B: "p-x", C: "plain" } }],
])("IgnoreGlobals: %s leaves out what it names", (ignored, expected) => {
  const path = template("Runtime: provided.al2023", GLOBALS);
  const type = "Type: AWS::Serverless::Function";
  const text = readFileSync(path, "utf8").replace(type, `${type}\n    IgnoreGlobals: ${ignored}`);
  writeFileSync(path, text);
  expect(templateFunction(path, undefined)).toMatchObject(expected);
});

test("a region of the environment that is empty is not one", () => {
  const before = process.env["AWS_REGION"];
  process.env["AWS_REGION"] = "";
  try {
    const path = template('Environment: { Variables: { V: !Sub "in ${AWS::Region}" } }');
    expect(templateFunction(path, undefined).variables).toEqual({ V: "in us-east-1" });
  } finally {
    if (before === undefined) delete process.env["AWS_REGION"];
    else process.env["AWS_REGION"] = before;
  }
});
