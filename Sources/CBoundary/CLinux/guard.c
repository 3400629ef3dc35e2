// PR_SET_PDEATHSIG kills the children of a process that is killed, but not their descendants. The guard is a small
// process that outlives the one it guards. It polls a socket whose other end closes when the guarded process ends for
// any reason, and then kills the process groups listed in a table in shared memory. A group may also have a deadline,
// which the guarded process keeps extending: if it is stopped (SIGSTOP) or hangs, the guard kills the group at the
// deadline. Descriptors that it is given it keeps open until every group is gone: a lock on one of them lasts as long
// as anything of the guarded process runs.

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
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GROUPS_MAX 65536

struct guarded {
    _Atomic pid_t group;          // 0: the slot is free; 1: it is reserved
    _Atomic int64_t deadline;     // nanoseconds of CLOCK_MONOTONIC; 0: none
};

static struct guarded *groups;
static int next_slot;
static int guard_socket = -1;

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/// Kills the groups whose deadline has passed. Returns the milliseconds until the next deadline; -1 without one.
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
    // Rounded up, and 10 at least: a slot that is being entered or left is checked again.
    return next <= instant ? 10 : (int)((next - instant) / 1000000 < 1000 ? (next - instant) / 1000000 + 1 : 1000);
}

/// Reads what the guarded process has sent. Descriptors that come with it stay open. Returns 0 when it has ended.
static int receive(void) {
    char bytes[64];
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec data = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t count = recvmsg(0, &message, MSG_CMSG_CLOEXEC);
    return count > 0 || (count < 0 && errno == EINTR);
}

/// Waits until no process of the killed groups is left, zombies included: their parent or an init process reaps them.
/// A minute at most: by then a process hangs in the kernel, or nobody reaps it.
static void wait_for_groups(void) {
    int64_t end = now() + 60 * (int64_t)1000000000;
    for (int slot = 0; slot < GROUPS_MAX; slot++) {
        pid_t group = atomic_load(&groups[slot].group);
        while (group > 1 && kill(-group, 0) == 0 && now() < end) poll(NULL, 0, 10);
    }
}

static void guard(int alive) {
    setsid();
    prctl(PR_SET_NAME, "jobqueue-guard", 0, 0, 0);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    // The guard must not keep a descriptor of the guarded process open.
    int moved = dup2(alive, 0);
    for (int descriptor = 1; descriptor < 1024; descriptor++) close(descriptor);
    if (moved < 0 || chdir("/") < 0) _exit(1);

    // A byte signals an earlier deadline or comes with a descriptor; the end of the stream is the end of the process.
    struct pollfd end = {.fd = 0, .events = POLLIN};
    do {
        while (poll(&end, 1, kill_overdue()) <= 0) {}
    } while (receive());
    for (int slot = 0; slot < GROUPS_MAX; slot++) {
        pid_t group = atomic_load(&groups[slot].group);
        if (group > 1) kill(-group, SIGKILL);
    }
    wait_for_groups();
    _exit(0);
}

int clinux_guard_start(void) {
    size_t size = GROUPS_MAX * sizeof *groups;
    void *table = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (table == MAP_FAILED) return -1;
    int alive[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, alive) < 0) return -1;
    groups = table;
    pid_t first = fork();
    if (first == 0) {
        close(alive[1]);
        // Forked twice, so that the guard is not a child that the guarded process would wait for.
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
    guard_socket = alive[1];
    return 0;
}

int clinux_guard_reserve(int64_t deadline) {
    if (groups == NULL) return -1;
    for (int tried = 0; tried < GROUPS_MAX; tried++) {
        int slot = next_slot;
        next_slot = (next_slot + 1) % GROUPS_MAX;
        if (atomic_load(&groups[slot].group) == 0) {
            atomic_store(&groups[slot].group, 1);
            if (deadline != 0) clinux_guard_deadline(slot, deadline);
            return slot;
        }
    }
    return -1;
}

void clinux_guard_enter(int slot) {
    if (slot >= 0) atomic_store(&groups[slot].group, getpid());
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
    // If the buffer is full, the guard wakes up without a further byte.
    ssize_t sent = send(guard_socket, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent;
}

int clinux_guard_keep(int descriptor) {
    if (guard_socket < 0) return -1;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec data = {.iov_base = "", .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    return sendmsg(guard_socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : -1;
}
