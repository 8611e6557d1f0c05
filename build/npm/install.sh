#!/bin/sh
# Installs lambda-shell and its bootstraps: build/npm/install.sh DIST PREFIX
# Or removes them:                         build/npm/install.sh --remove PREFIX
#
# The files live in PREFIX/lib/lambda-shell-runtime, since the tool looks for the bootstrap beside its own
# executable; PREFIX/bin has a link. What is there is replaced in one step, also while it runs.
set -eu

dist=$1
prefix=$2
# Not every shell expands the ~ of PREFIX=~/folder: it would be a folder of that name here.
# shellcheck disable=SC2088
case $prefix in
  '~' | '~/'*) prefix=$HOME${prefix#'~'} ;;
  '' | /*) ;;
  *) prefix=$PWD/$prefix ;;
esac
lib=$prefix/lib/lambda-shell-runtime
bash_completion=$prefix/share/bash-completion/completions/lambda-shell
fish_completion=$prefix/share/fish/vendor_completions.d/lambda-shell.fish
zsh_completion=$prefix/share/zsh/site-functions/_lambda-shell

target=install
[ "$dist" != --remove ] || target=uninstall
for folder in "$lib" "$prefix/bin" "$prefix/share"; do
  until [ -e "$folder/" ]; do folder=${folder%/*}; done
  [ ! -w "$folder/" ] || continue
  printf 'error: failed to %s: this user may not write to %s. Run:\n' "$target" "$folder" >&2
  "${0%/*}/../as-root.sh" "make $target PREFIX=$prefix" >&2
  printf 'or name another folder by PREFIX=\n' >&2
  exit 1
done

# Empty folders stay: whether they were there before is not known, and /usr/local/bin is to stay when it is empty.
if [ "$dist" = --remove ]; then
  rm -f -- "$prefix/bin/lambda-shell" "$bash_completion" "$fish_completion" "$zsh_completion"
  rm -rf -- "$lib"
  printf 'removed lambda-shell from %s\n' "$prefix"
  exit
fi

mkdir -p -- "$lib" "$prefix/bin"
# put FILE NAME: under another name first.
put() {
  cp -- "$1" "$lib/.$2.new"
  chmod "$3" "$lib/.$2.new"
  mv -f -- "$lib/.$2.new" "$lib/$2"
}
put "$dist/lambda-shell" lambda-shell 755
for bootstrap in bootstrap-amd64 bootstrap-arm64; do put "$dist/$bootstrap" "$bootstrap" 755; done
put LICENSE LICENSE 644
put NOTICE NOTICE 644
ln -sf -- ../lib/lambda-shell-runtime/lambda-shell "$prefix/bin/lambda-shell"

# write_completion SHELL FILE
write_completion() {
  mkdir -p -- "${2%/*}"
  "$lib/lambda-shell" completion "$1" > "$2"
}
write_completion bash "$bash_completion"
write_completion fish "$fish_completion"
write_completion zsh "$zsh_completion"

printf 'installed %s\n' "$prefix/bin/lambda-shell"
# shellcheck disable=SC2016 # for the reader's shell
case :$PATH: in
  *:"$prefix/bin":*) ;;
  *) printf 'it is not in your PATH yet: export PATH="%s:$PATH"\n' "$prefix/bin" ;;
esac
