"""Compiles every module of a staged tree and removes its source.

    python3.N -I -S -B byte-code.py TREE

The .pyc stands where the .py stood, which Python imports like a source file. It is unchecked
(PEP 552), so that Python compares it with nothing: /opt is read-only and the source is gone. The
names in tracebacks are those in Lambda, /opt/..., whatever folder the build ran in.

One process compiles in sorted order: marshal writes a reference for an object that it met before,
so that the bytes would depend on what else the process has compiled.
"""

import os
import py_compile
import sys

if os.environ.get('PYTHONHASHSEED') != '0' or sys.flags.ignore_environment:
    sys.exit('byte-code.py: run it with PYTHONHASHSEED=0: sets are written in the order of hashes')


def compile_tree(tree):
    for folder, folders, files in os.walk(tree):
        folders.sort()
        for name in sorted(files):
            if name.endswith('.py'):
                compile_file(tree, os.path.join(folder, name))


def compile_file(tree, path):
    py_compile.compile(
        path,
        cfile=path + 'c',
        dfile='/opt/' + os.path.relpath(path, tree),
        doraise=True,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    os.remove(path)


compile_tree(sys.argv[1])
