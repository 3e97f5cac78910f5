#ifndef NIGHTMAIL_BASE_BUF_H
#define NIGHTMAIL_BASE_BUF_H

/*
 * A growing byte buffer with a ceiling, always NUL-terminated once anything was added.
 *
 *     AUTO_BUF struct buf b = BUF_INIT(4096);
 *     buf_adds(&b, "MAIL FROM:<");
 *     buf_add(&b, addr);
 *     if (buf_failed(&b))
 *             return err_set(err, ERR_LIMIT, "address too long");
 *
 * An add that would pass the ceiling, or finds no memory, changes nothing, returns -1 and
 * makes the buffer failed; every later add returns -1 too, so a writer checks once.
 * buf.data may move with every add. No other code writes the members.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct buf {
	char *data;  /* NULL until the first add */
	size_t len;  /* bytes in use, without the NUL */
	size_t cap;  /* bytes allocated */
	size_t max;  /* ceiling of len */
	bool failed; /* sticky */
};

#define BUF_INIT(ceiling) \
	{ .data = NULL, .len = 0, .cap = 0, .max = (ceiling), .failed = false }
#define AUTO_BUF __attribute__((cleanup(buf_release)))

void buf_init(struct buf *b, size_t max);
/* Frees the bytes; the buffer may be used again (its ceiling stays). */
void buf_release(struct buf *b);
/* Empties the buffer, keeps the memory, forgives a failure. */
void buf_reset(struct buf *b);
/* Overwrites all of the memory, for secrets, and empties the buffer; a failure stays. Growing
 * may leave copies behind, so room for a secret is to be made before it comes. */
void buf_wipe(struct buf *b);

int buf_add(struct buf *b, struct span s);
int buf_addm(struct buf *b, const void *p, size_t len);
int buf_adds(struct buf *b, const char *s);
int buf_addc(struct buf *b, char c);
/* As a decimal number; far cheaper than by buf_addf(). */
int buf_addi(struct buf *b, int64_t v);
int buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vaddf(struct buf *b, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* Makes room for n more bytes and returns where they go (then buf_grew()), NULL when failed. */
char *buf_room(struct buf *b, size_t n);
/* Says that n bytes were written at buf_room(). */
void buf_grew(struct buf *b, size_t n);
/* Removes n bytes from the front (n <= len). */
void buf_consume(struct buf *b, size_t n);
/* Cuts to len bytes (len <= b->len). */
void buf_truncate(struct buf *b, size_t len);

static inline bool buf_failed(const struct buf *b) {
	return b->failed;
}
static inline struct span buf_span(const struct buf *b) {
	return span_of(b->data, b->len);
}
/* Returns the content as a C string, "" when nothing was ever added. */
static inline const char *buf_str(const struct buf *b) {
	return b->data ? b->data : "";
}
/* Hands the NUL-terminated bytes to the caller (free with free()), or NULL when failed or
 * out of memory; the buffer is empty afterwards. */
char *buf_take(struct buf *b);

#endif
