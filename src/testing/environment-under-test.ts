/**
 * One execution environment under test: a Runtime API, a task root and the bootstrap between them.
 *
 * @module
 */

import { type BootstrapOptions, BootstrapProcess } from "./bootstrap-process.ts";
import { RecordedRuntimeApi } from "./recorded-runtime-api.ts";
import { type Shell, shell, type ShellName } from "./shells.ts";
import { type TaskFile, taskRoot } from "./task-root.ts";

/** What an environment under test is made of. */
export interface EnvironmentOptions extends Partial<
  Pick<BootstrapOptions, "env" | "wrapper" | "architecture" | "args">
> {
  /** _HANDLER; `function.handler` unless said otherwise; `${TASK_ROOT}` in it is the task root. */
  readonly handler?: string;
  /** The files of the task root. */
  readonly files: Readonly<Record<string, TaskFile>>;
  readonly shell?: ShellName | Shell;
}

/** A started environment; `await using` ends it with everything that it started. */
export class EnvironmentUnderTest implements AsyncDisposable {
  readonly api: RecordedRuntimeApi;
  readonly taskRoot: string;
  readonly bootstrap: BootstrapProcess;

  private constructor(api: RecordedRuntimeApi, root: string, options: EnvironmentOptions) {
    this.api = api;
    this.taskRoot = root;
    const inRoot = (text: string) => text.replaceAll("${TASK_ROOT}", root);
    this.bootstrap = new BootstrapProcess({
      ...options,
      api: api.address,
      taskRoot: root,
      handler: inRoot(options.handler ?? "function.handler"),
      env: Object.fromEntries(
        Object.entries(options.env ?? {}).map(([name, value]) => [name, value && inRoot(value)]),
      ),
    });
  }

  /** Starts a Runtime API and a bootstrap that speaks to it. */
  static async start(options: EnvironmentOptions): Promise<EnvironmentUnderTest> {
    const { shell: chosen = "dash" } = options;
    const root = taskRoot(options.files, typeof chosen === "string" ? shell(chosen) : chosen);
    const api = await RecordedRuntimeApi.start();
    return new EnvironmentUnderTest(api, root, options);
  }

  /** Resolves with how the bootstrap ended. */
  get exited(): BootstrapProcess["exited"] {
    return this.bootstrap.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bootstrap.kill();
    await this.api.stop();
  }
}
