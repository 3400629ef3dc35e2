// The first process of a PID namespace, which is what a container starts, inherits whatever loses its parent there, and
// has to reap it: nobody else can, and what nobody reaps stays in the table of processes. A worker cannot do so itself,
// since it must not reap its own children behind its back. So it has a parent that does nothing else.

#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/// Reaps until `program` has ended, and ends as it did. Signals that somebody sends are the program's; those that come
/// from the terminal (si_code SI_KERNEL) it gets by itself.
static void reap(pid_t program, const sigset_t *signals) {
    prctl(PR_SET_NAME, "jobqueue-init", 0, 0, 0);
    for (;;) {
        siginfo_t info;
        int number = sigwaitinfo(signals, &info);
        if (number < 0) continue;
        if (number != SIGCHLD) {
            if (info.si_code <= 0) kill(program, number);
            continue;
        }
        int status;
        pid_t ended;
        while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
            if (ended == program) _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        }
    }
}

int clinux_leave_first_place(void) {
    if (getpid() != 1) return 0;
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t program = fork();
    if (program > 0) reap(program, &all);
    int number = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = number;
    return program < 0 ? -1 : 0;
}
