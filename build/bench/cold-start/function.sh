#!/bin/sh
# The function whose cold start is measured.

handler() {
  printf '{"message": "hello"}'
}
