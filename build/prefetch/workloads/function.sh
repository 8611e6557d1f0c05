#!/bin/sh
# The function handlers that a page profile is taken with; bash.sh has the same for bash.

reply() {
  printf '{"message": "%s"}' "$#"
}

stream() {
  printf '{"statusCode": 200, "headers": {"Content-Type": "text/plain"}}\0\0\0\0\0\0\0\0'
  printf 'one\n'
  printf 'two\n'
}

fail() {
  printf 'something went wrong\n' >&2
  return 3
}
