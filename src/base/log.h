#ifndef NIGHTMAIL_BASE_LOG_H
#define NIGHTMAIL_BASE_LOG_H

/*
 * One event, one line: "id=... to=<...> status=deferred ...". The message id comes first.
 * Only code that decides logs; libraries return errors. Lines go to stderr (with "<3>"
 * prefixes when JOURNAL_STREAM is set), or to syslog after log_to_syslog(). A line is
 * written with one write(2), so lines of several processes do not mix.
 */

#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Names the program in each line; the string must live on. */
void log_open(const char *program);
void log_to_syslog(void);
/* Levels above this are dropped; INFO at the start. */
void log_set_level(enum log_level level);
/* Puts the options that make a program we start log as we do ("--syslog", "-v") into argv,
 * and a NULL behind them. */
#define LOG_OPTIONS_MAX 3
void log_options(const char *argv[LOG_OPTIONS_MAX]);

/* Writes a line; control characters are escaped, so one call is one line. */
void log_line(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Field builders: append " key=value", the value in quotes when it holds a space, quote, '='
 * or is empty; control bytes escaped (term_safe). An address is written as key=<value>. */
void log_field(struct buf *b, const char *key, struct span value);
void log_field_addr(struct buf *b, const char *key, struct span address);
void log_field_int(struct buf *b, const char *key, int64_t value);
/* " key=12.34" seconds from milliseconds. */
void log_field_ms(struct buf *b, const char *key, int64_t ms);

#endif
