/**
 * An idle GET /next outlives every default time limit of HTTP clients. Takes seven minutes, as long as other
 * runs of `make fuzz`.
 *
 * @module
 */

import { expect, test } from "bun:test";

import { PATH } from "../runtime-api/contract.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";

/** Longer than the 360 seconds after which Bun's `fetch` gives up (measured). */
const IDLE_MS = 400_000;

test(
  `an event is handled after a wait of ${IDLE_MS / 1000} s, on the same connection`,
  async () => {
    const files = { "function.sh": "handler() { printf '%s' \"$1\"; }" };
    await using environment = await EnvironmentUnderTest.start({ files });
    const { api, bootstrap } = environment;
    expect((await api.invoke({ body: "before" })).latin1).toBe("before");
    await api.idle();
    await Bun.sleep(IDLE_MS);
    expect((await api.invoke({ body: "after" })).latin1).toBe("after");
    expect([api.connections, bootstrap.stderr]).toEqual([1, ""]);
    expect(api.requests.filter(({ path }) => path === PATH.next).length).toBeLessThanOrEqual(3);
  },
  IDLE_MS + 60_000,
);
