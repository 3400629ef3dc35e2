// Linux interfaces that Swift's Glibc module does not import (epoll, eventfd, signalfd, pidfd, accept4), and code that
// cannot be written in Swift because it runs in a child after fork or vfork.
//
// _GNU_SOURCE must not be defined here: it changes the layout of types that the Glibc module has already imported.
// Functions that need it are in the .c files.

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

/// pipe2(2) with O_CLOEXEC; both ends are blocking. -1 and errno on failure.
int clinux_pipe(int descriptors[2]);

/// pidfd_open(2). -1 and errno on failure.
int clinux_pidfd_open(pid_t pid);

/// Reaps the child of a pidfd without waiting. Returns 1 if reaped, 0 while the child runs, -1 and errno on failure.
/// `code` receives the exit code or, with `signalled` 1, the number of the signal that killed the child.
int clinux_reap(int pidfd, int *code, int *signalled);

/// If this process has PID 1 (in a container), forks and continues as the child; the parent stays as an init process
/// that reaps orphans and forwards signals. No effect otherwise. Call it before any thread starts. -1 and errno on
/// failure.
int clinux_init_start(void);

/// Starts the guard, a process that kills all entered process groups when this process has ended. Call it once, before
/// any thread starts. -1 and errno on failure.
int clinux_guard_start(void);

/// Reserves a slot of the guard's table for a process group that is about to start, with its deadline (0: none). Call
/// it from one thread only. Returns the slot, or -1 without a guard or a free slot; the group is not guarded then.
int clinux_guard_reserve(int64_t deadline);

/// Enters the process group of the caller, which it leads, into a slot; no effect for -1. The child calls it before
/// exec, so there is no instant at which its program runs unguarded, even if its parent is stopped or killed.
void clinux_guard_enter(int slot);

/// Makes a slot free; no effect for -1.
void clinux_guard_leave(int slot);

/// Sets the deadline, in nanoseconds of CLOCK_MONOTONIC, at which the guard kills the group in a slot; 0 for none. A
/// later call replaces it. No effect for slot -1.
void clinux_guard_deadline(int slot, int64_t deadline);

/// Gives the guard a copy of a descriptor, which it keeps open until this process and all entered groups have ended.
/// -1 without a guard, or if the guard has ended.
int clinux_guard_keep(int descriptor);

/// Sets the name of the calling thread, truncated to 15 bytes.
void clinux_name_thread(const char *name);

/// Closes memory and environment of the process to other processes of its user (PR_SET_DUMPABLE in prctl(2)): reading
/// /proc/PID/environ, mem and fd, and ptrace(2), need a capability from then on (CAP_SYS_PTRACE, for reading also
/// CAP_PERFMON). Children that are forked inherit it, a program that is executed does not. Returns 0, or -1 with errno.
int clinux_forbid_inspection(void);

/// Number of processors that the process's affinity allows (sched_setaffinity(2), taskset, cpusets).
int clinux_allowed_processors(void);

/// The program, environment and descriptors 0 to 3 of a child.
struct clinux_spawn_spec {
    const char *path;
    char *const *arguments;
    char *const *environment;
    const char *directory;   // NULL for the parent's
    int descriptors[4];      // stdin, stdout, stderr and descriptor 3; -1 for one that is not open in the child
    int guard_slot;          // from clinux_guard_reserve
    int64_t deadline;        // of CLOCK_MONOTONIC: the program is not started from then on (ETIME); 0: none
    int changes_user;        // whether it runs as the next two, without further groups
    uid_t user;
    gid_t group;
};

/// Starts a program in a new process group, with default signal dispositions, an empty signal mask and only the given
/// descriptors. The kernel kills it when the calling thread ends. Returns the pid, or -1 with errno; `step` then names
/// the failed call ("chdir", "exec", ...).
pid_t clinux_spawn(const struct clinux_spawn_spec *spawn, const char **step);

#endif
