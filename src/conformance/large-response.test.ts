/**
 * A response above the limit costs no memory, and the platform is told.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";

import { RESPONSE_BYTES_MAX, STATUS } from "../runtime-api/contract.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { expectOutcome } from "../testing/expectations.ts";
import { peakBytes } from "../testing/process-facts.ts";
import { SHELLS } from "../testing/shells.ts";

const RESPONSE_BYTES = 200_000_000;
/** How much the runtime's peak may grow: a few times the limit, far below the response. */
const GROWTH_BYTES_MAX = 40 * 1024 * 1024;

const files = { "function.sh": { from: "write-much.sh" } };

describe.each(SHELLS.map(({ name }) => name))("%s", (shell) => {
  test("200 MB are taken, refused by the platform, and logged", async () => {
    await using environment = await EnvironmentUnderTest.start({ shell, files });
    const { api, bootstrap } = environment;
    const first = api.enqueue({ body: "small" });
    await first.posted;
    const before = peakBytes(bootstrap.pid);
    const large = api.enqueue({ body: `large ${RESPONSE_BYTES}` });
    const post = await large.posted;
    expect(post.responseStatus).toBe(STATUS.payloadTooLarge);
    // The handler wrote to the end without being stopped.
    await bootstrap.logged("wrote all of it");
    await bootstrap.logged(String(STATUS.payloadTooLarge));
    const next = api.enqueue({ body: "small" });
    await next.posted;
    expectOutcome(next, { response: "small" });
    expect(large.posts.length).toBe(1);
    expect(peakBytes(bootstrap.pid) - before).toBeLessThan(GROWTH_BYTES_MAX);
  });

  test("a response one byte above the limit is refused and logged", async () => {
    await using environment = await EnvironmentUnderTest.start({ shell, files });
    const { api, bootstrap } = environment;
    const above = await api.invoke({ body: `large ${RESPONSE_BYTES_MAX + 1}` });
    const at = await api.invoke({ body: `large ${RESPONSE_BYTES_MAX}` });
    expect([above.responseStatus, at.responseStatus]).toEqual([
      STATUS.payloadTooLarge,
      STATUS.accepted,
    ]);
    expect(at.body.length).toBe(RESPONSE_BYTES_MAX);
    await bootstrap.logged("write it to S3");
    const told = bootstrap.stderr.split("\n").filter((line) => line.includes("the response has"));
    expect(told).toEqual([
      expect.stringContaining(
        `has ${RESPONSE_BYTES_MAX + 1} bytes, Lambda takes at most ${RESPONSE_BYTES_MAX}: write it to S3`,
      ),
    ]);
  });

  test("a handler that fails after 200 MB of output has an error", async () => {
    await using environment = await EnvironmentUnderTest.start({ shell, files });
    const invocation = environment.api.enqueue({ body: `fail ${RESPONSE_BYTES}` });
    await invocation.posted;
    const errorMessage = { contains: ["4"] };
    expectOutcome(invocation, { error: { errorType: "Function.ExitError", errorMessage } });
  });
});
