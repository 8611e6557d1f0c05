#!/bin/sh
# The functions that respond in the machine of kernels.slow.ts.

handler() {
  printf 'event %s handled on %s' "$1" "$(uname -r)"
}

# Does what its event says.
wrong() {
  case $1 in
    *log)
      echo 'a line of the log' >&2
      printf 'logged'
      ;;
    *background)
      sleep 6000 &
      printf 'left a process'
      ;;
    *exit) exit 3 ;;
    *kill) kill -9 "$$" ;;
    *signal) sh -c 'kill -15 "$PPID"' ;;
    *sleep)
      sleep 6000 &
      echo >>/tmp/sleeping
      sleep 6000
      ;;
  esac
}

# Events of even and odd numbers meet.
both() {
  : >"/tmp/both.$1"
  while [ ! -e "/tmp/both.$((($1 - 1 ^ 1) + 1))" ]; do usleep 10000; done
  printf 'both'
}
