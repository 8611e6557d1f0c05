"""Prints what becomes of the modules that layer/aws-cli/aws.py imports for few commands only.

    python3.N -I -S -B few-commands.py AWS_CLI_FOLDER

Prints JSON: the modules that a command of a service has imported nevertheless; for each module, the names
that the real one lacks; whether a class that extends one of the names extends the real class; and what is an
instance of one of them, or a class below it.
"""

import os
import sys

sys.path.insert(0, sys.argv[1])
import aws  # noqa: E402

sys.path.pop(0)
aws.prepare()
late = {name: sys.modules[name] for name in aws.USED_BY_FEW}

import contextlib  # noqa: E402
import io  # noqa: E402
import json  # noqa: E402

import awscli.clidriver  # noqa: E402

sys.argv[1:] = ['dynamodb', 'list-tables', '--endpoint-url', 'http://127.0.0.1:9']
with contextlib.redirect_stderr(io.StringIO()) as errors:
    awscli.clidriver.main()
imported = [name for name, module in late.items() if sys.modules[name] is not module]

manager = late['multiprocessing.managers'].BaseManager


class Manager(manager):
    pass


numbers = late['ipaddress']
address = numbers.IPv4Address
instances = [isinstance(numbers.ip_address(text), address) for text in ('127.0.0.1', '::1')]
later_instances = [isinstance(numbers.ip_address(text), numbers.IPv4Address) for text in ('127.0.0.1', '::1')]
subclasses = [issubclass(type(numbers.ip_address(text)), address) for text in ('127.0.0.1', '::1')]

real = {name: module.imported() for name, module in late.items()}
lacking = {
    name: [taken for taken in aws.USED_BY_FEW[name] if not hasattr(module, taken)]
    for name, module in real.items()
}
json.dump(
    {
        'connected': 'Could not connect' not in errors.getvalue(),
        'imported': imported,
        'lacking': {name: names for name, names in lacking.items() if names},
        'instances': [instances, later_instances, subclasses],
        'base': Manager.__mro__[1].__module__,
        'still late': [name for name in late if isinstance(sys.modules[name], aws.Later)],
    },
    sys.stdout,
)
os._exit(sys.stdout.flush() or 0)
