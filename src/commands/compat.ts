/**
 * What `--compat` can be: each line may be removed together with its file.
 *
 * @module
 */

export { refunc } from "../compat/refunc.ts";
export { rie } from "../compat/rie.ts";
export { triggermesh } from "../compat/triggermesh.ts";
