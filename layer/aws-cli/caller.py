"""What a process has from its caller, and how a fork of the server (preload.py) takes it on.

What imports have looked up among the variables, and what a process cannot change, must be the same for
both; everything else is set: variables, directory, descriptors, process group, limits, mask, signals,
locale and time zone.
"""

import _locale
import array
import fcntl
import os
import random
import select
import signal
import struct
import sys
import time
from io import BufferedReader, BufferedWriter, FileIO
from socket import CMSG_SPACE, MSG_CMSG_CLOEXEC

# As in aws.c: those of a caller are below the floor, all that the server has is above.
DESCRIPTOR_FLOOR = 100
DESCRIPTORS_MAX = 64
PROC_FILE_MAX = 65_536
REQUEST_MAX = 4 * DESCRIPTORS_MAX
INTERRUPT_S = 0.1

# Lines of /proc/PID/status that a fork must have in common with its caller.
SAME_STATUS = (
    *('Uid', 'Gid', 'Groups', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs'),
    *('Seccomp', 'Seccomp_filters', 'Cpus_allowed', 'Mems_allowed'),
)
# Other files and links of /proc/PID.
SAME_FILES = ('cgroup', 'attr/current')
SAME_LINKS = (
    *('root', 'ns/mnt', 'ns/pid', 'ns/net', 'ns/user', 'ns/uts', 'ns/ipc', 'ns/cgroup', 'ns/time'),
)
# Limits that a running process can take on. The sizes of stack, data and address space it must have had
# when it started.
LIMITS = {
    'Max cpu time': 'RLIMIT_CPU',
    'Max file size': 'RLIMIT_FSIZE',
    'Max core file size': 'RLIMIT_CORE',
    'Max resident set': 'RLIMIT_RSS',
    'Max processes': 'RLIMIT_NPROC',
    'Max open files': 'RLIMIT_NOFILE',
    'Max locked memory': 'RLIMIT_MEMLOCK',
    'Max pending signals': 'RLIMIT_SIGPENDING',
    'Max msgqueue size': 'RLIMIT_MSGQUEUE',
    'Max nice priority': 'RLIMIT_NICE',
    'Max realtime priority': 'RLIMIT_RTPRIO',
    'Max realtime timeout': 'RLIMIT_RTTIME',
}


class Plain(Exception):
    """This call has to take the plain way."""


class Outdated(Plain):
    """So will the next ones: another server suits them better."""


INITIAL = dict(os.environ)


class Environment(type(os.environ)):
    """Records what imports look up and set, to know which callers that fits."""

    looked_up = {}
    # gettext looks for catalogues of messages, which the layer does not have.
    WITHOUT_EFFECT = ('LANGUAGE', 'LC_ALL', 'LC_MESSAGES', 'LANG')

    def __getitem__(self, name):
        try:
            value = super().__getitem__(name)
        except KeyError:
            value = None
        if name not in self.WITHOUT_EFFECT:
            self.looked_up.setdefault(name, value)
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self):
        # An import that reads all of them: then no caller fits.
        self.looked_up['*'] = ''
        return super().__iter__()


class recording:
    """Has os.environ record within a `with` block."""

    def __enter__(self):
        os.environ.__class__ = Environment

    def __exit__(self, *_):
        os.environ.__class__ = Environment.__base__


def take_variables(call):
    """Sets arguments and variables from a call's file.

    Raises Plain where imports have used another value of a variable.
    """
    content = os.pread(call, os.fstat(call).st_size, 0)
    words, variables = struct.unpack_from('=II', content)
    strings = content[8:].split(b'\0')[:-1]
    if len(strings) != words + variables:
        raise Plain('the call has been cut')
    found = dict(map(os.fsdecode, text.split(b'=', 1)) for text in strings[words:])
    for name, value in Environment.looked_up.items():
        if found.get(name) != value:
            raise Outdated(f'imports have used another {name}')
    changed = {name: text for name, text in os.environ.items() if INITIAL.get(name) != text}
    os.environ.clear()
    os.environ.update(found)
    os.environ.update(changed)
    sys.argv[1:] = map(os.fsdecode, strings[:words])
    take_locale()
    time.tzset()


def take_locale():
    """Sets the locale as Python does when it starts, PEP 538 included."""
    try:
        locale = _locale.setlocale(_locale.LC_CTYPE, '')
    except _locale.Error:
        locale = _locale.setlocale(_locale.LC_CTYPE, 'C')
    if locale != 'C' or os.environ.get('LC_ALL'):
        return
    # A system may have none of them.
    for name in ('C.UTF-8', 'C.utf8', 'UTF-8'):
        try:
            _locale.setlocale(_locale.LC_CTYPE, name)
            return
        except _locale.Error:
            pass


class Process:
    """What /proc shows of a process, through a descriptor of its folder."""

    def __init__(self, folder):
        self.folder = folder
        status = self.read('status').splitlines()
        self.status = dict(line.split(':\t', 1) for line in status if ':\t' in line)
        # After the name, which may hold anything: state, parent, group, session, terminal ...
        stat = self.read('stat').rpartition(')')[2].split()
        self.group, self.session, self.terminal = map(int, stat[2:5])
        self.alike = {'nice': stat[16], 'policy': stat[38], 'session': self.session}
        self.alike.update((name, self.status.get(name)) for name in SAME_STATUS)
        for read, names in ((self.read, SAME_FILES), (self.link, SAME_LINKS)):
            self.alike.update((name, self.optional(read, name)) for name in names)
        lines = self.read('limits').splitlines()[1:]
        self.limits = {line[:26].rstrip(): line[26:].split()[:2] for line in lines}
        self.ignored, self.blocked = self.signals('SigIgn'), self.signals('SigBlk')
        self.waiting = self.signals('ShdPnd') | self.signals('SigPnd')

    def read(self, name):
        file = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.folder)
        try:
            return os.fsdecode(os.read(file, PROC_FILE_MAX))
        finally:
            os.close(file)

    def link(self, name):
        return os.readlink(name, dir_fd=self.folder)

    @staticmethod
    def optional(read, name):
        try:
            return read(name)
        except OSError as error:
            return error.errno

    def signals(self, name):
        mask = int(self.status[name], 16)
        # All but two that are libc's own.
        valid = signal.valid_signals() if mask else ()
        return {number for number in valid if mask >> number - 1 & 1}


def this_process():
    folder = os.open('/proc/self', os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return Process(folder)
    finally:
        os.close(folder)


def compare(caller, own):
    """Raises Plain for what a process cannot take on."""
    if caller.terminal:
        raise Plain('terminal')
    if caller.waiting:
        raise Plain('waiting signals')
    for name, value in own.alike.items():
        if caller.alike[name] != value:
            raise Outdated(name) if name == 'session' else Plain(name)


def interrupt_once(number, frame, last=[0.0]):
    """Python's own handler, for the first of two interrupts in a row.

    One that is sent to the process group reaches this process itself, and again from the caller.
    """
    now = time.monotonic()
    if now - last[0] > INTERRUPT_S:
        last[0] = now
        signal.default_int_handler(number, frame)


def take_limits(caller, own):
    for name, pair in caller.limits.items():
        if pair == own.limits[name]:
            continue
        if name not in LIMITS:
            raise Plain(name)
        # A library of its own, which is hardly ever needed.
        import resource

        numbers = (resource.RLIM_INFINITY if text == 'unlimited' else int(text) for text in pair)
        resource.setrlimit(getattr(resource, LIMITS[name]), tuple(numbers))


def take_signals(caller, own):
    ignored = caller.ignored | {signal.SIGPIPE, signal.SIGXFSZ}
    for number in ignored ^ own.ignored:
        signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
    if signal.SIGINT not in ignored:
        signal.signal(signal.SIGINT, interrupt_once)
    signal.pthread_sigmask(signal.SIG_SETMASK, caller.blocked)


def take_descriptors(given, numbers):
    """Gives descriptors the numbers that they have at the caller."""
    os.closerange(0, DESCRIPTOR_FLOOR)
    for descriptor, number in zip(given, numbers):
        os.dup2(descriptor, number)
        os.close(descriptor)
    # The same objects, which imports have kept, with new files below.
    for stream, number, mode, kind in (
        (sys.stdin, 0, 'r', BufferedReader),
        (sys.stdout, 1, 'w', BufferedWriter),
        (sys.stderr, 2, 'w', BufferedWriter),
    ):
        name, errors = stream.name, stream.errors
        raw = FileIO(number, mode, closefd=False)
        raw.name = name
        stream.__init__(kind(raw), 'utf-8', errors, '\n', line_buffering=number == 2)
        stream.mode = mode


def take_on(connection, own):
    """Becomes the caller, as far as a process can."""
    body, data, _, _ = connection.recvmsg(
        REQUEST_MAX, CMSG_SPACE(4 * (DESCRIPTORS_MAX + 4)), MSG_CMSG_CLOEXEC
    )
    given = array.array('i')
    for _, _, rights in data:
        given.frombytes(rights)
    numbers = struct.unpack(f'={len(body) // 4}I', body)
    call, folder, directory, alive, *descriptors = given
    if len(descriptors) != len(numbers):
        raise Plain('some descriptors have not arrived')
    caller = Process(folder)
    compare(caller, own)
    # The kernel ends this process when the last descriptor of the other end is closed, which is the caller's.
    fcntl.fcntl(alive, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(alive, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(alive, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    with open('/proc/self/oom_score_adj', 'w') as file:
        file.write(caller.read('oom_score_adj'))
    os.setpgid(0, caller.group)
    take_limits(caller, own)
    take_signals(caller, own)
    take_variables(call)
    os.umask(int(caller.status['Umask'], 8))
    os.fchdir(directory)
    take_descriptors(descriptors, numbers)
    if select.select([alive], [], [], 0)[0]:
        raise Plain('the caller has ended')
    # A snapshot of this process may wait in many sandboxes.
    random.seed()
