/*
 * A store that replies late: one file, served by FUSE, whose blocks each cost a latency once.
 *
 *     block-store FILE MOUNTPOINT LATENCY_US BLOCK_BYTES [LOG]
 *
 * MOUNTPOINT/image has FILE's bytes. The first request that touches a block starts its fetch, which
 * takes LATENCY_US; requests for other blocks are fetched at the same time, as a real store does,
 * and requests for a block that is on its way wait for it. A fetched block is free.
 * SIGHUP makes every block cold again. SIGUSR1 writes "requests bytes blocks" as one line to the
 * standard output. LOG gets one line "offset bytes nanoseconds" for each read, in order: with a
 * read-ahead of 0 that is the order in which a program first touches its pages.
 * It ends when MOUNTPOINT is unmounted. It speaks the kernel's protocol (linux/fuse.h) itself, so
 * that it needs no library, and is one thread: ppoll waits for the next request or the next response
 * that falls due.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_BYTES_MAX (256 * 1024) /* more than any request of a read-only file system */
#define READ_PAGES_MAX 256             /* 1 MiB a read: the kernel's own limit */
#define PENDING_MAX 65536              /* replies that wait for their block */
#define IMAGE_NODE 2
#define FOREVER_S 86400

struct pending {
  uint64_t unique, due_ns, offset;
  uint32_t bytes;
};

static int fuse_fd;
static const char *image;
static uint64_t image_bytes, block_bytes, latency_ns;
static uint64_t *block_ready_ns; /* 0: cold */
static struct pending pending[PENDING_MAX];
static unsigned pending_count;
static uint64_t requests_total, bytes_total, blocks_total;
static FILE *read_log;
static volatile sig_atomic_t reset_wanted, report_wanted;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void reply(uint64_t unique, int error, const void *data, size_t bytes) {
  struct fuse_out_header header = {
      .len = (uint32_t)(sizeof header + bytes), .error = -error, .unique = unique};
  struct iovec parts[2] = {{&header, sizeof header}, {(void *)data, bytes}};
  /* ENOENT: the request was interrupted meanwhile. */
  if (writev(fuse_fd, parts, 2) < 0 && errno != ENOENT) die("block-store: reply");
}

static void reply_read(const struct pending *p) {
  uint64_t left = p->offset < image_bytes ? image_bytes - p->offset : 0;
  reply(p->unique, 0, image + p->offset, p->bytes < left ? p->bytes : left);
}

static struct fuse_attr attributes(uint64_t node) {
  int folder = node == FUSE_ROOT_ID;
  return (struct fuse_attr){.ino = node,
                            .size = folder ? 0 : image_bytes,
                            .blocks = folder ? 0 : (image_bytes + 511) / 512,
                            .mode = folder ? S_IFDIR | 0755 : S_IFREG | 0755,
                            .nlink = 1,
                            .blksize = 4096};
}

static void on_read(uint64_t unique, const struct fuse_read_in *in) {
  uint64_t now = now_ns(), due = now;
  uint64_t end = in->offset + in->size < image_bytes ? in->offset + in->size : image_bytes;
  for (uint64_t b = in->offset / block_bytes; b * block_bytes < end; b++) {
    if (block_ready_ns[b] == 0) {
      block_ready_ns[b] = now + latency_ns;
      blocks_total++;
    }
    if (block_ready_ns[b] > due) due = block_ready_ns[b];
  }
  requests_total++;
  bytes_total += end - in->offset;
  if (read_log)
    fprintf(read_log, "%llu %u %llu\n", (unsigned long long)in->offset, in->size,
            (unsigned long long)now);
  struct pending p = {unique, due, in->offset, in->size};
  if (due == now || pending_count == PENDING_MAX)
    reply_read(&p);
  else
    pending[pending_count++] = p;
}

static void on_request(const char *request) {
  const struct fuse_in_header *in = (const struct fuse_in_header *)request;
  const void *body = request + sizeof *in;
  switch (in->opcode) {
    case FUSE_INIT: {
      const struct fuse_init_in *init = body;
      struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION,
                                  .minor = 31,
                                  .max_readahead = init->max_readahead,
                                  .flags = init->flags & (FUSE_ASYNC_READ | FUSE_MAX_PAGES |
                                                          FUSE_ASYNC_DIO),
                                  .max_background = 4096,
                                  .congestion_threshold = 4096,
                                  .max_write = 4096,
                                  .time_gran = 1,
                                  .max_pages = READ_PAGES_MAX};
      reply(in->unique, 0, &out, sizeof out);
      break;
    }
    case FUSE_LOOKUP: {
      struct fuse_entry_out out = {.nodeid = IMAGE_NODE,
                                   .entry_valid = FOREVER_S,
                                   .attr_valid = FOREVER_S,
                                   .attr = attributes(IMAGE_NODE)};
      if (strcmp(body, "image") == 0)
        reply(in->unique, 0, &out, sizeof out);
      else
        reply(in->unique, ENOENT, NULL, 0);
      break;
    }
    case FUSE_GETATTR: {
      struct fuse_attr_out out = {.attr_valid = FOREVER_S, .attr = attributes(in->nodeid)};
      reply(in->unique, 0, &out, sizeof out);
      break;
    }
    case FUSE_OPEN: {
      struct fuse_open_out out = {.open_flags = FOPEN_KEEP_CACHE};
      reply(in->unique, 0, &out, sizeof out);
      break;
    }
    case FUSE_READ:
      on_read(in->unique, body);
      break;
    case FUSE_FLUSH:
    case FUSE_RELEASE:
    case FUSE_DESTROY:
      reply(in->unique, 0, NULL, 0);
      break;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
      break; /* these have no reply */
    default:
      reply(in->unique, ENOSYS, NULL, 0);
  }
}

/* Sends the replies that are due and returns when the next one is, 0 for never. */
static uint64_t reply_due(void) {
  uint64_t now = now_ns(), next = 0;
  for (unsigned i = 0; i < pending_count;) {
    if (pending[i].due_ns <= now) {
      struct pending p = pending[i];
      pending[i] = pending[--pending_count];
      reply_read(&p);
      continue;
    }
    if (next == 0 || pending[i].due_ns < next) next = pending[i].due_ns;
    i++;
  }
  return next;
}

static void on_signal(int signal) {
  if (signal == SIGHUP)
    reset_wanted = 1;
  else
    report_wanted = 1;
}

static void obey_signals(void) {
  if (reset_wanted) {
    reset_wanted = 0;
    memset(block_ready_ns, 0, (image_bytes / block_bytes + 1) * sizeof *block_ready_ns);
    requests_total = bytes_total = blocks_total = 0;
  }
  if (report_wanted) {
    report_wanted = 0;
    printf("%llu %llu %llu\n", (unsigned long long)requests_total, (unsigned long long)bytes_total,
           (unsigned long long)blocks_total);
    fflush(stdout);
    if (read_log) fflush(read_log);
  }
}

static void open_image(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat s;
  if (fd < 0 || fstat(fd, &s) < 0) die(path);
  image_bytes = (uint64_t)s.st_size;
  /* All of it in memory: the only slow thing shall be the latency that was asked for. */
  image = mmap(NULL, image_bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  if (image == MAP_FAILED) die(path);
  block_ready_ns = calloc(image_bytes / block_bytes + 1, sizeof *block_ready_ns);
  if (block_ready_ns == NULL) die("block-store: blocks");
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: block-store FILE MOUNTPOINT LATENCY_US BLOCK_BYTES [LOG]\n");
    return 2;
  }
  latency_ns = strtoull(argv[3], NULL, 10) * 1000;
  block_bytes = strtoull(argv[4], NULL, 10);
  open_image(argv[1]);
  if (argc > 5 && (read_log = fopen(argv[5], "we")) == NULL) die(argv[5]);
  fuse_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fuse_fd < 0) die("/dev/fuse");
  char options[128];
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
           fuse_fd);
  if (mount("block-store", argv[2], "fuse", MS_NOSUID | MS_NODEV | MS_RDONLY, options) < 0)
    die(argv[2]);
  prctl(PR_SET_TIMERSLACK, 1UL);
  /* Signals come in only while ppoll waits, so that none is overlooked before it. */
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &all, NULL);
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGHUP, &action, NULL);
  sigaction(SIGUSR1, &action, NULL);
  printf("ready\n");
  fflush(stdout);
  static char request[REQUEST_BYTES_MAX];
  for (;;) {
    uint64_t next = reply_due(), now = now_ns();
    uint64_t wait = next > now ? next - now : 0;
    struct timespec timeout = {(time_t)(wait / 1000000000u), (long)(wait % 1000000000u)};
    struct pollfd readable = {.fd = fuse_fd, .events = POLLIN};
    int polled = ppoll(&readable, 1, next ? &timeout : NULL, &none);
    obey_signals();
    if (polled <= 0) continue;
    ssize_t length = read(fuse_fd, request, sizeof request);
    if (length > 0)
      on_request(request);
    else if (errno == ENODEV)
      return 0; /* unmounted */
    else if (errno != EAGAIN && errno != EINTR && errno != ENOENT)
      die("/dev/fuse");
  }
}
