/**
 * The stacks of SAM's templates, as AWS's transform makes them: who may call them, what they may do,
 * how long their logs are kept; and deployed to moto, as far as moto knows their resources.
 *
 * Moto's CloudFormation has no stages and imports no OpenAPI document: the API is left out there.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../../src/testing/temporary-folder.ts";
import { ROOT } from "../layer-dist.ts";
import { MotoServer, pythonProgram } from "../moto-server.ts";
import { run } from "../run.ts";
import { translateSam } from "./sam-translation.ts";

const LIMIT_MS = 300_000;

interface Statement {
  readonly Action: readonly string[];
  readonly Resource: unknown;
}

/** The properties of any resource that are read here. */
interface Properties {
  readonly Body: {
    readonly components?: { readonly securitySchemes: SecuritySchemes };
    readonly paths: Readonly<Record<string, Readonly<Record<string, Method>>>>;
  };
  readonly LoggingConfig: { readonly LogGroup: { readonly Ref: string } };
  readonly ManagedPolicyArns: readonly string[];
  readonly Policies?: readonly {
    readonly PolicyDocument: { readonly Statement: readonly Statement[] };
  }[];
  readonly RetentionInDays?: number;
  readonly StageName?: string;
}

type SecuritySchemes = Readonly<Record<string, Readonly<Record<string, string>>>>;

interface Method {
  readonly security: readonly Readonly<Record<string, unknown>>[];
}

interface Translated {
  readonly Resources: Record<string, { readonly Type: string; readonly Properties: Properties }>;
  Outputs?: unknown;
}

const translate = (name: string) => translateSam(name) as Promise<Translated>;

const ofType = ({ Resources }: Translated, type: string) =>
  Object.entries(Resources).filter(([, { Type }]) => Type === type);

describe.each(["template.yaml", "image.yaml"])("layer/sam/%s", (name) => {
  test(
    "lets nobody call without a signature",
    async () => {
      const [[, api] = ["", undefined]] = ofType(
        await translate(`sam/${name}`),
        "AWS::ApiGateway::RestApi",
      );
      const body = api?.Properties.Body;
      const methods = Object.entries(body?.paths ?? {}).flatMap(([path, item]) =>
        Object.entries(item).map(([method, { security }]) => [
          `${method} ${path}`,
          security.map((each) =>
            Object.keys(each).map(
              (name) => body?.components?.securitySchemes[name]?.["x-amazon-apigateway-authtype"],
            ),
          ),
        ]),
      );
      expect(methods.sort()).toEqual([
        ["get /", [["awsSigv4"]]],
        ["get /environment", [["awsSigv4"]]],
        ["get /secret", [["awsSigv4"]]],
      ]);
    },
    LIMIT_MS,
  );

  test(
    "has the stage Prod alone, and no function URL",
    async () => {
      const translated = await translate(`sam/${name}`);
      const stages = ofType(translated, "AWS::ApiGateway::Stage");
      const deployments = ofType(translated, "AWS::ApiGateway::Deployment");
      expect(stages.map(([, { Properties }]) => Properties.StageName)).toEqual(["Prod"]);
      expect(deployments.map(([, { Properties }]) => Properties.StageName)).toEqual([undefined]);
      expect(ofType(translated, "AWS::Lambda::Url")).toEqual([]);
    },
    LIMIT_MS,
  );

  test(
    "gives the functions no permission but their log, and one of them its secret",
    async () => {
      const roles = ofType(await translate(`sam/${name}`), "AWS::IAM::Role");
      expect(roles.map(([id]) => id).sort()).toEqual([
        "EnvironmentRole",
        "MinimalRole",
        "SecretRole",
      ]);
      for (const [id, { Properties }] of roles) {
        expect(Properties.ManagedPolicyArns).toEqual([
          "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
        ]);
        const statements = (Properties.Policies ?? []).flatMap(
          ({ PolicyDocument }) => PolicyDocument.Statement,
        );
        expect(statements.flatMap(({ Action }) => Action)).toEqual(
          id === "SecretRole" ? ["secretsmanager:GetSecretValue"] : [],
        );
        // A secret's ARN ends in six random characters; more would be another secret's name.
        for (const { Resource } of statements) {
          expect(JSON.stringify(Resource)).toContain(":secret:${SecretName}-??????");
        }
      }
    },
    LIMIT_MS,
  );

  test(
    "keeps the log of every function for two weeks",
    async () => {
      const translated = await translate(`sam/${name}`);
      const functions = ofType(translated, "AWS::Lambda::Function");
      expect(functions).toHaveLength(3);
      for (const [id, { Properties }] of functions) {
        const group = Properties.LoggingConfig.LogGroup.Ref;
        expect(`${id} ${translated.Resources[group]?.Properties.RetentionInDays}`).toBe(`${id} 14`);
      }
    },
    LIMIT_MS,
  );
});

test(
  "the stack is made in moto, but for its API",
  async () => {
    await using moto = await MotoServer.start({ MOTO_IAM_LOAD_MANAGED_POLICIES: "true" });
    const folder = temporaryFolder("stack");
    const env = { ...moto.environment, HOME: folder };
    const aws = async (...words: string[]) =>
      (await run([pythonProgram("aws"), ...words], { env })).stdout;
    const query = async (...words: string[]) => JSON.parse(await aws(...words, "--output", "json"));

    const template = await translate("sam/template.yaml");
    for (const [id, { Type }] of Object.entries(template.Resources)) {
      if (/^AWS::(ApiGateway::|Lambda::Permission)/.test(Type)) delete template.Resources[id];
    }
    delete template.Outputs;
    const file = join(folder, "template.json");
    writeFileSync(file, JSON.stringify(template));

    await aws("s3", "mb", "s3://code-bucket");
    const zip = join(folder, "code.zip");
    await run(["zip", "-q", zip, "function.sh"], {
      cwd: join(ROOT, "fixtures/functions/minimal"),
    });
    for (const key of ["code.zip", "layer.zip"]) {
      await aws("s3", "cp", "--quiet", zip, `s3://code-bucket/${key}`);
    }
    await aws(
      ...["cloudformation", "deploy", "--template-file", file, "--stack-name", "shell"],
      ...["--capabilities", "CAPABILITY_IAM"],
    );
    const status = await query(
      ...["cloudformation", "describe-stacks", "--query", "Stacks[].StackStatus"],
    );
    expect(status).toEqual(["CREATE_COMPLETE"]);
    const { Functions } = await query("lambda", "list-functions");
    expect(Functions).toHaveLength(3);
    for (const each of Functions) {
      expect(each).toMatchObject({ Runtime: "provided.al2023", Handler: "function.handler" });
    }
    // Moto's CloudFormation gives layers names of its own, and functions no layers.
    expect(await query("lambda", "list-layers", "--query", "Layers[].LayerName")).toHaveLength(2);
    const groups = await query(
      ...["logs", "describe-log-groups", "--query", "logGroups[].retentionInDays"],
    );
    expect(groups).toEqual([14, 14, 14]);
  },
  LIMIT_MS,
);
