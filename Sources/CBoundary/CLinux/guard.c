// PR_SET_PDEATHSIG ends the children of a process that is killed, but not what they have started in turn. So a small
// process outlives the one it guards: it sleeps on a pipe whose other end closes when that process ends, however
// that happens, and then kills the process groups that stand in a table which both share. A group may have a deadline
// besides, which the guarded process puts off for as long as it is at work: then what it has started ends in time also
// when it is stopped (SIGSTOP) or hangs.

#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GROUPS_MAX 65536

struct guarded {
    _Atomic pid_t group;          // 0: the place is free
    _Atomic int64_t deadline;     // nanoseconds of CLOCK_MONOTONIC; 0: none
};

static struct guarded *groups;
static int next_slot;
static int guard_pipe = -1;

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/// Kills the groups whose deadline has passed. Returns in how many milliseconds the next one does; -1: there is none.
static int kill_overdue(void) {
    int64_t instant = now(), next = 0;
    for (int slot = 0; slot < GROUPS_MAX; slot++) {
        int64_t deadline = atomic_load(&groups[slot].deadline);
        if (deadline == 0) continue;
        pid_t group = atomic_load(&groups[slot].group);
        if (deadline > instant || group <= 1) {
            if (next == 0 || deadline < next) next = deadline;
        } else if (atomic_compare_exchange_strong(&groups[slot].deadline, &deadline, 0)) {
            kill(-group, SIGKILL);
        }
    }
    if (next == 0) return -1;
    // Rounded up, and never in a hurry: a place that is just being taken or left is looked at again.
    return next <= instant ? 10 : (int)((next - instant) / 1000000 < 1000 ? (next - instant) / 1000000 + 1 : 1000);
}

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

    // A byte tells of a first deadline; the end of the pipe, of the end of the process.
    struct pollfd end = {.fd = 0, .events = POLLIN};
    char bytes[64];
    for (;;) {
        if (poll(&end, 1, kill_overdue()) <= 0) continue;
        ssize_t count = read(0, bytes, sizeof bytes);
        if (count == 0 || (count < 0 && errno != EINTR)) break;
    }
    for (int slot = 0; slot < GROUPS_MAX; slot++) {
        pid_t group = atomic_load(&groups[slot].group);
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
    // A full pipe wakes the guard as well as one more byte would.
    fcntl(alive[1], F_SETFL, O_NONBLOCK);
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
    guard_pipe = alive[1];
    return 0;
}

int clinux_guard_enter(pid_t group) {
    if (groups == NULL) return -1;
    for (int tried = 0; tried < GROUPS_MAX; tried++) {
        int slot = next_slot;
        next_slot = (next_slot + 1) % GROUPS_MAX;
        if (atomic_load(&groups[slot].group) == 0) {
            atomic_store(&groups[slot].group, group);
            return slot;
        }
    }
    return -1;
}

void clinux_guard_leave(int slot) {
    if (slot < 0) return;
    atomic_store(&groups[slot].deadline, 0);
    atomic_store(&groups[slot].group, 0);
}

void clinux_guard_deadline(int slot, int64_t deadline) {
    if (slot < 0) return;
    int64_t before = atomic_exchange(&groups[slot].deadline, deadline);
    if (before != 0 && before <= deadline) return;
    ssize_t written = write(guard_pipe, "", 1);
    (void)written;
}
