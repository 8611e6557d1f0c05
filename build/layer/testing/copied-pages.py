"""Has a fork copy pages by layer/aws-cli/pages.py, and prints what that did to its memory.

    python3.N -I -S -B copied-pages.py AWS_CLI_FOLDER

Prints JSON: how many pages a fork has to be given when it writes to them, before it has copied any and
after, and whether their content is the same, even though one of those that were told is not there.
"""

import os
import sys

sys.path.insert(0, sys.argv[1])
import aws  # noqa: E402, F401 # brings the modules below
import pages  # noqa: E402

sys.path.pop(0)

import hashlib  # noqa: E402
import json  # noqa: E402
import mmap  # noqa: E402

# Every second page of 8 MB: the others must stay as they are, too.
memory = mmap.mmap(-1, 8 << 20, flags=mmap.MAP_PRIVATE)
memory.write(os.urandom(len(memory)))
written = range(0, len(memory), 2 * pages.PAGE)
content = hashlib.sha256(memory).hexdigest()
own = pages.Pages()


def in_fork(task):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, json.dumps(task()).encode())
        os._exit(0)
    os.close(writer)
    with open(reader) as file:
        found = json.load(file)
    os.wait()
    return found


def faults_of_writing():
    before = pages.count_of_faults()
    for place in written:
        memory[place] ^= 1
    return pages.count_of_faults() - before


def call():
    own.copy()
    faults = faults_of_writing()
    return faults, own.tell()


def compare():
    return hashlib.sha256(memory).hexdigest() == content


def copy_and_compare():
    own.copy()
    return compare()


first, told = in_fork(call)
own.learn()
# Page 1 is never there; the rest must be copied all the same.
own.vectors.insert(0, 1)
own.vectors.insert(0, pages.PAGE)
json.dump(
    {
        'pages': len(written),
        'first': first,
        'told': told,
        'later': in_fork(call),
        'same': in_fork(copy_and_compare),
        'same in server': compare(),
    },
    sys.stdout,
)
