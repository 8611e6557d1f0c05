/**
 * What the tests of AWS's Runtime Interface Emulator assert of its Runtime API and Extensions API, as far
 * as it is seen over HTTP: what holds here too, and what is otherwise on purpose, with the reason.
 *
 * @see https://github.com/aws/aws-lambda-runtime-interface-emulator
 */

import { expect, test } from "bun:test";

import { PATH, RESPONSE_BYTES_MAX } from "../../runtime-api/contract.ts";
import { PendingInvocation } from "../invocation/invocation.ts";
import type { PostedResult } from "./posted-result.ts";
import { RuntimeApiServer } from "./runtime-api-server.ts";

const EXTENSION = "/2020-01-01/extension";

/** A response, as far as the emulator's tests look at it. */
interface Seen {
  readonly status: number;
  readonly type: string | null;
  readonly body: string;
  readonly errorType: string | undefined;
  readonly identifier: string | null;
}

/** The API of an environment with an external extension, in its init phase. */
async function startApi(snapStart = false) {
  const posted: PostedResult[] = [];
  const server = new RuntimeApiServer(
    {
      onNext: () => undefined,
      onPosted: (_invocation, result) => void posted.push(result),
      onInitError: (error) => void posted.push({ kind: "error", ...error }),
      onSnapshot: () => server.restore(),
      onRestoreError: (error) => void posted.push({ kind: "error", ...error }),
    },
    { concurrency: 1, snapStart },
  );
  server.extensions.expected = ["external"];
  server.extensions.registeredFunction = {
    functionName: "my-func",
    functionVersion: "$LATEST",
    handler: "lambda_handler",
    accountId: "0123",
  };
  const address = await server.listen();
  const send = async (
    method: string,
    path: string,
    body: string | undefined = undefined,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Seen> => {
    const init = body === undefined ? { method, headers } : { method, headers, body };
    const response = await fetch(`http://${address}${path}`, init);
    const text = await response.text();
    return {
      status: response.status,
      type: response.headers.get("content-type"),
      body: text,
      errorType: /"errorType":"([^"]*)"/.exec(text)?.[1],
      identifier: response.headers.get("lambda-extension-identifier"),
    };
  };
  const post = (path: string, body = "{}", headers: Readonly<Record<string, string>> = {}) =>
    send("POST", path, body, headers);
  return {
    server,
    posted,
    send,
    post,
    register: (name: string, body = '{"events":["INVOKE"]}', features = "") =>
      post(`${EXTENSION}/register`, body, {
        ...(name === "" ? {} : { "Lambda-Extension-Name": name }),
        ...(features === "" ? {} : { "Lambda-Extension-Accept-Feature": features }),
      }),
    /** Gives the runtime an event. */
    next: async (requestId: string, traceId = "Root=1") => {
      const polled = send("GET", PATH.next);
      while (!server.ready) await Bun.sleep(1);
      const invocation = new PendingInvocation({ event: Buffer.from("{}"), requestId, traceId });
      server.deliver(invocation, invocation.headers(Date.now() + 1000, "arn"));
      server.extensions.publishInvoke(invocation, 5, "arn");
      return polled;
    },
    bodies: () =>
      posted.map((each) => ("body" in each ? Buffer.from(each.body).toString() : each.kind)),
    [Symbol.asyncDispose]: async () => server.closeAfter(0),
  };
}

type Api = Awaited<ReturnType<typeof startApi>>;

const identity = ({ identifier }: Seen) => ({ "Lambda-Extension-Identifier": identifier ?? "" });

const FAILURE = { "Lambda-Extension-Function-Error-Type": "Extension.TestError" };

const CAUSE = { "Content-Type": "application/vnd.aws.lambda.error.cause+json" };

const MODE = (mode: string) => ({ "Lambda-Runtime-Function-Response-Mode": mode });

/** Statuses and error types of some requests, one after another. */
const told = (...seen: readonly Seen[]) =>
  seen.map(({ status, errorType }) =>
    errorType === undefined ? status : `${status} ${errorType}`,
  );

/** What the emulator asserts, in words, and what is seen here. */
const FACTS: readonly (readonly [
  fact: string,
  look: (api: Api) => Promise<unknown>,
  expected: unknown,
])[] = [
  [
    "an error is JSON, whatever is accepted",
    async ({ send }) => {
      const seen = await send("POST", PATH.error("x-y-z"), "", { Accept: "application/xml" });
      return [seen.type, ...told(seen)];
    },
    ["application/json", "400 InvalidRequestID"],
  ],
  [
    "an unknown path is 404",
    async ({ post }) => {
      const { status, body } = await post("/2018-06-01/runtime/unsupported");
      return [status, body];
    },
    [404, "404 page not found\n"],
  ],
  [
    "an unknown method is 405",
    async ({ send }) => told(await send("DELETE", PATH.error("ABC"))),
    [405],
  ],
  ["init/error is accepted", async ({ post }) => told(await post(PATH.initError)), [202]],
  [
    "init/error is forbidden in an event",
    async ({ next, post }) => told(await next("A"), await post(PATH.initError)),
    [200, "403 InvalidStateTransition"],
  ],
  ...(["response", "error"] as const).flatMap((kind) => [
    [
      `invocation/${kind} is accepted`,
      async ({ next, post }: Api) => {
        const seen = [await next("A"), await post(PATH[kind]("A"))];
        return [...told(...seen), seen[1]?.type, seen[1]?.body];
      },
      [200, 202, "application/json", '{"status":"OK"}\n'],
    ] as const,
    [
      `invocation/${kind} of another id is refused, and the event goes on`,
      async ({ next, post }: Api) =>
        told(await next("A"), await post(PATH[kind]("Z")), await post(PATH[kind]("A"))),
      [200, "400 InvalidRequestID", 202],
    ] as const,
    [
      `invocation/${kind} of the event before is refused`,
      async ({ next, post }: Api) =>
        told(
          await next("A"),
          await post(PATH[kind]("A")),
          await next("B"),
          await post(PATH[kind]("A")),
        ),
      [200, 202, 200, "400 InvalidRequestID"],
    ] as const,
    ...(["response", "error"] as const).map(
      (second) =>
        [
          `invocation/${second} after invocation/${kind} is forbidden`,
          async ({ next, post }: Api) =>
            told(await next("A"), await post(PATH[kind]("A")), await post(PATH[second]("A"))),
          [200, 202, "403 InvalidStateTransition"],
        ] as const,
    ),
  ]),
  [
    "one event follows another",
    async ({ next, post }) =>
      told(
        await next("A"),
        await post(PATH.response("A")),
        await next("B"),
        await post(PATH.response("B")),
        await next("C"),
        await post(PATH.response("C")),
      ),
    [200, 202, 200, 202, 200, 202],
  ],
  [
    "without a snapshot there are neither restore/next nor credentials",
    async ({ send }) =>
      told(await send("GET", PATH.restoreNext), await send("GET", "/2021-04-23/credentials")),
    [404, 404],
  ],
  [
    "a type of error that is none of the known ones is recorded as unknown",
    async ({ post, posted }) => {
      const header = { "Lambda-runtime-functioN-erroR-typE": "ErrorType" };
      const seen = await post(PATH.initError, "MyError", header);
      const [error] = posted;
      return [seen.status, seen.type, error?.kind === "error" ? error.errorType : ""];
    },
    [202, "application/json", "Runtime.Unknown"],
  ],
  [
    "an error is passed on byte for byte",
    async ({ next, post, bodies }) => {
      await next("A");
      await post(PATH.error("A"), "My error, not JSON", { "Content-Type": "MyBinaryType" });
      return bodies();
    },
    ["My error, not JSON"],
  ],
  [
    "an error's cause is not the caller's",
    async ({ next, post, bodies }) => {
      await next("A");
      await post(
        PATH.error("A"),
        '{"errorMessage":"m","errorType":"t","errorCause":{"a":1}}',
        CAUSE,
      );
      return bodies();
    },
    ['{"errorMessage":"m","errorType":"t"}'],
  ],
  [
    "an error with a cause that is not JSON has words of its own",
    async ({ next, post, bodies }) => {
      await next("A");
      await post(PATH.error("A"), "not JSON", CAUSE);
      return bodies();
    },
    ['"Invalid error body"'],
  ],
  ...["{}", '{"working_directory":"\u00e9"}', "x".repeat(100_000), ""].map(
    (cause) =>
      [
        `an error with a header about its cause (${cause.slice(0, 20)}) is accepted`,
        async ({ next, post }: Api) => {
          const header = { "Lambda-Runtime-Function-XRay-Error-Cause": encodeURI(cause) };
          return told(await next("A"), await post(PATH.error("A"), "{}", header));
        },
        [200, 202],
      ] as const,
  ),
  [
    "a response that is too large is refused",
    async ({ next, post }) => {
      await next("A");
      const seen = await post(PATH.response("A"), "x".repeat(RESPONSE_BYTES_MAX + 1));
      return [seen.status, seen.body];
    },
    [
      413,
      '{"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).",' +
        '"errorType":"RequestEntityTooLarge"}\n',
    ],
  ],
  [
    "an empty mode of the response is accepted",
    async ({ next, post }) => told(await next("A"), await post(PATH.response("A"), "1", MODE(""))),
    [200, 202],
  ],
  [
    "streaming is a mode of the response",
    async ({ next, post }) =>
      told(await next("A"), await post(PATH.response("A"), "1", MODE("streaming"))),
    [200, 202],
  ],
  [
    "another mode of the response is refused",
    async ({ next, post }) =>
      told(await next("A"), await post(PATH.response("A"), "1", MODE("Function-Mode"))),
    [200, "400 InvalidFunctionResponseMode"],
  ],
  [
    "an extension without a name is refused",
    async ({ register }) => told(await register("")),
    ["403 Extension.InvalidExtensionName"],
  ],
  [
    "the registration ends with the init phase",
    async ({ next, register }) => told(await next("A"), await register("late")),
    [200, "403 Extension.RegistrationClosed"],
  ],
  ...["internal", "external"].map(
    (name) =>
      [
        `a second ${name} extension of a name is refused`,
        async ({ register }: Api) => told(await register(name), await register(name)),
        [200, "403 Extension.InvalidExtensionState"],
      ] as const,
  ),
  [
    "an internal extension cannot ask for SHUTDOWN",
    async ({ register }) => told(await register("internal", '{"events":["INVOKE","SHUTDOWN"]}')),
    ["403 Extension.InvalidEventType"],
  ],
  ...["internal", "external"].map(
    (name) =>
      [
        `an ${name} extension cannot ask for an unknown event`,
        async ({ register }: Api) => {
          const seen = await register(name, '{"events":["abcdef"]}');
          return [...told(seen), seen.body.includes("abcdef")];
        },
        ["403 Extension.InvalidEventType", true],
      ] as const,
  ),
  ...["{", "[]x", "[]", '{"events":"INVOKE"}'].map(
    (body) =>
      [
        `a registration of ${body} is refused`,
        async ({ register }: Api) => told(await register("external", body)),
        ["403 InvalidRequestFormat"],
      ] as const,
  ),
  ...[
    ["", undefined],
    ["accountId", "0123"],
    ["some_non_existing_feature,", undefined],
    ["some_non_existing_feature,accountId,", "0123"],
  ].flatMap(([features = "", accountId]) =>
    ["internal", "external"].map(
      (name) =>
        [
          `an ${name} extension with the features "${features}" is told of the function`,
          async ({ register }: Api) =>
            JSON.parse((await register(name, '{"events":[]}', features)).body),
          {
            functionName: "my-func",
            functionVersion: "$LATEST",
            handler: "lambda_handler",
            ...(accountId === undefined ? {} : { accountId }),
          },
        ] as const,
    ),
  ),
  [
    "eleven extensions are one too many",
    async ({ register }) => {
      for (let at = 0; at < 10; at += 1) await register(`e${at}`);
      return told(await register("e10"));
    },
    ["403 Extension.TooManyExtensions"],
  ],
  ...[
    ["no", "", "MissingExtensionIdentifier"],
    ["a malformed", "invalid-unique-identifier", "InvalidExtensionIdentifier"],
    ["an unknown", "85083764-ff1e-476f-ada1-d51f26e4f6be", "UnknownExtensionIdentifier"],
  ].flatMap(([which, identifier = "", type]) =>
    ["GET /event/next", "POST /init/error", "POST /exit/error"].map(
      (request) =>
        [
          `${request} with ${which} identifier is refused`,
          async ({ send }: Api) => {
            const [method = "", path = ""] = request.split(" ");
            const body = method === "GET" ? undefined : "{}";
            const headers = { ...FAILURE, "Lambda-Extension-Identifier": identifier };
            return told(await send(method, EXTENSION + path, body, headers));
          },
          [`403 Extension.${type}`],
        ] as const,
    ),
  ),
  ...["init", "exit"].flatMap((phase) => [
    [
      `an extension's ${phase}/error needs a type`,
      async ({ register, post }: Api) =>
        told(await post(`${EXTENSION}/${phase}/error`, "{}", identity(await register("external")))),
      ["403 Extension.MissingHeader"],
    ] as const,
    [
      `an extension's ${phase}/error is accepted, and no event after it`,
      async ({ register, post, send }: Api) => {
        const headers = { ...FAILURE, ...identity(await register("external")) };
        const seen = await post(`${EXTENSION}/${phase}/error`, "{}", headers);
        return [
          seen.body,
          ...told(seen, await send("GET", `${EXTENSION}/event/next`, undefined, headers)),
        ];
      },
      ['{"status":"OK"}\n', 202, "403 Extension.InvalidExtensionState"],
    ] as const,
  ]),
  [
    "an extension that has had an event cannot report an error of its init",
    async ({ register, next, send, post }) => {
      const headers = { ...FAILURE, ...identity(await register("external")) };
      const polled = send("GET", `${EXTENSION}/event/next`, undefined, headers);
      await next("A");
      return told(await polled, await post(`${EXTENSION}/init/error`, "{}", headers));
    },
    [200, "403 Extension.InvalidExtensionState"],
  ],
  ...[
    [
      "Root=1-5b3cc918;Parent=8;Sampled=0",
      { type: "X-Amzn-Trace-Id", value: "Root=1-5b3cc918;Parent=8;Sampled=0" },
    ],
    ["", undefined],
  ].map(
    ([traceId, tracing]) =>
      [
        `an extension is told of an event with the trace "${traceId}"`,
        async ({ register, next, send }: Api) => {
          const headers = identity(await register("external"));
          const polled = send("GET", `${EXTENSION}/event/next`, undefined, headers);
          await next("A", String(traceId));
          return JSON.parse((await polled).body);
        },
        {
          eventType: "INVOKE",
          deadlineMs: 5,
          requestId: "A",
          invokedFunctionArn: "arn",
          ...(tracing === undefined ? {} : { tracing }),
        },
      ] as const,
  ),
  [
    "an external extension that asked for SHUTDOWN is told why",
    async ({ register, send, server }) => {
      const headers = identity(await register("external", '{"events":["SHUTDOWN"]}'));
      const polled = send("GET", `${EXTENSION}/event/next`, undefined, headers);
      while (!server.extensions.idle) await Bun.sleep(1);
      await Bun.sleep(20);
      const shutdownReason = "spindown";
      server.extensions.publish({ eventType: "SHUTDOWN", deadlineMs: 7, shutdownReason });
      return JSON.parse((await polled).body);
    },
    { eventType: "SHUTDOWN", deadlineMs: 7, shutdownReason: "spindown" },
  ],
  [
    "the Logs API says that it is not there",
    async ({ send }) => {
      const { status, body } = await send("PUT", "/2020-08-15/logs", "{}");
      return [status, body];
    },
    [202, '{"errorMessage":"Logs API is not supported","errorType":"Logs.NotSupported"}\n'],
  ],
  [
    "the Telemetry API says that it is not there",
    async ({ send }) => {
      const { status, body } = await send("PUT", "/2022-07-01/telemetry", "{}");
      return [status, body];
    },
    [
      202,
      '{"errorMessage":"Telemetry API is not supported","errorType":"Telemetry.NotSupported"}\n',
    ],
  ],
];

test.each(FACTS)("%s", async (_fact, look, expected) => {
  await using api = await startApi();
  expect(await look(api)).toEqual(expected as never);
});

/** The same with a snapshot. */
const SNAPSHOT_FACTS: typeof FACTS = [
  ["restore/next is 200", async ({ send }) => told(await send("GET", PATH.restoreNext)), [200]],
  [
    "restore/error is accepted after the restore",
    async ({ send, post }) => {
      await send("GET", PATH.restoreNext);
      const seen = await post(PATH.restoreError, "{}");
      return [seen.status, seen.type];
    },
    [202, "application/json"],
  ],
  [
    "restore/error is forbidden before the restore",
    async ({ post }) => told(await post(PATH.restoreError)),
    ["403 InvalidStateTransition"],
  ],
  [
    "restore/error is forbidden in an event",
    async ({ send, next, post }) =>
      told(await send("GET", PATH.restoreNext), await next("A"), await post(PATH.restoreError)),
    [200, 200, "403 InvalidStateTransition"],
  ],
  [
    "restore/error is forbidden after an event",
    async ({ send, next, post }) =>
      told(
        await send("GET", PATH.restoreNext),
        await next("A"),
        await post(PATH.response("A")),
        await post(PATH.restoreError),
      ),
    [200, 200, 202, "403 InvalidStateTransition"],
  ],
  [
    "restore/error is accepted once, and no event after it",
    async ({ send, post }) =>
      told(
        await send("GET", PATH.restoreNext),
        await post(PATH.restoreError),
        await post(PATH.restoreError),
        await send("GET", PATH.next),
      ),
    [200, 202, "403 InvalidStateTransition", "403 InvalidStateTransition"],
  ],
  [
    "restore/next is forbidden after the restore, and after an event",
    async ({ send, next, post }) =>
      told(
        await send("GET", PATH.restoreNext),
        await send("GET", PATH.restoreNext),
        await next("A"),
        await post(PATH.response("A")),
        await send("GET", PATH.restoreNext),
      ),
    [200, "403 InvalidStateTransition", 200, 202, "403 InvalidStateTransition"],
  ],
  [
    "restore/next is GET, restore/error is POST",
    async ({ send, post }) =>
      told(await post(PATH.restoreNext), await send("GET", PATH.restoreError)),
    [405, 405],
  ],
  [
    "restore/next is forbidden in an event",
    async ({ next, send }) => told(await next("A"), await send("GET", PATH.restoreNext)),
    [200, "403 InvalidStateTransition"],
  ],
];

test.each(SNAPSHOT_FACTS)("with a snapshot: %s", async (_fact, look, expected) => {
  await using api = await startApi(true);
  expect(await look(api)).toEqual(expected as never);
});

/** What the emulator asserts and the host does otherwise, for the reasons in ../README.md. */
const OTHERWISE: typeof FACTS = [
  [
    "a response to an event that was not handed out yet names an unknown id (the emulator: 403)",
    async ({ post }) => told(await post(PATH.response("A")), await post(PATH.error("A"))),
    ["400 InvalidRequestID", "400 InvalidRequestID"],
  ],
];

test.each(OTHERWISE)("otherwise: %s", async (_fact, look, expected) => {
  await using api = await startApi();
  expect(await look(api)).toEqual(expected as never);
});
