/**
 * Verifies a detached PGP signature with a key that is kept in the tree, and with no other key:
 * the user's own key ring is never looked at.
 *
 * @module
 */

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { CommandError, run } from "./command.ts";

/** The signature is bad, missing, or not made by the key that it should be made by. */
export class SignatureError extends Error {
  override readonly name = "SignatureError";
}

/** What is signed, by whom. */
export interface DetachedSignature {
  readonly file: string;
  readonly signature: string;
  /** File with the signer's public key. */
  readonly key: string;
  /** The key's fingerprint, 40 hex digits: the key file is not believed on its own. */
  readonly fingerprint: string;
}

/**
 * Verifies a signature.
 * @throws {SignatureError} When it is not good, whatever the reason.
 */
export async function verifySignature(signed: DetachedSignature): Promise<void> {
  const { file, signature, key, fingerprint } = signed;
  if (!existsSync(key)) throw new SignatureError(`failed to find the signer's key at ${key}`);
  const home = mkdtempSync(join(tmpdir(), "gnupg-"));
  const gpg = ["gpg", "--homedir", home, "--batch", "--no-options", "--no-auto-key-retrieve"];
  try {
    await run([...gpg, "--import", key]);
    const status = await run([...gpg, "--status-fd", "1", "--verify", signature, file]);
    // VALIDSIG ends with the fingerprint of the primary key, of which the signing key is a part.
    const primary = /^\[GNUPG:\] VALIDSIG .* ([0-9A-F]{40})$/m.exec(status)?.[1];
    if (primary !== fingerprint) {
      throw new SignatureError(
        `failed to verify ${file}: signed by ${primary ?? "nobody"}, not by ${fingerprint}`,
      );
    }
    if (/^\[GNUPG:\] (EXPKEYSIG|EXPSIG|REVKEYSIG) /m.test(status)) {
      throw new SignatureError(
        `failed to verify ${file}: the key or the signature has expired; AWS publishes its key ` +
          "in the AWS CLI User Guide, keep the new one in layer/keys/",
      );
    }
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.status === 127) throw error;
    throw new SignatureError(`failed to verify the signature of ${file}: ${error.message}`, {
      cause: error,
    });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
