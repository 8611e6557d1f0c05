import { expect, test } from "bun:test";

import { readScript } from "./script-reading.ts";
import { writtenBy } from "./written-files.ts";

test.each<[command: string, paths: readonly string[]]>([
  ["mkdir -p a /tmp/b", ["a", "/tmp/b"]],
  ["mkdir --mode 755 a", ["a"]],
  ["touch -r a b", ["b"]],
  ["tee -a a b", ["a", "b"]],
  ["tee -", []],
  ["cp -r a b c", ["c"]],
  ['cp $options a "my b"', ["my b"]],
  ['cp a "$to"', []],
  ['cp "$@"', []],
  ["cp -t c a b", []],
  ["mv --target-directory=c a b", []],
  ["ln -s a", []],
  ["curl -sSo a http://b", ["a"]],
  ["curl -o - http://b", []],
  ["curl -O http://b/a", []],
  ["aws s3 cp s3://a/b c", ["c"]],
  ["aws s3 cp c s3://a/b", []],
  ["aws s3 cp s3://a/b -", []],
  ["aws s3 ls s3://a b", []],
  ["aws s3api get-object a", []],
  ["echo mkdir a", []],
])("%s writes %j", async (command, paths) => {
  const { commands } = await readScript(command);
  expect(commands.flatMap(writtenBy)).toEqual([...paths]);
});
