/**
 * The machine that an ELF executable is for.
 *
 * @see https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
 * @module
 */

const MAGIC = Buffer.from("\x7fELF", "latin1");

/** Offset and size of `e_machine`, in bytes. */
const MACHINE_OFFSET = 18;

const EM_X86_64 = 62;
const EM_AARCH64 = 183;

/** The architecture of an executable; nothing when the bytes are no ELF of one we know. */
export function elfArchitecture(bytes: Uint8Array): "amd64" | "arm64" | undefined {
  if (bytes.byteLength < MACHINE_OFFSET + 2) return undefined;
  if (!MAGIC.equals(bytes.subarray(0, MAGIC.length))) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const machine = view.getUint16(MACHINE_OFFSET, true);
  if (machine === EM_X86_64) return "amd64";
  return machine === EM_AARCH64 ? "arm64" : undefined;
}
