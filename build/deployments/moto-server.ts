/**
 * Moto's server: S3, Secrets Manager and other services of AWS on 127.0.0.1, for the examples.
 *
 * @see https://docs.getmoto.org/en/latest/docs/server_mode.html
 * @module
 */

import { existsSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { UNTIL_THIS_PROCESS_ENDS } from "./run.ts";

/** The programs of requirements.txt, which `make python` installs, or those of `make newest-tools`. */
export const PYTHON_PROGRAMS =
  process.env["PYTHON_PROGRAMS"] ?? join(import.meta.dir, "../../cache/python/bin");

/**
 * The path of one of the Python programs.
 * @throws {Error} When they are not installed: a test without them would prove nothing.
 */
export function pythonProgram(name: string): string {
  const path = join(PYTHON_PROGRAMS, name);
  if (!existsSync(path)) throw new Error(`failed to find ${path}: run "make python" first`);
  return path;
}

/** What SAM needs to leave the network and the user's home folder alone. */
export function samEnvironment(): Record<string, string> {
  return {
    SAM_CLI_TELEMETRY: "0",
    __SAM_CLI_APP_DIR: temporaryFolder("sam-cli"),
    AWS_DEFAULT_REGION: "us-east-1",
  };
}

/** A running server; its state lives in its memory. */
export class MotoServer {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly #child: Bun.Subprocess;

  private constructor(url: string, child: Bun.Subprocess) {
    this.url = url;
    this.#child = child;
  }

  /**
   * Starts a server on a free port and waits until it listens.
   * @param settings Variables of moto itself.
   * @throws {Error} When it ends before that, with its own words.
   */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<MotoServer> {
    const program = [pythonProgram("moto_server"), "-H", "127.0.0.1", "-p", "0"];
    const child = Bun.spawn([...UNTIL_THIS_PROCESS_ENDS, ...program], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
      env: { PATH: "/usr/bin:/bin", PYTHONUNBUFFERED: "1", ...settings },
    });
    const decoder = new TextDecoder();
    const stderr = child.stderr.getReader();
    let log = "";
    for (;;) {
      const { done, value } = await stderr.read();
      if (done) throw new Error(`failed to start moto's server: ${log}`);
      log += decoder.decode(value, { stream: true });
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(log)?.[0];
      if (url === undefined) continue;
      // Its log of requests goes on; nobody needs it, but the pipe must not fill.
      void drain(stderr);
      return new MotoServer(url, child);
    }
  }

  /** The variables with which `aws` and every SDK find the server. */
  get environment(): Readonly<Record<string, string>> {
    return {
      AWS_ENDPOINT_URL: this.url,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      AWS_DEFAULT_REGION: "us-east-1",
      AWS_REGION: "us-east-1",
    };
  }

  /** Stops it. */
  async stop(): Promise<void> {
    this.#child.kill();
    await this.#child.exited;
  }

  /** Stops it at the end of the block, also of one that fails: `await using moto = ...`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

async function drain(reader: { read(): Promise<{ done: boolean }> }): Promise<void> {
  while (!(await reader.read()).done);
}
