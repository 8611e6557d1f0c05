#!/bin/sh
# The shell's side of the fork server, for every shell but bash; fork-server.ts is the other side.
# fork-server.bash is the same for bash, which can be changed by a script in more ways.
#
# Protocol. The runtime starts this text with `sh -c`, standard input empty, standard output and error on
# the log. Words between @ signs are put in by the runtime; paths among them lead to pipes of the runtime
# (below /proc/RUNTIME/fd), so that the shell holds no descriptor, no variable and no function of the
# runtime's that a script could see or break.
#   1. The script is sourced, once. Its status and options, traps, readonly variables and what the function's
#      name stands for are reported to CONTROL.
#   2. A fork is made ahead of each event, and sources the pipe that NEXT leads to. A line end waits in it,
#      by which the runtime sees that the fork is there; then comes the event (event-script.ts).
#   3. When it has ended, its status goes to OUTPUT ("ended"), and then the next fork is made.
#
# Invariants, on which a status' being its event's rests:
#   - One fork lives at a time. Its status is written after its end and before the next fork is made.
#   - A fork takes what it runs from the pipe that it has opened at its beginning, and from no other.
# The rest is the runtime's part: it leads NEXT, then OUTPUT, to pipes of the next event before it sends an
# event, so that only a fork made before can take the event, and only its status can come where the
# event's output comes.
#
# The loop runs no command: it consists of compound commands, redirections, and the words $? and paths. What
# it has to say is the message of a redirection that cannot be made, a path below a pipe, since for that a
# shell needs no builtin, function or variable. So there is no name that a script could have redefined,
# disabled, aliased or made readonly, nothing is traced, and no DEBUG trap runs. Elsewhere only
# special builtins are used, which a function cannot replace; all is parsed before the script is read, and
# a backslash keeps aliases out of what ksh93 looks up late.
#
# When the runtime is gone the kernel ends the whole process group (signalAtEnd in libc.ts). Where it does not, the
# paths are gone, too, and the loop ends with the event that is handled.
{
  # shellcheck disable=SC1091 # the script is the user's
  \. "@SCRIPT@"
  if { \:; } 2>"@CONTROL@" <"@CONTROL@/sourced/$?/$-/"; then \:; fi
  {
    \trap
    # The script's options are the handler's alone: the event restores them in its fork. An event is not a
    # pattern.
    \set -f +abCemnuvx
    # By this option mksh would take the names of an event's variables out of the command that exports them.
    # shellcheck disable=SC3041 # only a shell that has turned it on is told
    case $- in *k*) \set +k ;; esac
    # These would run here, too, for whatever fails or ends. Not every shell knows all of them.
    \trap - CHLD
    # shellcheck disable=SC3047 # it says so, and goes on
    \trap - ERR
    # shellcheck disable=SC3047
    \trap - DEBUG
    \set --
    \readonly -p
    if { \:; } 2>"@CONTROL@" <"@CONTROL@/defined//${PS4-}/"; then \:; fi
    # The one name that a function may have: that function is asked then, and its output checked.
    \command -V "@FUNCTION@"
    if { \:; } 2>"@CONTROL@" <"@CONTROL@/named/"; then \:; fi
  } >"@CONTROL@" 2>/dev/null
  # The loop's first status says that the script is loaded. From here on all becomes one line, hence the semicolons:
  # a message names the line that it comes from, and the runtime knows the loop's by this one.
  @ONE_LINE@
  while { ! { { \:; } <"@ENDED@$?/"; }; } 2>"@OUTPUT@"; do
    (
      # Only this makes ksh93 fork for a subshell: else the event would change the shell of all.
      # shellcheck disable=SC3045 # ksh93 has it
      case ${KSH_VERSION-} in Version*) \command ulimit -S -c "$(\command ulimit -S -c)" ;; esac;
      # shellcheck disable=SC1091 # written for each event: it sets $1 and $2
      \. "@NEXT@";
      # What the event restores. The call is not in the file, which shells would name in messages.
      \eval "${1-\\exit 125}";
      # The event is $1 now.
      @CALL@ "$1"
    )
  done
}
