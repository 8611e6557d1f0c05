#!/bin/sh
# Becomes the executable of lambda-shell for this computer, which npm has installed beside this package.
#
# A shell that replaces itself, instead of a program of Node.js that starts another: signals and the exit
# status are the tool's own, nothing outlives it, and it starts some 40 ms earlier.
set -u

fail() {
  printf 'error: %s\n' "$@" >&2
  exit 2
}

system=$(uname -sm)
case $system in
  'Linux x86_64') platform=linux-x64 ;;
  'Linux aarch64' | 'Linux arm64') platform=linux-arm64 ;;
  *)
    fail "lambda-shell runs on Linux with x86_64 or arm64, and this is $system
  run it in a container, as with: docker run --rm -it -v \"\$PWD:/work\" -w /work node:lts bash"
    ;;
esac

self=$(readlink -f -- "$0")
package=${self%/bin/*}
# As Node.js looks for packages: in each node_modules on the way up.
folder=$package
while [ -n "$folder" ]; do
  program=$folder/node_modules/@lambda-shell-runtime/$platform/bin/lambda-shell
  [ -x "$program" ] && exec "$program" "$@"
  folder=${folder%/*}
done

for loader in /lib/ld-musl-*; do
  [ -e "$loader" ] && fail "lambda-shell needs glibc, and this system has musl
  run it in a container with glibc, such as node:lts instead of node:lts-alpine"
done
fail "npm has not installed @lambda-shell-runtime/$platform beside $package
  it does not with --omit=optional, and node_modules of another computer do not fit
  install it again here: npm install lambda-shell-runtime"
