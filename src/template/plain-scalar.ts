/**
 * Words and numbers without quotes as AWS reads them: in YAML 1.1, where more of them are booleans and numbers
 * than in YAML 1.2. What is text in a template reaches a function as the text of that value.
 *
 * The forms are those of PyYAML, by which SAM's CLI reads a template before it uploads it.
 *
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
 * @see https://yaml.org/type/bool.html
 * @see https://yaml.org/type/int.html
 * @see https://yaml.org/type/float.html
 * @module
 */

const TRUE = /^(?:yes|Yes|YES|on|On|ON|true|True|TRUE)$/;
const FALSE = /^(?:no|No|NO|off|Off|OFF|false|False|FALSE)$/;
const WHOLE = /^([-+]?)(?:(0b[01_]+)|(0[0-7_]+)|(0x[\da-fA-F_]+)|(0|[1-9][\d_]*(?::[0-5]?\d)*))$/;
const DECIMAL = /^(?:[-+]?\d[\d_]*\.[\d_]*|\.\d[\d_]*)$/;

/** The text of what a word or a number without quotes is; nothing where it is the text itself. */
export function plainScalarText(written: string): string | undefined {
  if (TRUE.test(written)) return "true";
  if (FALSE.test(written)) return "false";
  return DECIMAL.test(written) ? decimalText(written) : wholeText(written);
}

/** A whole number, also one of base 2, 8, 16 or 60, as hours and minutes are written: `0755`, `0x1F`, `12:30`. */
function wholeText(written: string): string | undefined {
  const [, sign = "", binary, octal, hexadecimal, digits = ""] = WHOLE.exec(written) ?? [];
  const prefixed = binary ?? hexadecimal ?? octal?.replace(/^[0_]+(?=\d)/, "0o");
  if (prefixed === undefined && digits === "") return undefined;
  const parts = (prefixed ?? digits).replaceAll("_", "").split(":");
  const value = parts.reduce((sum, part) => sum * 60n + BigInt(part), 0n);
  return `${sign === "-" && value !== 0n ? "-" : ""}${value}`;
}

/** A number with a point, which loses the zeros at its end: `3.10` is `3.1`. */
function decimalText(written: string): string | undefined {
  const value = Number(written.replaceAll("_", ""));
  const text = String(value);
  // What only exponents can write is left alone.
  if (!/^-?\d+(?:\.\d+)?$/.test(text) || Object.is(value, -0)) return undefined;
  return text.includes(".") ? text : `${text}.0`;
}
