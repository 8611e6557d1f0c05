/*
 * bin/aws: starts the AWS CLI, with the Python, the loader and the libraries that lie beside it in
 * aws-cli/, since Lambda's libc is older than they need. The loader gets its library path as an
 * argument: a variable would be inherited by every program that the CLI starts.
 *
 * That is the plain way: execve of aws.pyc. Inside Lambda a process that has imported the CLI once
 * (preload.py, "the server") makes a fork of itself for each call; this program hands it the
 * arguments, the variables and the descriptors, and ends as the fork ends. Whatever is unusual, takes too
 * long or fails before the fork has been told to go takes the plain way, so no call depends on it.
 *
 *     client                          server                     fork
 *     connect                                                    accept, check the user
 *                                                                accepted, with a pidfd
 *     request: descriptors                                       take on what the caller has
 *                                                                ready, or plain
 *     go                                                         run the command
 *     end as told                     ended by a signal          ended with a status
 *
 * No descriptor is sent before a fork has accepted: in the queue of a server that does not run, it
 * would keep the caller's pipes open.
 *
 * LOADER and PYTHON are the names that the build knows.
 *
 * Where nobody listens, this process becomes preload.py with an empty environment, so that what
 * stays behind as the server has never seen a secret: see preload.py.
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

/* How long to wait for the fork: 50 ms, in ticks. A tick that passes while nobody may run (a
 * frozen sandbox, a used up quota of CPU) counts once, however long it was. */
#define TICK_MS 5
#define TICKS 10

/* Memory of a function from which on the server's 45 MB are worth it, in MB. */
#define MEMORY_MIN_MB 256

/* Descriptors that can be handed over have numbers below this: the server keeps its own above. */
#define DESCRIPTOR_FLOOR 100
#define DESCRIPTORS_MAX 64

#define VARIABLES_MAX 256

extern char **environ;

static char folder[PATH_MAX];                     /* of the AWS CLI: .../aws-cli */
static int descriptors[DESCRIPTORS_MAX];          /* the numbers that the caller has open */
static int descriptor_count;
static int fork_descriptor = -1;                  /* pidfd of the fork that runs the command */

/* The CLI lies beside the folder of this program, wherever a symbolic link to it may be: /opt in a
 * layer, /usr/local in a runtime's image, where another one may be at /opt. */
static void find_folder(void) {
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    const char *started = (const char *)getauxval(AT_EXECFN);
    if (length > 0)
        self[length] = 0;
    else if (!started || !realpath(started, self))
        self[0] = 0;
    for (int level = 0; level < 2; level += 1) {
        char *slash = strrchr(self, '/');
        if (slash) *slash = 0;
    }
    if (snprintf(folder, sizeof folder, "%s/aws-cli", self) >= (int)sizeof folder) folder[0] = 0;
}

/* Replaces this process by Python with a script of the CLI's folder. */
static void start_python(const char *script, char **words, int count, char **variables) {
    static char loader[PATH_MAX + 64], library[PATH_MAX + 64], python[PATH_MAX + 64],
        path[PATH_MAX + 64];
    snprintf(loader, sizeof loader, "%s/lib/" LOADER, folder);
    snprintf(library, sizeof library, "%s/lib", folder);
    snprintf(python, sizeof python, "%s/bin/" PYTHON, folder);
    snprintf(path, sizeof path, "%s/%s", folder, script);
    char *fixed[] = {loader, "--inhibit-cache", "--library-path", library, "--argv0", python, python,
                     "-I", "-S", "-B", "-X", "utf8", path};
    int fixed_count = sizeof fixed / sizeof *fixed;
    char **command = calloc(fixed_count + count + 1, sizeof *command);
    if (!command) return;
    memcpy(command, fixed, sizeof fixed);
    memcpy(command + fixed_count, words, count * sizeof *words);
    execve(loader, command, variables);
    free(command);
}

static int begins_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

/* Inside Lambda, with memory to spare. */
static int is_lambda(void) {
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    const char *function = getenv("AWS_LAMBDA_FUNCTION_NAME");
    const char *memory = getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
    return api && *api && function && *function && memory && atoi(memory) >= MEMORY_MIN_MB;
}

/* Not there twice, not without a name, and not so many that looking takes long. */
static int is_single(char **variable) {
    size_t length = strcspn(*variable, "=") + 1;
    if (variable - environ >= VARIABLES_MAX || length == 1 || !strchr(*variable, '=')) return 0;
    for (char **other = environ; other < variable; other += 1)
        if (strncmp(*other, *variable, length) == 0) return 0;
    return 1;
}

/* What the loader, libc, Python and OpenSSL read when they start, before any code of the CLI: a
 * process that has started already cannot obey it. LD_LIBRARY_PATH has no effect on the CLI, whose
 * loader has its path as an argument. */
static int has_usual_variables(void) {
    static const char *const read_at_start[] = {"LD_",    "GLIBC_", "MALLOC_", "PYTHON", "_PYTHON",
                                                "OPENSSL", "LOCPATH=", "NLSPATH=", "GCONV_PATH=",
                                                "TZDIR=", "AWS_CLI_AUTO_PROMPT="};
    for (char **variable = environ; *variable; variable += 1) {
        if (!is_single(variable)) return 0;
        if (begins_with(*variable, "LD_LIBRARY_PATH=")) continue;
        for (size_t i = 0; i < sizeof read_at_start / sizeof *read_at_start; i += 1)
            if (begins_with(*variable, read_at_start[i])) return 0;
    }
    return 1;
}

/* Commands that ask a person, or hand their terminal to another program. */
static int asks_nobody(int count, char **words) {
    static const char *const asking[] = {"configure", "login", "help", "wizard", "ssh", "socks",
                                         "start-session", "execute-command", "open-tunnel",
                                         "--cli-auto-prompt"};
    for (int word = 0; word < count; word += 1)
        for (size_t i = 0; i < sizeof asking / sizeof *asking; i += 1)
            if (strcmp(words[word], asking[i]) == 0) return 0;
    return 1;
}

/* Only what stays the same when another process holds it too: files, folders, pipes, sockets and
 * devices of memory such as /dev/null; no terminal, and nothing of a kind unknown here. */
static int can_be_handed_over(int descriptor) {
    struct stat status;
    struct termios terminal;
    if (fstat(descriptor, &status) != 0) return 0;
    switch (status.st_mode & S_IFMT) {
    case S_IFREG: case S_IFIFO: case S_IFSOCK: return 1;
    case S_IFDIR: return descriptor > 2; /* Python does not start with one as standard input */
    case S_IFCHR: return major(status.st_rdev) == 1 && tcgetattr(descriptor, &terminal) != 0;
    default: return 0;
    }
}

static int has_usual_descriptors(void) {
    DIR *list = opendir("/proc/self/fd");
    if (!list) return 0;
    int usual = 1, standard = 0;
    for (struct dirent *entry; usual && (entry = readdir(list));) {
        int descriptor = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || descriptor == dirfd(list)) continue;
        usual = descriptor_count < DESCRIPTORS_MAX && descriptor < DESCRIPTOR_FLOOR &&
                can_be_handed_over(descriptor);
        if (usual) descriptors[descriptor_count++] = descriptor;
        standard += descriptor <= 2;
    }
    closedir(list);
    return usual && standard == 3;
}

/* Settings of a process that its fork elsewhere would not have: they take the plain way. What
 * /proc tells of a process (user, limits, namespaces, ...) preload.py compares. */
static int has_usual_settings(void) {
    enum { WHO_PROCESS = 1, NO_CLASS = 0, USUAL = 2 << 13 | 4 };
    long priority = syscall(SYS_ioprio_get, WHO_PROCESS, 0);
    return personality(0xffffffff) == 0 && (priority >> 13 == NO_CLASS || priority == USUAL);
}

/* The server's name: the user, and the CLI's version, build and place. */
static socklen_t server_name(struct sockaddr_un *name) {
    char path[PATH_MAX + 64], build[64] = "";
    struct stat place;
    snprintf(path, sizeof path, "%s/build", folder);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, build, sizeof build - 1);
    if (file >= 0) close(file);
    if (length <= 0 || stat(folder, &place) != 0) return 0;
    build[strcspn(build, "\n")] = 0;
    memset(name, 0, sizeof *name);
    name->sun_family = AF_UNIX;
    int used = snprintf(name->sun_path + 1, sizeof name->sun_path - 1, "aws-cli %u %llx:%llx %s",
                        (unsigned)geteuid(), (unsigned long long)place.st_dev,
                        (unsigned long long)place.st_ino, build);
    return offsetof(struct sockaddr_un, sun_path) + 1 + used;
}

/* Writes arguments and variables into a memory file: two counts, then the strings. */
static int call_file(int count, char **words) {
    uint32_t counts[2] = {count, 0};
    size_t size = sizeof counts;
    struct rlimit limit;
    for (int i = 0; i < count; i += 1) size += strlen(words[i]) + 1;
    for (char **variable = environ; *variable; variable += 1, counts[1] += 1)
        size += strlen(*variable) + 1;
    /* The limit of file sizes counts for a memory file too: SIGXFSZ would end this process. */
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur < size) return -1;
    int file = memfd_create("aws", MFD_CLOEXEC);
    if (file < 0) return -1;
    char *content = ftruncate(file, size) != 0
                        ? MAP_FAILED
                        : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (content == MAP_FAILED) return close(file), -1;
    char *end = mempcpy(content, counts, sizeof counts);
    for (int i = 0; i < count; i += 1) end = stpcpy(end, words[i]) + 1;
    for (char **variable = environ; *variable; variable += 1) end = stpcpy(end, *variable) + 1;
    munmap(content, size);
    return file;
}

/* Waits in ticks until the socket can be read; 0 when time is up. */
static int wait_for(int socket) {
    struct pollfd wanted = {.fd = socket, .events = POLLIN};
    for (int tick = 0; tick < TICKS; tick += 1) {
        int ready = poll(&wanted, 1, TICK_MS);
        if (ready > 0) return 1;
        if (ready < 0 && errno != EINTR) return 0;
    }
    return 0;
}

/* Receives one message, perhaps with the fork's pidfd; returns its first byte, 0 at the end. */
static int receive(int socket) {
    char byte = 0;
    union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control;
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = sizeof control};
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1) return 0;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_RIGHTS)
        memcpy(&fork_descriptor, CMSG_DATA(header), sizeof fork_descriptor);
    return byte;
}

/* Sends the request: the numbers of the descriptors, and all of them after our own four. */
static int send_request(int socket, int call, int alive) {
    struct { uint32_t numbers[DESCRIPTORS_MAX]; } body;
    int given[DESCRIPTORS_MAX + 4];
    union { struct cmsghdr header; char space[CMSG_SPACE(sizeof given)]; } control;
    int process = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (process < 0 || directory < 0) return 0;
    memcpy(given, (int[]){call, process, directory, alive}, 4 * sizeof *given);
    for (int i = 0; i < descriptor_count; i += 1)
        given[4 + i] = body.numbers[i] = descriptors[i];
    struct iovec data = {&body, descriptor_count * sizeof *body.numbers};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = CMSG_SPACE((4 + descriptor_count) * sizeof *given)};
    memset(&control, 0, sizeof control);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN((4 + descriptor_count) * sizeof *given);
    memcpy(CMSG_DATA(header), given, (4 + descriptor_count) * sizeof *given);
    return sendmsg(socket, &message, MSG_NOSIGNAL) >= 0;
}

static void pass_on(int signal) {
    int saved = errno, passed = signal == SIGTSTP ? SIGSTOP : signal;
    syscall(SYS_pidfd_send_signal, fork_descriptor, passed, NULL, 0);
    if (passed == SIGSTOP) kill(getpid(), SIGSTOP);
    errno = saved;
}

/* A signal has the effect that it has on the CLI: Python ignores two; an interrupt, a stop and a
 * continuation reach the fork; any other ends this process, and that ends the fork. */
static void prepare_signals(void) {
    static const int passed[] = {SIGINT, SIGTSTP, SIGCONT};
    struct sigaction action = {.sa_handler = pass_on, .sa_flags = SA_RESTART}, inherited;
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i += 1)
        if (sigaction(passed[i], NULL, &inherited) == 0 && inherited.sa_handler == SIG_DFL)
            sigaction(passed[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/* Ends as the fork has ended. */
static _Noreturn void end_by(int signal_number) {
    sigset_t wanted;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    signal(signal_number, SIG_DFL);
    sigemptyset(&wanted);
    sigaddset(&wanted, signal_number);
    sigprocmask(SIG_UNBLOCK, &wanted, NULL);
    kill(getpid(), signal_number);
    _exit(128 + signal_number);
}

static _Noreturn void end_with_fork(int socket) {
    unsigned char result[2]; /* 'e' and a status, or 's' and a signal */
    ssize_t length;
    do length = recv(socket, result, sizeof result, 0);
    while (length < 0 && errno == EINTR);
    /* Fork and server have both been killed: nothing else ends a connection without a word. */
    if (length != sizeof result) end_by(SIGKILL);
    if (result[0] == 's') end_by(result[1]);
    _exit(result[1]);
}

/* Hands the command to a fork that has accepted; returns when it cannot run it. */
static void use_fork(int socket, int call) {
    int alive[2]; /* its writing end is open as long as this process lives */
    if (pipe2(alive, O_CLOEXEC) != 0 || !send_request(socket, call, alive[0])) return;
    close(alive[0]);
    if (!wait_for(socket) || receive(socket) != 'r' || send(socket, "g", 1, MSG_NOSIGNAL) != 1)
        return;
    /* From here on the fork runs the command, or nobody. */
    prepare_signals();
    end_with_fork(socket);
}

/* Has a fork of the server run the command; returns when the plain way must be taken. */
static void use_server(int socket, int count, char **words) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    int call = call_file(count, words);
    if (call < 0) return;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != geteuid())
        return;
    if (!wait_for(socket) || receive(socket) != 'a' || fork_descriptor < 0) return;
    use_fork(socket, call);
    /* Even if it is stopped, it must not keep our descriptors. */
    syscall(SYS_pidfd_send_signal, fork_descriptor, SIGKILL, NULL, 0);
}

/* Becomes the first call, which leaves the server; its environment holds only what imports read. */
static void become_first_call(int count, char **words) {
    static const char *const read_by_imports[] = {"HOME=", "AWS_DATA_PATH=",
                                                  "AWS_NEW_RETRIES_2026="};
    char *variables[sizeof read_by_imports / sizeof *read_by_imports + 1] = {NULL}, number[16];
    for (char **variable = environ, **next = variables; *variable; variable += 1)
        for (size_t i = 0; i < sizeof read_by_imports / sizeof *read_by_imports; i += 1)
            if (begins_with(*variable, read_by_imports[i]) && next < variables + 3)
                *next++ = *variable;
    int call = call_file(count, words);
    if (call < 0 || fcntl(call, F_SETFD, 0) != 0) return;
    snprintf(number, sizeof number, "%d", call);
    /* What kind of call it is decides what is imported before the server is left. */
    char *kind = count > 0 && words[0][0] != '-' ? "service" : "other";
    start_python("preload.pyc", (char *[]){number, kind}, 2, variables);
    close(call);
}

static void try_preloaded(int count, char **words) {
    struct sockaddr_un name;
    struct rlimit limit;
    if (!is_lambda() || !has_usual_variables() || !asks_nobody(count, words)) return;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < 2 * DESCRIPTOR_FLOOR) return;
    if (!has_usual_descriptors() || !has_usual_settings()) return;
    socklen_t size = server_name(&name);
    int socket_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (size == 0 || socket_ < 0) return;
    if (connect(socket_, (struct sockaddr *)&name, size) == 0) {
        fcntl(socket_, F_SETFL, 0);
        use_server(socket_, count, words);
    } else if (errno == ECONNREFUSED) {
        close(socket_);
        become_first_call(count, words);
    }
}

int main(int argc, char **argv) {
    char **words = argv + (argc > 0);
    int count = argc > 0 ? argc - 1 : 0;
    find_folder();
    try_preloaded(count, words);
    /* What was opened on the way has close-on-exec set. */
    start_python("aws.pyc", words, count, environ);
    dprintf(2, "aws: failed to start %s/bin/" PYTHON ": %s\n", folder, strerror(errno));
    return 127;
}
