// What Linux offers and Swift's Glibc module does not import: epoll, eventfd, signalfd, pidfd, accept4,
// and the one operation that cannot be written in Swift: what runs in a child between vfork and exec.
//
// _GNU_SOURCE must not be defined here: it changes the layout of types that the Glibc module has already
// imported. Functions that need it live in the .c files.

#ifndef JOBQUEUE_CLINUX_H
#define JOBQUEUE_CLINUX_H

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/types.h>

/// accept4(2) with SOCK_NONBLOCK and SOCK_CLOEXEC. -1 and errno on failure.
int clinux_accept(int listener, struct sockaddr *address, socklen_t *length);

/// pipe2(2) with O_CLOEXEC; both ends stay blocking. -1 and errno on failure.
int clinux_pipe(int descriptors[2]);

/// pidfd_open(2). -1 and errno on failure.
int clinux_pidfd_open(pid_t pid);

/// Reaps the child behind a pidfd without waiting. Returns 1 when reaped, 0 while it runs, -1 and errno
/// on failure. `code` is the exit code or the number of the signal that ended it (`signalled` 1).
int clinux_reap(int pidfd, int *code, int *signalled);

/// Where this is the first process of a PID namespace (a container), puts a process into its place that reaps orphans and
/// passes signals on, and goes on as its child; else does nothing. Call it before any thread starts. -1 and errno on
/// failure.
int clinux_leave_first_place(void);

/// Starts the process that, when this one has ended, kills the process groups that are entered then. Call it once,
/// before any thread starts. -1 and errno on failure.
int clinux_guard_start(void);

/// Puts a process group under the guard; from one thread only. Returns its place, or -1 when there is no guard or no
/// room: the group then simply is not guarded.
int clinux_guard_enter(pid_t group);

/// Takes a group out again, by its place; -1 does nothing.
void clinux_guard_leave(int slot);

/// The guard kills the group at this place at `deadline`, in nanoseconds of CLOCK_MONOTONIC, unless it is put off by
/// another call before; 0: never. -1 does nothing.
void clinux_guard_deadline(int slot, int64_t deadline);

/// Names the calling thread, cut to 15 bytes.
void clinux_name_thread(const char *name);

/// How many processors the affinity of the process allows (sched_setaffinity(2), taskset, cpusets).
int clinux_allowed_processors(void);

/// Descriptors 0 to 3 of a child, and what it runs.
struct clinux_spawn_spec {
    const char *path;
    char *const *arguments;
    char *const *environment;
    const char *directory;   // NULL: the parent's
    int descriptors[4];      // stdin, stdout, stderr and descriptor 3; -1: not open in the child
};

/// Starts a program in a process group of its own, with default signal dispositions, an empty signal mask
/// and no descriptor beyond those given, and asks the kernel to kill it when the calling thread ends.
/// Returns the pid, or -1 with errno; `step` then names what failed ("chdir", "exec", ...).
pid_t clinux_spawn(const struct clinux_spawn_spec *spawn, const char **step);

#endif
