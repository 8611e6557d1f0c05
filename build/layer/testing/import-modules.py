"""Imports every module of a staged tree's packages, one by one, and prints how that ended.

    python3.N -S -B import-modules.py [AWS_PY_FOLDER]

With AWS_PY_FOLDER, the folder of the layer's aws.py, the CLI is prepared as the layer does it.
Prints JSON: {module: ""} or, for one that cannot be imported, {module: reason}.
"""

import os
import sys

bundled = ()
if len(sys.argv) > 1:
    # First: much of the standard library is in its bundle, too.
    sys.path.insert(0, sys.argv[1])
    import aws  # appends the folder of packages

    aws.prepare()
    bundled = [name for name, (path, *_) in aws.bundled.items() if 'site-packages' in path]
else:
    sys.path.append(
        os.path.join(os.path.dirname(os.__file__), 'site-packages')
    )

import contextlib  # noqa: E402
import importlib  # noqa: E402
import io  # noqa: E402
import json  # noqa: E402
import pkgutil  # noqa: E402

import awscli  # noqa: E402, F401 # botocore and s3transfer are imported by this alias

packages = os.path.join(os.path.dirname(os.__file__), 'site-packages')
outcomes = {}
names = [module.name for module in pkgutil.walk_packages([packages], onerror=lambda name: None)]
# What lies beside a package whose own file is in the bundle: pkgutil takes such a folder for none.
for name in bundled:
    paths = getattr(importlib.import_module(name), '__path__', None)
    if paths is not None:
        below = pkgutil.walk_packages(paths, f'{name}.', onerror=lambda name: None)
        names += [module.name for module in below]
for name in sorted({name for name in (*names, *bundled) if not name.endswith('__main__')}):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            importlib.import_module(name)
            outcomes[name] = ''
        except BaseException as error:
            outcomes[name] = f'{type(error).__name__}: {error}'
print(json.dumps(outcomes, sort_keys=True))
