#!/bin/sh
# aws and docker for tests of scripts: writes each call as a line into $FAKE/calls and responds from
# $FAKE/SERVICE_OPERATION, a file with one response a line: a status, a space and a text, which goes to
# standard output for status 0 and to standard error for others. A line is used once, the last one by all
# later calls too; without a file, a call succeeds and says nothing.
set -eu

if [ "${0##*/}" = docker ]; then
  printf 'docker %s\n' "$*" >> "$FAKE/calls"
  exit 0
fi
[ "$1" != --region ] || shift 2
printf '%s\n' "$*" >> "$FAKE/calls"
file=$FAKE/$1_$2
case $* in
  *' --generate-cli-skeleton'*) file=${file}_skeleton ;;
  *' --dry-run'*) file=${file}_dry-run ;;
esac
[ "$2" != wait ] || file=${file}_$3
[ -e "$file" ] || exit 0
response=$(head -n 1 "$file")
if [ "$(grep -c '' "$file")" -gt 1 ]; then
  sed 1d "$file" > "$file.rest"
  mv "$file.rest" "$file"
fi
text=${response#* }
if [ "${response%% *}" = 0 ]; then
  printf '%b\n' "$text"
else
  printf '%s\n' "$text" >&2
fi
exit "${response%% *}"
