#!/bin/bash
# The baseline: a custom runtime in the manner of AWS's tutorial, with the tutorial's commands.
# https://docs.aws.amazon.com/lambda/latest/dg/runtimes-walkthrough.html
set -euo pipefail

# shellcheck disable=SC1090 # the handler's file
source "$LAMBDA_TASK_ROOT/$(echo "$_HANDLER" | cut -d. -f1).sh"
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"

while true; do
  headers=$(mktemp)
  event=$(curl -sS -LD "$headers" "$api/next")
  request_id=$(grep -Fi Lambda-Runtime-Aws-Request-Id "$headers" | tr -d '[:space:]' | cut -d: -f2)
  response=$("$(echo "$_HANDLER" | cut -d. -f2)" "$event")
  # The tutorial's -d "$response" fails from 128 KiB on, the limit of an argument.
  curl -sS "$api/$request_id/response" --data-binary @- <<<"$response" >/dev/null
  rm -f "$headers"
done
