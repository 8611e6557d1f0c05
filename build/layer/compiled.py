"""Writes what the AWS CLI compiles when it starts, compiled, and the names of the modules that it
imports.

    python3.N -S -B compiled.py SITE_PACKAGES COMPILED MODULES

Runs a few commands of the CLI (against a port where nobody listens) and records two things, which
layer/aws-cli/aws.py reads: what `re` makes of each pattern (the arguments of _sre.compile, which are
the same on every little-endian machine), and the byte code of what named tuples and data classes
are made of. What holds a path of this machine is left out.
"""

import sys

# Python imports these when it starts: they stay files of their own.
IMPORTED_AT_START = set(sys.modules)

import builtins  # noqa: E402
import collections  # noqa: E402
import os  # noqa: E402

site_packages, output, modules_output = sys.argv[1:]
texts = {}


def record_texts(module, function, mode):
    """Records what a module of the library compiles, by a function that stands for the built-in one."""
    run = getattr(builtins, function)

    def record(text, *namespaces):
        if not holds_path(text):
            texts[text] = compile(text, '<string>', mode)
        return run(text, *namespaces)

    setattr(module, function, record)


def holds_path(text):
    if isinstance(text, bytes):
        text = text.decode('latin-1')
    return site_packages in text or os.getcwd() in text and os.getcwd() != '/'


recorded = {}


class RecordingSre:
    """Stands for the module _sre in re._compiler."""

    def __init__(self, sre):
        self._sre = sre

    def __getattr__(self, name):
        return getattr(self._sre, name)

    def compile(self, pattern, flags, code, groups, groupindex, indexgroup):
        # re's numbers have names of their own kind, which marshal does not know.
        plain = (int(flags), [int(word) for word in code], groups, groupindex, indexgroup)
        RecordingSre.last = (pattern, plain)
        return self._sre.compile(pattern, *plain)


def recording_compile(pattern, flags=0):
    compiled = compile_pattern(pattern, flags)
    recorded_pattern, code = RecordingSre.last
    if recorded_pattern == pattern and not holds_path(pattern):
        recorded[(pattern, int(flags))] = code
    return compiled


# Before other modules make such classes, and have patterns.
record_texts(collections, 'eval', 'eval')
from re import _compiler  # noqa: E402

compile_pattern = _compiler.compile
_compiler._sre = RecordingSre(_compiler._sre)
_compiler.compile = recording_compile
import dataclasses  # noqa: E402

record_texts(dataclasses, 'exec', 'exec')

import contextlib  # noqa: E402
import io  # noqa: E402
import marshal  # noqa: E402

NOBODY = 'http://127.0.0.1:9'
# What a command says that has come as far as it can.
NOT_CONNECTED = 'Could not connect to the endpoint URL'
# Any file that is there: of a device nothing is copied.
FILE = os.path.abspath(__file__)
COMMANDS = [
    ['--version'],
    ['s3api', 'list-buckets', '--endpoint-url', NOBODY],
    ['s3', 'ls', '--endpoint-url', NOBODY],
    ['s3', 'cp', FILE, 's3://bucket/key', '--endpoint-url', NOBODY],
    ['sts', 'get-caller-identity', '--endpoint-url', NOBODY],
    ['dynamodb', 'list-tables', '--endpoint-url', NOBODY],
    ['secretsmanager', 'list-secrets', '--endpoint-url', NOBODY],
    ['lambda', 'list-functions', '--endpoint-url', NOBODY, '--query', 'Functions[0].Name'],
]

sys.path.append(site_packages)

import awscli.clidriver  # noqa: E402 # after the recorder

for command in COMMANDS:
    sys.argv = ['aws', *command]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        with contextlib.suppress(SystemExit):
            awscli.clidriver.main()
    # One that ends before imports less, and nobody would notice.
    if ('aws-cli/' if command == ['--version'] else NOT_CONNECTED) not in said.getvalue():
        sys.exit(f'aws {" ".join(command)} has ended too early: {said.getvalue().strip()}')


def order(item):
    (pattern, flags), _ = item
    return (isinstance(pattern, bytes), pattern, flags)


# Version 2 of the format has no references: which objects are shared in this process, and would be
# written as one, must not show in the bytes.
patterns = dict(sorted(recorded.items(), key=order))
content = marshal.dumps((patterns, dict(sorted(texts.items()))), 2)
with open(output, 'wb') as file:
    file.write(content)


library = os.path.dirname(site_packages)
with open(modules_output, 'w') as file:
    # In the order of their import.
    for name, module in sys.modules.items():
        spec = getattr(module, '__spec__', None)
        if name in IMPORTED_AT_START or spec is None or spec.name != name:
            continue
        origin = spec.origin or ''
        if origin.startswith(library + '/') and origin.endswith('.py'):
            print(name, os.path.relpath(origin, library), file=file)
