"""Imports every module of a staged tree's packages, one by one, and prints how that ended.

    python3.N -S -B import-modules.py [AWS_PY_FOLDER]

With AWS_PY_FOLDER, the folder of the layer's aws.py, the CLI is prepared as the layer does it.
Prints JSON: {module: ""} or, for one that cannot be imported, {module: reason}.
"""

import contextlib
import importlib
import io
import json
import os
import pkgutil
import sys

if len(sys.argv) > 1:
    sys.path.insert(0, sys.argv[1])
    import aws  # appends the folder of packages

    aws.prepare()
else:
    sys.path.append(
        os.path.join(os.path.dirname(os.__file__), 'site-packages')
    )

import awscli  # noqa: E402, F401 # botocore and s3transfer are imported by this alias

packages = os.path.join(os.path.dirname(os.__file__), 'site-packages')
outcomes = {}
names = [
    module.name
    for module in pkgutil.walk_packages([packages], onerror=lambda name: None)
    if not module.name.endswith('__main__')
]
for name in sorted(names):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            importlib.import_module(name)
            outcomes[name] = ''
        except BaseException as error:
            outcomes[name] = f'{type(error).__name__}: {error}'
print(json.dumps(outcomes, sort_keys=True))
