/**
 * A response that begins with the HTTP integration prelude is streamed.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
 * @module
 */

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { CONTENT_TYPE, HEADER, PATH, RESPONSE_MODE_STREAMING } from "../runtime-api/contract.ts";
import type { FunctionError } from "../runtime-api/function-error.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { expectOutcome } from "../testing/expectations.ts";
import { peakBytes } from "../testing/process-facts.ts";
import type { RecordedRequest } from "../testing/recorded-request.ts";
import { SHELLS } from "../testing/shells.ts";

const PRELUDE = `{"statusCode":200}${"\0".repeat(8)}`;
const LINES = 10;
const MEGABYTE = 1_000_000;
/** How much the runtime's peak may grow by a stream of 20 MB. */
const STREAM_GROWTH_BYTES_MAX = 15 * MEGABYTE;

const files = { "function.sh": { from: "stream.sh" } };

/** Resolves when a post has brought a body that begins with `expected`, though it goes on. */
async function received(post: RecordedRequest, expected: string): Promise<void> {
  while (!post.latin1.startsWith(expected)) {
    expect(expected.startsWith(post.latin1)).toBe(true);
    await Bun.sleep(2);
  }
}

function expectStreamHeaders(post: RecordedRequest): void {
  expect(post.header(HEADER.responseMode)).toBe(RESPONSE_MODE_STREAMING);
  expect(post.header("Transfer-Encoding")).toBe("chunked");
  expect(post.header("Content-Length")).toBeUndefined();
  expect(post.header("Content-Type")).toBe(CONTENT_TYPE.httpIntegrationResponse);
  const announced = (post.header("Trailer") ?? "").toLowerCase().split(/, */).sort();
  expect(announced).toEqual([HEADER.errorBody.toLowerCase(), HEADER.errorType.toLowerCase()]);
}

function trailerError(post: RecordedRequest): FunctionError {
  const encoded = post.trailers[HEADER.errorBody.toLowerCase()] ?? "";
  return JSON.parse(Buffer.from(encoded, "base64").toString("utf8")) as FunctionError;
}

describe.each(SHELLS.map(({ name }) => name))("%s", (shell) => {
  test.concurrent("each line reaches the API before the next is written", async () => {
    await using environment = await EnvironmentUnderTest.start({ shell, files });
    const invocation = environment.api.enqueue({ body: "lines" });
    const post = await invocation.begun;
    expectStreamHeaders(post);
    let expected = PRELUDE;
    for (let line = 1; line <= LINES; line += 1) {
      expected += `line ${line}\n`;
      await received(post, expected);
      // The handler writes its next line only when it sees this file.
      writeFileSync(join(environment.taskRoot, `seen-${line}`), "");
    }
    await invocation.posted;
    expect([post.complete, post.latin1, post.trailers]).toEqual([true, expected, {}]);
    await environment.api.idle();
  });

  test.concurrent("a prelude that comes in pieces is waited for", async () => {
    await using environment = await EnvironmentUnderTest.start({ shell, files });
    const { api, taskRoot } = environment;
    const invocation = api.enqueue({ body: "pieces" });
    const post = await invocation.begun;
    expectStreamHeaders(post);
    await received(post, `${PRELUDE}body`);
    writeFileSync(join(taskRoot, "seen-1"), "");
    await invocation.posted;
    expect(post.latin1).toBe(`${PRELUDE}body and more`);
  });

  test.concurrent.each([
    ["fails", "StreamError", "the source is gone"],
    ["exits", "Function.ExitError", "7"],
    ["dies", "Function.KilledBySignal", "KILL"],
  ])(
    "a handler that %s in its stream ends it with the error trailers",
    async (body, errorType, message) => {
      await using environment = await EnvironmentUnderTest.start({ shell, files });
      const { api } = environment;
      const invocation = api.enqueue({ body });
      const post = await invocation.posted;
      expectStreamHeaders(post);
      expect([post.complete, post.latin1]).toEqual([true, `${PRELUDE}partial`]);
      expect(post.trailers[HEADER.errorType.toLowerCase()]).toMatch(
        /^(Runtime|Function)\.[A-Z][a-zA-Z]+$/,
      );
      const error = trailerError(post);
      expect([error.errorType, error.errorMessage.includes(message)]).toEqual([errorType, true]);
      await api.idle();
      expect(invocation.posts.length).toBe(1);
      const next = api.enqueue({ body: "plain" });
      await next.posted;
      expectOutcome(next, { response: "plain" });
    },
  );

  test.concurrent("what has been streamed is not the message of an error", async () => {
    const text = `set -e
    handler() {
      printf '{"statusCode":200}\\0\\0\\0\\0\\0\\0\\0\\0part of a page'
      false
    }`;
    // What bash knows besides is not hidden by it.
    const command = shell.startsWith("bash") ? "; its last command: false (in handler)" : "";
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files: { "function.sh": text },
    });
    const post = await environment.api.invoke();
    expect(trailerError(post).errorMessage).toBe(`the handler exited with status 1${command}`);
  });

  test.concurrent("a handler that fails before its prelude has an error", async () => {
    await using environment = await EnvironmentUnderTest.start({ shell, files });
    const invocation = environment.api.enqueue({ body: "too-early" });
    await invocation.posted;
    expectOutcome(invocation, { error: { errorType: "Function.ExitError" } });
  });

  test.concurrent("the stream ends when the handler returns", async () => {
    await using environment = await EnvironmentUnderTest.start({ shell, files });
    const { api, bootstrap } = environment;
    const post = await api.invoke({ body: "background" });
    expect([post.complete, post.latin1]).toEqual([true, `${PRELUDE}ok`]);
    await bootstrap.logged("late");
    const next = await api.invoke({ body: "plain" });
    expect(next.latin1).toBe("plain");
  });

  test.concurrent.each([
    ["at once", { kind: "status", status: 202 }],
    ["slowly", { kind: "slow-read", delayMs: 500 }],
  ] as const)("a stream without limit keeps every byte, read %s", async (_, postResponse) => {
    await using environment = await EnvironmentUnderTest.start({ shell, files });
    const { api } = environment;
    await api.invoke({ body: "plain" });
    const before = peakBytes(environment.bootstrap.pid);
    const post = await api.invoke({
      body: "large",
      headers: { [HEADER.invocationId]: "attempt-1" },
      postResponse,
    });
    expect([post.complete, post.responseStatus]).toEqual([true, 202]);
    expect(post.header(HEADER.invocationId)).toBe("attempt-1");
    const body = post.body.subarray(PRELUDE.length);
    expect(body.length).toBe(20 * MEGABYTE);
    expect(body.equals(Buffer.alloc(body.length, "0123456789abcdef\n"))).toBe(true);
    await api.idle();
    // What the platform has not taken yet is not kept by the runtime.
    expect(peakBytes(environment.bootstrap.pid) - before).toBeLessThan(STREAM_GROWTH_BYTES_MAX);
  });

  test.concurrent.each([400, 403, 410, 413])(
    "a stream that gets status %d is logged and the loop goes on",
    async (status) => {
      await using environment = await EnvironmentUnderTest.start({ shell, files });
      const { api, bootstrap } = environment;
      const invocation = api.enqueue({
        body: "pieces-now",
        postResponse: { kind: "status", status },
      });
      await invocation.posted;
      const next = await api.invoke({ body: "plain" });
      expect(next.path).toBe(PATH.response(api.invocations[1]?.requestId ?? ""));
      expect(invocation.posts.length).toBe(1);
      await bootstrap.logged(String(status));
    },
  );
});
