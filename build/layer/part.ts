/**
 * A part: something of other people's that goes into the layer, with its papers.
 *
 * @module
 */

/** A licence text that travels with a part. */
export interface LicenseText {
  /** File name in the layer's folder of licences. */
  readonly fileName: string;
  readonly text: string;
}

/** A part of the layer and where it came from. */
export interface Part {
  readonly name: string;
  readonly version: string;
  /** SPDX expression. */
  readonly license: string;
  /** Where its bytes came from: a URL, or a package with its version. */
  readonly source: string;
  /** Package URL, the name that vulnerability scanners know it by. */
  readonly purl: string;
  /** SHA-256 of what was fetched, in hex; of the built file for a part that we compile. */
  readonly sha256: string;
  readonly licenses: readonly LicenseText[];
}
