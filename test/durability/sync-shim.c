/*
 * Preloaded into a broker, stands between it and fsync and fdatasync. The file that SYNC_SHIM_CONTROL names says what they do:
 * "hold" waits until it says something else, "fail" returns EIO, anything else lets them through. Files whose name does not hold
 * SYNC_SHIM_PATH are left alone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_meant(int fd) {
  const char *wanted = getenv("SYNC_SHIM_PATH");
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0 || !wanted) return 0;
  path[length] = 0;
  return strstr(path, wanted) != NULL;
}

static char control(void) {
  const char *name = getenv("SYNC_SHIM_CONTROL");
  FILE *file = name ? fopen(name, "r") : NULL;
  int first = file ? fgetc(file) : EOF;
  if (file) fclose(file);
  return first == EOF ? 0 : (char)first;
}

static int through(const char *name, int fd) {
  if (is_meant(fd)) {
    while (control() == 'h') usleep(5000);
    if (control() == 'f') {
      errno = EIO;
      return -1;
    }
  }
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  return real(fd);
}

int fsync(int fd) { return through("fsync", fd); }
int fdatasync(int fd) { return through("fdatasync", fd); }
