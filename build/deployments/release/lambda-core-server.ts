/**
 * The server of lambda_core_server.py, which checks requests against AWS's newest models.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { join } from "node:path";

import { ROOT } from "../layer-dist.ts";
import { pythonProgram } from "../moto-server.ts";
import { UNTIL_THIS_PROCESS_ENDS } from "../run.ts";

/** The newest botocore, which `make deployments` installs. */
const BOTOCORE = join(ROOT, "cache/botocore");

/** A request that the server has accepted. */
export interface AcceptedRequest {
  readonly operation: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** `REGION/SERVICE/aws4_request` of the signature. */
  readonly scope: string;
}

/** The running server. */
export class LambdaCoreServer {
  readonly url: string;
  readonly #child: Bun.Subprocess<"ignore", "pipe", "inherit">;
  readonly #lines: string[];

  private constructor(
    url: string,
    child: Bun.Subprocess<"ignore", "pipe", "inherit">,
    lines: string[],
  ) {
    this.url = url;
    this.#child = child;
    this.#lines = lines;
  }

  /**
   * Starts the server on a free port.
   * @throws {Error} When the newest botocore is not installed, or the server ends.
   */
  static async start(): Promise<LambdaCoreServer> {
    if (!existsSync(BOTOCORE)) {
      throw new Error(`failed to find ${BOTOCORE}: run "make cache/botocore/.ready" first`);
    }
    const program = join(import.meta.dir, "lambda_core_server.py");
    const child = Bun.spawn([...UNTIL_THIS_PROCESS_ENDS, pythonProgram("python"), program], {
      env: { PYTHONPATH: BOTOCORE, PATH: "/usr/bin:/bin" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    const lines: string[] = [];
    const first = Promise.withResolvers<string>();
    void (async () => {
      let rest = "";
      for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
        const parts = (rest + text).split("\n");
        rest = parts.pop() ?? "";
        lines.push(...parts);
        const [line] = lines;
        if (line !== undefined) first.resolve(line);
      }
      first.reject(new Error("failed to start lambda_core_server.py"));
    })();
    const { url } = JSON.parse(await first.promise);
    return new LambdaCoreServer(url, child, lines);
  }

  /** The variables with which `aws` sends these services' requests here, and knows the newest. */
  get environment(): Readonly<Record<string, string>> {
    return {
      AWS_ENDPOINT_URL_LAMBDA_CORE: this.url,
      AWS_ENDPOINT_URL_LAMBDA: this.url,
      AWS_DATA_PATH: join(BOTOCORE, "botocore/data"),
    };
  }

  /** Every request that was accepted since the last call, in order. */
  takeRequests(): readonly AcceptedRequest[] {
    const requests = this.#lines.slice(1).map((line) => JSON.parse(line));
    this.#lines.splice(1);
    return requests;
  }

  /** Stops it. */
  async stop(): Promise<void> {
    this.#child.kill();
    await this.#child.exited;
  }
}
