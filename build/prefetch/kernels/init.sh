#!/bin/busybox sh
# shellcheck shell=dash
# The first process of the machine that kernels.slow.ts boots: starts the runtime against a Runtime
# API of one event (api.sh), shows what it answered and turns the machine off.

/bin/busybox mkdir -p /bin /proc /dev /tmp
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mount -t tmpfs tmpfs /tmp
ip link set lo up

# Kernel messages in between would cut the lines that the test looks for.
dmesg -n 1
echo "kernel: $(uname -r)"

nc -l -p 9001 -e /api.sh &
# 9001 is 2329 in hexadecimal; the socket is one of IPv6 where there is that.
while ! cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -q ':2329 '; do usleep 10000; done

LAMBDA_TASK_ROOT=/var/task _HANDLER=function.handler AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001 \
  PATH=/bin HOME=/tmp /opt/bootstrap &

# Emulated, a start takes its time; a minute is a hundred times what it needs.
tries=0
while [ ! -e /tmp/answered ] && [ "$tries" -lt 600 ]; do
  usleep 100000
  tries=$((tries + 1))
done
echo "response: $(cat /tmp/response 2>/dev/null)"
poweroff -f
