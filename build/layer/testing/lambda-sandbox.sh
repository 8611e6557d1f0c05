#!/bin/sh
# Runs a command as Lambda runs a function: the root and /opt and /var/task read-only, /tmp of its
# own, uid 993 without an entry in /etc/passwd, 1,024 descriptors.
#
#   unshare --mount --propagation private /bin/sh lambda-sandbox.sh ROOT OPT TASK COMMAND...
#
# Needs root. The command gets this script's environment unchanged, and it may be empty: so every
# program here is called by its path.
set -eu

root=$1 opt=$2 task=$3
shift 3

/bin/mount --bind "$root" "$root"
/bin/mount --bind "$opt" "$root/opt"
/bin/mount --bind "$task" "$root/var/task"
/bin/mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
/bin/mount --rbind /dev "$root/dev"
/bin/mount --rbind /proc "$root/proc"
for folder in opt var/task ''; do
  /bin/mount -o remount,bind,ro "$root/$folder"
done

# shellcheck disable=SC3045 # every shell that this runs in has it
ulimit -n 1024
exec /usr/bin/setpriv --clear-groups \
  /usr/bin/unshare --root="$root" --wd=/var/task --setgid=990 --setuid=993 "$@"
