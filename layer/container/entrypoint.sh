#!/bin/sh
# entrypoint.sh [HANDLER]: what a container of this image runs.
# In Lambda that is the runtime. Elsewhere it is the host, which serves Lambda's Invoke API on
# $PORT, as AWS's emulator does, and plain HTTP requests on every other path.

handler=${_HANDLER:-${1:-function.handler}}

if [ -n "${AWS_LAMBDA_RUNTIME_API:-}" ]; then
  _HANDLER=$handler exec /opt/bootstrap
fi
exec lambda-shell serve --inherit-env --host 0.0.0.0 --port "${PORT:-8080}" --handler "$handler" \
  --bootstrap /opt/bootstrap --name "${AWS_LAMBDA_FUNCTION_NAME:-function}" \
  "${LAMBDA_TASK_ROOT:-/var/task}"
