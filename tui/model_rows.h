#ifndef NIGHTMAIL_TUI_MODEL_ROWS_H
#define NIGHTMAIL_TUI_MODEL_ROWS_H

/*
 * The rows of the model, in the order of their IDs, which is that of their times. Rows come
 * by a listing, which also tells which ones are gone: those it did not name. The memory of
 * a row and its texts is one piece.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "tui/model.h"

struct model_rows {
	struct model_rows_entry **entry;
	size_t count, cap;
	size_t beyond;    /* rows there was no room for */
	size_t removed;   /* entries that are gone, until model_rows_settle() */
	unsigned listing; /* counts listings */
	uint64_t version;
};

/* The texts of a row to be put; they are copied, and cut where they are long. */
struct model_rows_text {
	struct span from, to, all_to, relay, reason, why, flags;
};

void model_rows_release(struct model_rows *r);
/* Puts a row, replacing the one with this ID. The texts of `row` are not looked at. 0; -1: no
 * memory, or no room (then it is counted in `beyond`). */
int model_rows_put(struct model_rows *r, const struct model_row *row,
		   const struct model_rows_text *text);
/* The row, which may be changed in its numbers (then `version` is to be counted up); NULL. */
struct model_row *model_rows_find(const struct model_rows *r, const char *id);
/* The i-th; only after model_rows_settle(). */
const struct model_row *model_rows_at(const struct model_rows *r, size_t i);
bool model_rows_remove(struct model_rows *r, const char *id);
/* A listing begins; at its end all rows go that were not put since. */
void model_rows_begin(struct model_rows *r);
void model_rows_end(struct model_rows *r);
/* Closes the gaps that removing left. */
void model_rows_settle(struct model_rows *r);

#endif
