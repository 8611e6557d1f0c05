#!/bin/sh
# A handler that is a file.

printf 'a file got %s' "$(cat)"
