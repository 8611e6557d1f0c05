"""Writes what the AWS CLI of a compiled tree is started from in place of many small files.

    python3 -I -S -B indexes.py AWS_CLI MODULES

    services.index    {type of model: {service: [versions]}}
    modules.bin       byte code of the modules that MODULES lists (compiled.py), in that order
    modules.index     {module: (path, is a package, offset, bytes)}
    build             a name for exactly this tree

layer/aws-cli/aws.py reads them. The modules' own files go.
"""

import hashlib
import marshal
import os
import sys

HEADER_BYTES = 16
# Without references, as in compiled.py.
FORMAT = 2
# The AWS CLI makes the packages below these importable by both names.
ALIASES = (('botocore', 'awscli.botocore'), ('s3transfer', 'awscli.s3transfer'))

aws_cli, modules_list = sys.argv[1:]
library = os.path.join(aws_cli, 'lib', f'python{sys.version_info[0]}.{sys.version_info[1]}')


def index_services(data):
    index = {}
    for service in sorted(os.listdir(data)):
        folder = os.path.join(data, service)
        for version in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            for file in sorted(os.listdir(os.path.join(folder, version))):
                kind = file.partition('.json')[0]
                index.setdefault(kind, {}).setdefault(service, []).append(version)
    return index


def bundle_modules(names):
    modules, content = {}, bytearray()
    for name, path in names:
        file = os.path.join(library, path + 'c')
        if not os.path.exists(file):
            continue
        with open(file, 'rb') as opened:
            code = opened.read()[HEADER_BYTES:]
        os.remove(file)
        place = (path + 'c', os.path.basename(path) == '__init__.py', len(content), len(code))
        for alias in {name, *aliases(name)}:
            modules[alias] = place
        content += code
    return modules, content


def aliases(name):
    for pair in ALIASES:
        for one, other in (pair, pair[::-1]):
            if name == one or name.startswith(one + '.'):
                yield other + name.removeprefix(one)


def write(name, content):
    with open(os.path.join(aws_cli, name), 'wb') as file:
        file.write(content)


def name_of_tree():
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(aws_cli):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)
            with open(path, 'rb') as file:
                content = hashlib.sha256(file.read()).hexdigest()
            digest.update(f'{content}  {os.path.relpath(path, aws_cli)}\n'.encode())
    return digest.hexdigest()[:16]


site_packages = os.path.join(library, 'site-packages')
write('services.index', marshal.dumps(index_services(os.path.join(site_packages, 'awscli/botocore/data')), FORMAT))
with open(modules_list) as file:
    modules, content = bundle_modules(line.split() for line in file)
write('modules.bin', content)
write('modules.index', marshal.dumps(modules, FORMAT))
write('build', f'{name_of_tree()}\n'.encode())
