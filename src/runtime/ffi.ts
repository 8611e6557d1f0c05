/**
 * Bun's foreign function interface, by the object that its module `bun:ffi` is made from.
 *
 * To import that module costs each start 0.14 ms, more than all the functions of libc that we bind
 * (measured: 200 starts in turns). Bun is pinned; the runtime does not start if an update moves the object.
 *
 * @see https://bun.com/docs/runtime/ffi
 * @module
 */

export type { Pointer } from "bun:ffi";

type Ffi = Pick<typeof import("bun:ffi"), "dlopen" | "ptr" | "read">;

export const { dlopen, ptr, read } = (Bun as unknown as { readonly FFI: Ffi }).FFI;
