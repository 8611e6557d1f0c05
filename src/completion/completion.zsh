#compdef lambda-shell
# Completes lambda-shell in zsh. Made by "lambda-shell completion zsh" from the tool's own commands:
#     lambda-shell completion zsh > "${fpath[1]}/_lambda-shell"

# Completes a value: files, folders, or one of some words.
_lambda_shell_value() {
  case $1 in
    file) _files ;;
    dir) _files -/ ;;
    words:*) compadd -- ${=1#words:} ;;
  esac
}

_lambda_shell() {
  local current=${words[CURRENT]} previous=${words[CURRENT-1]} command='' word of kind name value text
  local argument=''
  local -a described
  # One line for each thing to complete: its command, its kind, its name, its value, what it is.
  local table='@TABLE@'
  if [[ $current == --*=* ]]; then
    previous=${current%%=*}
    compset -P 1 '*='
  fi
  for word in ${words[2,CURRENT-1]}; do
    if [[ $word == -- ]]; then
      _files
      return
    fi
    [[ -z $command && $word != -* ]] && command=$word
  done
  while IFS='|' read -r of kind name value text; do
    [[ $of == $command ]] || continue
    if [[ $kind == option && $name == $previous && -n $value ]]; then
      _lambda_shell_value $value
      return
    fi
    if [[ $kind == argument ]]; then
      argument=$value
    else
      described+=("${name//:/\\:}:$text")
    fi
  done <<< $table
  if [[ $current != -* && -n $argument ]]; then
    _lambda_shell_value $argument
  else
    _describe 'lambda-shell' described
  fi
}

# A file of fpath is the function itself; what is sourced has to name it.
if [[ ${funcstack[1]-} == _lambda-shell ]]; then
  _lambda_shell "$@"
else
  compdef _lambda_shell lambda-shell
fi
