#!/bin/sh
# The shell's side of the fork server; fork-server.ts is the other.
#
# Protocol. The runtime starts this text with `sh -c` and the script's path as $0, standard input
# empty, standard output and error on the log. Words between @ signs are put in by the runtime:
# literal paths below /proc/RUNTIME/fd, so that the shell holds no descriptor, no variable and no
# function of the runtime's that a handler could see or break.
#   1. The script is sourced, once.
#   2. One report goes to STATUS: the script's traps, which the runtime hands to each fork, with words
#      of a DEBUG trap before that is gone; a line that only holds STATE; a line "STATUS FLAGS SHELLOPTS
#      BASHOPTS" (the last status, $-, two lists of bash's); what the function's name stands for; a line
#      that only holds TOKEN.
#   3. For each event a fork of the loaded shell waits for a line on TRIGGER. It is forked ahead of
#      the event, so that the fork costs the event nothing. It then sources EVENT, which redirects
#      standard input and output, exports the event's metadata, restores the script's options and
#      traps, and calls the handler.
#   4. Its exit status goes to STATUS as a decimal line. Then the next fork is made.
# When the runtime is gone the paths are, too, and the loop ends. A process that waits on LIFELINE, whose
# only writer is the runtime, then ends the whole process group, with a handler that still runs.
#
# All of it is one compound command, parsed before the script can define an alias. Behind the script
# only special builtins are used bare: no function can stand in for them. Others go through `command`.
{
  # shellcheck disable=SC1091 # the script is the user's
  . "@SCRIPT@"
  # A script that traces (set -x) has not asked to see this.
  {
    # Any value makes bash a POSIX shell, where functions cannot replace special builtins.
    # shellcheck disable=SC3028 # bash's, empty elsewhere
    POSIXLY_CORRECT="$? $- ${SHELLOPTS-} ${BASHOPTS-}"
    # The script's options are the handler's alone: the event restores them in its fork.
    set +abCefmnuvx
  } 2>/dev/null
  # shellcheck disable=SC3041 # only where it is set is it known
  case $- in *k*) set +k ;; esac
  unset -f command
  unset BASH_EXECUTION_STRING
  {
    trap
    # These would run here, too, for whatever fails or ends. Not every shell knows all of them.
    # shellcheck disable=SC3047 # it says so, and goes on
    command trap - ERR
    # shellcheck disable=SC3047
    command trap - DEBUG
    command trap - CHLD
    command printf '\n%s\n' "@STATE@"
    command printf '%s\n' "$POSIXLY_CORRECT"
    LC_ALL=C command -V "@FUNCTION@"
    command printf '\n%s\n' "@TOKEN@"
  } >"@STATUS@" 2>&1
  set --
  # The last to go: at the end of the runtime, however it came, nothing here may run on.
  # shellcheck disable=SC3061 # $_ is what a line is read into that nobody wants
  ( (
    TMOUT='' command read -r _ <"@LIFELINE@"
    command kill -9 0
  ) & )
  while :; do
    (
      # Only this makes ksh93 fork for a subshell. It expands aliases late, too.
      # shellcheck disable=SC3045 # ksh93 has it
      case ${KSH_VERSION-} in Version*) command ulimit -S -c "$(\command ulimit -S -c)" ;; esac
      # shellcheck disable=SC3061 # $_ is what a line is read into that nobody wants
      TMOUT='' command read -r _ <"@TRIGGER@" || exit
      # shellcheck disable=SC1091 # written anew for each event
      . "@EVENT@"
    )
    command printf '%s\n' "$?" >"@STATUS@" || exit
  done
}
