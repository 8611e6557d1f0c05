#!@BASH@ -p
# shellcheck shell=bash
# Starts bash for a function with its trace on, as the runtime would start the function's own shell.
# Words between @ signs are put in by traced-function.ts.
#
# The trace goes to a pipe by a descriptor of its own, so that the function's log stays as it is. PS4 is
# set here because bash does not take it from root's environment. Nothing of this is exported: programs
# that the function starts, other shells among them, are not traced.
# shellcheck disable=SC2093 # it opens a descriptor, the script goes on
exec @DESCRIPTOR@>'@PIPE@'
trace=$'PS4=\'@PS4@\'\nBASH_XTRACEFD=@DESCRIPTOR@\nset -x\n'
if [ "$#" -ge 3 ] && [ "${*: -3:1}" = -c ]; then
  # The runtime loads a script: options, -c, its text, the script's name.
  set -- "${@:1:$#-2}" "$trace${*: -2:1}" "${@: -1}"
else
  # A file is run for an event: options, the file.
  set -- "${@:1:$#-1}" -c "$trace. \"\$0\"" "${@: -1}"
fi
exec -a '@NAME@' '@BASH@' "$@"
