#!/bin/sh
# enter-root.sh ROOT USER DIRECTORY COMMAND [ARGS]: runs a command in the root of an image.
#
# Runs inside a mount namespace of its own (unshare --mount), so every mount ends with it. What a
# base image would bring (programs and libraries) is this machine's, in each folder that the root
# has left empty; what the image's own steps put there stays. With READ_ONLY=1 all but /tmp cannot
# be written, as in Lambda and in our Knative service.
set -eu

root=$1 user=$2 directory=$3
shift 3

mount --make-rprivate /
mount --bind "$root" "$root"
mount --bind "$root/tmp" "$root/tmp"
for folder in usr/bin usr/lib usr/lib64 etc/alternatives; do
  if [ -d "/$folder" ] && [ -z "$(ls -A "$root/$folder" 2> /dev/null)" ]; then
    mount --bind "/$folder" "$root/$folder"
  fi
done
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
if [ "${READ_ONLY:-0}" = 1 ]; then mount -o remount,bind,ro "$root"; fi
unset READ_ONLY
chroot=$(PATH="$PATH:/usr/sbin:/sbin" && command -v chroot)
exec "$chroot" --userspec="$user" "$root" /usr/bin/env --chdir="$directory" "$@"
