/**
 * Starts programs so that nothing of them outlives the tool, however the tool ends, SIGKILL included.
 *
 * A process in between is needed for that: the kernel tells a child of its parent's death only if the
 * child has asked for it, and hands orphans to the nearest ancestor that wants them. Neither can be
 * asked for by `Bun.spawn`, and a shell or a second Bun in between would cost a start more than the
 * runtime itself. So it is 1 KB of machine code, `guard-amd64.s` and `guard-arm64.s`, which say what it
 * does. Their bytes stand here so that neither a build nor a run from the sources needs an assembler;
 * guard.test.ts assembles them and compares.
 *
 * @module
 */

import { dlopen } from "bun:ffi";
import { writeSync } from "node:fs";

/** The executables, in base64. */
const EXECUTABLES: Readonly<Record<string, string>> = {
  x64:
    "f0VMRgIBAQAAAAAAAAAAAAIAPgABAAAAsABAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAEAAOAACAAAAAAAAAAEAAAAFAAAA" +
    "AAAAAAAAAAAAAEAAAAAAAAAAQAAAAAAAuAMAAAAAAAC4AwAAAAAAAAAAAQAAAAAAUeV0ZAYAAAAAAAAAAAAAAAAAAAAAAAAA" +
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAAAAAAABIiwQkSI1sJAhMjWTFCEiB7DgQAAAxwEiJhCQYEAAASImEJCAQAABI" +
    "iYQkKBAAAEiJhCQwEAAAQb0JAAAAMdu/EQAAAOhVAgAASMeEJAgQAAD/////vwIAAABIjbQkCBAAAEiNlCQAEAAAQboIAAAA" +
    "uA4AAAAPBb8PAAAASI01dgIAALidAAAADwW/JAAAAL4BAAAAuJ0AAAAPBb8BAAAAvjIAAAC4nQAAAA8FSIt1CDH/D7YGSP/G" +
    "g+gweAdr/woBx+vuuG4AAAAPBTn4D4XqAAAAuCcAAAAPBUGJxrg5AAAADwWFwA+EIQEAAA+IbQEAAInDSLgAAAEAAAACAEiJ" +
    "hCQIEAAASI28JAgQAAAx9jHSQboIAAAAuIAAAAAPBYP4MnQaugEAAADoRgEAAIXAdNQPiIUAAACF23Xo6wmJ3/ff6G8BAABI" +
    "jT2QAQAAMfa4AgAAAA8FhcB4VUGJxonHSInmugAQAAAxwA8FQYnHRIn3uAMAAAAPBUWF/34ySInlSQHvMf9MOf10Gg+2RQBI" +
    "/8WD6DB4B2v/CgHH6+joEwEAAOvfMdLoyAAAAIXAeZeF23QJMdLouQAAAOvzRInvg+d/dDuJ+4P/CXQF6M0AAAC/BAAAADH2" +
    "uJ0AAAAPBb8CAAAASI20JBgQAAAx0kG6CAAAALgOAAAADwXoywAAAESJ78HvCLjnAAAADwW4cAAAAA8FvwEAAAC+CQAAALid" +
    "AAAADwW4bgAAAA8FRDnwdYy/AgAAAEiNtCQAEAAAMdJBuggAAAC4DgAAAA8FSIt9EEiNdRhMieK4OwAAAA8F99i5HwAAADnI" +
    "D0fBRI1oIelJ////v/////9IjbQkGBAAAEUx0rg9AAAADwU52HUOhcB0CkSLrCQYEAAAMdvDSI20JCAQAAAx0kG6CAAAALgN" +
    "AAAADwXDjUcBg/gCdt++CQAAALg+AAAADwXDuCcAAAAPBYnHid64PgAAAA8Fwy9wcm9jL3RocmVhZC1zZWxmL2NoaWxkcmVu" +
    "AHNoZWxsLWd1YXJkAAAAAA==",
  arm64:
    "f0VMRgIBAQAAAAAAAAAAAAIAtwABAAAAsABAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAEAAOAACAAAAAAAAAAEAAAAFAAAA" +
    "AAAAAAAAAAAAAEAAAAAAAAAAQAAAAAAAwAMAAAAAAADAAwAAAAAAAAAAAQAAAAAAUeV0ZAYAAAAAAAAAAAAAAAAAAAAAAAAA" +
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAAAAAAADgA0D59CMAkZUOAIu1IgCR/wdA0f8DAdH//wGp//8CqTYBgFITAIBS" +
    "IAKAUqIAAJQAAICS4AcA+UAAgFLhIwCR4gMAkQMBgFLoEIBSAQAA1OABgFJhFQBw6BSAUgEAANSABIBSIQCA0gEAANQgAIBS" +
    "QQaA0gEAANSBBkD5CQCAUkoBgFIgFEA4AMAAcWQAAFQpAQob/P//F6gVgFIBAADUHwAJa8EIAFSIFYBSAQAA1PcDACogAoDS" +
    "AQCA0gIAgNIDAIDSBACA0ogbgFIBAADUYAoANOAM+DfzAwAqIACg0gAAT7LgBwD54CMAkQEAgNICAIDSAwGAUigRgFIBAADU" +
    "H8gAceAAAFQiAIBSXwAAlMD+/zRABfg3k///NQMAABTgAxNLagAAlGAMgBLhDQAQAgCAUggHgFIBAADUgAP4N/cDACrhAwGR" +
    "AgCC0ugHgFIBAADU+AMAKuADFyooB4BSAQAA1B8DAHEtAgBU9AMBkZjCOItKAYBSAACAUp8CGOsAAQBUiRZAOCnBAHFkAABU" +
    "ACQKG/r//xdNAACU9///FwIAgFI5AACUAPz/NpMAADQCAIBSNQAAlP3//xfAGgBygAIAVPMDACofJABxQAAAVDkAAJSAAIBS" +
    "AQCA0ugUgFIBAADUQACAUuFjAJECAIDSAwGAUugQgFIBAADUiBWAUgEAANThAxMqKBCAUgEAANTAfghTyAuAUgEAANSoE4BS" +
    "AQAA1CAAgFIhAYDS6BSAUgEAANSoFYBSAQAA1B8AF2vh+/9UQACAUuEDAJECAIDSAwGAUugQgFIBAADUgApA+YFiAJHiAxWq" +
    "qBuAUgEAANTgAwBL4QOAUh8AAWsAkIEaFoQAEc7//xcAAIAS4UMAkQMAgNKIIIBSAQAA1KAAADQfABNrYQAAVPYTQLkTAIBS" +
    "wANf1uFjAJECAIDSAwGAUsgQgFIBAADUwANf1gEEABE/CABx6f7/VCEBgFIoEIBSAQAA1MADX9YvcHJvYy90aHJlYWQtc2Vs" +
    "Zi9jaGlsZHJlbgBzaGVsbC1ndWFyZAAA",
};

/** What the guard ends everything for, a real-time signal. */
const END_SIGNAL = 50;

/** A guard that is killed by this signal plus an errno could not execute its program. */
const REFUSED_SIGNAL = 33;

/** What `Bun.spawn` is told. */
interface GuardedCommand {
  readonly cmd: string[];
  readonly argv0?: string;
}

/**
 * A command with the guard in front of it. The guard's end is the program's: its exit status, or the
 * signal that killed it; see {@link startErrno} for a program that cannot be executed.
 * @param command A path, not a name that is looked for, with the arguments.
 * @returns Nothing where no guard can be started: on another system, or where memory files may not be
 * written or executed.
 */
export function guarded(command: readonly string[]): GuardedCommand | undefined {
  const [program = ""] = command;
  const guard = guardPath();
  if (guard === undefined) return undefined;
  return { cmd: [guard, String(process.pid), program, ...command], argv0: "lambda-shell-guard" };
}

/** Has a guard kill its program and everything that the program has started; no effect when it has gone. */
export function endGuarded(guardPid: number): void {
  try {
    process.kill(guardPid, END_SIGNAL);
    // A program may have stopped it.
    process.kill(guardPid, "SIGCONT");
  } catch {
    // Gone already.
  }
}

/** The errno with which a program was not executed, by the signal that its guard ended with. */
export function startErrno(signal: number): number | undefined {
  return signal > REFUSED_SIGNAL ? signal - REFUSED_SIGNAL : undefined;
}

let path: string | undefined | false = false;

/** The guard as a file that can be executed for as long as this process lives. */
function guardPath(): string | undefined {
  if (path === false) path = makeGuard();
  return path;
}

/** Flags of memfd_create(2): not inherited; executable, which kernels before 6.3 do not know. */
const MFD_CLOEXEC = 1;
const MFD_EXEC = 0x10;

function makeGuard(): string | undefined {
  const executable = EXECUTABLES[process.arch];
  if (process.platform !== "linux" || executable === undefined) return undefined;
  const { symbols } = dlopen("libc.so.6", {
    memfd_create: { args: ["buffer", "u32"], returns: "i32" },
  });
  const name = Buffer.from("shell-guard\0");
  let file = symbols.memfd_create(name, MFD_CLOEXEC | MFD_EXEC);
  if (file < 0) file = symbols.memfd_create(name, MFD_CLOEXEC);
  if (file < 0) return undefined;
  try {
    writeSync(file, Buffer.from(executable, "base64"));
  } catch {
    // Not even a file of 1 KB is allowed, by `ulimit -f`.
    return undefined;
  }
  return `/proc/${process.pid}/fd/${file}`;
}
