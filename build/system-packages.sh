#!/bin/sh
# Makes sure that programs of the system are there: build/system-packages.sh COMMAND=PACKAGE...
# python3:MODULE instead of a command is a module of Python, /PATH any file.
# Installs the packages of missing commands with apt-get as root; otherwise prints how to install them.
set -u

packages=''
programs=''
for pair in "$@"; do
  program=${pair%%=*}
  case $program in
    /*) [ -e "$program" ] ;;
    python3:*) python3 -c "import ${program#python3:}" ;;
    *) command -v "$program" ;;
  esac >/dev/null 2>&1 && continue
  programs="$programs $program"
  package=${pair#*=}
  case "$packages " in
    *" $package "*) ;;
    *) packages="$packages $package" ;;
  esac
done
[ -n "$packages" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  printf 'error: these programs are missing:%s\n' "$programs"
  printf '  install them (on Debian and Ubuntu the packages are:%s), then run make again\n' "$packages"
  exit 1
fi >&2

if [ "$(id -u)" != 0 ]; then
  printf 'error: packages of the system are missing. Install them, then run make again:\n'
  install="apt-get install --no-install-recommends$packages"
  if command -v sudo >/dev/null 2>&1; then
    printf '  sudo apt-get update && sudo %s\n' "$install"
  else
    printf "  su -c 'apt-get update && %s'\n" "$install"
  fi
  exit 1
fi >&2

printf 'installing%s\n' "$packages" >&2
# No package may ask a question: nobody would see it.
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # one word a package
{
  apt-get install -y -qq --no-install-recommends $packages >/dev/null 2>&1 && exit 0
  apt-get update -qq >/dev/null && apt-get install -y -qq --no-install-recommends $packages >/dev/null && exit 0
}
printf 'error: apt-get failed to install%s\n' "$packages" >&2
exit 1
