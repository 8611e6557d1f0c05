/**
 * The handler's name as an argument, as a container image has it in CMD.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/images-create.html
 * @module
 */

import { expect, test } from "bun:test";

import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { expectError } from "../testing/expectations.ts";

const files = {
  "function.sh":
    "handler() { printf 'handler, %s' \"${_HANDLER-unset}\"; }; other() { printf other; }",
  "dir/x.sh": "my_function() { printf 'in a folder'; }",
};

test.concurrent.each([
  ["is taken without _HANDLER", null, ["function.handler"], "handler, unset"],
  ["is taken with an empty _HANDLER", "", ["function.handler"], "handler, "],
  ["is taken from the first argument", null, ["dir/x.my_function", "y"], "in a folder"],
  ["gives way to _HANDLER", "function.other", ["function.handler"], "other"],
  ["that is not there", "function.other", [], "other"],
  ["that is empty gives way to _HANDLER", "function.other", [""], "other"],
] as const)("a handler argument %s", async (_, handler, args, expected) => {
  for (const concurrency of ["1", "2"]) {
    await using environment = await EnvironmentUnderTest.start({
      files,
      args,
      env: { _HANDLER: handler, AWS_LAMBDA_MAX_CONCURRENCY: concurrency },
    });
    expect((await environment.api.invoke()).latin1).toBe(expected);
  }
});

test.concurrent.each([[[]], [[""]]])(
  "without a handler, and with the arguments %p",
  async (args) => {
    await using environment = await EnvironmentUnderTest.start({
      files,
      args,
      env: { _HANDLER: "" },
    });
    expect(await environment.exited).toEqual({ status: 1, signal: null });
    const [post] = environment.api.initErrors;
    if (post === undefined) throw new Error("no init error was reported");
    expectError(post, { errorType: "Runtime.MalformedHandlerName" });
  },
);
