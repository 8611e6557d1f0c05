"""Types into an interactive shell as a person does, and prints what stands on its line after a TAB.

    python3 type-and-tab.py EXPECTED TYPED SHELL ARGS...

Ends with status 0 once EXPECTED has been seen after TYPED and a TAB, with 1 and the output otherwise.
"""

import os
import pty
import re
import select
import sys
import time

LIMIT_S = 30

expected, typed, *command = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvpe(command[0], command, {**os.environ, "TERM": "dumb"})


def read_until(text: str) -> str:
    """What the shell has written until a text, or until its time is up."""
    seen = ""
    until = time.monotonic() + LIMIT_S
    while text not in seen and time.monotonic() < until:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                seen += os.read(terminal, 65536).decode(errors="replace")
            except OSError:
                break
        seen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)
    return seen


read_until("READY")
os.write(terminal, f"{typed}\t".encode())
seen = read_until(expected)
os.kill(pid, 9)
if expected not in seen:
    sys.exit(f"{expected!r} is not in {seen!r}")
