"""Runs calls of the layer's `aws`, plain and preloaded, and prints what each has shown and done.

    python3 calls.py OPT SERVER_URL

To be started in a session of its own, as a runtime is. OPT is an unzipped layer, SERVER_URL moto's. The
calls are those of call_table.py. Prints JSON: [{"name", "plain": RESULT, "preloaded": RESULT, "way",
"must"}], where way is how the second has run, as a "fork" of the server or "plain", and must is "plain"
where it has to.
"""

import glob
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from call_table import CALLS

TIMEOUT_S = 120
FAULTS_MAX = 700
# What differs between two calls of any program: identifiers and times.
CHANGING = (
    (rb'[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', b'UUID'),
    (rb'\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d([.,]\d+)?(\+\d\d:\d\d|Z)?', b'TIME'),
    (rb'\d{8}T\d{6}Z', b'TIME'),
    (rb'[0-9a-f]{64}', b'HASH'),
    (rb'[A-Za-z0-9+/=_-]{40,}', b'TOKEN'),
    (rb'\(\d[^/)]*/s\)', b'(RATE)'),
    (rb'0x[0-9a-f]{6,}', b'ADDRESS'),
    (rb'sid/\S+', b'sid'),
    (rb' +\n', b'\n'),
    # RUN in a case's words and files is another name for each of its two runs.
    (rb'run-[ab]', b'RUN'),
)


def plain_command(opt):
    cli = os.path.join(opt, 'aws-cli')
    (loader,) = glob.glob(os.path.join(cli, 'lib/ld-linux-*.so.*'))
    (python,) = glob.glob(os.path.join(cli, 'bin/python3*'))
    options = ['--inhibit-cache', '--library-path', os.path.join(cli, 'lib'), '--argv0', python]
    flags = ['-I', '-S', '-B', '-X', 'utf8', os.path.join(cli, 'aws.pyc')]
    return [loader, *options, python, *flags]


def lambda_variables(url):
    return {
        'AWS_ENDPOINT_URL': url,
        'AWS_ACCESS_KEY_ID': 'test',
        'AWS_SECRET_ACCESS_KEY': 'test',
        'AWS_REGION': 'us-east-1',
        'AWS_DEFAULT_REGION': 'us-east-1',
        'AWS_MAX_ATTEMPTS': '1',
        'AWS_LAMBDA_RUNTIME_API': '127.0.0.1:9001',
        'AWS_LAMBDA_FUNCTION_NAME': 'function',
        'AWS_LAMBDA_FUNCTION_MEMORY_SIZE': '512',
        'LD_LIBRARY_PATH': '/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/opt/lib',
        'PATH': '/usr/local/bin:/usr/bin:/bin',
        'TZ': ':UTC',
        'LANG': 'en_US.UTF-8',
    }


def prepare(case):
    """Sets what the caller of the CLI has, in the process that becomes the CLI."""
    os.umask(int(case.get('umask', '022'), 8))
    for name, values in case.get('limits', {}).items():
        resource.setrlimit(getattr(resource, f'RLIMIT_{name}'), tuple(values))
    # Python, which runs this, ignores them: the usual caller does not.
    for name in ('SIGPIPE', 'SIGXFSZ'):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    for name in case.get('ignored', ()):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    blocked = {getattr(signal, name) for name in case.get('blocked', ())}
    signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    if 'nice' in case:
        os.nice(case['nice'])
    if 'oom' in case:
        with open('/proc/self/oom_score_adj', 'w') as file:
            file.write(case['oom'])
    for number, path in case.get('open', {}).items():
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(file, int(number))
        os.close(file)
    for number, path in case.get('redirect', {}).items():
        file = os.open(path, os.O_RDWR)
        os.dup2(file, int(number))
        os.close(file)
    for number in case.get('close', ()):
        os.close(number)
    if case.get('vanished'):
        os.mkdir('gone')
        os.chdir('gone')
        os.rmdir('../gone')
    if case.get('broken_pipe'):
        reading, writing = os.pipe()
        os.dup2(writing, 1)
        os.close(writing)
        os.close(reading)
    if case.get('group'):
        os.setpgid(0, 0)


def run(command, case, variables, folder, name_of_run):
    home = os.path.join(folder, 'home')
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.join(home, '.aws'))
    for name, text in case.get('files', {}).items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as file:
            file.write(text.replace('FOLDER', folder).replace('RUN', name_of_run))
        if text.startswith('#!'):
            os.chmod(path, 0o755)
    environment = {**variables, 'HOME': home, **case.get('variables', {})}
    environment = {name: text for name, text in environment.items() if text is not None}
    words = [os.fsencode(word.replace('RUN', name_of_run)) for word in case['words']]
    child = subprocess.Popen(
        [*map(os.fsencode, command), *words],
        cwd=folder,
        env={name: text.replace('FOLDER', folder) for name, text in environment.items()},
        stdin=subprocess.PIPE if 'input' in case else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: prepare(case),
        close_fds=False,
    )
    if 'signal' in case:
        time.sleep(case.get('after', 1))
        os.kill(child.pid, getattr(signal, case['signal']))
    output, errors = child.communicate(case.get('input', '').encode() or None, TIMEOUT_S)
    return {
        'status': child.returncode,
        'output': normal(output, folder),
        'errors': normal(errors, folder),
        'files': list_files(folder),
    }


def normal(text, folder):
    text = text.replace(os.fsencode(folder), b'FOLDER')
    for pattern, name in CHANGING:
        text = re.sub(pattern, name, text)
    return text.decode('utf-8', 'backslashreplace')


def list_files(folder):
    found = {}
    for path in sorted(glob.glob(os.path.join(folder, '**'), recursive=True, include_hidden=True)):
        # SQLite's files come and go.
        if '/cli/cache/' in path:
            continue
        status = os.lstat(path)
        entry = f'{status.st_mode:o}'
        if os.path.isfile(path) and not path.endswith('.db'):
            with open(path, 'rb') as file:
                entry += ' ' + normal(file.read(), folder)
        found[os.path.relpath(path, folder)] = entry
    return found


def children(pid):
    try:
        with open(f'/proc/{pid}/task/{pid}/children') as file:
            return {int(word) for word in file.read().split()}
    except FileNotFoundError:
        return set()


def servers(opt):
    """Processes of preload.py without a parent of their kind, which are the servers."""
    found = {}
    for path in glob.glob('/proc/[0-9]*/cmdline'):
        try:
            with open(path, 'rb') as file:
                if f'{opt}/aws-cli/preload.pyc'.encode() not in file.read():
                    continue
            pid = int(path.split('/')[2])
            with open(f'/proc/{pid}/stat') as file:
                found[pid] = int(file.read().rpartition(')')[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return [pid for pid, parent in found.items() if parent not in found]


def is_asleep(pid):
    """Whether a process waits for something; one that ends does not."""
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rpartition(')')[2].split()[0] == 'S'
    except (FileNotFoundError, ProcessLookupError):
        return False


def has_spare(opt):
    """Waits until the server has learned and has its spare; false if there is no server."""
    for _ in range(2000):
        running = servers(opt)
        if not running:
            return False
        forks = children(running[0])
        # The only fork can also be that of the last call, which has not been noticed to be over.
        if len(running) == len(forks) == 1 and all(map(is_asleep, [*running, *forks])):
            return True
        time.sleep(0.005)
    raise TimeoutError(f'no spare: {[(pid, children(pid)) for pid in running]}')


def page_faults():
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt


def main():
    opt, url = sys.argv[1:]
    variables = lambda_variables(url)
    folder = os.path.join(tempfile.mkdtemp(prefix='aws-calls-'), 'folder')
    aws = [os.path.join(opt, 'bin/aws')]
    first = {'name': 'first', 'words': ['--version']}
    results = []
    for case in CALLS:
        plain = run(plain_command(opt), case, variables, folder, 'run-a')
        if not has_spare(opt):
            run(aws, first, variables, folder, 'run-b')
            has_spare(opt)
        before = page_faults()
        preloaded = run(aws, case, variables, folder, 'run-b')
        # Python touches thousands of pages when it starts, the client alone some dozens.
        way = 'fork' if page_faults() - before < FAULTS_MAX else 'plain'
        must = 'plain' if case.get('plain') else None
        results.append(
            {'name': case['name'], 'plain': plain, 'preloaded': preloaded, 'way': way, 'must': must}
        )
    shutil.rmtree(os.path.dirname(folder))
    for pid in servers(opt):
        os.kill(pid, signal.SIGKILL)
    json.dump(results, sys.stdout)


if __name__ == '__main__':
    main()
