/** The least that Bun does: what a start takes beyond this program is ours. */

process.exit(0);
