#ifndef JOBQUEUE_CLINUX_H
#define JOBQUEUE_CLINUX_H
#include <stdint.h>
#include <sys/epoll.h>
#endif
