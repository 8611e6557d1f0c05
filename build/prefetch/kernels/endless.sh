#!/bin/sh
# A file whose loading does not end.

echo >>/tmp/sleeping
while :; do sleep 1; done
