// PR_SET_PDEATHSIG ends the children of a process that is killed, but not what they have started in turn. So a small
// process outlives the one it guards: it sleeps on a pipe whose other end closes when that process ends, however
// that happens, and then kills the process groups that stand in a table which both share.

#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define GROUPS_MAX 65536

static _Atomic pid_t *groups;
static int next_slot;

static void guard(int alive) {
    setsid();
    prctl(PR_SET_NAME, "jobqueue-guard", 0, 0, 0);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    // Nothing of the guarded process may stay open because of its guard.
    int moved = dup2(alive, 0);
    for (int descriptor = 1; descriptor < 1024; descriptor++) close(descriptor);
    if (moved < 0 || chdir("/") < 0) _exit(1);

    char byte;
    while (read(0, &byte, 1) < 0 && errno == EINTR) {}
    for (int slot = 0; slot < GROUPS_MAX; slot++) {
        pid_t group = atomic_load(&groups[slot]);
        if (group > 1) kill(-group, SIGKILL);
    }
    _exit(0);
}

int clinux_guard_start(void) {
    size_t size = GROUPS_MAX * sizeof *groups;
    void *table = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (table == MAP_FAILED) return -1;
    int alive[2];
    if (pipe2(alive, O_CLOEXEC) < 0) return -1;
    groups = table;
    pid_t first = fork();
    if (first == 0) {
        close(alive[1]);
        // Twice, so that the guard is nobody's child who might wait for it.
        if (fork() == 0) guard(alive[0]);
        _exit(0);
    }
    close(alive[0]);
    if (first < 0) {
        close(alive[1]);
        groups = NULL;
        return -1;
    }
    while (waitpid(first, NULL, 0) < 0 && errno == EINTR) {}
    return 0;
}

int clinux_guard_enter(pid_t group) {
    if (groups == NULL) return -1;
    for (int tried = 0; tried < GROUPS_MAX; tried++) {
        int slot = next_slot;
        next_slot = (next_slot + 1) % GROUPS_MAX;
        if (atomic_load(&groups[slot]) == 0) {
            atomic_store(&groups[slot], group);
            return slot;
        }
    }
    return -1;
}

void clinux_guard_leave(int slot) {
    if (slot >= 0) atomic_store(&groups[slot], 0);
}
