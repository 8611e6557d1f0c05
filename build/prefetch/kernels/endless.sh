#!/bin/sh
# A file that is loaded for ever.

echo $$ >/tmp/loading
while :; do sleep 1; done
