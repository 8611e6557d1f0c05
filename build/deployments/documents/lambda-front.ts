/**
 * Stands in front of moto's server and gives it what it lacks without Docker: functions that run.
 *
 * Every request goes to moto, but for those that invoke a function: the zip of CreateFunction is
 * unpacked and run by `lambda-shell serve`. What follows from the documentation is added, since a
 * document that forgets it would fail on AWS and pass here: Lambda does not take a role that has just
 * been made, nor a zip above its direct limit, nor a runtime for another architecture; it does not
 * invoke a function that is still pending; and a function's log appears in CloudWatch if its role may
 * write it.
 *
 * It is as far from AWS as moto is: nothing checks signatures or the permissions of the caller.
 *
 * @module
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { bootstrapExecutable } from "../../../src/testing/bootstrap-process.ts";
import { toolCommand } from "../../../src/testing/running-tool.ts";
import { temporaryFolder } from "../../../src/testing/temporary-folder.ts";
import { EM_AARCH64, EM_X86_64, readHeader } from "../../prefetch/elf.ts";
import type { MotoServer } from "../moto-server.ts";
import { run } from "../run.ts";

/** How long things are not ready, in ms. */
interface Delays {
  /** A new role cannot be assumed. On AWS that varies, and is about 5 to 10 s. */
  readonly role: number;
  /** A new function is pending. On AWS that is some seconds. */
  readonly pending: number;
}

const DELAYS: Delays = { role: 9_000, pending: 5_000 };

/** Largest zip that CreateFunction takes in its own request, in bytes. */
const ZIP_BYTES_MAX = 52_428_800;

/** e_machine of an ELF file, by AWS's name of the architecture. */
const MACHINES: Readonly<Record<string, number>> = { x86_64: EM_X86_64, arm64: EM_AARCH64 };

/** AWS's policy that lets a function write its log. */
const LOG_POLICY = "AWSLambdaBasicExecutionRole";

/** What is read of CreateFunction's request. */
interface CreateFunction {
  readonly FunctionName: string;
  readonly Handler?: string;
  readonly Role: string;
  readonly Architectures?: readonly string[];
  readonly Timeout?: number;
  readonly MemorySize?: number;
  readonly Environment?: { readonly Variables?: Readonly<Record<string, string>> };
  readonly Code: { readonly ZipFile?: string };
}

/** A function and the host that runs it, once it has been invoked. */
interface Deployed {
  readonly request: CreateFunction;
  readonly folder: string;
  /** In ms of the monotonic clock. */
  active: number;
  host?: Promise<Host>;
}

interface Host {
  readonly url: string;
  readonly child: Bun.Subprocess;
}

/** An error of Lambda's API. */
class Refusal extends Error {
  readonly status: number;
  readonly type: string;

  constructor(status: number, type: string, message: string) {
    super(message);
    this.status = status;
    this.type = type;
  }
}

/** The running front. */
export class LambdaFront {
  readonly #moto: MotoServer;
  readonly #delays: Delays;
  readonly #server: Bun.Server<undefined>;
  readonly #functions = new Map<string, Deployed>();
  /** When each role was made, in ms of the monotonic clock. */
  readonly #roles = new Map<string, number>();

  private constructor(moto: MotoServer, delays: Delays) {
    this.#moto = moto;
    this.#delays = delays;
    this.#server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 0,
      fetch: (request) => this.#respond(request),
    });
  }

  /** Starts in front of a server, which stays its owner's. */
  static start(moto: MotoServer, delays: Delays = DELAYS): LambdaFront {
    return new LambdaFront(moto, delays);
  }

  /** The variables with which `aws` finds it. */
  get environment(): Readonly<Record<string, string>> {
    return {
      ...this.#moto.environment,
      AWS_ENDPOINT_URL: `http://127.0.0.1:${this.#server.port}`,
    };
  }

  /** Stops it and every host. */
  async stop(): Promise<void> {
    await this.#server.stop(true);
    for (const name of [...this.#functions.keys()]) await this.#delete(name);
  }

  async #respond(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const body = await request.bytes();
    const path = decodeURIComponent(pathname);
    const [, name = "", what] =
      /^\/2015-03-31\/functions\/([^/]+)(\/invocations)?$/.exec(path) ?? [];
    try {
      if (what !== undefined) return await this.#invoke(name, request.headers, body);
      if (request.method === "POST" && /^\/2015-03-31\/functions\/?$/.test(path)) {
        await this.#create(JSON.parse(Buffer.from(body).toString()));
      }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return Response.json(
        { Type: "User", Message: error.message, message: error.message },
        { status: error.status, headers: { "x-amzn-errortype": error.type } },
      );
    }
    if (request.method === "DELETE" && name !== "") await this.#delete(name);
    const role = /Action=CreateRole&.*RoleName=([^&]+)/.exec(Buffer.from(body).toString("latin1"));
    if (role !== null) this.#roles.set(role[1] ?? "", performance.now());
    const headers = new Headers(request.headers);
    for (const own of ["host", "connection", "content-length"]) headers.delete(own);
    const response = await fetch(`${this.#moto.url}${pathname}${search}`, {
      method: request.method,
      headers,
      decompress: false,
      ...(body.length === 0 ? {} : { body }),
    });
    const responseHeaders = new Headers(response.headers);
    let content: string | Uint8Array = await response.bytes();
    if (performance.now() < (this.#functions.get(name)?.active ?? 0)) {
      content = Buffer.from(content)
        .toString()
        .replace(/("State": ?)"Active"/, '$1"Pending"');
      responseHeaders.delete("content-length");
    }
    return new Response(content, { status: response.status, headers: responseHeaders });
  }

  /** Ends the wait of a function that is pending. */
  activate(name: string): void {
    const made = this.#functions.get(name);
    if (made === undefined) throw new Error(`failed to activate ${name}: it has not been made`);
    made.active = 0;
  }

  async #create(request: CreateFunction): Promise<void> {
    const made = this.#roles.get(request.Role.split("/").at(-1) ?? "");
    if (made !== undefined && performance.now() - made < this.#delays.role) {
      const message = "The role defined for the function cannot be assumed by Lambda.";
      throw new Refusal(400, "InvalidParameterValueException", message);
    }
    // Code that is in a bucket is for moto alone.
    if (request.Code.ZipFile === undefined) return;
    const zip = Buffer.from(request.Code.ZipFile, "base64");
    if (zip.length > ZIP_BYTES_MAX) {
      throw new Refusal(413, "RequestEntityTooLargeException", `the zip has ${zip.length} bytes`);
    }
    const folder = temporaryFolder("function");
    const file = join(temporaryFolder("zip"), "function.zip");
    writeFileSync(file, zip);
    await run(["unzip", "-q", file, "-d", folder]);
    const active = performance.now() + this.#delays.pending;
    this.#functions.set(request.FunctionName, { request, folder, active });
  }

  async #delete(name: string): Promise<void> {
    const host = await this.#functions.get(name)?.host;
    this.#functions.delete(name);
    host?.child.kill();
    await host?.child.exited;
  }

  async #invoke(name: string, headers: Headers, body: Uint8Array): Promise<Response> {
    const deployed = this.#functions.get(name.split(":").at(-1) ?? "");
    if (deployed === undefined) {
      throw new Refusal(404, "ResourceNotFoundException", `Function not found: ${name}`);
    }
    if (performance.now() < deployed.active) {
      throw new Refusal(
        409,
        "ResourceConflictException",
        "The operation cannot be performed at this time. The function is currently in the following state: Pending",
      );
    }
    const [architecture = "x86_64"] = deployed.request.Architectures ?? [];
    const { machine } = readHeader(readFileSync(join(deployed.folder, "bootstrap")));
    if (machine !== MACHINES[architecture]) {
      return Response.json(
        {
          errorType: "Runtime.InvalidEntrypoint",
          errorMessage: "Error: fork/exec: exec format error",
        },
        { headers: { "x-amz-function-error": "Unhandled" } },
      );
    }
    deployed.host ??= startHost(deployed);
    const { url } = await deployed.host;
    const asked = headers.get("x-amz-log-type");
    const response = await fetch(
      `${url}/2015-03-31/functions/${deployed.request.FunctionName}/invocations`,
      {
        method: "POST",
        headers: { "x-amz-log-type": "Tail" },
        body,
      },
    );
    const log = Buffer.from(response.headers.get("x-amz-log-result") ?? "", "base64").toString();
    await this.#writeLog(deployed.request, log);
    const forwarded = new Headers(response.headers);
    if (asked !== "Tail") forwarded.delete("x-amz-log-result");
    return new Response(await response.bytes(), { status: response.status, headers: forwarded });
  }

  /** Writes a function's log into moto's CloudWatch, if the function's role may. */
  async #writeLog({ FunctionName, Role }: CreateFunction, log: string): Promise<void> {
    const role = Role.split("/").at(-1) ?? "";
    const policies = await this.#ask("iam", "", {
      body: `Action=ListAttachedRolePolicies&Version=2010-05-08&RoleName=${role}`,
      type: "application/x-www-form-urlencoded",
    });
    if (!policies.includes(LOG_POLICY)) return;
    const logGroupName = `/aws/lambda/${FunctionName}`;
    const logStreamName = "2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef";
    const logEvents = log
      .split("\n")
      .filter((line) => line !== "")
      .map((message) => ({ timestamp: Date.now(), message: `${message}\n` }));
    for (const [operation, input] of [
      ["CreateLogGroup", { logGroupName }],
      ["CreateLogStream", { logGroupName, logStreamName }],
      ["PutLogEvents", { logGroupName, logStreamName, logEvents }],
    ] as const) {
      await this.#ask("logs", `Logs_20140328.${operation}`, {
        body: JSON.stringify(input),
        type: "application/x-amz-json-1.1",
      });
    }
  }

  /** Asks moto itself; what exists already is not an error here. */
  async #ask(
    service: string,
    target: string,
    { body, type }: { readonly body: string; readonly type: string },
  ): Promise<string> {
    const scope = `Credential=test/20260101/us-east-1/${service}/aws4_request`;
    const response = await fetch(this.#moto.url, {
      method: "POST",
      body,
      headers: {
        "content-type": type,
        "x-amz-target": target,
        authorization: `AWS4-HMAC-SHA256 ${scope}, SignedHeaders=host, Signature=none`,
      },
    });
    return response.text();
  }
}

/** Starts the host of a function and waits until it listens. */
async function startHost({ request, folder }: Deployed): Promise<Host> {
  const variables = Object.entries(request.Environment?.Variables ?? {});
  const child = Bun.spawn(
    [
      ...toolCommand(["serve", folder, "--port", "0"]),
      // That of the zip may be for another architecture than this machine's.
      ...["--metrics-port", "0", "--bootstrap", bootstrapExecutable()],
      ...["--name", request.FunctionName, "--handler", request.Handler ?? ""],
      ...["--timeout", String(request.Timeout ?? 3), "--memory", String(request.MemorySize ?? 128)],
      ...variables.flatMap(([name, value]) => ["--env", `${name}=${value}`]),
    ],
    {
      env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    },
  );
  const stderr = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let log = "";
  for (;;) {
    const { done, value } = await stderr.read();
    if (done) throw new Error(`failed to start the host of ${request.FunctionName}: ${log}`);
    log += value;
    const port = /listening \S+:(\d+)/.exec(log)?.[1];
    if (port === undefined) continue;
    void (async () => {
      while (!(await stderr.read()).done);
    })();
    return { url: `http://127.0.0.1:${port}`, child };
  }
}
