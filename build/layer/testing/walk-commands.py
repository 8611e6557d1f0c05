"""Prints every service and command of an AWS CLI, and what its models and commands amount to.

    python3.N -S -B walk-commands.py [AWS_PY_FOLDER]

With AWS_PY_FOLDER, the folder of the layer's aws.py, models are read as the layer reads them.
Prints JSON: {service: {"models": hash, "operations": [...], "skeleton": hash}} and the commands.
Two trees whose output is equal have the same services, models and commands.
"""

import os
import sys

if len(sys.argv) > 1:
    # First: much of the standard library is in its bundle, too.
    sys.path.insert(0, sys.argv[1])
    import aws  # appends the folder of packages

    aws.prepare()
else:
    sys.path.append(os.path.join(os.path.dirname(os.__file__), 'site-packages'))

import contextlib  # noqa: E402
import hashlib  # noqa: E402
import io  # noqa: E402
import json  # noqa: E402

import awscli.clidriver  # noqa: E402
import awscli.help  # noqa: E402

MODELS = ['service-2', 'paginators-1', 'waiters-2', 'endpoint-rule-set-1']


def digest(value):
    return hashlib.sha256(json.dumps(value, default=str).encode()).hexdigest()[:16]


def models_of(loader, service):
    found = {}
    for kind in MODELS:
        with contextlib.suppress(Exception):
            found[kind] = digest(loader.load_service_model(service, kind))
    return found


def skeleton_of(command, operation):
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            status = driver.main([command, operation, '--generate-cli-skeleton'])
        except SystemExit as end:
            status = end.code
    return [operation, status, digest(output.getvalue())]


class Taker:
    """Takes the text of a help page instead of showing it."""

    def render(self, contents):
        self.contents = contents


def help_of(words):
    taker = Taker()
    awscli.help.get_renderer = lambda help_output=None: taker
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            status = driver.main([*words, 'help']) or 0
        except SystemExit as end:
            status = end.code
    # Its examples are left out on purpose, so that the text itself may differ.
    return [status, bool(getattr(taker, 'contents', b'')), output.getvalue()]


def help_pages(name, command):
    """The help of a command, and of those below it that are not operations of a service."""
    pages = {name: help_of([name])}
    if not isinstance(command, awscli.clidriver.ServiceCommand):
        for below in getattr(command, 'subcommand_table', {}):
            pages[f'{name} {below}'] = help_of([name, below])
    return pages


driver = awscli.clidriver.create_clidriver()
loader = driver.session.get_component('data_loader')
services = {
    service: models_of(loader, service)
    for service in loader.list_available_services('service-2')
}
commands = {}
for name, command in list(driver.subcommand_table.items()):
    operations = sorted(getattr(command, 'subcommand_table', {}))
    ready = [name for name in operations if name.startswith(('list-', 'describe-', 'get-'))]
    commands[name] = {
        'operations': operations,
        'skeleton': skeleton_of(name, ready[0]) if ready else None,
        'help': help_pages(name, command) if name != 'help' else None,
    }
print(json.dumps({'services': services, 'commands': commands}))
