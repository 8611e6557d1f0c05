"""Calls the layer's `aws` many times while processes are killed, stopped and starved around it.

    python3 unrest.py OPT SERVER_URL CALLS SEED

To be started in a session of its own, as a runtime is. Each call must give what a plain one gives, or, if
somebody has killed it, end by that signal. Prints JSON: {"calls", "done": {disturbance: calls},
"faults": [text], "left": [command lines of processes that outlive their calls]}.
"""

import collections
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time

from calls import children, lambda_variables, servers

CALLERS = 3
TIMEOUT_S = 60

OPT, URL, CALLS, SEED = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
AWS = f'{OPT}/bin/aws'
done = collections.Counter()
faults = []


def processes():
    """The server and the forks of it, each with its kind."""
    found = []
    for server in servers(OPT):
        found.append(('server', server))
        found += [('fork', pid) for pid in children(server)]
    return found


def kill_some(kinds, number):
    """Returns whom it has sent the signal."""
    found = [pid for kind, pid in processes() if kind in kinds]
    send(found, number)
    return found


def send(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def stop_some(kinds, seconds):
    """Stops and continues the same processes: whose server is killed meanwhile is no fork any more."""
    stopped = kill_some(kinds, signal.SIGSTOP)
    time.sleep(seconds)
    send(stopped, signal.SIGCONT)


COMMANDS = [
    (['--version'], 'aws-cli/2.'),
    (['s3', 'presign', 's3://bucket/key'], 'KEY'),
    (['ssm', 'get-parameter', '--name', 'unrest', '--query', 'Parameter.Value'], '"calm"'),
    # It needs its working directory.
    (['s3', 'cp', 's3://unrest/object', '-'], 'content'),
]


def call(chance, name, folder):
    """Returns what is wrong with a call, or None."""
    key = f'KEY{chance.randrange(10**9)}'
    variables = {**lambda_variables(URL), 'AWS_ACCESS_KEY_ID': key, 'HOME': folder}
    words, wanted = chance.choice(COMMANDS if name != 'folder vanishes' else COMMANDS[:3])
    own = os.path.join(folder, f'{threading.get_ident()}')
    os.makedirs(own, exist_ok=True)
    child = subprocess.Popen(
        [AWS, *words],
        cwd=own,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=(lambda: os.rmdir(own)) if name == 'folder vanishes' else None,
    )
    allowed = {0}
    delay = chance.random() * 0.15
    if name == 'server killed':
        time.sleep(delay)
        kill_some(['server'], signal.SIGKILL)
    elif name == 'forks killed':
        time.sleep(delay)
        number = chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT])
        kill_some(['fork'], number)
    elif name == 'server stopped':
        stop_some(['server'], delay)
    elif name == 'forks stopped':
        stop_some(['fork'], delay)
    elif name == 'all frozen':
        time.sleep(delay)
        # As Lambda does between two events.
        stop_some(['server', 'fork'], 0.08)
    elif name == 'caller killed':
        time.sleep(delay)
        number = chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
        child.send_signal(number)
        allowed = {0, -number}
    elif name == 'caller interrupted':
        time.sleep(delay)
        child.send_signal(signal.SIGINT)
        # 130: the CLI's own status. 1: Python's, while it imports.
        allowed = {0, 130, 1, -signal.SIGINT}
    try:
        output, errors = child.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        return f'{words} does not end'
    status = child.returncode
    # Forks of other calls are killed too.
    allowed |= {-number for number in killed_forks}
    if status not in allowed:
        return f'{words} ended with {status}: {errors.decode()[-600:]}'
    wanted = key if wanted == 'KEY' else wanted
    if status == 0 and wanted not in output.decode():
        return f'{words} printed {output!r}'
    return None


killed_forks = (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT)
DISTURBANCES = [
    *['none'] * 4,
    *('server killed', 'forks killed', 'server stopped', 'forks stopped', 'all frozen'),
    *('caller killed', 'caller interrupted', 'folder vanishes'),
]


def caller(number, folder, left):
    chance = random.Random(SEED * 1000 + number)
    while left:
        try:
            left.pop()
        except IndexError:
            return
        name = chance.choice(DISTURBANCES)
        fault = call(chance, name, folder)
        done[name] += 1
        if fault is not None:
            faults.append(f'{name}: {fault}')


def main():
    variables = lambda_variables(URL)
    for words in (
        ['s3', 'mb', 's3://unrest'],
        ['ssm', 'put-parameter', '--name', 'unrest', '--value', 'calm', '--type', 'String'],
    ):
        subprocess.run([AWS, *words], env=variables, capture_output=True)
    subprocess.run([AWS, 's3', 'cp', '-', 's3://unrest/object'], env=variables, input=b'content')
    with tempfile.TemporaryDirectory() as folder:
        left = [None] * CALLS
        threads = [
            threading.Thread(target=caller, args=(number, folder, left)) for number in range(CALLERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for _ in range(1000):
        # One server and one spare are what there is between two calls.
        running = processes()
        if len(running) <= 2:
            break
        time.sleep(0.01)
    json.dump(
        {'calls': sum(done.values()), 'done': done, 'faults': faults, 'left': running[2:]}, sys.stdout
    )
    kill_some(['server'], signal.SIGKILL)


if __name__ == '__main__':
    main()
