#!/bin/sh
# Prints the line that runs a command as root, for somebody to copy: build/as-root.sh COMMAND
# sudo is given the PATH, since its own may not have this user's Node.js. Debian has no sudo where root
# has a password; su keeps the PATH.
# shellcheck disable=SC2016 # for the reader's shell
if command -v sudo >/dev/null 2>&1; then
  printf '  sudo env PATH="$PATH" %s\n' "$1"
else
  printf "  su -c '%s'\n" "$1"
fi
