/**
 * Loaded ahead of all tests (bunfig.toml): removes what they have left when the last one has ended.
 *
 * @module
 */

import { afterAll } from "bun:test";

import { removeTemporaryFolders } from "./temporary-folder.ts";

/** Images and layers are gigabytes of small files. */
const REMOVAL_MS_MAX = 120_000;

afterAll(removeTemporaryFolders, REMOVAL_MS_MAX);
