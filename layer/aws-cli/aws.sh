#!/bin/sh
# Starts the AWS CLI with the Python, the loader and the libraries that lie beside it, since
# Lambda's libc is older than they need. The loader gets its library path as an argument: a
# variable would be inherited by every program that the CLI starts. Only builtins, because PATH
# may be empty.
case $0 in
*/*) cli=${0%/*}/../aws-cli ;;
*) cli=/opt/aws-cli ;;
esac
# A symbolic link to this file has another folder's name: a layer is always at /opt.
[ -x "$cli/bin/@PYTHON@" ] || cli=/opt/aws-cli
exec "$cli/lib/@LOADER@" --inhibit-cache --library-path "$cli/lib" \
  --argv0 "$cli/bin/@PYTHON@" "$cli/bin/@PYTHON@" -I -S -B -X utf8 "$cli/aws.pyc" "$@"
