"""A plug-in of the AWS CLI that uses modules in the ways that Python has, and prints what comes of it.

They are modules that layer/aws-cli/aws.py has something stand for until they are used.
"""

import calendar
import functools
import importlib.metadata
import importlib.util
import multiprocessing.managers
from difflib import *  # noqa: F403
from ipaddress import *  # noqa: F403
from ipaddress import IPv4Address, ip_address

import awscli.bcdoc.restdoc
import awscli.customizations.history.show
import awscli.customizations.sso.login
import awscrt.crypto
import botocore.docs.service
import dateutil.parser
import ruamel.yaml
from sqlite3 import dbapi2


@functools.singledispatch
def kind(thing):
    return 'something else'


@kind.register(IPv4Address)
def _(address):
    return 'an address'


address = ip_address('127.0.0.1')
print(kind(address), isinstance(address, IPv4Address), type(address) is IPv4Address, IPv4Address | None)
print(ip_network('10.0.0.0/8').num_addresses, get_close_matches('sst', ['sts']))  # noqa: F405
print(sorted(name for name in dir(calendar) if name.startswith('month')))
print(importlib.util.find_spec('sqlite3').name, dbapi2.connect(':memory:').execute('SELECT 7').fetchone())
for module, name in (
    (awscli.bcdoc.restdoc, 'ReSTDocument'),
    (awscli.customizations.history.show, 'ShowCommand'),
    (awscli.customizations.sso.login, 'LoginCommand'),
    (awscrt.crypto, 'EC'),
    (botocore.docs.service, 'ServiceDocumenter'),
    (dateutil.parser, 'parse'),
    (importlib.metadata, 'version'),
    (multiprocessing.managers, 'BaseManager'),
    (ruamel.yaml, 'YAML'),
):
    print(module.__name__, getattr(module, name).__name__)


def awscli_initialize(handlers):
    pass
