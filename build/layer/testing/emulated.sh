#!/bin/sh
# Runs a command where the kernel starts arm64 programs with an emulator, and changes nothing
# outside: since Linux 6.7 a user namespace has such settings (binfmt_misc) of its own.
#
#   /bin/sh emulated.sh EMULATOR COMMAND...
#
# Needs root. Where arm64 programs run already, EMULATOR is `none` and this only runs the command.
set -eu

if [ "$1" = none ]; then
  shift
  exec "$@"
fi

if [ "$1" = inside ]; then
  emulator=$2
  shift 2
  until [ "$(/usr/bin/id -u)" = 0 ]; do /bin/sleep 0.01; done
  /bin/mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
  magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
  mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
  printf '%s' ":aarch64:M::$magic:$mask:$emulator:OPF" >/proc/sys/fs/binfmt_misc/register
  exec "$@"
fi

# The map of user ids can only be written from outside, once the namespace is there.
/usr/bin/unshare --user --mount --propagation private /bin/sh "$0" inside "$@" &
pid=$!
own=$(/bin/readlink /proc/self/ns/user)
until [ "$(/bin/readlink "/proc/$pid/ns/user")" != "$own" ]; do /bin/sleep 0.01; done
echo '0 0 4294967295' >"/proc/$pid/uid_map"
echo '0 0 4294967295' >"/proc/$pid/gid_map"
wait "$pid"
