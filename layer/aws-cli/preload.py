"""Makes calls of `aws` fast: a process that has imported the CLI forks for each call ("the server").

bin/aws (aws.c) starts this file where no server listens, and hands over one descriptor: a memory
file with the arguments and variables of the call. Then, in this order:

  1. Import the CLI, with an almost empty environment.
  2. Fork. The child becomes the server; it has seen nothing of the call, nor reads it later.
  3. This process takes the variables and runs the command. It is the plain call in every way.

The server keeps a fork ready that waits for a caller ("the spare"). The spare, not the server,
receives the request, and takes on what the caller has (caller.py). If it cannot, it says "plain" and ends.
Else it says "ready", waits for "go", and runs the command; the server forks the next spare.

While nobody calls, the server imports what its forks had to import, so that the next call of the
same kind finds it there: names of the CLI's own modules and models are all that a fork tells, and the
numbers of the pages of memory that it has written to (pages.py).
"""

import os
import sys

HERE = os.path.dirname(__file__)
sys.path.insert(0, HERE)
import aws  # noqa: E402 # lets the imports below come from the bundle
import caller  # noqa: E402
import pages  # noqa: E402

sys.path.pop(0)
# A user's plug-in may have one of these names.
del sys.modules['aws'], sys.modules['caller'], sys.modules['pages']

import contextlib  # noqa: E402
import fcntl  # noqa: E402
import gc  # noqa: E402
import importlib  # noqa: E402
import select  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import struct  # noqa: E402

# The kernel chooses the largest process when memory runs out; this one must go before all others.
SERVER_OOM_SCORE = b'1000'
# How long a spare outlives its server, in seconds.
LAST_S = 0.05
LESSON_MAX = 4096
# How long the server waits before it tries again to fork, in milliseconds: where there can be no further
# process, or none that lives, it would take the processor from those that there are.
RETRY_MS = 100
# A lesson that tells the server to make room for another one.
RETIRE = b'retire'
# A lesson that tells it which pages a call has written to (pages.py).
PAGES = b'pages'
# Service models that the server keeps, in compressed bytes: a larger one would take too long to load
# between two calls (57 ms for 1 MB), all of them too much memory (30 bytes for one).
MODEL_MAX = 250_000
MODELS_MAX = 600_000
BACKLOG = 64
# What each call of a service loads, whatever the service. A first call that is one loads it before it
# leaves the server, so that both have it for the price of one; else the server does when nobody calls.
SERVICE_IMPORTS = (
    *('awscli.customizations.assumerole', 'awscli.customizations.binaryformat'),
    *('awscli.customizations.cloudfront', 'awscli.customizations.globalargs'),
    *('awscli.customizations.history', 'awscli.customizations.sso'),
    *('awscli.customizations.timestampformat', 'awscli.customizations.waiters'),
    *('awscli.customizations.streamingoutputarg', 'awscli.customizations.cliinput'),
    *('awscli.customizations.paginate', 'awscli.customizations.generatecliskeleton'),
    'encodings.ascii',
)
SERVICE_MODELS = ('endpoints', 'partitions')
# struct ucred: process, user, group.
PEER = struct.Struct('iII')


def reserve_low_descriptors():
    """Opens all free descriptors below the floor, and returns them to close."""
    taken = [os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)]
    while taken[-1] < caller.DESCRIPTOR_FLOOR:
        taken.append(fcntl.fcntl(taken[0], fcntl.F_DUPFD_CLOEXEC, 0))
    return taken


def import_all(is_service):
    """Imports the CLI and keeps off what only a running call may do."""
    import awscrt.io

    init_logging = awscrt.io.init_logging
    # It starts a thread, which a fork would not have: each call starts its own.
    awscrt.io.init_logging = lambda *args: None
    aws.prepare()
    read_name_of_system()
    if is_service:
        for name in SERVICE_IMPORTS:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        for path in service_models():
            models().kept[path] = models()().load_file(path)
        models().loaded.clear()
        gc.freeze()
    awscrt.io.init_logging = init_logging


def read_name_of_system():
    """Has the library that the user agent asks keep what it reads from /etc/os-release."""
    import distro

    distro.id()
    distro.major_version()


def start_logging_of_crt():
    """Does what awscli.logger does when it is imported, and could not do in the server."""
    import awscrt.io

    # The server may have loaded it.
    sys.modules['_awscrt'].is_used = False
    with contextlib.suppress(RuntimeError):
        awscrt.io.init_logging(awscrt.io.LogLevel.NoLogs, 'stderr')


def serve_call(connection, lessons, known, own, own_pages):
    """Runs one call, in a fork of the server."""
    try:
        caller.take_on(connection, own)
        connection.send(b'r')
        go = connection.recv(1)
    except BaseException as reason:
        if isinstance(reason, caller.Outdated):
            tell_server(lessons, RETIRE)
        tell(connection, b'p')
        os._exit(0)
    if go != b'g':
        os._exit(0)

    def end(status):
        # First of all, who reads our output sees its end. Last, the caller ends, and then so do we.
        os.closerange(0, caller.DESCRIPTOR_FLOOR)
        # The call has run: whatever fails here, its status counts.
        with contextlib.suppress(Exception):
            tell_lesson(lessons, known)
        with contextlib.suppress(Exception):
            if own_pages.tell():
                tell_server(lessons, PAGES)
        tell(connection, bytes((ord('e'), status)))
        os._exit(status)

    start_logging_of_crt()
    aws.run(end)


def tell_lesson(lessons, known):
    """Tells the server what this call had to load, if that fits into one message."""
    library = os.path.dirname(os.__file__)
    names = [
        name
        for name, module in sys.modules.items()
        if name not in known and is_below(library, module)
    ]
    # What a module imports comes after it: from the end on, each import is a short one.
    lesson = '\n'.join(models().loaded + names[::-1]).encode()
    if 0 < len(lesson) <= LESSON_MAX:
        tell_server(lessons, lesson)


def tell_server(lessons, lesson):
    # It may have gone, or be behind with its lessons.
    with contextlib.suppress(OSError):
        os.write(lessons, lesson)


def service_models():
    return [os.path.join(models().DATA, name) for name in SERVICE_MODELS]


def keep_tls_context():
    """Prepares what `aws s3` needs for TLS: parsing the certificates of 140 authorities takes 16 ms.

    It is the context for the layer's own authorities and no other setting; any other is made by its call.
    """
    import awscrt.io
    import botocore

    def settings(options):
        return [getattr(options, name) for name in options.__slots__]

    authorities = os.path.join(os.path.dirname(botocore.__file__), 'cacert.pem')
    own = awscrt.io.TlsContextOptions()
    own.override_default_trust_store_from_path(ca_filepath=authorities)
    kept = awscrt.io.ClientTlsContext(own)
    initialize = awscrt.io.ClientTlsContext.__init__

    def take_or_initialize(self, options):
        if settings(options) != settings(own):
            return initialize(self, options)
        awscrt.NativeResource.__init__(self)
        self._binding = kept._binding

    awscrt.io.ClientTlsContext.__init__ = take_or_initialize


def imported_modules():
    """The names of all modules but those that something stands for until they are needed."""
    return frozenset(
        name
        for name, module in sys.modules.items()
        if not isinstance(module, aws.Later) or module.__spec__ is not None
    )


def name_operations(model):
    """Has botocore keep how the operations of a service are called, in Python and as commands."""
    import botocore

    for operation in model.get('operations', ()):
        for separator in '_-':
            botocore.xform_name(operation, separator)


def is_below(folder, module):
    origin = getattr(getattr(module, '__spec__', None), 'origin', None)
    return isinstance(origin, str) and origin.startswith(folder + '/')


def models():
    import botocore.loaders

    return botocore.loaders.Loader.FILE_LOADER_CLASS


class Server:
    """Keeps a fork ready that waits for a caller ("the spare"), and learns while nobody calls."""

    def __init__(self, listener, first, leader=None):
        self.listener, self.first, self.leader = listener, first, leader
        self.known = imported_modules()
        self.lessons, self.lessons_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC | os.O_DIRECT)
        self.spare = None
        self.pause_ms = 0
        # Of each running call: {pidfd: (process, connection to the caller)}.
        self.calls = {}
        self.to_learn = [*SERVICE_IMPORTS, *service_models()]
        self.models_bytes = 0
        self.pages = pages.Pages()

    def serve(self):
        """Serves calls; returns in each fork, with the connection to its caller."""
        while True:
            idle = self.first is None and not self.calls
            has_work = idle and (self.to_learn or self.spare is None) and self.listener
            ready = self.wait(self.pause_ms if has_work else None)
            self.pause_ms = 0
            if self.leader in ready:
                os._exit(0)
            if self.first in ready:
                os.close(self.first)
                self.first = None
            if self.lessons in ready:
                self.listen(os.read(self.lessons, LESSON_MAX))
            if self.spare is not None and ready & {self.spare.process, self.spare.control.fileno()}:
                self.take_spare()
            for process in ready & set(self.calls):
                self.end_call(process)
            if self.listener is None:
                if self.spare is None and not self.calls:
                    os._exit(0)
                continue
            called = self.spare is None and self.listener.fileno() in ready
            if called or (has_work and not ready and not self.to_learn):
                connection = self.fork(called)
                if connection is not None:
                    return connection
            elif has_work and not ready:
                self.learn(self.to_learn.pop(0))

    def wait(self, timeout):
        """Returns the descriptors on which something has happened."""
        poll = select.poll()
        wanted = {self.lessons, self.leader, self.first, *self.calls}
        if self.spare is None and self.listener is not None:
            wanted.add(self.listener.fileno())
        elif self.spare is not None:
            wanted |= {self.spare.process, self.spare.control.fileno()}
        for descriptor in wanted - {None}:
            poll.register(descriptor, select.POLLIN)
        return {descriptor for descriptor, _ in poll.poll(timeout)}

    def listen(self, lesson):
        if lesson == PAGES:
            # What it needs may not be there in this sandbox.
            with contextlib.suppress(Exception):
                self.pages.learn()
        elif lesson != RETIRE:
            self.to_learn += lesson.decode().split('\n')
        elif self.listener is not None:
            # The name is free as soon as nobody has the socket any more.
            self.listener.close()
            self.listener = None
            if self.spare is not None:
                # It ends, unless it has a caller already and the word of that is on its way.
                self.spare.control.shutdown(socket.SHUT_WR)

    def fork(self, called):
        """Forks a spare; returns in it, as soon as it has a caller."""
        try:
            control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            pid = os.fork()
        except OSError:
            # There can be no further process: who is calling takes the plain way.
            self.pause_ms = RETRY_MS
            if called:
                self.listener.accept()[0].close()
            return None
        if pid > 0:
            theirs.close()
            control.setblocking(False)
            self.spare = Spare(pid, os.pidfd_open(pid), control)
            return None
        control.close()
        self.forget_in_fork()
        with contextlib.suppress(Exception):
            self.pages.copy()
        connection = wait_for_caller(self.listener, theirs)
        self.listener.close()
        return connection

    def take_spare(self):
        """Notes that the spare has a caller, or has ended."""
        spare, self.spare = self.spare, None
        descriptors = ()
        with contextlib.suppress(OSError):
            _, descriptors, _, _ = socket.recv_fds(spare.control, 1, 1)
        spare.control.close()
        self.calls[spare.process] = spare.pid, socket.socket(fileno=descriptors[0]) if descriptors else None

    def end_call(self, process):
        pid, connection = self.calls.pop(process)
        os.close(process)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if connection is not None:
            with connection:
                tell(connection, bytes((ord('e'), code) if code >= 0 else (ord('s'), -code)))
        elif self.listener is not None:
            # A spare that has ended before it had a caller, as the next one may, in a sandbox where memory is
            # short: who is calling takes the plain way, and the processor is left to those that there are.
            self.pause_ms = RETRY_MS
            with contextlib.suppress(OSError):
                self.listener.accept()[0].close()

    def learn(self, name):
        with caller.recording():
            try:
                if not name.startswith('/'):
                    module = importlib.import_module(name)
                    if isinstance(module, aws.Later):
                        module.imported()
                    if name == 's3transfer.crt':
                        keep_tls_context()
                elif name not in models().kept and self.has_room_for(name + models().SUFFIX):
                    models().kept[name] = models()().load_file(name)
                    name_operations(models().kept[name])
            except Exception:
                # The call that needs it will say so.
                pass
        models().loaded.clear()
        self.known = imported_modules()
        gc.freeze()

    def has_room_for(self, file):
        size = os.stat(file).st_size
        if size > MODEL_MAX or self.models_bytes + size > MODELS_MAX:
            return False
        self.models_bytes += size
        return True

    def forget_in_fork(self):
        """Closes what a fork has no use for: it must not stand for the server, nor for a call."""
        for descriptor in (self.lessons, self.leader, self.first, *self.calls):
            if descriptor is not None:
                os.close(descriptor)
        for _, connection in self.calls.values():
            if connection is not None:
                connection.close()


class Spare:
    """A fork that waits for a caller, its pidfd, and the socket on which it says that it has one."""

    def __init__(self, pid, process, control):
        self.pid, self.process, self.control = pid, process, control


def wait_for_caller(listener, server):
    """Waits in a spare for a caller of the same user, and tells the server; ends with the server."""
    while True:
        ready = select.select([listener, server], [], [])[0]
        if server in ready:
            # Where the kernel took the server for want of memory it must find this fork as well, most of whose
            # memory is the server's: who is ending cannot be taken, and the function would be.
            listener.close()
            select.select([], [], [], LAST_S)
            os._exit(0)
        try:
            connection, _ = listener.accept()
        except OSError:
            continue
        peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size)
        if PEER.unpack(peer)[1] == os.geteuid():
            break
        connection.close()
    socket.send_fds(server, [b't'], [connection.fileno()])
    process = os.pidfd_open(os.getpid())
    connection.setblocking(True)
    with contextlib.suppress(OSError):
        socket.send_fds(connection, [b'a'], [process])
    os.close(process)
    server.close()
    return connection


def tell(connection, message):
    # The caller may have gone.
    with contextlib.suppress(OSError):
        connection.send(message)


def server_name():
    """As in aws.c."""
    place = os.stat(HERE)
    with open(os.path.join(HERE, 'build')) as file:
        build = file.readline().rstrip('\n')
    return f'\0aws-cli {os.geteuid()} {place.st_dev:x}:{place.st_ino:x} {build}'


def leave_server():
    """Forks the server, unless there is one or this is not a place for it.

    Returns in this process, and in each fork of the server: there with what serve_call needs.
    """
    first = caller.this_process()
    if first.terminal or first.session == os.getpid():
        return None
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(server_name())
    # Whatever ends the session ends the server. Where its leader is not visible, the sandbox does.
    watched = [os.pidfd_open(pid) for pid in (os.getpid(), first.session) if pid]
    if os.fork() > 0:
        listener.close()
        for descriptor in watched:
            os.close(descriptor)
        return None
    try:
        let_go_of_first_call()
        listener.listen(BACKLOG)
        listener.setblocking(False)
        # The rest can wait until that call has ended, which may have a part of a processor only, or somebody calls.
        select.select([listener, *watched], [], [])
        become_server(first.ignored)
        own = caller.this_process()
        server = Server(listener, *watched)
        return server.serve(), server.lessons_end, server.known, own, server.pages
    except BaseException:
        os._exit(1)


def let_go_of_first_call():
    """Closes what the first call has brought along, and lets the kernel take this process before that one."""
    os.closerange(0, caller.DESCRIPTOR_FLOOR)
    os.chdir('/')
    score = os.open('/proc/self/oom_score_adj', os.O_WRONLY)
    os.write(score, SERVER_OOM_SCORE)
    os.close(score)


def become_server(ignored):
    """Takes on what a server has for all calls."""
    reserve_low_descriptors()
    for number in ignored | {signal.SIGINT}:
        signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def take_plain_way(call):
    """Starts the CLI again, as bin/aws does."""
    content = os.pread(call, os.fstat(call).st_size, 0)
    words, _ = struct.unpack_from('=II', content)
    strings = content[8:].split(b'\0')[:-1]
    loader = os.readlink('/proc/self/exe')
    options = ('--inhibit-cache', '--library-path', os.path.join(HERE, 'lib'))
    flags = ('-I', '-S', '-B', '-X', 'utf8', os.path.join(HERE, 'aws.pyc'))
    command = (loader, *options, '--argv0', sys.executable, sys.executable, *flags)
    variables = dict(text.split(b'=', 1) for text in strings[words:])
    os.execve(loader, [*command, *strings[:words]], variables)


def main():
    call, kind = int(sys.argv[1]), sys.argv[2]
    del sys.argv[1:]
    os.set_inheritable(call, False)
    try:
        reserved = reserve_low_descriptors()
    except OSError:
        take_plain_way(call)
    with caller.recording():
        import_all(kind == 'service')
    try:
        fork = leave_server()
    except Exception:
        # There is one already, or no process or descriptor for it.
        fork = None
    if fork is not None:
        serve_call(*fork)
    for descriptor in reserved:
        os.close(descriptor)
    try:
        caller.take_variables(call)
    except Exception:
        take_plain_way(call)
    os.close(call)
    start_logging_of_crt()
    aws.run()


main()
