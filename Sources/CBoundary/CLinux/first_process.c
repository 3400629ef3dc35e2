// A container starts its program as PID 1 of a PID namespace. PID 1 becomes the parent of every orphan there and has to
// reap it, or the zombie stays in the process table. A worker cannot reap arbitrary processes itself, because it waits
// for its own children. The program therefore starts as PID 1, forks, and continues as the child; PID 1 only reaps.

#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/// Reaps until `program` has ended, then exits with its exit code. Signals sent by processes are forwarded to the
/// program. Signals from the terminal (si_code SI_KERNEL) are not, because the program receives them itself.
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

int clinux_init_start(void) {
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
