#!/bin/sh
# Installs the locked packages of a folder: build/npm-ci.sh FOLDER
set -eu
build/system-packages.sh npm=npm
version=$(npm --version)
if [ "${version%%.*}" -lt 9 ]; then
  printf 'error: npm %s is too old: npm 9 or newer is needed, as Node.js 18 and newer have it\n' "$version" >&2
  printf '  install a newer Node.js (https://nodejs.org), then run make again\n' >&2
  exit 1
fi
build/own-files.sh "$1" "$1/node_modules"
cd "$1"
exec npm ci --no-audit --no-fund --loglevel=error
