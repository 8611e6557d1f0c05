#!/bin/bash
# The shell's side of the fork server for bash. The protocol, and why the loop runs no command, is told in
# fork-server.sh; here is what bash needs besides.
#
# In POSIX mode functions cannot replace special builtins, so it is on from the script's end to the
# handler's call. Turning it on must not need a builtin, nor an assignment, which ends everything if a script
# has made the variable readonly: a redirection assigns it.
{
  @REPORT_FAILURE@
  # shellcheck disable=SC1091 # the script is the user's
  \. "@SCRIPT@"
  # Last which of an event's variables are there: mostly none, which then need not be unset for each event.
  if { \:; } 2>"@CONTROL@" <"@CONTROL@/sourced/$?/$-/$SHELLOPTS/$BASHOPTS/${!LAMBDA_RUNTIME_*}${!_X_AMZN_TRACE_ID*}/"; then \:; fi
  # A condition without a command: /dev/null can be opened if the word after it is empty.
  if { ! { { \:; } <"@CONTROL@/"; }; } 2>/dev/null <"/dev/null${-##*x*}"; then
    # A script that traces has not asked to see this, wherever it has its traces go (BASH_XTRACEFD); nor what
    # its DEBUG trap says of these commands.
    { \set +x; } >/dev/null 2>/dev/null 3>/dev/null 4>/dev/null 5>/dev/null 6>/dev/null 7>/dev/null 8>/dev/null \
      9>/dev/null 10>/dev/null 11>/dev/null 12>/dev/null 13>/dev/null 14>/dev/null 15>/dev/null \
      16>/dev/null 17>/dev/null 18>/dev/null 19>/dev/null 20>/dev/null 21>/dev/null 22>/dev/null
  fi
  # Where POSIX mode is off, the variable turns it on. A readonly one keeps some versions out of it, and set
  # may be a function: then it matters which other functions there are (load-report.ts).
  { ! { { \:; } <"@CONTROL@/"; }; } 2>/dev/null <"/dev/null${SHELLOPTS##*posix*}" ||
    { { ! { { \:; } <"@CONTROL@/"; }; } 2>/dev/null {POSIXLY_CORRECT}</dev/null && \exec {POSIXLY_CORRECT}<&-; } >/dev/null ||
    { \set -o posix; } >/dev/null 2>&1
  {
    \trap
    # These would run here, too. The event sets them again in its fork.
    \trap - DEBUG RETURN ERR CHLD
    # The script's options are the handler's alone: the event restores them in its fork. An event is not a
    # pattern: bash would look at each of its bytes for one.
    \set -f +abCekmnuv
    \set --
    \readonly -p
    if { \:; } 2>"@CONTROL@" <"@CONTROL@/defined/$SHELLOPTS/${PS4-}/"; then \:; fi
    # Which of these are functions: the handler, and what is used for an event. And which builtins are not
    # there any more. These two are no special builtins: a script's function of their name must not be called. But
    # builtin itself may be disabled.
    # shellcheck disable=SC2316 # names of functions
    \builtin declare -F -- "@FUNCTION@" command builtin shopt . : eval exec exit export set shift trap unset
    \builtin enable -n || \enable -n
  } >"@CONTROL@" 2>/dev/null
  # One line, as in fork-server.sh.
  @ONE_LINE@
  while { ! { { \:; } <"@ENDED@$?/"; }; } 2>"@OUTPUT@"; do
    (
      # shellcheck disable=SC1091 # written for each event: it sets $1 and $2
      \. "@NEXT@";
      # What the event restores: after the file, at whose end a RETURN trap runs.
      \eval "${1-\\exit 125}";
      # All that is left is the event. For "$1" bash takes one and a half times as long, dash less than for this.
      @CALL@ "$@"
    )
  done
}
