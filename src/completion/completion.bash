# shellcheck shell=bash
# Completes lambda-shell in bash. Made by "lambda-shell completion bash" from the tool's own commands:
#     lambda-shell completion bash > ~/.local/share/bash-completion/completions/lambda-shell

# One line for each thing to complete: its command, its kind, its name, its value, what it is.
_lambda_shell_table() {
  printf '%s\n' '@TABLE@'
}

# Completes a value: files, folders, or one of some words.
_lambda_shell_value() {
  local current=$2
  COMPREPLY=()
  case $1 in
    file)
      compopt -o filenames 2> /dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      ;;
    dir)
      compopt -o filenames 2> /dev/null
      mapfile -t COMPREPLY < <(compgen -d -- "$current")
      ;;
    words:*) mapfile -t COMPREPLY < <(compgen -W "${1#words:}" -- "$current") ;;
  esac
}

_lambda_shell() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command='' word of kind name value words='' argument='' at
  # The equals sign of --option=value is a word of its own.
  if [ "$current" = = ]; then
    current=''
  elif [ "$previous" = = ]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((at = 1; at < COMP_CWORD; at++)); do
    word=${COMP_WORDS[at]}
    if [ "$word" = -- ]; then
      _lambda_shell_value file "$current"
      return
    fi
    case $command$word in
      -*) ;;
      *) command=${command:-$word} ;;
    esac
  done
  while IFS='|' read -r of kind name value _; do
    [ "$of" = "$command" ] || continue
    if [ "$kind" = option ] && [ "$name" = "$previous" ] && [ -n "$value" ]; then
      _lambda_shell_value "$value" "$current"
      return
    fi
    case $kind in
      argument) argument=$value ;;
      *) words="$words $name" ;;
    esac
  done < <(_lambda_shell_table)
  case $current in
    -*) _lambda_shell_value "words:$words" "$current" ;;
    *) _lambda_shell_value "${argument:-words:$words}" "$current" ;;
  esac
}

complete -F _lambda_shell lambda-shell
