/**
 * The work whose pages a profile holds, most usual first: the table asks for pages in the order of
 * the first workload, then for what each later one adds.
 *
 * Large events are left out: one of 4 MiB touches 560 pages more, a third, most of them the JIT
 * compiler's. Asking for these made every start from cold storage 7 % slower (measured: 28.6 against
 * 26.7 ms), and few first events are large.
 *
 * @module
 */

/** One start of the runtime and what it is given to do. */
export interface Workload {
  readonly name: string;
  /** Value for `_HANDLER`, in this folder. */
  readonly handler: string;
  /** The events, in order. */
  readonly events: readonly Uint8Array[];
  /** Further environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

const SMALL = new TextEncoder().encode('{"key": "value"}');
/** The union of these is the profile. */
export const WORKLOADS: readonly Workload[] = [
  { name: "function handler, sh", handler: "function.reply", events: [SMALL, SMALL] },
  { name: "function handler, bash", handler: "bash.reply", events: [SMALL] },
  { name: "file handler", handler: "file.sh", events: [SMALL, SMALL] },
  { name: "streamed response", handler: "function.stream", events: [SMALL] },
  { name: "error report", handler: "function.fail", events: [SMALL] },
  {
    name: "JSON logs",
    handler: "function.fail",
    events: [SMALL],
    environment: { AWS_LAMBDA_LOG_FORMAT: "JSON" },
  },
  { name: "init error", handler: "function.absent", events: [SMALL] },
];
