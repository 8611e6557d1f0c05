"""Looks at the process that the layer's first `aws` leaves behind, and at what happens to its calls.

    python3 server.py OPT SERVER_URL CHECK

To be started as root in a session of its own, as a runtime is. Prints what the check found as JSON.
"""

import contextlib
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

from calls import children, has_spare, is_asleep, lambda_variables, plain_command, servers

OPT, URL, CHECK = sys.argv[1:]
AWS = f'{OPT}/bin/aws'
STRANGER = 1234


def call(*words, command=(AWS,), variables=(), **options):
    options = {'capture_output': True, 'stdin': subprocess.DEVNULL, **options}
    environment = {**lambda_variables(URL), **dict(variables)}
    return subprocess.run([*command, *words], env=environment, **options)


def first_call(**options):
    call('--version', **options)
    has_spare(OPT)


def memory_of(pid):
    """All that a process can read of its own memory."""
    with open(f'/proc/{pid}/maps') as maps, open(f'/proc/{pid}/mem', 'rb', 0) as memory:
        for line in maps:
            start, end = (int(text, 16) for text in line.split()[0].split('-'))
            with contextlib.suppress(OSError, OverflowError):
                memory.seek(start)
                yield memory.read(end - start)


def waits_in(pid):
    with open(f'/proc/{pid}/wchan') as file:
        return file.read()


def settled_descriptors(pid):
    """What a process has open, once it has closed what a fork inherits and does not need."""
    before = None
    while True:
        paths = set()
        for name in os.listdir(f'/proc/{pid}/fd'):
            with contextlib.suppress(FileNotFoundError):
                paths.add(os.readlink(f'/proc/{pid}/fd/{name}'))
        if paths == before:
            return paths
        before = paths
        time.sleep(0.1)


def secrets():
    """What the server and its spare hold after calls with secrets, and what else they hold."""
    secret = {'AWS_SECRET_ACCESS_KEY': 'hush-variable', 'AWS_SESSION_TOKEN': 'hush-token'}
    words = ['ssm', 'put-parameter', '--name', 'hush', '--type', 'String', '--overwrite']
    held = os.open('/etc/hostname', os.O_RDONLY)
    os.set_inheritable(held, True)
    for _ in range(4):
        call(*words, '--value', 'hush-argument', variables=secret, close_fds=False)
        has_spare(OPT)
    found = []
    for pid in (servers(OPT)[0], *children(servers(OPT)[0])):
        paths = settled_descriptors(pid)
        own = re.compile(r'/memfd:pages.*|/dev/(null|urandom)|/proc/\d+|.*/libffi\.so\.8|anon_inode:\[pidfd\]|pipe:.*|socket:.*')
        found.append(
            {
                'secrets': sum(part.count(b'hush-') for part in memory_of(pid)),
                'threads': len(os.listdir(f'/proc/{pid}/task')),
                'descriptors': [path for path in paths if not own.fullmatch(path)],
                'folder': os.readlink(f'/proc/{pid}/cwd'),
            }
        )
    return found


def places():
    """Where a first call leaves a server."""
    found = {}
    for name, variables in (
        ('in Lambda', {}),
        ('with 256 MB', {'AWS_LAMBDA_FUNCTION_MEMORY_SIZE': '256'}),
        ('with 128 MB', {'AWS_LAMBDA_FUNCTION_MEMORY_SIZE': '128'}),
        ('without a Runtime API', {'AWS_LAMBDA_RUNTIME_API': ''}),
        ('without a function', {'AWS_LAMBDA_FUNCTION_NAME': ''}),
        ('with a variable of Python', {'PYTHONPATH': '/x'}),
        ('with a library to preload', {'LD_PRELOAD': ''}),
    ):
        call('--version', variables=variables)
        time.sleep(0.3)
        found[name] = len(servers(OPT))
        for pid in servers(OPT):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.3)
    call('--version', start_new_session=True)
    time.sleep(0.3)
    return {**found, 'in a session of its own': len(servers(OPT))}


def waiting():
    """What a first call has left while it still runs, and how another call goes meanwhile and afterwards."""
    with SilentServer() as silent:
        child = subprocess.Popen(
            [AWS, *silent.words],
            env=lambda_variables(URL), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        silent.connected.wait(30)
        (server,) = children(child.pid)
        while not is_asleep(server):
            time.sleep(0.01)
        with open(f'/proc/{server}/oom_score_adj') as file:
            score = int(file.read())
        # A server that does more than wait has a hundred.
        few = len(os.listdir(f'/proc/{server}/fd')) < 10
        held = settled_descriptors(server) & settled_descriptors(child.pid) - {os.devnull}
        folder = os.readlink(f'/proc/{server}/cwd')
        meanwhile = call('--version').returncode
        child.kill()
        child.communicate()
    spare = has_spare(OPT)
    return {
        'score': score, 'few': few, 'held': [*held], 'folder': folder,
        'meanwhile': meanwhile, 'spare': spare, 'same': servers(OPT) == [server],
    }


class SilentServer:
    """Takes connections and never responds: a call of it lasts until somebody ends it."""

    def __enter__(self):
        self.socket = socket.create_server(('127.0.0.1', 0))
        self.connected = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()
        port = self.socket.getsockname()[1]
        self.words = ['sts', 'get-caller-identity', '--endpoint-url', f'http://127.0.0.1:{port}']
        return self

    def accept(self):
        self.connections = []
        while True:
            try:
                self.connections.append(self.socket.accept())
            except OSError:
                return
            self.connected.set()

    def __exit__(self, *_):
        for connection, _ in self.connections:
            connection.close()
        self.socket.close()


def ends():
    """How a call ends, plain and preloaded, when its caller gets a signal, and what it leaves."""
    first_call()
    found = {}
    for name in ('TERM', 'KILL', 'HUP', 'INT', 'QUIT', 'USR1', 'PIPE', 'INT to the group'):
        results = []
        for command in (plain_command(OPT), [AWS]):
            with SilentServer() as silent:
                child = subprocess.Popen(
                    [*command, *silent.words],
                    env=lambda_variables(URL),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    preexec_fn=lambda: os.setpgid(0, 0),
                )
                silent.connected.wait(30)
                # Python has more to say of an object that it is just making: it must wait for the response.
                time.sleep(0.3)
                if name.endswith('group'):
                    os.killpg(child.pid, signal.SIGINT)
                else:
                    child.send_signal(getattr(signal, f'SIG{name}'))
                if name == 'PIPE':
                    time.sleep(0.3)
                    child.send_signal(signal.SIGTERM)
                output, errors = child.communicate(timeout=30)
                results.append([child.returncode, output.decode(), errors.decode()])
        found[name] = results
    has_spare(OPT)
    return {**found, 'left': len(children(servers(OPT)[0])) - 1}


def timeout():
    """What `timeout 1 aws` gives, and whether the programs that aws has started end with it."""
    first_call()
    found = []
    for command in (plain_command(OPT), [AWS]):
        with SilentServer() as silent:
            started = time.monotonic()
            status = call(*silent.words, command=['timeout', '1', *command]).returncode
            found.append([status, time.monotonic() - started < 10])
    return found


def damage():
    """Whether calls work while the server is stopped, killed, starved or a stranger's."""
    found = {}
    first_call()
    server = servers(OPT)[0]
    os.kill(server, signal.SIGSTOP)
    found['stopped'] = [call('--version').returncode for _ in range(3)]
    os.kill(server, signal.SIGCONT)
    has_spare(OPT)
    for spare in children(server):
        os.kill(spare, signal.SIGSTOP)
    found['spare stopped'] = [call('--version').returncode for _ in range(2)]
    for pid in (*children(server), server):
        os.kill(pid, signal.SIGKILL)
    found['killed'] = call('--version').returncode
    has_spare(OPT)
    for pid in servers(OPT):
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    # Somebody else listens where the server would.
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    place = os.stat(f'{OPT}/aws-cli')
    with open(f'{OPT}/aws-cli/build') as file:
        build = file.readline().strip()
    pid = os.fork()
    if pid == 0:
        os.setuid(STRANGER)
        listener.bind(f'\0aws-cli 0 {place.st_dev:x}:{place.st_ino:x} {build}')
        listener.listen()
        time.sleep(60)
        os._exit(0)
    time.sleep(0.2)
    found['stranger'] = call('--version').returncode
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return found


def as_user(most=None):
    os.setgroups([])
    os.setgid(STRANGER)
    os.setuid(STRANGER)
    if most is not None:
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def processes():
    """Whether calls work for a user who can have no further process."""
    results = []
    for most in (1, 2, 3, 4, 5, 6):
        for _ in range(2):
            result = call('--version', preexec_fn=lambda: as_user(most))
            plain = call('--version', command=plain_command(OPT), preexec_fn=lambda: as_user(most))
            results.append([plain.returncode == result.returncode, plain.stdout == result.stdout])
        for pid in servers(OPT):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    return results


def threads():
    """How calls of a user who can have no thread end, plain and preloaded, after one that has loaded the CRT."""
    first_call(preexec_fn=as_user)
    copy = ['s3', 'cp', '/etc/hostname', 's3://nowhere/key']
    call(*copy, preexec_fn=as_user)
    has_spare(OPT)
    found = []
    for words in (['sts', 'get-caller-identity', '--query', 'Account'], copy):
        for command in (plain_command(OPT), [AWS]):
            result = call(*words, command=command, preexec_fn=lambda: as_user(1))
            found.append([result.returncode, result.stdout.decode(), result.stderr.decode()])
            has_spare(OPT)
    return found


def full_table():
    """Whether a server that can have no spare sleeps, and has one again when there is room."""
    first_call(preexec_fn=as_user)
    server = servers(OPT)[0]

    def let_it_have(most):
        subprocess.run(['prlimit', f'--pid={server}', f'--nproc={most}:'], preexec_fn=as_user, check=True)

    let_it_have(1)
    for spare in children(server):
        os.kill(spare, signal.SIGKILL)
    while children(server):
        time.sleep(0.01)
    asleep = []
    for _ in range(100):
        asleep.append(is_asleep(server))
        time.sleep(0.01)
    status = call('--version', preexec_fn=as_user).returncode
    let_it_have(1000)
    return {'asleep': asleep.count(True) > 50, 'call': status, 'spare': has_spare(OPT)}


def dying():
    """Whether a server whose spares die at once makes few of them, and how a call goes meanwhile."""
    first_call()
    (server,) = servers(OPT)
    child = None
    died = set()
    for look in range(200):
        for spare in children(server):
            with contextlib.suppress(ProcessLookupError):
                os.kill(spare, signal.SIGKILL)
            died.add(spare)
        if look == 100:
            child = subprocess.Popen([AWS, '--version'], env=lambda_variables(URL), stdout=subprocess.DEVNULL)
        time.sleep(0.005)
    # A call that a spare had taken on ends with it.
    return {'few': len(died) < 50, 'call': child.wait() in (0, -signal.SIGKILL), 'spare': has_spare(OPT)}


def reports():
    """Whether the server goes on after calls that cannot tell their pages whole, and what it knows of pages."""
    first_call()
    before = servers(OPT)
    found = []
    for size in (5001, 5007, None):
        limit = size or resource.RLIM_INFINITY
        call('sts', 'get-caller-identity', preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        has_spare(OPT)
        found.append(own_memory() > 8_000)
    return [servers(OPT) == before, found]


def ctypes():
    """How calls end where Python's ctypes cannot be loaded, and how many servers they have, one after the other."""
    script = (
        f'for file in {OPT}/aws-cli/lib/python3*/lib-dynload/_ctypes.*; do mount --bind /dev/null "$file"; done; '
        f'while read -r _; do {AWS} sts get-caller-identity >/dev/null; echo $?; done'
    )
    child = subprocess.Popen(
        ['unshare', '--mount', 'sh', '-c', script],
        env=lambda_variables(URL), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )
    statuses, found = [], set()
    for _ in range(4):
        child.stdin.write(b'\n')
        child.stdin.flush()
        statuses.append(int(child.stdout.readline()))
        has_spare(OPT)
        found |= {*servers(OPT)}
    child.communicate()
    return [statuses, len(found)]


def locales():
    """How three calls in a row end on a system that has no locales."""
    empty = 'mount -t tmpfs none /usr/lib/locale && for _ in 1 2 3; do "$@"; sleep 0.5; done'
    result = call('--version', command=('unshare', '--mount', 'sh', '-ec', empty, 'sh', AWS))
    lines = result.stdout.decode().splitlines()
    return [len(lines), len(set(lines)), result.stderr.decode(), len(servers(OPT))]


def others():
    """Whether a call goes on when the next one belongs to another session, which ends the server."""
    first_call()
    server = servers(OPT)[0]
    place = os.stat(f'{OPT}/aws-cli')
    with open(f'{OPT}/aws-cli/build') as file:
        name = f'\0aws-cli 0 {place.st_dev:x}:{place.st_ino:x} {file.readline().strip()}'
    # A caller of another session that has a fork, and takes its time to say what it wants.
    other, control = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.connect(name)
            connection.recv(1)
            other.send(b'x')
            other.recv(1)
            call = os.memfd_create('call')
            os.write(call, bytes(8))
            process = os.open('/proc/self', os.O_PATH | os.O_DIRECTORY)
            directory = os.open('/', os.O_PATH | os.O_DIRECTORY)
            alive = os.pipe()
            socket.send_fds(connection, [bytes(4)], [call, process, directory, alive[0], 0])
            connection.recv(1)
        os._exit(0)
    control.recv(1)
    # A stranger has the server make the next spare, and is not served.
    stranger = os.fork()
    if stranger == 0:
        as_user()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.connect(name)
            connection.recv(1)
        os._exit(0)
    os.waitpid(stranger, 0)
    os.kill(server, signal.SIGSTOP)
    words = ['ssm', 'put-parameter', '--name', 'others', '--type', 'String', '--overwrite']
    child = subprocess.Popen(
        [AWS, *words, '--value', 'file:///dev/stdin'],
        env=lambda_variables(URL), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )
    # Until its fork runs the command, and waits for its input.
    while not any('pipe_read' in place for place in map(waits_in, children(server))):
        time.sleep(0.01)
    control.send(b'x')
    os.waitpid(pid, 0)
    os.kill(server, signal.SIGCONT)
    while servers(OPT) == [server] and len(children(server)) > 1:
        time.sleep(0.01)
    time.sleep(0.2)
    output, _ = child.communicate(b'value')
    return [child.returncode, b'Version' in output]


def session():
    """Whether the server ends with the session that it belongs to."""
    child = subprocess.Popen(
        ['sh', '-c', f'{AWS} --version; read -r line'],
        env=lambda_variables(URL),
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    has_spare(OPT) or time.sleep(1)
    before = len(servers(OPT))
    child.communicate(b'line\n')
    time.sleep(0.5)
    return [before, len(servers(OPT))]


def memory():
    """Who is killed when a function of 256 MB needs nearly all of it, with the server there."""
    folder, limit, tasks = memory_group()
    try:
        with open(os.path.join(folder, limit), 'w') as file:
            file.write(str(256 << 20))
        script = (
            f'{AWS} --version >/dev/null; {AWS} s3 ls >/dev/null; sleep 1; '
            "python3 -c 'x = bytearray(225 << 20); print(len(x))'; "
            f'{AWS} --version'
        )
        result = subprocess.run(
            ['sh', '-c', f'echo $$ >{os.path.join(folder, tasks)}; {script}'],
            env=lambda_variables(URL), capture_output=True, stdin=subprocess.DEVNULL,
        )
        return [result.returncode, result.stdout.decode(), result.stderr.decode()]
    finally:
        for pid in servers(OPT):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.3)
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def pages():
    """How much memory of its own a waiting fork has, in KB, before and after calls of a service."""
    first_call()
    found = [own_memory()]
    for _ in range(3):
        call('sts', 'get-caller-identity')
        has_spare(OPT)
    return [*found, own_memory()]


def own_memory():
    (spare,) = children(servers(OPT)[0])
    with open(f'/proc/{spare}/smaps_rollup') as file:
        return int(re.search(r'Private_Dirty: *(\d+) kB', file.read())[1])


def memory_group():
    """Makes a control group: its folder, and the files for its limit and its processes."""
    name = f'aws-server-{os.getpid()}'
    if os.path.exists('/sys/fs/cgroup/memory'):
        with open('/proc/self/cgroup') as file:
            (own,) = re.findall(r':memory:(.*)', file.read())
        folder = f'/sys/fs/cgroup/memory{own}/{name}'
        os.mkdir(folder)
        return folder, 'memory.limit_in_bytes', 'cgroup.procs'
    folder = f'/sys/fs/cgroup/{name}'
    with contextlib.suppress(OSError), open('/sys/fs/cgroup/cgroup.subtree_control', 'w') as file:
        file.write('+memory')
    os.mkdir(folder)
    return folder, 'memory.max', 'cgroup.procs'


def main():
    checks = (
        *(secrets, places, waiting, ends, timeout, damage, processes, threads, full_table, dying, reports, ctypes, locales, others, session, memory, pages),
    )
    found = {check.__name__: check for check in checks}[CHECK]()
    for pid in servers(OPT):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    json.dump(found, sys.stdout)


main()
