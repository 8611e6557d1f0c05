/**
 * Writes the names that the JavaScript platform has, as JSON: its global variables, and the properties of
 * them, of the classes among them and of the foreign function interface.
 *
 * A program of its own, run by the Bun that becomes the executables: the Bun that builds may be another, and
 * have loaded what adds names.
 *
 * @module
 */

/** What {@link import("./optimizer.ts")} reads. */
export interface PlatformNames {
  readonly variables: readonly string[];
  readonly properties: readonly string[];
}

function platformNames(): PlatformNames {
  const variables = Object.getOwnPropertyNames(globalThis);
  const properties = new Set<string>();
  for (const name of variables) {
    const value: unknown = Reflect.get(globalThis, name);
    addNames(value, properties);
    if (isObject(value)) addNames(Reflect.get(value, "prototype"), properties);
  }
  addNames((Bun as unknown as { readonly FFI: object }).FFI, properties);
  return { variables, properties: [...properties] };
}

/** Adds the names of an object's properties, and of those that it inherits. */
function addNames(value: unknown, names: Set<string>): void {
  for (let object = value; isObject(object); object = Object.getPrototypeOf(object)) {
    for (const name of Object.getOwnPropertyNames(object)) names.add(name);
  }
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

console.log(JSON.stringify(platformNames()));
