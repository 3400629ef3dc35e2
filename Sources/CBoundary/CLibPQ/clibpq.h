#ifndef JOBQUEUE_CLIBPQ_H
#define JOBQUEUE_CLIBPQ_H

#include <libpq-fe.h>

#endif
