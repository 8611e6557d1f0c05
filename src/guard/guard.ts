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
    "f0VMRgIBAQAAAAAAAAAAAAIAPgABAAAAsABAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAEAAOAACAAAAAAAAAAEAAAAF" +
    "AAAAAAAAAAAAAAAAAEAAAAAAAAAAQAAAAAAAoAMAAAAAAACgAwAAAAAAAAAAAQAAAAAAUeV0ZAYAAAAAAAAAAAAAAAAA" +
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAAAAAAABIiwQkSI1sJAhMjWTFCEiB7DgQAAAxwEiJhCQYEAAA" +
    "SImEJCAQAABIiYQkKBAAAEiJhCQwEAAAQb0JAAAAMdu/EQAAAOg/AgAASMeEJAgQAAD/////vwIAAABIjbQkCBAAAEiN" +
    "lCQAEAAAQboIAAAAuA4AAAAPBb8PAAAASI01YAIAALidAAAADwW/JAAAAL4BAAAAuJ0AAAAPBb8BAAAAvjIAAAC4nQAA" +
    "AA8FSIt1CDH/D7YGSP/Gg+gweAdr/woBx+vuuG4AAAAPBTn4D4XgAAAAuDkAAAAPBYXAD4QhAQAAD4hhAQAAicNIuAAA" +
    "AQAAAAIASImEJAgQAABIjbwkCBAAADH2MdJBuggAAAC4gAAAAA8Fg/gydBq6AQAAAOg6AQAAhcB01A+IhQAAAIXbdejr" +
    "CYnf99/oYwEAAEiNPYQBAAAx9rgCAAAADwWFwHhVQYnGicdIiea6ABAAADHADwVBicdEife4AwAAAA8FRYX/fjJIieVJ" +
    "Ae8x/0w5/XQaD7ZFAEj/xYPoMHgHa/8KAcfr6OgHAQAA698x0ui8AAAAhcB5l4XbdAkx0uitAAAA6/NEie+D5390O4n7" +
    "g/8JdAXowQAAAL8EAAAAMfa4nQAAAA8FvwIAAABIjbQkGBAAADHSQboIAAAAuA4AAAAPBei/AAAARInvwe8IuOcAAAAP" +
    "BbhwAAAADwW/AQAAAL4JAAAAuJ0AAAAPBb8CAAAASI20JAAQAAAx0kG6CAAAALgOAAAADwVIi30QSI11GEyJ4rg7AAAA" +
    "DwX32LkfAAAAOcgPR8FEjWgh6VX///+//////0iNtCQYEAAARTHSuD0AAAAPBTnYdQ6FwHQKRIusJBgQAAAx28NIjbQk" +
    "IBAAADHSQboIAAAAuA0AAAAPBcONRwGD+AJ2374JAAAAuD4AAAAPBcO4JwAAAA8FiceJ3rg+AAAADwXDL3Byb2MvdGhy" +
    "ZWFkLXNlbGYvY2hpbGRyZW4Ac2hlbGwtZ3VhcmQAAA==",
  arm64:
    "f0VMRgIBAQAAAAAAAAAAAAIAtwABAAAAsABAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAEAAOAACAAAAAAAAAAEAAAAF" +
    "AAAAAAAAAAAAAAAAAEAAAAAAAAAAQAAAAAAAqAMAAAAAAACoAwAAAAAAAAAAAQAAAAAAUeV0ZAYAAAAAAAAAAAAAAAAA" +
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAAAAAAADgA0D59CMAkZUOAIu1IgCR/wdA0f8DAdH//wGp//8C" +
    "qTYBgFITAIBSIAKAUpsAAJQAAICS4AcA+UAAgFLhIwCR4gMAkQMBgFLoEIBSAQAA1OABgFKBFABw6BSAUgEAANSABIBS" +
    "IQCA0gEAANQgAIBSQQaA0gEAANSBBkD5CQCAUkoBgFIgFEA4AMAAcWQAAFQpAQob/P//F6gVgFIBAADUHwAJa2EIAFQg" +
    "AoDSAQCA0gIAgNIDAIDSBACA0ogbgFIBAADUYAoANGAM+DfzAwAqIACg0gAAT7LgBwD54CMAkQEAgNICAIDSAwGAUigR" +
    "gFIBAADUH8gAceAAAFQiAIBSWwAAlMD+/zRABfg3k///NQMAABTgAxNLZgAAlGAMgBJhDQAQAgCAUggHgFIBAADUgAP4" +
    "N/cDACrhAwGRAgCC0ugHgFIBAADU+AMAKuADFyooB4BSAQAA1B8DAHEtAgBU9AMBkZjCOItKAYBSAACAUp8CGOsAAQBU" +
    "iRZAOCnBAHFkAABUACQKG/r//xdJAACU9///FwIAgFI1AACUAPz/NpMAADQCAIBSMQAAlP3//xfAGgBygAIAVPMDACof" +
    "JABxQAAAVDUAAJSAAIBSAQCA0ugUgFIBAADUQACAUuFjAJECAIDSAwGAUugQgFIBAADUiBWAUgEAANThAxMqKBCAUgEA" +
    "ANTAfghTyAuAUgEAANSoE4BSAQAA1CAAgFIhAYDS6BSAUgEAANRAAIBS4QMAkQIAgNIDAYBS6BCAUgEAANSACkD5gWIA" +
    "keIDFaqoG4BSAQAA1OADAEvhA4BSHwABawCQgRoWhAAR0v//FwAAgBLhQwCRAwCA0ogggFIBAADUoAAANB8AE2thAABU" +
    "9hNAuRMAgFLAA1/W4WMAkQIAgNIDAYBSyBCAUgEAANTAA1/WAQQAET8IAHHp/v9UIQGAUigQgFIBAADUwANf1i9wcm9j" +
    "L3RocmVhZC1zZWxmL2NoaWxkcmVuAHNoZWxsLWd1YXJkAAAAAAAA",
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
 * executed.
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
  writeSync(file, Buffer.from(executable, "base64"));
  return `/proc/${process.pid}/fd/${file}`;
}
