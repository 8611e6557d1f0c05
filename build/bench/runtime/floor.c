/*
 * The floor: the least that any runtime must do for an event, as a static C program.
 *
 * It drives the same fork server (src/runtime/fork-server.sh, fork-server.bash) by the same protocol, but
 * checks nothing, reports no error, keeps no log line and knows only events without an apostrophe and forks
 * that nobody kills. What the runtime takes beyond this program's time is its own.
 *
 *   floor FORK_SERVER_TEXT SCRIPT FUNCTION SHELL KIND     with AWS_LAMBDA_RUNTIME_API=127.0.0.1:PORT
 *
 * KIND is bash, or anything else for another shell.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BUFFER_BYTES = 16 * 1024 * 1024 };

static char buffer[BUFFER_BYTES], output[BUFFER_BYTES], request[BUFFER_BYTES];
static int api;

static int pipe_path(char *path, int descriptor) {
  return sprintf(path, "/proc/%d/fd/%d", getpid(), descriptor);
}

/* Puts the words between @ signs in. */
static char *filled_in(const char *text, char *const words[][2]) {
  char *filled = malloc(strlen(text) + 16384), *to = filled;
  while (*text) {
    int matched = 0;
    for (int i = 0; words[i][0]; i++) {
      size_t length = strlen(words[i][0]);
      if (strncmp(text, words[i][0], length)) continue;
      to += sprintf(to, "%s", words[i][1]);
      text += length;
      matched = 1;
    }
    if (!matched) *to++ = *text++;
  }
  *to = 0;
  for (char *at = filled; (at = strchr(at, '@')) != NULL; at++) {
    size_t length = strspn(at + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
    if (length == 0 || at[length + 1] != '@') continue;
    fprintf(stderr, "floor: the fork server has a word that is not known here: %.*s\n", (int)length + 2, at);
    exit(2);
  }
  return filled;
}

/* The pipe through which the next fork gets its event: full, with one line end, until the fork reads it. */
static void open_next(int pipe_ends[2], int slot) {
  if (pipe2(pipe_ends, O_CLOEXEC) || fcntl(pipe_ends[1], F_SETPIPE_SZ, 4096) < 0) exit(1);
  if (write(pipe_ends[1], "\n", 1) != 1 || dup3(pipe_ends[1], slot, O_CLOEXEC) < 0) exit(1);
}

/* Reads into `line` until a text is there; returns it. */
static char *read_until(int descriptor, char *line, size_t size, const char *text) {
  size_t filled = 0;
  char *found;
  do {
    ssize_t count = read(descriptor, line + filled, size - filled - 1);
    if (count <= 0) exit(1);
    line[filled += count] = 0;
  } while ((found = strstr(line, text)) == NULL);
  return found;
}

static void send_all(const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t count = write(api, bytes, length);
    if (count <= 0) exit(1);
    bytes += count;
    length -= count;
  }
}

/* Reads a response with Content-Length into `buffer`; returns where its body begins. */
static char *response(size_t *body_bytes) {
  size_t filled = 0;
  char *body = NULL;
  for (;;) {
    ssize_t count = read(api, buffer + filled, BUFFER_BYTES - filled - 1);
    if (count <= 0) exit(0);
    filled += count;
    buffer[filled] = 0;
    if (body == NULL && (body = strstr(buffer, "\r\n\r\n")) != NULL) {
      body += 4;
      *body_bytes = strtoul(strcasestr(buffer, "\r\ncontent-length:") + 17, NULL, 10);
    }
    if (body != NULL && filled - (body - buffer) >= *body_bytes) return body;
  }
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  int is_bash = !strcmp(argv[5], "bash");
  int control[2], next[2];
  if (pipe2(control, O_CLOEXEC)) return 1;
  /* The slots' numbers stay. */
  int output_slot = fcntl(control[1], F_DUPFD_CLOEXEC, 0), next_slot = fcntl(control[1], F_DUPFD_CLOEXEC, 0);
  open_next(next, next_slot);
  char control_path[64], output_path[64], next_path[64], call[64], ended[96];
  pipe_path(control_path, control[1]);
  pipe_path(output_path, output_slot);
  pipe_path(next_path, next_slot);
  sprintf(call, "\\%s", argv[3]);
  sprintf(ended, "%s/ended/", output_path);
  char *words[][2] = {{"@SCRIPT@", argv[2]},     {"@FUNCTION@", argv[3]}, {"@CONTROL@", control_path},
                      {"@OUTPUT@", output_path}, {"@NEXT@", next_path},   {"@CALL@", call},
                      {"@REPORT_FAILURE@", ""},  {"@ENDED@", ended},      {NULL, NULL}};
  char *shell_arguments[] = {argv[4], "-c", filled_in(argv[1], words), argv[2], NULL};
  extern char **environ;
  pid_t shell;
  if (posix_spawn(&shell, argv[4], NULL, NULL, shell_arguments, environ)) return 1;

  struct sockaddr_in address = {.sin_family = AF_INET};
  char *colon = strchr(getenv("AWS_LAMBDA_RUNTIME_API"), ':');
  address.sin_port = htons(atoi(colon + 1));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  api = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(api, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  if (connect(api, (struct sockaddr *)&address, sizeof address)) return 1;

  /* What the shell writes in front of the path of a status. */
  char line[65536];
  char *mark = read_until(control[0], line, sizeof line, ended);
  char *start = mark;
  while (start > line && start[-1] != '\n') start--;
  size_t front = mark - start;

  for (;;) {
    char request_next[] = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: a\r\n\r\n";
    send_all(request_next, sizeof request_next - 1);
    size_t event_bytes;
    char *event = response(&event_bytes);
    char id[64] = "";
    sscanf(strcasestr(buffer, "request-id: "), "%*s %63[^\r]", id);

    int input = memfd_create("event", MFD_CLOEXEC), out[2], after[2];
    if (write(input, event, event_bytes) < 0 || pipe2(out, O_CLOEXEC)) return 1;
    char in_path[64], script_path[64];
    pipe_path(in_path, input);
    int length = sprintf(request,
                         "\\exec <%s >%s\n\\unset LAMBDA_RUNTIME_TRACE_ID\n\\export LAMBDA_RUNTIME_AWS_REQUEST_ID='%s'\n",
                         in_path, output_path, id);
    int is_large = event_bytes > 65536;
    if (is_bash && !is_large) length += sprintf(request + length, "\\set -- '\\shift' '");
    else length += sprintf(request + length, "\\%s '", argv[3]);
    memcpy(request + length, event, event_bytes);
    length += event_bytes;
    if (!is_bash) length += sprintf(request + length, "'\n");
    else if (is_large) length += sprintf(request + length, "'\n{ \\command exit; } 2>/dev/null\n");
    else length += sprintf(request + length, "'\n");

    int script = -1;
    poll(&(struct pollfd){next[1], POLLOUT, 0}, 1, -1);
    open_next(after, next_slot);
    dup3(out[1], output_slot, O_CLOEXEC);
    if (length <= 4096) {
      if (write(next[1], request, length) < 0) return 1;
    } else {
      script = memfd_create("script", MFD_CLOEXEC);
      pipe_path(script_path, script);
      if (write(script, request, length) < 0) return 1;
      length = sprintf(line, "\\. %s\n", script_path);
      if (write(next[1], line, length) < 0) return 1;
    }
    close(next[0]);
    close(next[1]);
    memcpy(next, after, sizeof next);

    size_t filled = 0;
    do {
      ssize_t count = read(out[0], output + filled, BUFFER_BYTES - filled);
      if (count <= 0) return 1;
      filled += count;
    } while ((mark = memmem(output, filled, ended, strlen(ended))) == NULL ||
             memchr(mark, '\n', output + filled - mark) == NULL);
    filled = mark - output - front;
    dup3(control[1], output_slot, O_CLOEXEC);
    close(out[0]);
    close(out[1]);
    close(input);
    if (script >= 0) close(script);
    length = sprintf(request, "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", id, filled);
    memcpy(request + length, output, filled);
    send_all(request, length + filled);
    response(&event_bytes);
  }
}
