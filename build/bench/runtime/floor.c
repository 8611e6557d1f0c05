/*
 * The floor: the least that any runtime must do for an event, as a static C program.
 *
 * It drives the same fork server (src/runtime/fork-server.sh) by the same protocol, but checks nothing,
 * reports no error, keeps no log line and knows only short events without a quote. What the runtime
 * takes beyond this program's time is its own.
 *
 *   floor FORK_SERVER_TEXT SCRIPT FUNCTION SHELL     with AWS_LAMBDA_RUNTIME_API=127.0.0.1:PORT
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

/* Puts the words between @ signs in, with their quotes, as fork-server.ts does. */
static char *filled_in(const char *text, char *const words[][2]) {
  char *filled = malloc(strlen(text) + 4096), *to = filled;
  while (*text) {
    int matched = 0;
    for (int i = 0; words[i][0]; i++) {
      size_t length = strlen(words[i][0]);
      if (strncmp(text, words[i][0], length)) continue;
      to += sprintf(to, "'%s'", words[i][1]);
      text += length;
      matched = 1;
    }
    if (!matched) *to++ = *text++;
  }
  *to = 0;
  return filled;
}

static void send_all(const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t count = write(api, bytes, length);
    if (count <= 0) exit(1);
    bytes += count;
    length -= count;
  }
}

/* Reads an answer with Content-Length into `buffer`; returns where its body begins. */
static char *answer(size_t *body_bytes) {
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
  if (argc != 5) return 2;
  int trigger[2], status[2], lifeline[2], slot = memfd_create("slot", 0);
  if (pipe2(trigger, O_CLOEXEC) || pipe2(status, O_CLOEXEC) || pipe2(lifeline, O_CLOEXEC)) return 1;
  char trigger_path[64], status_path[64], event_path[64], lifeline_path[64], token[] = "ready";
  pipe_path(trigger_path, trigger[0]);
  pipe_path(status_path, status[1]);
  pipe_path(event_path, slot);
  pipe_path(lifeline_path, lifeline[0]);
  char *words[][2] = {{"\"@SCRIPT@\"", argv[2]},      {"\"@FUNCTION@\"", argv[3]},
                      {"\"@TOKEN@\"", token},         {"\"@TRIGGER@\"", trigger_path},
                      {"\"@STATUS@\"", status_path},  {"\"@EVENT@\"", event_path},
                      {"\"@LIFELINE@\"", lifeline_path}, {NULL, NULL}};
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

  char line[4096];
  ssize_t count;
  do count = read(status[0], line, sizeof line - 1);
  while (count > 0 && (line[count] = 0, strstr(line, token) == NULL));

  fcntl(status[0], F_SETFL, O_NONBLOCK);
  for (;;) {
    char next[] = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: a\r\n\r\n";
    send_all(next, sizeof next - 1);
    size_t event_bytes;
    char *event = answer(&event_bytes);
    char id[64] = "";
    sscanf(strcasestr(buffer, "request-id: "), "%*s %63[^\r]", id);

    int input = memfd_create("event", 0), out[2];
    if (write(input, event, event_bytes) < 0 || pipe2(out, O_NONBLOCK)) return 1;
    int writer = out[1];
    fcntl(writer, F_SETFL, 0);
    int script = memfd_create("script", 0);
    char in_path[64], out_path[64];
    pipe_path(in_path, input);
    pipe_path(out_path, writer);
    int length = sprintf(request, "\\exec <%s >%s\n\\unset POSIXLY_CORRECT\n\\export LAMBDA_RUNTIME_AWS_REQUEST_ID='%s'\n\\%s '", in_path, out_path, id, argv[3]);
    if (write(script, request, length) < 0 || write(script, event, event_bytes) < 0 || write(script, "'\n", 2) < 0) return 1;
    dup2(script, slot);
    close(script);
    if (write(trigger[1], "\n", 1) < 0) return 1;

    size_t filled = 0;
    for (int done = 0; !done;) {
      struct pollfd set[] = {{out[0], POLLIN, 0}, {status[0], POLLIN, 0}};
      poll(set, 2, -1);
      done = set[1].revents != 0;
      while ((count = read(out[0], output + filled, BUFFER_BYTES - filled)) > 0) filled += count;
    }
    if (read(status[0], line, sizeof line) < 0) return 1;
    close(out[0]);
    close(out[1]);
    close(input);
    length = sprintf(request, "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", id, filled);
    memcpy(request + length, output, filled);
    send_all(request, length + filled);
    answer(&event_bytes);
  }
}
