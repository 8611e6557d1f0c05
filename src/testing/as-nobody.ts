/**
 * Commands of tests that must not run as root.
 *
 * @module
 */

/**
 * In front of a command: makes of root a user who owns nothing and may write nothing of root's. He may read
 * everything, since the clone may be in a home that is closed to others, as Debian makes them.
 */
export const AS_NOBODY: readonly string[] =
  process.getuid?.() === 0
    ? [
        ...["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
        ...["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"],
      ]
    : [];

/** In front of a command: holds root to the modes of files, as any other owner. */
export const BY_MODES: readonly string[] =
  process.getuid?.() === 0 ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] : [];
