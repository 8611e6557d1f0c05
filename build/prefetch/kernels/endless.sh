#!/bin/sh
# A file that is loaded for ever.

echo >>/tmp/sleeping
while :; do sleep 1; done
