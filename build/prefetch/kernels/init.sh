#!/bin/busybox sh
# shellcheck shell=dash
# The first process of the machine that kernels.slow.ts boots: has the runtime handle events of a Runtime API
# (api.sh) in several ways, says of each what came of it, and turns the machine off.

/bin/busybox mkdir -p /bin /proc /dev /tmp
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mount -t tmpfs tmpfs /tmp
ip link set lo up

# Kernel messages in between would cut the lines that the test looks for.
dmesg -n 1
echo "kernel: $(uname -r)"

# Starts a Runtime API at port 9001 that gives events, and the runtime.
#   start HANDLER LOOPS EVENT...
start() {
  rm -rf /tmp/*
  mkdir /tmp/taken
  : >/tmp/results
  handler=$1 loops=$2
  shift 2
  printf '%s\n' "$@" >/tmp/events
  setsid nc -ll -p 9001 -e /api.sh &
  api=$!
  # 9001 is 2329 in hexadecimal; the socket is one of IPv6 where there is that.
  while ! cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -q ':2329 0*:0000 0A'; do
    usleep 10000
  done
  LAMBDA_TASK_ROOT=/var/task _HANDLER=$handler AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001 \
    AWS_LAMBDA_MAX_CONCURRENCY=$loops PATH=/bin HOME=/tmp BUN_OPTIONS=--help /opt/bootstrap 2>/tmp/log &
  runtime=$!
}

# How often it is looked for what is waited for, 10 times a second: emulated, it takes 6 seconds at most.
TRIES_MAX=600

# Waits until a file has so many lines.
#   wait_for_lines COUNT FILE
wait_for_lines() {
  tries=0
  while ! has_lines "$@" && [ "$tries" -lt "$TRIES_MAX" ]; do
    usleep 100000
    tries=$((tries + 1))
  done
}

has_lines() {
  lines=0
  [ -e "$2" ] && while read -r _; do lines=$((lines + 1)); done <"$2"
  [ "$lines" -ge "$1" ]
}

# Ends the runtime, and says under a name with which status it has ended, what its events have come to, what
# it has written to the log, and which processes it has left.
#   end NAME SIGNAL
end() {
  kill "-$2" "$runtime"
  wait "$runtime" 2>/dev/null
  echo "$1: status $?"
  kill -9 "-$api"
  wait
  {
    sort -n /tmp/results
    # When the shells say this depends on which process has ended first.
    sed -e '/^Terminated$/d' -e 's/^/log: /' /tmp/log
  } | sed -E -e 's/[0-9]+\.[0-9]+ s/N s/g' -e "s/^/$1: /"
  looks=0
  while left && [ "$looks" -lt 20 ]; do
    usleep 100000
    looks=$((looks + 1))
  done
  if left; then
    echo "$1: left:$processes"
    kill -9 -1
  fi
  # Where that has not happened which was waited for, the rest would only take its time.
  [ "$tries" -lt "$TRIES_MAX" ] || poweroff -f
}

# Whether there are processes besides this one; those of the kernel run no file.
left() {
  processes=
  for process in /proc/[0-9]*; do
    if [ "$process" != /proc/1 ] && [ -e "$process/exe" ] && read -r id name state parent group _ <"$process/stat"; then
      processes="$processes $id $name of $parent in group $group, $state;"
    fi
  done
  [ -n "$processes" ]
}

start function.handler '' 1 large 3
wait_for_lines 3 /tmp/results
end responses TERM

start function.wrong 1 1:log 2:background 3:exit 4:kill 5:signal late:sleep 7:log
wait_for_lines 7 /tmp/results
end 'what goes wrong' TERM

start function.wrong '' sleep
wait_for_lines 1 /tmp/sleeping
end 'ended in an event' TERM

start function.wrong '' sleep
wait_for_lines 1 /tmp/sleeping
end 'killed in an event' KILL

# The kernel alone can end a shell whose runtime is killed while it loads.
start endless.handler ''
wait_for_lines 1 /tmp/sleeping
end 'killed while it loads' KILL

# Each event waits for the other one of its pair.
start function.both 2 1 2 3 4
wait_for_lines 4 /tmp/results
end 'two loops' TERM

start function.wrong 2 sleep sleep
wait_for_lines 2 /tmp/sleeping
end 'two loops, killed in their events' KILL

start file.sh '' 1 2
wait_for_lines 2 /tmp/results
end 'a file' TERM

# All that is reserved must now be there: half of the memory, since there is no swap.
echo 2 >/proc/sys/vm/overcommit_memory
start function.handler '' 1 2
wait_for_lines 2 /tmp/results
end 'without overcommit' TERM

poweroff -f
