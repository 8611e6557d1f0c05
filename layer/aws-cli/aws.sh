#!/bin/sh
# Starts the AWS CLI with the Python, the loader and the libraries of the tree aws-cli/ beside the
# folder of this file, wherever the two are: /opt in a layer, /usr/local in a runtime's image. Lambda's
# libc is older than they need. The loader gets its library path as an argument: a variable would be
# inherited by every program that the CLI starts.
# Only builtins, because PATH may be empty; readlink is asked for a symbolic link alone, by its path.
self=$0
case $self in
*/*) ;;
# Started by a name without a path, as `sh aws` does: the file is here, or else in PATH.
*) if [ -f "./$self" ]; then self=./$self; else self=$(command -v -- "$self"); fi ;;
esac
while [ -L "$self" ]; do
  link=$(/usr/bin/readlink "$self") || exit 127
  case $link in
  /*) self=$link ;;
  *) self=${self%/*}/$link ;;
  esac
done
cli=${self%/*}/../aws-cli
exec "$cli/lib/@LOADER@" --inhibit-cache --library-path "$cli/lib" \
  --argv0 "$cli/bin/@PYTHON@" "$cli/bin/@PYTHON@" -I -S -B -X utf8 "$cli/aws.pyc" "$@"
