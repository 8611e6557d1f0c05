/**
 * The function of README.md whose request curl signs: a server takes its signature, computed again from
 * what has arrived. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 *
 * @module
 */

import { expect, test } from "bun:test";
import { createHash, createHmac } from "node:crypto";

import { readDocuments } from "./document.ts";

const KEY = { id: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text);

/** The signature that a POST request to `/` must have, with the scope and the headers that it names. */
function signature({ headers }: Request, body: string): string {
  const authorization = headers.get("authorization") ?? "";
  const [, scope = ""] = /Credential=[^/]+\/([^,]+)/.exec(authorization) ?? [];
  const [, names = ""] = /SignedHeaders=([^,]+)/.exec(authorization) ?? [];
  const lines = names.split(";").map((name) => `${name}:${headers.get(name)?.trim()}\n`);
  const canonical = `POST\n/\n\n${lines.join("")}\n${names}\n${sha256(body)}`;
  const text = `AWS4-HMAC-SHA256\n${headers.get("x-amz-date")}\n${scope}\n${sha256(canonical)}`;
  let key: string | Buffer = `AWS4${KEY.secret}`;
  for (const part of scope.split("/")) key = hmac(key, part).digest();
  return hmac(key, text).digest("hex");
}

/** The function, from its block. */
function handler(): string {
  const readme = readDocuments().find(({ path }) => path === "README.md");
  const block = readme?.blocks.find((each) => each.kind === "file" && each.file === "with-curl.sh");
  return block?.text ?? "exit 9";
}

test.each([
  ["dash", "the/token+of=Lambda"],
  ["dash", ""],
  ["bash", "the/token+of=Lambda"],
  ["bash", ""],
])("in %s, with the token %p, the request is signed as AWS asks", async (shell, token) => {
  const requests: { readonly scope: boolean; readonly signed: boolean; readonly token: string }[] =
    [];
  await using server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const authorization = request.headers.get("authorization") ?? "";
      requests.push({
        scope: /=AKIDEXAMPLE\/\d{8}\/eu-west-1\/ssm\/aws4_request,/.test(authorization),
        signed: authorization.endsWith(`Signature=${signature(request, await request.text())}`),
        token: request.headers.get("x-amz-security-token") ?? "",
      });
      return Response.json({ Parameter: { Value: "hello" } });
    },
  });
  const child = Bun.spawn([shell, "-c", `${handler()}\nhandler '{}'`], {
    env: {
      PATH: "/usr/local/bin:/usr/bin:/bin",
      AWS_ACCESS_KEY_ID: KEY.id,
      AWS_SECRET_ACCESS_KEY: KEY.secret,
      AWS_SESSION_TOKEN: token,
      AWS_REGION: "eu-west-1",
      AWS_ENDPOINT_URL: `http://127.0.0.1:${server.port}`,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  expect(await new Response(child.stdout).text()).toBe("hello\n");
  expect(requests).toEqual([{ scope: true, signed: true, token }]);
});
