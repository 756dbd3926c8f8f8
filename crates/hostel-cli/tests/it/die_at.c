/* Ends a process as `kill -9` does, right before one of the steps by which an import reaches the disk: DIE_AT says before which, counted
 * from the first file that is synced in a directory `.landing`. Loaded with LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int armed;
static atomic_long passed;

static void step(void) {
    const char *at = getenv("DIE_AT");
    if (at && armed && atomic_fetch_add(&passed, 1) == atol(at)) kill(getpid(), SIGKILL);
}

static void synced(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = armed ? -1 : readlink(link, path, sizeof path - 1);
    if (length > 0) {
        path[length] = 0;
        if (strstr(path, "/.landing/")) armed = 1;
    }
    step();
}

int fsync(int fd) {
    synced(fd);
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd) {
    synced(fd);
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}

int rename(const char *from, const char *to) {
    step();
    return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename"))(from, to);
}

int unlink(const char *path) {
    step();
    return ((int (*)(const char *))dlsym(RTLD_NEXT, "unlink"))(path);
}
