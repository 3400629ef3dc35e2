// The child shares the parent's memory until exec (vfork), so the cost of starting a program does not depend on the
// size of the parent. Between vfork and exec the child only makes system calls, and does not return. It reports a
// failure through a pipe that exec closes, which also works where a sanitizer turns vfork into fork.

#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

#define CHILD_DESCRIPTORS 4

struct failure {
    const char *step;
    int number;
};

/// Returns the name of the failed call, with errno; NULL when the child is ready for exec.
static const char *prepare_child(const struct clinux_spawn_spec *spawn, pid_t parent) {
    struct sigaction standard = {0};
    standard.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; number++) sigaction(number, &standard, NULL);
    sigset_t none;
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0) return "sigprocmask";

    if (setpgid(0, 0) < 0) return "setpgid";
    clinux_guard_enter(spawn->guard_slot);
    // By system calls, because the functions of the library would change the parent's threads. Before the next line,
    // because a change of the user clears its setting.
    if (spawn->changes_user) {
        if (syscall(SYS_setgroups, 0, NULL) < 0) return "setgroups";
        if (syscall(SYS_setresgid, spawn->group, spawn->group, spawn->group) < 0) return "setresgid";
        if (syscall(SYS_setresuid, spawn->user, spawn->user, spawn->user) < 0) return "setresuid";
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) return "prctl";
    // The parent may have died before the line above took effect.
    if (getppid() != parent) _exit(127);

    // First moved above 3, then to their targets, because a source may itself be one of 0 to 3.
    int moved[CHILD_DESCRIPTORS];
    for (int target = 0; target < CHILD_DESCRIPTORS; target++) {
        moved[target] = -1;
        if (spawn->descriptors[target] < 0) continue;
        moved[target] = fcntl(spawn->descriptors[target], F_DUPFD_CLOEXEC, CHILD_DESCRIPTORS);
        if (moved[target] < 0) return "fcntl";
    }
    for (int target = 0; target < CHILD_DESCRIPTORS; target++) {
        if (moved[target] < 0) close(target);
        else if (dup2(moved[target], target) < 0) return "dup2";
    }
    // Our own descriptors are close-on-exec already; a library may have opened others without it.
    syscall(SYS_close_range, CHILD_DESCRIPTORS, ~0U, CLOSE_RANGE_CLOEXEC);

    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    if (spawn->directory != NULL && chdir(spawn->directory) < 0) return "chdir";
    // The parent may have been stopped for a while.
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    if (spawn->deadline != 0 && (int64_t)time.tv_sec * 1000000000 + time.tv_nsec >= spawn->deadline) {
        errno = ETIME;
        return "start in time";
    }
    return NULL;
}

static void run_child(const struct clinux_spawn_spec *spawn, pid_t parent, int report) {
    // Moved above 3, because descriptors 0 to 3 are replaced.
    int moved = fcntl(report, F_DUPFD_CLOEXEC, CHILD_DESCRIPTORS);
    struct failure failure = {.step = moved < 0 ? "fcntl" : prepare_child(spawn, parent)};
    if (moved >= 0) report = moved;
    if (failure.step == NULL) {
        execve(spawn->path, spawn->arguments, spawn->environment);
        failure.step = "exec";
    }
    failure.number = errno;
    // Shorter than PIPE_BUF into an empty pipe, so it is written completely.
    ssize_t written = write(report, &failure, sizeof failure);
    (void)written;
    _exit(127);
}

pid_t clinux_spawn(const struct clinux_spawn_spec *spawn, const char **step) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0) {
        *step = "pipe2";
        return -1;
    }
    sigset_t all, before;
    sigfillset(&all);
    // A signal handler of the parent must not run in the child, on the shared stack.
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t parent = getpid();
    pid_t child = vfork();
    if (child == 0) run_child(spawn, parent, report[1]);
    struct failure failure = {.step = "fork", .number = errno};
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(report[1]);

    if (child > 0) {
        ssize_t count;
        do {
            count = read(report[0], &failure, sizeof failure);
        } while (count < 0 && errno == EINTR);
        if (count == 0) failure.step = NULL;
        else while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
    }
    close(report[0]);
    if (failure.step == NULL) return child;
    *step = failure.step;
    errno = failure.number;
    return -1;
}
