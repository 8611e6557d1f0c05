#!/bin/sh
# Runs a program in what Lambda gives it: code in /var/task, a read-only root, bash as /bin/sh, uid
# 993 and gid 990 without an entry in /etc/passwd, 1,024 descriptors, and a /tmp of its own.
#
#   unshare --mount --propagation private /bin/sh sandbox.sh TMP ROOT PROGRAM
#
# TMP is the kind of /tmp: `empty`, `full` or `readonly`. LAMBDA_TASK_ROOT is what becomes
# /var/task; ROOT says whether the program gets that variable: `with-task-root` or
# `without-task-root`. Needs root. Nothing outside of the mount namespace is changed.
set -eu

tmp=$1 root=$2 program=$3

mount -t tmpfs -o mode=755 tmpfs /var
mkdir /var/task /var/runtime
: >/var/runtime/bootstrap
mount --bind "$LAMBDA_TASK_ROOT" /var/task
mount --bind "$program" /var/runtime/bootstrap
mount --bind /bin/bash /bin/sh

case $tmp in
  empty) mount -t tmpfs -o mode=1777 tmpfs /tmp ;;
  full)
    mount -t tmpfs -o mode=1777,size=64k tmpfs /tmp
    # Until there is no room: that it fails is the point.
    cat /dev/zero >/tmp/full 2>/dev/null || :
    ;;
  readonly) mount -t tmpfs -o ro tmpfs /tmp ;;
esac

mount -o remount,bind,ro /var/task
mount -o remount,ro /var
mount -o remount,bind,ro /

# shellcheck disable=SC3045 # every shell that this runs in has it
ulimit -n 1024
cd /var/task
case $root in
  with-task-root) export LAMBDA_TASK_ROOT=/var/task ;;
  without-task-root) unset LAMBDA_TASK_ROOT ;;
esac
exec setpriv --reuid 993 --regid 990 --clear-groups /var/runtime/bootstrap
