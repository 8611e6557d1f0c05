import { describe, expect, test } from "bun:test";

import { withoutPrivateNames } from "./private-names.ts";

describe("withoutPrivateNames()", () => {
  test.each<[string, string, string]>([
    [
      "a field",
      "class A { #x = 1; get() { return this.#x; } }",
      "class A { $x = 1; get() { return this.$x; } }",
    ],
    ["a field without a value", "class A { #x; }", "class A { $x; }"],
    [
      "a method",
      "class A { #m() {} go() { this.#m(); } }",
      "class A { $m() {} go() { this.$m(); } }",
    ],
    [
      "accessors",
      "class A { get #x() { return 1; } set #x(v) {} }",
      "class A { get $x() { return 1; } set $x(v) {} }",
    ],
    [
      "a static member",
      "class A { static #x = 1; static y = A.#x; }",
      "class A { static $x = 1; static y = A.$x; }",
    ],
    [
      "another object's",
      "class A { #x; is(o) { return o.#x === o?.#x; } }",
      "class A { $x; is(o) { return o.$x === o?.$x; } }",
    ],
    [
      "a function inside",
      "class A { #x; f() { return () => this.#x; } }",
      "class A { $x; f() { return () => this.$x; } }",
    ],
    ["a class expression", "let A = class { #x; };", "let A = class { $x; };"],
    [
      "a class in a class",
      "class A { #x; f() { return class { #y; g(a) { return a.#x; } }; } }",
      "class A { $x; f() { return class { $y; g(a) { return a.$x; } }; } }",
    ],
    [
      "an inner name that hides an outer one",
      "class A { #x; f() { return class extends B { #x; g() { this.#x; } }; } }",
      "class A { $x; f() { return class extends B { $x$2; g() { this.$x$2; } }; } }",
    ],
    [
      "a class that extends one of the same names",
      "class A { #x } class B extends A { #x }",
      "class A { $x } class B extends A { $x$2 }",
    ],
    [
      "what only looks like one",
      'const a = "#x"; const b = `#x ${1} #y`; const c = /#x/; // #x',
      'const a = "#x"; const b = `#x ${1} #y`; const c = /#x/; // #x',
    ],
    ["nothing", "", ""],
  ])("replaces %s", (_, program, expected) => {
    expect(withoutPrivateNames(program)).toBe(expected);
  });

  test("a program does what it did", () => {
    const program = `
      class Base { #x = 1; baseX() { return this.#x; } }
      class Derived extends Base { #x = 2; static #made = 0; #add(n) { return this.#x + n; }
        constructor() { super(); Derived.#made += 1; }
        all() { return [this.baseX(), this.#x, this.#add(10), Derived.#made]; } }
      result = new Derived().all();`;
    const evaluate = (text: string) => new Function(`let result; ${text}; return result;`)();
    expect(evaluate(withoutPrivateNames(program))).toEqual([1, 2, 12, 1]);
    expect(evaluate(program)).toEqual([1, 2, 12, 1]);
  });

  test.each([
    ["class A { #x; static is(o) { return #x in o; } }", "looked for with `in`"],
    ["const $x = 1; class A { #x }", "$x could be one of theirs"],
    ["class A { #x; f(o) { o.$y; } }", "$y could be one of theirs"],
  ])("refuses %s", (program, reason) => {
    expect(() => withoutPrivateNames(program)).toThrow(reason);
  });

  test("refuses what is not a program", () => {
    expect(() => withoutPrivateNames("class {")).toThrow(SyntaxError);
    expect(() => withoutPrivateNames("class A { f() { this.#x; } }")).toThrow(SyntaxError);
  });
});
