/*
 * The growing buffer. Capacity doubles and always leaves one byte for the NUL, so that
 * data is a C string after every add. Everything that adds goes through buf_room(), the
 * one place that decides about the ceiling and makes a failure stick.
 */

#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST_CAP 256
#define LIKELY_TEXT 200 /* most of what is formatted is no longer */

void buf_init(struct buf *b, size_t max) {
	*b = (struct buf)BUF_INIT(max);
}

void buf_release(struct buf *b) {
	free(b->data);
	buf_init(b, b->max);
}

void buf_reset(struct buf *b) {
	b->len = 0;
	b->failed = false;
	if (b->data)
		b->data[0] = '\0';
}

void buf_wipe(struct buf *b) {
	if (b->data)
		explicit_bzero(b->data, b->cap);
	b->len = 0;
}

static char *fail(struct buf *b) {
	b->failed = true;
	return NULL;
}

char *buf_room(struct buf *b, size_t n) {
	if (b->failed || n > b->max - b->len)
		return fail(b);
	size_t need = b->len + n;
	if (need < b->cap)
		return b->data + b->len;
	if (need == SIZE_MAX)
		return fail(b);

	size_t cap = b->cap ? b->cap : BUF_FIRST_CAP;
	while (cap <= need)
		cap = cap > SIZE_MAX / 2 ? need + 1 : cap * 2;
	if (cap - 1 > b->max)
		cap = b->max + 1;
	char *data = realloc(b->data, cap);
	if (!data)
		return fail(b);
	b->data = data;
	b->cap = cap;
	b->data[b->len] = '\0';
	return b->data + b->len;
}

void buf_grew(struct buf *b, size_t n) {
	b->len += n;
	b->data[b->len] = '\0';
}

int buf_addm(struct buf *b, const void *p, size_t len) {
	char *room = buf_room(b, len);
	if (!room)
		return -1;
	if (len > 0)
		memcpy(room, p, len);
	buf_grew(b, len);
	return 0;
}

int buf_add(struct buf *b, struct span s) {
	return buf_addm(b, s.p, s.len);
}

int buf_adds(struct buf *b, const char *s) {
	return buf_addm(b, s, strlen(s));
}

int buf_addc(struct buf *b, char c) {
	return buf_addm(b, &c, 1);
}

int buf_addi(struct buf *b, int64_t v) {
	char text[3 * sizeof(v)];
	size_t at = sizeof(text);
	uint64_t rest = v < 0 ? -(uint64_t)v : (uint64_t)v;
	do
		text[--at] = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	if (v < 0)
		text[--at] = '-';
	return buf_addm(b, text + at, sizeof(text) - at);
}

/* Written at once where the room that is there will do, else a second time. */
int buf_vaddf(struct buf *b, const char *fmt, va_list ap) {
	if (b->max - b->len >= LIKELY_TEXT)
		buf_room(b, LIKELY_TEXT);
	size_t left = b->failed ? 0 : b->cap - b->len;
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(left ? b->data + b->len : NULL, left, fmt, again);
	va_end(again);
	if (n >= 0 && (size_t)n < left) {
		b->len += (size_t)n;
		return 0;
	}
	if (left)
		b->data[b->len] = '\0';
	char *room = n < 0 ? fail(b) : buf_room(b, (size_t)n);
	if (!room)
		return -1;
	vsnprintf(room, (size_t)n + 1, fmt, ap);
	buf_grew(b, (size_t)n);
	return 0;
}

int buf_addf(struct buf *b, const char *fmt, ...) {
	va_list ap;
	va_start(ap, fmt);
	int r = buf_vaddf(b, fmt, ap);
	va_end(ap);
	return r;
}

void buf_consume(struct buf *b, size_t n) {
	if (n == 0)
		return;
	memmove(b->data, b->data + n, b->len - n);
	buf_truncate(b, b->len - n);
}

void buf_truncate(struct buf *b, size_t len) {
	b->len = len;
	if (b->data)
		b->data[len] = '\0';
}

char *buf_take(struct buf *b) {
	char *data = buf_room(b, 0) ? b->data : NULL;
	if (data)
		b->data = NULL;
	buf_release(b);
	return data;
}
