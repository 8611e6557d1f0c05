import { describe, expect, test } from "bun:test";

import { runtimeApiAddress } from "./runtime-api-address.ts";

describe("AWS_LAMBDA_RUNTIME_API", () => {
  test.each([
    ["127.0.0.1:9001", "127.0.0.1", "9001"],
    ["localhost:1", "localhost", "1"],
    ["sandbox.local_1:65535", "sandbox.local_1", "65535"],
    ["[::1]:9001", "::1", "9001"],
    ["[fe80::1%eth0]:9001", "fe80::1%eth0", "9001"],
  ])("%s is a host and a port", (text, host, port) => {
    expect(runtimeApiAddress(text)).toEqual({ host, port, text });
  });

  test.each([
    ...[
      "127.0.0.1",
      ":9001",
      "127.0.0.1:",
      "9001",
      ":",
      "[::1]",
      "[]:9001",
      "[::1:9001",
      "::1]:9001",
    ],
    ...["::1:9001", "[127.0.0.1]:9001", "a:b:9001", "[[::1]]:9001", "a[b:9001"],
    ...[
      "localhost:0",
      "localhost:65536",
      "localhost:-1",
      "localhost:1.5",
      "localhost:0x50",
      "localhost:1e3",
    ],
    ...["http://127.0.0.1:9001", "127.0.0.1:9001/", "me@host:9001", "host?:9001", "host#:9001"],
    ...["local host:9001", "host: 9001", "host:9001 ", "host\n:9001", "host\r:9001", "ho\0st:9001"],
  ])("%j is refused, with what it must be", (text) => {
    expect(() => runtimeApiAddress(text)).toThrow(
      `AWS_LAMBDA_RUNTIME_API is ${JSON.stringify(text)}: it must be HOST:PORT`,
    );
  });

  test("that is empty is not set", () => {
    expect(() => runtimeApiAddress("")).toThrow("AWS_LAMBDA_RUNTIME_API is not set");
  });
});
