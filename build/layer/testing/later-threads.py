"""Has two threads import modules that each other's import needs, by what layer/aws-cli/aws.py has stand for them.

    python3.N -I -S -B later-threads.py AWS_CLI_FOLDER FOLDER

FOLDER is an empty one for modules. One thread takes a name from what stands for `outer`, which imports
`common`; the other one imports `common`, which meanwhile takes a name from what stands for another module.
Prints JSON: for each way to take it, what the two threads have found, or "waits" where they wait for each other.
"""

import os
import sys

sys.path.insert(0, sys.argv[1])
import aws  # noqa: E402

sys.path.pop(0)

import json  # noqa: E402
import threading  # noqa: E402

# Threads that do not wait for each other need some milliseconds.
WAIT_S = 20
WAYS = {
    'a name': 'other.value',
    'a function': 'call()',
    'an instance': 'Made().value',
    'a module below': 'other.below.value',
    # A class that stands for the library of the Common Runtime is one of those.
    'a library': 'library.value',
}

folder = sys.argv[2]
sys.path.append(folder)


def write(name, *lines):
    with open(os.path.join(folder, name), 'w') as file:
        file.writelines(f'{line}\n' for line in lines)


def try_way(number, expression):
    names = {name: f'{name}{number}' for name in ('outer', 'common', 'other', 'library')}
    outer, common, other, library = names.values()
    in_outer, in_common = threading.Event(), threading.Event()
    os.mkdir(os.path.join(folder, other))
    write(f'{outer}.py', 'in_outer.set()', f'import {common} as common', 'value = common.value')
    write(f'{common}.py', 'in_common.set()', 'in_outer.wait()', f'value = {expression}')
    write(f'{other}/__init__.py', 'value = 1', 'def call(): return 1', 'class Made: value = 1')
    write(f'{other}/below.py', 'value = 1')
    write(f'{library}.py', 'value = 1')
    outer_later, other_later = aws.Later(outer), aws.Later(other)
    library_later = aws.LaterCrt(library)
    other_later.__path__ = [os.path.join(folder, other)]
    for later in (outer_later, other_later, library_later):
        sys.modules[later.__name__] = later
    # It is bound to what stands for the other one.
    __import__(f'{other}.below')
    other_later.take_later('call')
    other_later.make_later('Made')
    builtins = {'in_outer': in_outer, 'in_common': in_common, 'other': other_later, 'library': library_later}
    vars(__import__('builtins')).update(builtins, call=other_later.call, Made=other_later.Made)
    found = {}

    def take():
        in_common.wait()
        found['taken'] = outer_later.value

    def load():
        found['imported'] = __import__(common).value

    threads = [threading.Thread(target=target, daemon=True) for target in (take, load)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
        if thread.is_alive():
            return 'waits'
    return found


json.dump({way: try_way(number, text) for number, (way, text) in enumerate(WAYS.items())}, sys.stdout)
os._exit(sys.stdout.flush() or 0)
