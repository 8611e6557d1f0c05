#!/bin/bash
# See function.sh.

reply() {
  printf '{"message": "%s"}' "$#"
}
