import { describe, expect, test } from "bun:test";

import { optimize } from "./optimizer.ts";

/** Runs a program, as strict as a module is, that gives its outcome to a function `report`. */
function outcomeOf(program: string): unknown {
  let outcome: unknown;
  const report = (value: unknown) => {
    outcome = value;
  };
  Reflect.set(globalThis, "reportOutcome", report);
  try {
    new Function(`"use strict"; ${program}`)();
  } finally {
    Reflect.deleteProperty(globalThis, "reportOutcome");
  }
  return outcome;
}

/** A program whose outcome is that of an expression after declarations. */
function program(declarations: string, expression: string): string {
  return `${declarations}\nReflect.get(globalThis, "reportOutcome")(${expression});`;
}

describe("optimize()", () => {
  test.each<[string, string, string]>([
    [
      "what becomes JSON",
      "class E { constructor(t) { this.errorType = t; } }",
      'JSON.stringify({ errorType: new E("a").errorType, errorMessage: "b", stackTrace: [] })',
    ],
    [
      "what a library looks up",
      "class Pipe { close() { return 1; } } const table = { close: { args: ['i32'] }, pipe2: {} };",
      "[Object.keys(table), Object.keys(table.close), new Pipe().close()]",
    ],
    [
      "a method with a name of the platform's",
      "class Log { write(x) { return x + 1; } toString() { return 'log'; } get length() { return 7; } }",
      "[new Log().write(1), `${new Log()}`, new Log().length, Buffer.from('ab').write('c'), [1].length]",
    ],
    [
      "fields of classes, in their order",
      "const seen = []; class A { x = seen.push('x'); y; static z = 3; } class B extends A { w = this.x; }",
      "[new B().w, new B().y, A.z, seen]",
    ],
    [
      "a class that extends the platform's",
      "class S extends Error { name = 'S'; constructor(m) { super(`s: ${m}`); } }",
      "[String(new S('m')), new S('m') instanceof Error, new S('n').message]",
    ],
    [
      "objects of a class as others see them",
      "class E { kind = 'e'; constructor(t) { this.written = t; } } const e = new E(Date.now() > 0);",
      "[JSON.stringify(e), Object.keys(e).length, { ...e }.written, structuredClone(e).kind, ((({ kind, ...rest }) => rest)(e)).written]",
    ],
    [
      "what a string names",
      "class E { alpha = 1; run() { return this.alpha; } get beta() { return 2; } } const e = new E();",
      "[e['alpha'], 'alpha' in e, e['run'](), 'run' in e, Reflect.get(e, 'beta'), Reflect.has(e, 'gamma'), e.run()]",
    ],
    [
      "what is static, and `this` in it",
      "class A { static count = 1; static make() { return new this(); } who() { return 'A'; } } class B extends A { who() { return 'B'; } } A.count += 1;",
      "[A.make().who(), B.make().who(), B.count]",
    ],
    [
      "getters, also where an object literal has one of the same name",
      "class A { $n = 1; get groups() { return [this.$n]; } grow() { this.$n += 1; } } const groupsOf = (x) => x?.groups ?? []; const a = new A(); const before = a.groups; a.grow();",
      "[before, groupsOf(a), groupsOf({ get groups() { return [7]; } }), groupsOf(undefined)]",
    ],
    [
      "calls whose result nobody uses, also where a class has a method of that name that does nothing",
      "const seen = []; const bound = (table) => { const all = {}; for (const name of Object.keys(table)) all[name] = (x) => { seen.push(name + x); return 0; }; return all; }; const lib = bound({ poll: {}, close: {} }); class P { poll() { return 1; } } const p = new P(); p.poll(); lib.poll(1); lib.close(2);",
      "seen",
    ],
    [
      "computed names",
      "const row = { first: 1 }; const key = 'fir' + 'st'; class M { ['a' + 1]() { return 2; } }",
      "[row[key], new M().a1()]",
    ],
    [
      "every kind of character",
      "const text = 'a\\0\\u00e9\\u2028\\ud800\\u{1f600}</script>`${';",
      "[...text].map((c) => c.codePointAt(0))",
    ],
    ["literal characters beyond ASCII", "const text = 'é…😀';", "text"],
    [
      "regular expressions",
      "const r = /(?<year>\\d{4})-\\p{L}+/gu;",
      "[...'2026-é'.matchAll(r)].map((m) => m.groups.year)",
    ],
    [
      "exceptions and what is done in the end",
      "const log = []; function f(x) { try { if (x) throw new RangeError('no'); return 1; } catch (e) { return e.message; } finally { log.push(x); } }",
      "[f(true), f(false), log]",
    ],
    [
      "loops that end from inside, and labels",
      "function f(list) { outer: for (const a of list) { for (;;) { if (a > 1) break outer; continue outer; } } return list.at(-1); }",
      "f([0, 1, 2, 3])",
    ],
    [
      "closures over the variables of a loop",
      "const all = []; for (let i = 0; i < 3; i += 1) all.push(() => i);",
      "all.map((f) => f())",
    ],
    [
      "generators, defaults, rests and destructuring",
      "function* g({ a = 1, ...rest } = {}, [b, , c = 3] = [2]) { yield a; yield b ?? c; yield rest; }",
      "[...g(), ...g({ a: 5, q: 6 }, [7])]",
    ],
    [
      "numbers at the edges",
      "const a = 0.1 + 0.2, b = 2 ** 53 + 1, c = -0, d = 0o200000;",
      "[a, b, Object.is(c, -0), d, (0x7fffffff + 1) | 0, 10n ** 20n === 100000000000000000000n]",
    ],
  ])("keeps %s", (_, declarations, expression) => {
    const plain = program(declarations, expression);
    const before = outcomeOf(plain);
    expect(before).toBeDefined();
    const made = optimize(plain);
    expect(outcomeOf(made)).toEqual(before);
    // Functions that the compiler adds would bring its licence.
    expect(made).not.toContain("jscomp");
  });

  test("puts functions and methods that have one caller into it", () => {
    const made = optimize(
      program(
        `function twice(x) { const y = x + x; return y; }
        class Counter { $count; constructor(n) { this.$count = n; } increase(by) { this.$count += twice(by); return this.$count; } }
        const counter = new Counter(Date.now());`,
        "counter.increase(Date.now())",
      ),
    );
    expect(made).not.toMatch(/function|increase|twice|=>/);
  });

  test("depends on nothing of the process that builds: no variable, and nothing that it has loaded", () => {
    const { TMPDIR } = process.env;
    process.env["TMPDIR"] = "/no/such/folder";
    Reflect.set(globalThis, "loaded", { increase: 1 });
    try {
      const made = optimize("class A { increase() { A.n = 1; } } A.n = 0; new A().increase();");
      expect(made).not.toContain("increase");
    } finally {
      Reflect.deleteProperty(globalThis, "loaded");
      if (TMPDIR === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = TMPDIR;
    }
  });

  test.each([
    ["class A { get x() { A.n += 1; return 1; } }", "x has a getter that does more than return"],
    ["const o = { get x() { const y = f(); return y; } };", "x has a getter that does more"],
    ["class A { static get x() { f(); } }", "x has a getter that does more than return"],
    ["class A { set x(v) { f(v); } }", "x has a setter"],
    ["const o = { set x(v) { f(v); } };", "x has a setter"],
    ["const o = { n: 1, twice() { return this.n * 2; } };", "`this` stands outside of a class"],
    ["class A { static o = { f() { return this; } }; }", "`this` stands outside of a class"],
    ["class A { f() { return { g: function () { return this; } }; } }", "`this` stands outside"],
    ["function f() { return this; }", "`this` stands outside of a class"],
  ])("refuses %s, which would do something else", (text, reason) => {
    expect(() => optimize(text)).toThrow(reason);
  });

  test.each([
    ["class {", "Unexpected token"],
    ["const a = 1; const a = 2;", "has already been declared"],
    ["undeclared();", "variable undeclared is undeclared"],
    ['import { a } from "bun:ffi"; a();', "bun:ffi"],
  ])("refuses %s, and says why", (text, reason) => {
    expect(() => optimize(text)).toThrow(reason);
  });
});
