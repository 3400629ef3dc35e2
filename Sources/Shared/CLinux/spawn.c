// The child shares the parent's memory until exec (vfork), so starting a program costs the same however
// large the parent is. In between it may only make system calls and must not return: each failure is left
// in variables that the parent reads after the child has gone.

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
#include <unistd.h>

#define CHILD_DESCRIPTORS 4

static const char *prepare_child(const struct clinux_spawn_spec *spawn, pid_t parent) {
    struct sigaction standard = {0};
    standard.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; number++) sigaction(number, &standard, NULL);
    sigset_t none;
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0) return "sigprocmask";

    if (setpgid(0, 0) < 0) return "setpgid";
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) return "prctl";
    // The parent may have died before the line above took effect.
    if (getppid() != parent) _exit(127);

    // First out of the way of 0 to 3, then into place: a source may itself be one of them.
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
    if (syscall(SYS_close_range, CHILD_DESCRIPTORS, ~0U, 0) < 0) {
        struct rlimit limit;
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return "getrlimit";
        for (rlim_t descriptor = CHILD_DESCRIPTORS; descriptor < limit.rlim_cur; descriptor++) close((int)descriptor);
    }
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    if (spawn->directory != NULL && chdir(spawn->directory) < 0) return "chdir";
    return NULL;
}

pid_t clinux_spawn(const struct clinux_spawn_spec *spawn, const char **step) {
    sigset_t all, before;
    sigfillset(&all);
    // No handler of the parent may run on the shared stack.
    pthread_sigmask(SIG_SETMASK, &all, &before);

    volatile int failure = 0;
    const char *volatile failed_step = NULL;
    pid_t parent = getpid();
    pid_t child = vfork();
    if (child == 0) {
        failed_step = prepare_child(spawn, parent);
        if (failed_step == NULL) {
            execve(spawn->path, spawn->arguments, spawn->environment);
            failed_step = "exec";
        }
        failure = errno;
        _exit(127);
    }
    int fork_error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (child < 0) {
        *step = "fork";
        errno = fork_error;
        return -1;
    }
    if (failed_step != NULL) {
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
        *step = failed_step;
        errno = failure;
        return -1;
    }
    return child;
}
