#!/bin/bash
# The baseline: a custom runtime in the manner of AWS's tutorial, two curl calls an event.
# https://docs.aws.amazon.com/lambda/latest/dg/runtimes-walkthrough.html
set -euo pipefail

# shellcheck disable=SC1090 # the handler's file
source "$LAMBDA_TASK_ROOT/${_HANDLER%.*}.sh"
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"

while true; do
  headers=$(mktemp)
  event=$(curl -sS -LD "$headers" "$api/next")
  request_id=$(grep -Fi Lambda-Runtime-Aws-Request-Id "$headers" | tr -d '[:space:]' | cut -d: -f2)
  response=$("${_HANDLER##*.}" "$event")
  # The event may be longer than an argument: the tutorial's -d "$response" would fail from 128 KiB.
  curl -sS "$api/$request_id/response" --data-binary @- <<<"$response" >/dev/null
  rm -f "$headers"
done
