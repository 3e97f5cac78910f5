#ifndef NIGHTMAIL_QUEUE_TLSRPTLOG_FILES_H
#define NIGHTMAIL_QUEUE_TLSRPTLOG_FILES_H

/* Inside src/queue only: what tlsrptlog.c and tlsrptlog_days.c share. */

#include <stdint.h>

#include "base/span.h"
#include "base/bag.h"

struct tlsrptlog_name {
	char s[32];
};

/* "2026-11-22.3" */
struct tlsrptlog_name tlsrptlog_part_name(int64_t day, unsigned slot);
/* Counts the lines of a file's bytes; damaged records are passed over. -1: too many. */
int tlsrptlog_count(struct span bytes, struct bag *ret);

#include "base/banned.h"

#endif
