"""Runs a command at a terminal of its own that somebody has stopped with Ctrl-S, and prints all that stands there.

    python3 stopped-terminal.py COMMAND ARGS...

Prints the command's process id to standard error. A line on standard input is Ctrl-Q. Ends with the command's status.
"""

import os
import pty
import subprocess
import sys
import threading

CTRL_Q = b"\x11"
CTRL_S = b"\x13"

ours, theirs = pty.openpty()
os.write(ours, CTRL_S)
child = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
os.close(theirs)
print(child.pid, file=sys.stderr, flush=True)


def type_lines():
    for _ in sys.stdin:
        os.write(ours, CTRL_Q)


threading.Thread(target=type_lines, daemon=True).start()
while True:
    try:
        data = os.read(ours, 65536)
    except OSError:
        break
    if data == b"":
        break
    os.write(1, data)
sys.exit(child.wait())
