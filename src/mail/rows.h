#ifndef NIGHTMAIL_MAIL_ROWS_H
#define NIGHTMAIL_MAIL_ROWS_H

/*
 * Tables of texts, one row a message: CSV (RFC 4180) with the names in its first line, or JSON
 * objects, in an array or one after the other. Pure.
 *
 *     rows_open(); while (rows_next() > 0) row_get()...; row_release(); rows_release()
 *
 * CSV may be separated by semicolons or tabs instead of commas, when its first line has no
 * comma; a BOM is dropped; empty lines are passed over. Numbers, true and false of JSON are
 * the texts that stand there, null is the empty one; values are never objects or arrays.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define ROWS_CELLS_MAX 256u     /* in a row */
#define ROWS_ROW_MAX (4u << 20) /* bytes of one */

enum rows_format { ROWS_CSV, ROWS_JSON };

struct row_text {
	size_t at, len; /* in text */
};
struct row {
	struct buf text; /* names and values, one behind the other */
	size_t count;
	struct row_text name[ROWS_CELLS_MAX], value[ROWS_CELLS_MAX];
};

struct rows {
	enum rows_format format;
	struct span rest; /* what was not read yet */
	size_t line;      /* where that begins, from 1 */
	char separator;   /* of CSV */
	bool in_array;    /* of JSON */
	size_t count;     /* rows taken */
	struct row names; /* the first line of CSV, as values */
};

/* data lives as long as the rows. ERR_SYNTAX: not UTF-8, or the first line cannot be read. */
int rows_open(struct rows *r, enum rows_format format, struct span data, struct err *err);
void rows_release(struct rows *r);

void row_init(struct row *row);
void row_release(struct row *row);
/* Takes the next row. Returns 1, 0 at the end, or -1: ERR_SYNTAX or ERR_LIMIT with the line. */
int rows_next(struct rows *r, struct row *ret, struct err *err);
/* Finds a value; valid until the next row. False: there is no such field. */
bool row_get(const struct row *row, struct span name, struct span *ret);
struct span row_name(const struct row *row, size_t i);
struct span row_value(const struct row *row, size_t i);

/* --- for those who read one format --- */

/* Adds a text to the row; -1 when it is full. */
int row_add_text(struct row *row, struct row_text *slot, struct span text);
int rows_next_json(struct rows *r, struct row *ret, struct err *err);

#endif
