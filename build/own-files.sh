#!/bin/sh
# Fails if a folder that a target writes to belongs to another user: build/own-files.sh FOLDER...
# That is so after a target that was run as root, as the tests are.
set -u
for folder in "$@"; do
  [ -d "$folder" ] || continue
  [ ! -w "$folder" ] || continue
  [ "$folder" != . ] || folder='this folder'
  printf 'error: %s belongs to another user (to root, if make was run as root). To take it back, run:\n' "$folder"
  "${0%/*}/as-root.sh" "chown -R $(id -u):$(id -g) ."
  exit 1
done >&2
