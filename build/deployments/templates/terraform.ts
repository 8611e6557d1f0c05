/**
 * The terraform binary, which neither npm nor PyPI has: what needs it is left out where it is
 * missing, and the parser of check_terraform.py is all.
 *
 * @module
 */

import { existsSync } from "node:fs";

/** Path of the binary, or null. */
export const TERRAFORM = Bun.which("terraform");

/** Where a machine without Terraform's registry keeps its providers. */
const MIRROR = "/opt/tf-plugins";

/** What `terraform init` needs to find the provider for AWS. */
export function terraformPlugins(): readonly string[] {
  return existsSync(MIRROR) ? [`-plugin-dir=${MIRROR}`] : [];
}
