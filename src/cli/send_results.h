#ifndef NIGHTMAIL_CLI_SEND_RESULTS_H
#define NIGHTMAIL_CLI_SEND_RESULTS_H

/*
 * What became of every row of a table, in a file beside it: CSV with the columns
 *
 *     row,recipient,id,status
 *
 * where recipient holds all addresses of the row, separated by blanks, and status is "queued" or
 * "refused: words". A line is durable before the next row is looked at. A second run leaves out
 * the rows that have a line.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct send_results {
	struct buf path;
	int fd;            /* -1: nothing is written */
	int64_t end;       /* of the last whole line */
	char **recipients; /* by row from 1, NULL: no result */
	size_t cap;
};

/* Reads the results of a table of so many rows. With `write` the file is made and locked:
 * ERR_DENIED when another run has it. Release in any case. */
int send_results_open(struct send_results *r, const char *data, size_t rows, bool write,
		      struct err *err);
void send_results_release(struct send_results *r);
/* The recipients of a row that has a result, or NULL. */
const char *send_results_of(const struct send_results *r, size_t row);
/* Adds a line; when this returns 0 it survives a power cut. */
int send_results_add(struct send_results *r, size_t row, struct span recipients,
		     struct span id, const char *status, struct err *err);

#endif
