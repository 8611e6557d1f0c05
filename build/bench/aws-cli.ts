/**
 * Measures the layer's AWS CLI, plain and preloaded, beside Debian's untouched one: five calls in turn,
 * against moto's server, and fails when a share is larger than what is wanted.
 *
 *     bun build/bench/aws-cli.ts        # or: make bench-aws-cli; RUNS=40 for more
 *
 * Needs root and `make dist`. It measures in a session of its own, since a terminal takes the plain way.
 *
 * @module
 */

import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { architecture, HOST_ARCHITECTURE } from "../architectures.ts";
import { MotoServer } from "../deployments/moto-server.ts";
import { formatTable } from "../layer/table.ts";
import { FinishedLayer } from "../layer/testing/finished-layer.ts";
import { installedAwsCli } from "../layer/testing/untouched-aws-cli.ts";
import { reportErrors } from "../plain-errors.ts";
import { ControlGroup } from "./control-group.ts";
import { format, summarize, summarizeRatios } from "./statistics.ts";

reportErrors();

const RUNS = Number(process.env["RUNS"] ?? 15);

/** Time between two calls: a server needs some to make itself ready. */
const PAUSE_MS = 150;

/** The small file that is copied. */
const FILE = join(temporaryFolder("bench-aws-cli"), "file");

const CALLS = {
  "--version": ["--version"],
  "sts get-caller-identity": ["sts", "get-caller-identity"],
  "s3 cp of a small file": ["s3", "cp", FILE, "s3://bench/key"],
  "dynamodb get-item": [
    "dynamodb",
    "get-item",
    "--table-name",
    "bench",
    "--key",
    '{"k":{"S":"a"}}',
  ],
  "ssm get-parameter": ["ssm", "get-parameter", "--name", "bench"],
};

const PREPARATION = [
  ["s3", "mb", "s3://bench"],
  [
    ...["dynamodb", "create-table", "--table-name", "bench", "--billing-mode", "PAY_PER_REQUEST"],
    ...["--attribute-definitions", "AttributeName=k,AttributeType=S"],
    ...["--key-schema", "AttributeName=k,KeyType=HASH"],
  ],
  ["dynamodb", "put-item", "--table-name", "bench", "--item", '{"k":{"S":"a"},"v":{"S":"b"}}'],
  ["ssm", "put-parameter", "--name", "bench", "--value", "v", "--type", "String"],
];

/** The largest shares that are wanted, of medians of wall time. */
const WANTED = { plain: 0.55, first: 1.05, version: 0.12, service: 0.22 };

/** What a function has in Lambda that decides whether `aws` is preloaded. */
const LAMBDA = {
  AWS_LAMBDA_RUNTIME_API: "127.0.0.1:9001",
  AWS_LAMBDA_FUNCTION_NAME: "bench",
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "512",
};

interface Sample {
  readonly wallMs: number;
  /** Of all processes that the call has kept busy, the server's included. */
  readonly cpuMs: number;
}

/** One way to run the CLI. */
class Subject {
  readonly name: string;
  readonly samples: Sample[] = [];
  readonly #command: readonly string[];
  readonly #environment: Readonly<Record<string, string>>;
  readonly #group = ControlGroup.make();

  constructor(
    name: string,
    command: readonly string[],
    environment: Readonly<Record<string, string>>,
  ) {
    this.name = name;
    this.#command = command;
    this.#environment = environment;
  }

  async call(words: readonly string[]): Promise<Sample> {
    const cpuMs = this.#group.usedMs();
    const startMs = performance.now();
    const child = this.#group.start(() =>
      Bun.spawn([...this.#command, ...words], {
        env: this.#environment,
        stdin: "ignore",
        stdout: "ignore",
        stderr: "pipe",
      }),
    );
    const errors = await new Response(child.stderr).text();
    const status = await child.exited;
    const wallMs = performance.now() - startMs;
    if (status !== 0) throw new Error(`failed to run aws, ${this.name}: ${errors}`);
    await Bun.sleep(PAUSE_MS);
    return { wallMs, cpuMs: this.#group.usedMs() - cpuMs };
  }

  /** Resident memory of what a call has left behind, in MB. */
  leftMb(): number {
    const [pid] = this.#group.pids();
    if (pid === undefined) return 0;
    const [, kilobytes] =
      /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return Number(kilobytes) / 1000;
  }

  /** Ends what a call has left behind. */
  async end(): Promise<void> {
    while (this.#group.pids().length > 0) {
      for (const pid of this.#group.pids()) process.kill(pid, "SIGKILL");
      await Bun.sleep(5);
    }
  }

  async remove(): Promise<void> {
    await this.end();
    await this.#group.remove();
  }
}

async function measure(): Promise<void> {
  const host = HOST_ARCHITECTURE ?? architecture("amd64");
  const { opt } = await FinishedLayer.unzip(host);
  // The server is known by its place, so that this one has its own.
  const other = join(temporaryFolder("layer-copy"), "opt");
  cpSync(opt, other, { recursive: true });
  const moto = await MotoServer.start();
  const base = { ...moto.environment, PATH: "/usr/bin:/bin:/usr/sbin", HOME: "/nonexistent" };
  const debian = await installedAwsCli(host);
  // It runs in a root of its own, in which the file must be too.
  for (const root of ["/", debian[1] ?? "/"]) {
    mkdirSync(dirname(join(root, FILE)), { recursive: true });
    writeFileSync(join(root, FILE), "hello");
  }
  const untouched = new Subject("Debian's", debian, base);
  const plain = new Subject("plain", [join(opt, "bin/aws")], base);
  const first = new Subject("first", [join(other, "bin/aws")], { ...base, ...LAMBDA });
  const later = new Subject("later", [join(opt, "bin/aws")], { ...base, ...LAMBDA });
  const subjects = [untouched, plain, first, later];
  try {
    for (const words of PREPARATION) await plain.call(words);
    for (const [name, words] of Object.entries(CALLS)) {
      for (const subject of subjects) subject.samples.length = 0;
      // The first turn fills the page cache, the second one the server's memory.
      for (let turn = -2; turn < RUNS; turn += 1) {
        for (const subject of subjects) {
          if (subject === first) await first.end();
          const sample = await subject.call(words);
          if (turn >= 0) subject.samples.push(sample);
        }
      }
      report(name, { untouched, plain, first, later });
    }
    console.log(`the server keeps ${later.leftMb().toFixed(0)} MB resident between two calls`);
  } finally {
    for (const subject of subjects) await subject.remove();
    await moto.stop();
  }
}

function report(name: string, { untouched, plain, first, later }: Subjects): void {
  const wall = ({ samples }: Subject) => samples.map(({ wallMs }) => wallMs);
  const median = (subject: Subject, of: (sample: Sample) => number) =>
    summarize(subject.samples.map(of)).median.toFixed(0);
  const service = name === "--version" ? WANTED.version : WANTED.service;
  const shares: readonly (readonly [Subject, Subject, number])[] = [
    [plain, untouched, WANTED.plain],
    [first, plain, WANTED.first],
    [later, plain, service],
  ];
  const rows = [[`aws ${name}`, "wall, ms", "CPU, ms", "share of wall", "wanted"]];
  for (const subject of [untouched, plain, first, later]) {
    const share = shares.find(([of]) => of === subject);
    const figures = [
      median(subject, ({ wallMs }) => wallMs),
      median(subject, ({ cpuMs }) => cpuMs),
    ];
    if (share === undefined) {
      rows.push([subject.name, ...figures, "", ""]);
      continue;
    }
    const [, to, wanted] = share;
    const ratio = summarizeRatios(wall(subject), wall(to));
    if (ratio.median > wanted) process.exitCode = 1;
    rows.push([subject.name, ...figures, `${format(ratio, 3)} of ${to.name}`, `${wanted}`]);
  }
  console.log(`${formatTable(rows)}\n`);
}

interface Subjects {
  readonly untouched: Subject;
  readonly plain: Subject;
  readonly first: Subject;
  readonly later: Subject;
}

if (process.argv[2] === "measure") {
  await measure();
} else {
  const child = Bun.spawn([process.execPath, import.meta.path, "measure"], {
    detached: true,
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
    env: process.env,
  });
  process.exitCode = await child.exited;
}
