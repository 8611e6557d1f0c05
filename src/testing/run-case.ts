/**
 * Runs one conformance case: the compiled bootstrap against a real Runtime API, under one shell.
 *
 * @module
 */

import { expect } from "bun:test";

import { PATH, STATUS } from "../runtime-api/contract.ts";
import { toBytes } from "./bytes.ts";
import type { CaseEvent, ConformanceCase } from "./conformance-case.ts";
import { type EnvironmentOptions, EnvironmentUnderTest } from "./environment-under-test.ts";
import { expectError, expectOutcome } from "./expectations.ts";
import type { EventScript } from "./scripted-invocation.ts";
import type { ShellName } from "./shells.ts";

/** Under what a case runs. */
export interface CaseSetting extends Pick<EnvironmentOptions, "wrapper" | "architecture"> {
  readonly shell: ShellName;
}

/** Runs a case and fails with the first thing that is not as expected, and the log. */
export async function runCase(template: ConformanceCase, setting: CaseSetting): Promise<void> {
  await using environment = await EnvironmentUnderTest.start({
    ...setting,
    files: template.files,
    ...(template.handler === undefined ? {} : { handler: template.handler }),
    ...(template.env === undefined ? {} : { env: template.env }),
  });
  const root = environment.taskRoot;
  const given = JSON.parse(
    JSON.stringify(template).replaceAll("${TASK_ROOT}", root),
  ) as ConformanceCase;
  try {
    if (given.initError !== undefined) await expectInitError(environment, given);
    else await expectOutcomes(environment, given);
    await expectLog(environment, given);
  } catch (cause) {
    const { stderr, stdout } = environment.bootstrap;
    const output = `log:\n${stderr.slice(-2_000)}\nstandard output:\n${stdout.slice(-500)}`;
    throw new Error(`${cause instanceof Error ? cause.message : cause}\n${output}`, { cause });
  }
}

async function expectInitError(
  { api, exited }: EnvironmentUnderTest,
  { initError }: ConformanceCase,
): Promise<void> {
  const exit = await Promise.race([exited, api.idle()]);
  expect(api.requests.map(({ path }) => path)).toEqual([PATH.initError]);
  expect(exit).toEqual({ status: 1, signal: null });
  const [post] = api.initErrors;
  if (post !== undefined && initError !== undefined) expectError(post, initError);
}

async function expectOutcomes(
  { api, bootstrap, exited }: EnvironmentUnderTest,
  { events = [], exitStatus }: ConformanceCase,
): Promise<void> {
  // One by one, each after the response of the one before, as one execution environment gets them.
  for (const event of events) {
    const invocation = api.enqueue(script(event));
    const early = await Promise.race([invocation.posted, exited]);
    if ("signal" in early) {
      throw new Error(`the runtime ended with ${JSON.stringify(early)} before it responded`);
    }
    if (exitStatus === undefined) await Promise.race([api.idle(), exited]);
    expectOutcome(invocation, event.expect);
  }
  if (exitStatus !== undefined) {
    expect(await exited).toEqual({ status: exitStatus, signal: null });
    return;
  }
  await Promise.race([api.idle(), exited]);
  expect(bootstrap.ended).toBe(false);
  expect(api.initErrors).toEqual([]);
  const posts = api.requests.filter(({ path }) => path !== PATH.next);
  expect(posts.length).toBe(events.length);
}

function script(event: CaseEvent): EventScript {
  const { body, headers, chunkBytes, postStatus } = event;
  return {
    ...(body === undefined ? {} : { body: toBytes(body) }),
    ...(headers === undefined ? {} : { headers }),
    ...(chunkBytes === undefined ? {} : { chunkBytes }),
    postResponse: { kind: "status", status: postStatus ?? STATUS.accepted },
  };
}

/** Time in which the last log lines must have come through the pipe, in ms. */
const LOG_DRAIN_MS = 2_000;

async function expectLog(
  { bootstrap }: EnvironmentUnderTest,
  { log }: ConformanceCase,
): Promise<void> {
  for (const piece of log?.contains ?? []) {
    await Promise.race([bootstrap.logged(piece), Bun.sleep(LOG_DRAIN_MS)]);
    expect(bootstrap.stderr).toContain(piece);
  }
  if (log?.lacks === undefined) return;
  // What is not there yet may come until the end.
  await bootstrap.end();
  const written = bootstrap.stderr + bootstrap.stdout;
  for (const piece of log.lacks) expect(written).not.toContain(piece);
}
