#!/bin/sh
# Copies what has been compiled into dist/ to the folder of a build's other artefacts, each file whole or
# not at all: build/copy-executables.sh FOLDER
set -eu
unset CDPATH
mkdir -p -- "$1"
folder=$(cd -- "$1" && pwd -P)
[ "$folder" != "$(cd ./dist && pwd -P)" ] || exit 0
for file in dist/bootstrap-amd64 dist/bootstrap-arm64 dist/lambda-shell-linux-amd64 dist/lambda-shell-linux-arm64; do
  # The next build removes what a killed one has left under such a name.
  unfinished=$folder/.${file#dist/}.$$.unfinished
  trap 'rm -f -- "$unfinished"' EXIT
  cp -- "$file" "$unfinished"
  mv -f -- "$unfinished" "$folder/${file#dist/}"
done
