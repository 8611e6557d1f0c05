/**
 * Settings that are read again while a function is served.
 *
 * @module
 */

import type { FunctionSettings } from "../../host/invocation/settings.ts";

/** What the host has built upon since it was started, as users call it. */
const FIXED = [
  ["name", "the name"],
  ["directory", "the folder"],
  ["region", "the region"],
  ["environments", "workers"],
  ["environmentsMin", "workers"],
] as const satisfies readonly (readonly [keyof FunctionSettings, string])[];

/** The new settings as far as they can be taken, and what waits for a restart. */
export interface ReloadedSettings {
  readonly settings: FunctionSettings;
  readonly forRestart: readonly string[];
}

/** Takes new settings for old ones. */
export function reloadedSettings(old: FunctionSettings, fresh: FunctionSettings): ReloadedSettings {
  const differing = FIXED.filter(([key]) => old[key] !== fresh[key]).map(([, words]) => words);
  const { name, directory, region, environments, environmentsMin } = old;
  const { environmentsMin: _, ...changeable } = fresh;
  const kept = { name, directory, region, environments };
  return {
    settings: {
      ...changeable,
      ...kept,
      ...(environmentsMin === undefined ? {} : { environmentsMin }),
    },
    forRestart: [...new Set(differing)],
  };
}
