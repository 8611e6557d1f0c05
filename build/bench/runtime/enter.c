/*
 * Enters control groups, then becomes a program: what it takes is counted from its first instruction on.
 *
 *   enter PROCS_FILE... -- PROGRAM ARGUMENT...
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
  int at = 1;
  for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
    int procs = open(argv[at], O_WRONLY | O_CLOEXEC);
    if (procs < 0 || write(procs, "0", 1) != 1) {
      perror(argv[at]);
      return 125;
    }
  }
  if (at + 1 >= argc) return 125;
  execvp(argv[at + 1], argv + at + 1);
  perror(argv[at + 1]);
  return 126;
}
