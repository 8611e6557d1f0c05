#!/bin/busybox sh
# shellcheck shell=dash
# One connection of a Runtime API; standard input and output are the socket. The events are the lines of
# /tmp/events, of which each connection takes the next one; /tmp/results gets what is posted, by the event's number.

CR=$(printf '\r')

# Takes the next event: two loops may ask at the same time.
take() {
  event=1
  while ! mkdir "/tmp/taken/$event" 2>/dev/null; do event=$((event + 1)); done
}

while read -r method path _; do
  length=0
  while read -r line; do
    line=${line%"$CR"}
    [ -n "$line" ] || break
    case $line in
      [Cc]ontent-[Ll]ength:*) length=${line#*: } ;;
    esac
  done
  case $method in
    GET)
      take
      [ "$event" -le "$(wc -l </tmp/events)" ] || exec sleep 600
      body=$(sed -n "${event}p" /tmp/events)
      deadline=99999999999999
      case $body in
        late*) deadline=$((($(date +%s) + 3) * 1000)) ;;
        # A million bytes, and more than any pipe takes at once.
        large) body=$(head -c 1000000 /dev/zero | tr '\0' x) ;;
      esac
      printf 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %s\r\n' "${#body}"
      printf 'Lambda-Runtime-Aws-Request-Id: %s\r\nLambda-Runtime-Deadline-Ms: %s\r\n' "$event" "$deadline"
      printf 'Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:x:1:function:f\r\n\r\n%s' "$body"
      ;;
    *)
      result=$(head -c "$length")
      [ "$length" -le 10000 ] || result="$length bytes"
      event=${path%/*}
      # A line each, all of it at once: another connection may write to the file, too.
      echo "${event##*/} ${path##*/} $result" >>/tmp/results
      printf 'HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n'
      ;;
  esac
done
