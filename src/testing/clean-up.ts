/**
 * Loaded ahead of all tests (bunfig.toml): removes what they have left when the last one has ended.
 *
 * @module
 */

import { afterAll } from "bun:test";

import { removeTemporaryFolders } from "./temporary-folder.ts";

afterAll(removeTemporaryFolders);
