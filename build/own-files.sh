#!/bin/sh
# Fails if a folder that a target writes to cannot be written, mostly since it belongs to another user:
# build/own-files.sh FOLDER... That is so after a target that was run as root, as the tests are.
set -u
for folder in "$@"; do
  [ -d "$folder" ] || continue
  [ ! -w "$folder" ] || continue
  named=$folder
  [ "$folder" != . ] || named='this folder'
  # Root may write whatever the mode is.
  if [ "$(id -u)" = 0 ]; then
    printf 'error: %s is on a read-only file system: copy the clone to a folder that can be written\n' "$named"
  elif [ -n "$(find "$folder" -prune -user "$(id -u)" 2>/dev/null)" ]; then
    printf 'error: %s cannot be written. To change its mode, run:\n  chmod -R u+w .\n' "$named"
    printf '  if its file system is read-only, copy the clone to a folder that can be written\n'
  else
    printf 'error: %s belongs to another user (to root, if make was run as root). To take it back, run:\n' "$named"
    "${0%/*}/as-root.sh" "chown -R $(id -u):$(id -g) ."
  fi
  exit 1
done >&2
