#!/bin/busybox sh
# shellcheck shell=dash
# One connection of a Runtime API that has three events; standard input and output are the socket.

CR=$(printf '\r')

while read -r method _; do
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
      echo >>/tmp/given
      given=$(wc -l </tmp/given)
      [ "$given" -le 3 ] || exec sleep 600
      printf 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1\r\n'
      printf 'Lambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: 99999999999999\r\n'
      printf 'Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:x:1:function:f\r\n\r\n%s' "$given"
      ;;
    *)
      head -c "$length" >>/tmp/responses
      echo >>/tmp/responses
      printf 'HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n'
      ;;
  esac
done
