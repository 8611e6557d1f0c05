#!/bin/sh
# Makes sure that programs of the system are there: build/system-packages.sh COMMAND=PACKAGE...
# python3:MODULE instead of a command is a module of Python, /PATH any file.
# Installs the packages of missing commands with apt-get where it may; else says what to install.
set -u

missing=''
for pair in "$@"; do
  program=${pair%%=*}
  case $program in
    /*) [ -e "$program" ] ;;
    python3:*) python3 -c "import ${program#python3:}" ;;
    *) command -v "$program" ;;
  esac >/dev/null 2>&1 && continue
  package=${pair#*=}
  case "$missing " in
    *" $package "*) ;;
    *) missing="$missing $package" ;;
  esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  printf 'installing%s\n' "$missing" >&2
  # shellcheck disable=SC2086 # one word a package
  {
    apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 && exit 0
    apt-get update -qq >/dev/null && apt-get install -y -qq --no-install-recommends $missing >/dev/null && exit 0
  }
fi
printf 'missing: install the Debian packages (or their like)%s; "sudo make system-packages" does\n' "$missing" >&2
exit 1
