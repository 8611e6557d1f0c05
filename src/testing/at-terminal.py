"""Runs a command at a terminal of its own, types once it has said something, and prints all that stands there.

    python3 at-terminal.py TYPED COMMAND ARGS...

Ends with the command's status. Its standard error is this program's, so that the two can be told apart.
"""

import os
import pty
import select
import sys

LIMIT_S = 30

typed, *command = sys.argv[1:]
errors = os.dup(2)
reading, writing = os.pipe()
pid, terminal = pty.fork()
if pid == 0:
    os.dup2(writing, 2)
    os.execvp(command[0], command)
os.close(writing)

pending = typed.encode()
waiting = {reading: errors, terminal: 1}
while waiting:
    ready = select.select(list(waiting), [], [], LIMIT_S)[0]
    if not ready:
        os.kill(pid, 9)
        sys.exit("the command does not end")
    for source in ready:
        try:
            data = os.read(source, 65536)
        except OSError:
            data = b""
        if data == b"":
            del waiting[source]
            continue
        os.write(waiting[source], data)
        if source == reading and pending:
            os.write(terminal, pending)
            pending = b""
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
