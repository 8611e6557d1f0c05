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
text=1
while [ "$text" -le "$#" ] && [ "${!text}" != -c ]; do text=$((text + 1)); done
if [ "$text" -lt "$#" ]; then
  # The runtime loads a script: options, -c, its text, the script's name, and what the text needs.
  text=$((text + 1))
  set -- "${@:1:text-1}" "$trace${!text}" "${@:text+1}"
else
  # A file is run for an event: options, the file.
  set -- "${@:1:$#-1}" -c "$trace. \"\$0\"" "${@: -1}"
fi
exec -a '@NAME@' '@BASH@' "$@"
