/*
 * Filling struct err. Messages are formatted into a local array first, so that an
 * argument may be the message that is being replaced.
 */

#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int set(struct err *err, enum err_kind kind, int sys, const char *fmt, va_list ap)
	__attribute__((format(printf, 4, 0)));

static int set(struct err *err, enum err_kind kind, int sys, const char *fmt,
	       va_list ap) {
	char text[ERR_MSG_SIZE];
	if (!err)
		return -1;
	vsnprintf(text, sizeof(text), fmt, ap);
	memcpy(err->msg, text, sizeof(text));
	err->kind = kind;
	err->sys = sys;
	return -1;
}

int err_set(struct err *err, enum err_kind kind, const char *fmt, ...) {
	va_list ap;
	va_start(ap, fmt);
	set(err, kind, 0, fmt, ap);
	va_end(ap);
	return -1;
}

int err_sys(struct err *err, const char *fmt, ...) {
	int sys = errno;
	va_list ap;
	va_start(ap, fmt);
	set(err, ERR_SYSTEM, sys, fmt, ap);
	va_end(ap);
	if (err) {
		size_t len = strlen(err->msg);
		snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", strerror(sys));
	}
	errno = sys;
	return -1;
}

int err_prefix(struct err *err, const char *fmt, ...) {
	if (!err)
		return -1;
	char before[ERR_MSG_SIZE];
	memcpy(before, err->msg, sizeof(before));
	va_list ap;
	va_start(ap, fmt);
	set(err, err->kind, err->sys, fmt, ap);
	va_end(ap);
	size_t len = strlen(err->msg);
	snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", before);
	return -1;
}
