#!/bin/sh
# The function that responds in the machine of kernels.slow.ts.

handler() {
  printf 'event %s handled on %s' "$1" "$(uname -r)"
}
