#!/bin/sh
# The file handler that a page profile is taken with.
cat
