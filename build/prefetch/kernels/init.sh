#!/bin/busybox sh
# shellcheck shell=dash
# The first process of the machine that kernels.slow.ts boots: starts the runtime against a Runtime
# API of three events (api.sh), shows their responses, kills another one and turns the machine off.

/bin/busybox mkdir -p /bin /proc /dev /tmp
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mount -t tmpfs tmpfs /tmp
ip link set lo up

# Kernel messages in between would cut the lines that the test looks for.
dmesg -n 1
echo "kernel: $(uname -r)"

# Starts the runtime, against port 9001, with a handler.
start() {
  LAMBDA_TASK_ROOT=/var/task _HANDLER=$1 AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001 \
    PATH=/bin HOME=/tmp BUN_OPTIONS=--help /opt/bootstrap &
  runtime=$!
}

# Waits until a file has so many lines. Emulated, a start takes its time; a minute is a hundred times what it needs.
wait_for_lines() {
  tries=0
  while [ "$(wc -l 2>/dev/null <"$2")" != "$1" ] && [ "$tries" -lt 600 ]; do
    usleep 100000
    tries=$((tries + 1))
  done
}

# Starts the runtime against a Runtime API of its own; says under a name how it responded.
show() {
  rm -f /tmp/given /tmp/responses
  nc -l -p 9001 -e /api.sh &
  api=$!
  # 9001 is 2329 in hexadecimal; the socket is one of IPv6 where there is that.
  while ! cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -q ':2329 0*:0000 0A'; do
    usleep 10000
  done
  start function.handler
  wait_for_lines 3 /tmp/responses
  echo "$1: $(tr '\n' ';' </tmp/responses)"
  kill -9 "$runtime" "$api"
  wait
}

show responses
# The kernel alone can end a shell whose runtime is killed while it loads.
start endless.handler
wait_for_lines 1 /tmp/loading
kill -9 "$runtime"
sleep 1
if kill -0 "$(cat /tmp/loading)"; then echo 'left: the shell'; else echo 'left: nothing'; fi
# All that is reserved must now be there: half of the memory, since there is no swap.
echo 2 >/proc/sys/vm/overcommit_memory
show 'responses without overcommit'
poweroff -f
