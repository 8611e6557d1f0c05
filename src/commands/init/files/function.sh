# shellcheck shell=sh
# The event is in "$1" and on standard input; what you print is the response; logs go to >&2.

handler() {
  echo "event: $1" >&2
  name=$(printf '%s' "$1" | sed -n 's/.*"name" *: *"\([^"]*\)".*/\1/p')
  printf '{"message":"Hello, %s!"}\n' "$name"
}
