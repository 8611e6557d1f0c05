"""The calls that calls.py runs plain and preloaded.

A call has a name and words; what it may set besides is what run() and prepare() of calls.py read. FOLDER
in a text is the call's working directory, RUN a name that differs between its two runs. `plain` says
that no fork can run it the same, so that it must take the plain way.
"""

import json

CALLS = []


def call(name, *words, **settings):
    CALLS.append({'name': name, 'words': list(words), **settings})


def calls(service, *lines, **settings):
    for line in lines:
        call(f'{service} {line}', service, *line.split(), **settings)


# Words alone.
call('no word at all')
call('the version', '--version')
call('the version within Lambda', '--version', variables={'AWS_EXECUTION_ENV': 'AWS_Lambda_provided.al2023'})
call('an unknown command', 'nosuch')
for output in ('json', 'text', 'table', 'yaml', 'yaml-stream'):
    calls('sts', f'get-caller-identity --output {output}')
calls(
    'sts',
    'get-caller-identity --query Account --output text',
    'get-caller-identity --query [',
    'get-caller-identity --cli-input-json {}',
    'get-caller-identity --endpoint-url http://127.0.0.1:9',
    'get-caller-identity --endpoint-url nonsense',
    'get-caller-identity --profile nope',
)
files = {'a.txt': 'hello\n', 'dir/a': '1', 'dir/b/c': '2'}
calls(
    's3',
    'mb s3://calls',
    'mb s3://calls --region eu-west-1',
    'cp a.txt s3://calls/a.txt',
    'cp s3://calls/a.txt b.txt',
    'cp s3://calls/a.txt b.txt --quiet',
    'ls s3://calls',
    'ls s3://nothing-here',
    'ls s3://calls --no-sign-request',
    'sync --only-show-errors dir s3://calls/dir',
    'sync dir s3://calls/dir2 --dryrun',
    'cp s3://calls/a.txt s3://calls/RUN/a',
    'mv s3://calls/RUN/a s3://calls/RUN/b',
    'rm s3://calls/dir --recursive --dryrun',
    'presign s3://calls/a.txt',
    files=files,
)
# Without a request, whose header names what was used in any order.
call('what is logged', 's3', 'presign', 's3://calls/a.txt', '--debug')
call('s3 cp from standard input', 's3', 'cp', '-', 's3://calls/in', input='x' * 100_000)
call('s3 cp to standard output', 's3', 'cp', 's3://calls/in', '-')
calls(
    's3api',
    'put-object --bucket calls --key k --body a.txt',
    'get-object --bucket calls --key k out.bin',
    'get-object --bucket calls --key missing out.bin',
    'head-object --bucket calls --key k',
    'list-objects-v2 --bucket calls --max-items 1',
    'list-objects-v2 --bucket calls --page-size 1 --query Contents[].Key',
    files=files,
)
calls(
    'dynamodb',
    'create-table --table-name RUN --attribute-definitions AttributeName=k,AttributeType=S'
    ' --key-schema AttributeName=k,KeyType=HASH --billing-mode PAY_PER_REQUEST',
    'wait table-exists --table-name RUN',
    'put-item --table-name RUN --item k={S=short}',
    'put-item --table-name RUN --item {"k":{"S":"é"}}',
    'put-item --table-name RUN --item file://item.json',
    'put-item --table-name RUN --item {',
    'get-item --table-name RUN --key {"k":{"S":"é"}}',
    'get-item --table-name RUN --key {"k":{"S":"\udcff"}}',
    'scan --table-name RUN',
    files={'item.json': '{"k":{"S":"f"}}'},
)
calls(
    'ssm',
    'put-parameter --name RUN --value v --type String --overwrite',
    'get-parameter --name RUN',
    'get-parameter --name none',
    'get-parameter --name none --cli-error-format json',
    'get-parameter --name RUN --color on --output table',
    'get-parameters-by-path --path /',
)
calls('sqs', 'create-queue --queue-name calls', 'list-queues', 'send-message --generate-cli-skeleton yaml-input')
calls('sqs', 'send-message --queue-url http://127.0.0.1/123456789012/calls --message-body hi')
calls('sns', 'create-topic --name calls', 'list-topics --output text')
calls('iam', 'list-users', 'get-role --role-name none')
calls('secretsmanager', 'create-secret --name RUN --secret-string x --query Name')
calls('secretsmanager', 'get-secret-value --secret-id RUN --query SecretString --output text')
calls('logs', 'create-log-group --log-group-name RUN', 'describe-log-groups --query x')
calls('cloudwatch', 'put-metric-data --namespace n --metric-name m --value 1')
calls(
    'ec2',
    'describe-regions --query Regions[].RegionName --output text',
    'describe-instances --filters Name=x,Values=y',
    'run-instances --bogus',
    'run-instances --generate-cli-skeleton',
)
calls('lambda', 'list-functions')
calls('sts', 'get-caller-identity --endpoint-url http://[127.0.0.1]:9')
calls('kms', 'list-keys')
calls('events', 'list-rules')
calls('eks', 'get-token --cluster-name c')
calls('ecr', 'get-login-password')
calls('kinesis', 'list-streams')
calls('route53', 'list-hosted-zones')
calls('ses', 'list-identities')
calls('emr', 'list-clusters')
calls('cognito-idp', 'list-user-pools --max-results 5')
calls('resourcegroupstaggingapi', 'get-resources')
calls('sso', 'logout')
template = {'t.yaml': 'Resources:\n  Q:\n    Type: AWS::SQS::Queue\n'}
calls(
    'cloudformation',
    'list-stacks --query x',
    'package --template-file t.yaml --s3-bucket calls',
    'deploy --template-file t.yaml --stack-name RUN',
    files=template,
)
large = ['--tags'] + [f'Key=k{number},Value={"v" * 200}' for number in range(40)]
call('large words', 'ssm', 'put-parameter', '--name', 'RUN-l', '--value', 'y' * 4000, '--type', 'String', *large)
call('1.4 MB of words', 'sts', 'get-caller-identity', *[f'--x{i}={"x" * 120_000}' for i in range(12)])

# Variables, files, locales.
WHO = ('sts', 'get-caller-identity')
NO_KEYS = {'AWS_ACCESS_KEY_ID': None, 'AWS_SECRET_ACCESS_KEY': None}
NOWHERE = {'AWS_EC2_METADATA_DISABLED': 'true'}
call('no credentials', *WHO, variables={**NO_KEYS, **NOWHERE})
call('no region', 'sqs', 'list-queues', variables={'AWS_REGION': None, 'AWS_DEFAULT_REGION': None, **NOWHERE})
profile = {'home/.aws/config': '[profile p]\noutput=text\nregion=us-west-1\n'}
call('a profile', *WHO, variables={'AWS_PROFILE': 'p'}, files=profile)
call('a bundle of certificates that is not there', *WHO, '--endpoint-url', 'https://127.0.0.1:9', variables={'AWS_CA_BUNDLE': '/nonexistent'})
call('a proxy that is not there', *WHO, variables={'HTTP_PROXY': 'http://127.0.0.1:9'})
call('an alias that runs a program', 'hello', 'x y', files={'home/.aws/cli/alias': '[toplevel]\nhello = !f() { echo "hello $1"; return 3; }; f\n'})
call('an alias', 'me', files={'home/.aws/cli/alias': '[toplevel]\nme = sts get-caller-identity --output text\n'})
call('the history', *WHO, files={'home/.aws/config': '[default]\ncli_history = enabled\n'})
plugin = (
    'import sys\n'
    'def awscli_initialize(handlers):\n'
    '    sys.stderr.write("plugged in\\n")\n'
    'unclosed = open("FOLDER/unclosed", "w")\n'
    'unclosed.write("written when Python ends")\n'
)
settings = '[plugins]\ncli_legacy_plugin_path = FOLDER/plugins\nmine = mine\n'
call('a plug-in', *WHO, files={'home/.aws/config': settings, 'plugins/mine.py': plugin})
for name in ('aws', 'caller', 'pages', 'preload'):
    call(
        f'a plug-in with the name {name}',
        *WHO,
        files={
            'home/.aws/config': settings.replace('mine = mine', f'mine = {name}'),
            f'plugins/{name}.py': plugin,
        },
    )
for zone in ('Asia/Kolkata', None, '<X>-3', 'nonsense'):
    call(f's3 ls in the time zone {zone}', 's3', 'ls', 's3://calls', variables={'TZ': zone})
for variables in (
    {'LANG': 'C'},
    {'LANG': None},
    {'LC_ALL': 'C'},
    {'LC_ALL': 'C.UTF-8'},
    {'LC_ALL': 'nonsense'},
    {'LC_ALL': 'POSIX', 'LANG': None},
    {'LC_CTYPE': 'UTF-8'},
):
    call(f'the locale {variables}', 'dynamodb', 'scan', '--table-name', 'RUN', '--output', 'text', variables=variables)
model = {
    'version': '2.0',
    'metadata': {
        **{'apiVersion': '2020-01-01', 'endpointPrefix': 'cake', 'protocol': 'json'},
        **{'serviceFullName': 'Cake', 'serviceId': 'Cake', 'signatureVersion': 'v4'},
        **{'targetPrefix': 'Cake', 'jsonVersion': '1.1'},
    },
    'operations': {'Eat': {'name': 'Eat', 'http': {'method': 'POST', 'requestUri': '/'}, 'input': {'shape': 'S'}}},
    'shapes': {'S': {'type': 'structure', 'members': {'A': {'shape': 'T'}}}, 'T': {'type': 'string'}},
}
cake = json.dumps(model)
eat = ('eat', '--generate-cli-skeleton')
call("a user's model in ~/.aws/models", 'cake', *eat, files={'home/.aws/models/cake/2020-01-01/service-2.json': cake})
data_path = {'variables': {'AWS_DATA_PATH': 'FOLDER/models'}}
call("a user's model in AWS_DATA_PATH", 'cake', *eat, files={'models/cake/2020-01-01/service-2.json': cake}, **data_path)
call("a user's newer model of a service", 'sts', *eat, files={'models/sts/2030-01-01/service-2.json': cake}, **data_path)
call("a user's older model of a service", *WHO, files={'models/sts/2001-01-01/service-2.json': cake}, **data_path)

# What a program that the CLI starts sees: everything that a process has from its caller.
PROBE = '''#!/bin/bash
{
  grep -E '^(Sig(Ign|Blk)|Umask|Uid|Groups|NoNewPrivs|Cap...|Cpus_allowed):' /proc/self/status
  cat /proc/self/limits /proc/self/oom_score_adj /proc/self/cgroup
  pwd
  nice
  env | LC_ALL=C sort
  ls -l /proc/self/fd | sed 's/.* \\([0-9]* ->\\)/\\1/; s/\\[[0-9]*\\]//; s/->.*proc.*/-> proc/'
  read -r _ _ _ _ _ session _ </proc/self/stat && echo "session $session"
} >FOLDER/probe 2>/dev/null
echo '{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b"}'
'''
PROBED = {'home/.aws/config': '[default]\ncredential_process = FOLDER/probe.sh\n', 'probe.sh': PROBE}


def probe(name, *, variables=(), **settings):
    call(f'a program sees {name}', *WHO, files=PROBED, variables={**NO_KEYS, **dict(variables)}, **settings)


probe('its surroundings')
probe('the mask', umask='027')
probe('ignored and blocked signals', ignored=['SIGINT', 'SIGHUP', 'SIGUSR1'], blocked=['SIGTERM', 'SIGUSR2'])
probe('other ignored signals', ignored=['SIGPIPE', 'SIGXFSZ', 'SIGCHLD', 'SIGQUIT'])
probe('limits', limits={'NOFILE': [300, 400], 'CORE': [0, 0], 'FSIZE': [10**6, 2 * 10**6], 'NPROC': [5000, 5000]})
probe('a limit of the stack', limits={'STACK': [1 << 20, 1 << 24]}, plain=True)
probe('a limit of the address space', limits={'AS': [1 << 31, 1 << 31]}, plain=True)
probe('its priority', nice=3, plain=True)
probe('its place when memory runs out', oom='500')
probe('descriptors', open={'3': '/dev/null', '7': '/dev/zero', '63': '/etc/hostname'})
probe('odd variables', variables={'EMPTY': '', 'TWO WORDS': 'a b', 'LINES': 'a\nb', 'U\udcff': '\udcff\udc80'})
probe('150 KB of variables', variables={f'V{number}': 'x' * 1000 for number in range(150)})
probe('1.5 MB of variables', variables={f'V{number}': 'x' * 1000 for number in range(1500)}, plain=True)
probe('no LD_LIBRARY_PATH', variables={'LD_LIBRARY_PATH': None})
probe('a data path', variables={'AWS_DATA_PATH': '/nonexistent:~/y'})
probe("a variable of Python's", variables={'PYTHONPATH': '/x'}, plain=True)
probe("a variable of the loader's", variables={'LD_BIND_NOW': '1'}, plain=True)
probe('no HOME', variables={'HOME': None, 'AWS_CONFIG_FILE': 'FOLDER/home/.aws/config'})
probe('the new retries', variables={'AWS_NEW_RETRIES_2026': 'true'})
probe('a process group', group=True)
probe('a folder that has vanished', vanished=True)

# Descriptors.
for number, name in enumerate(('input', 'output', 'error')):
    call(f'standard {name} is closed', *WHO, close=[number], plain=True)
call('all standard descriptors are closed', *WHO, close=[0, 1, 2], plain=True)
call('standard output is full', *WHO, redirect={'1': '/dev/full'})
call('standard output is full for the version', '--version', redirect={'1': '/dev/full'})
call('standard error is full', 'nosuch', redirect={'2': '/dev/full'})
call('nobody reads standard output', *WHO, broken_pipe=True)
call('nobody reads the version', '--version', broken_pipe=True)
call('nobody reads an object', 's3', 'cp', 's3://calls/in', '-', broken_pipe=True)
call('nobody reads, and SIGPIPE is ignored', *WHO, broken_pipe=True, ignored=['SIGPIPE'])
call('a file by its descriptor', 's3', 'cp', '/dev/fd/63', 's3://calls/fd', open={'63': '/etc/hostname'})
put = ('ssm', 'put-parameter', '--type', 'String', '--overwrite', '--name', 'RUN-fd', '--value')
call('a value by its descriptor', *put, 'file:///dev/fd/9', open={'9': '/etc/hostname'})
call('a value from standard input', *put, 'file:///dev/stdin', input='value')

# Limits and places.
call('a file larger than its limit', 's3', 'cp', 's3://calls/in', 'out', limits={'FSIZE': [5000, 5000]})
for size in (0, 1, 200):
    call(f'files of at most {size} bytes', *WHO, limits={'FSIZE': [size, size]}, plain=True)
call('no file, and SIGXFSZ is ignored', '--version', limits={'FSIZE': [0, -1]}, ignored=['SIGXFSZ'], plain=True)
call('few descriptors', 's3', 'cp', 's3://calls/in', 'out', limits={'NOFILE': [256, 256]})
call('very few descriptors', *WHO, limits={'NOFILE': [64, 64]}, plain=True)
call('a strict mask', 's3', 'cp', 's3://calls/in', 'out', umask='077')
call('a loose mask', 's3', 'cp', 's3://calls/in', 'out', umask='002')
call('a download into a folder that has vanished', 's3', 'cp', 's3://calls/in', 'out', vanished=True)
call('a list from a folder that has vanished', 's3', 'ls', vanished=True)

# What asks, or may.
call('configure list', 'configure', 'list', plain=True)
call('configure set', 'configure', 'set', 'region', 'eu-west-1', plain=True)
call('help', 'sts', 'help', variables={'PATH': '/nonexistent'}, plain=True)
call('the auto-prompt', 'sts', '--cli-auto-prompt', plain=True)
