# shellcheck shell=sh
# About five milliseconds of work in the shell itself, so that environments compete for cores and not for the host.

handler() {
  count=0
  while [ "$count" -lt 10000 ]; do count=$((count + 1)); done
  printf '{"count":%s}\n' "$count"
}
