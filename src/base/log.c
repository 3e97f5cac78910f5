/*
 * Log lines. A line is put together in memory and written by one write(2). Its text went
 * through term_safe() field by field already; escaping it once more as a whole costs
 * little and makes a forgotten field harmless.
 */

#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/term.h"
#include "base/utf8.h"

#define LINE_MAX_LOG 8192

static struct {
	const char *program;
	enum log_level level;
	bool to_syslog;
	bool to_journal;
} state = { .program = "nightmail", .level = LOG_LEVEL_INFO };

static const struct {
	int syslog;
	const char *word;
} levels[] = {
	[LOG_LEVEL_ERROR] = { LOG_ERR, "error: " },
	[LOG_LEVEL_WARN] = { LOG_WARNING, "warning: " },
	[LOG_LEVEL_INFO] = { LOG_INFO, "" },
	[LOG_LEVEL_DEBUG] = { LOG_DEBUG, "" },
};

/* systemd sets JOURNAL_STREAM to device:inode of the stream it gave; who has redirected
 * stderr since then does not write to the journal. */
static bool stderr_is_journal(void) {
	struct span s = span_str(getenv("JOURNAL_STREAM"));
	uint64_t dev, ino;
	struct stat st;
	return span_take_uint(&s, UINT64_MAX, &dev) && span_take_char(&s, ':') &&
	       span_uint(s, UINT64_MAX, &ino) && fstat(STDERR_FILENO, &st) == 0 &&
	       st.st_dev == dev && st.st_ino == ino;
}

void log_open(const char *program) {
	state.program = program;
	state.to_journal = stderr_is_journal();
}

void log_to_syslog(void) {
	openlog(state.program, LOG_PID, LOG_MAIL);
	state.to_syslog = true;
}

void log_set_level(enum log_level level) {
	state.level = level;
}

void log_options(const char *argv[LOG_OPTIONS_MAX]) {
	size_t n = 0;
	if (state.to_syslog)
		argv[n++] = "--syslog";
	if (state.level == LOG_LEVEL_DEBUG)
		argv[n++] = "-v";
	argv[n] = NULL;
}

static void add_time(struct buf *line) {
	int64_t ms = clock_wall_ms();
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	char text[32];
	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_addf(line, "%s.%03dZ ", text, (int)(ms % 1000));
}

static void write_stderr(enum log_level level, struct span text) {
	AUTO_BUF struct buf line = BUF_INIT(LINE_MAX_LOG);
	if (state.to_journal)
		buf_addf(&line, "<%d>", levels[level].syslog);
	else
		add_time(&line);
	buf_addf(&line, "%s[%d]: %s", state.program, (int)getpid(), levels[level].word);
	buf_add(&line, utf8_head(text, LINE_MAX_LOG - line.len - 1));
	buf_addc(&line, '\n');
	while (write(STDERR_FILENO, line.data, line.len) < 0 && errno == EINTR)
		;
}

void log_line(enum log_level level, const char *fmt, ...) {
	if (level > state.level)
		return;
	int saved = errno;
	AUTO_BUF struct buf text = BUF_INIT(4 * LINE_MAX_LOG);
	va_list ap;
	va_start(ap, fmt);
	if (buf_vaddf(&text, fmt, ap) != 0) {
		buf_reset(&text);
		buf_adds(&text, "a line too long to be logged");
	}
	va_end(ap);
	AUTO_BUF struct buf safe = BUF_INIT(16 * LINE_MAX_LOG);
	term_safe_again(&safe, buf_span(&text));
	if (state.to_syslog)
		syslog(levels[level].syslog, "%s%.*s", levels[level].word, LINE_MAX_LOG,
		       buf_str(&safe));
	else
		write_stderr(level, buf_span(&safe));
	errno = saved;
}

static bool needs_quotes(struct span s) {
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == '"' || s.p[i] == '=')
			return true;
	return s.len == 0;
}

void log_field(struct buf *b, const char *key, struct span value) {
	bool quotes = needs_quotes(value);
	buf_addc(b, ' ');
	buf_adds(b, key);
	buf_adds(b, quotes ? "=\"" : "=");
	while (value.len > 0) {
		size_t run = span_find(value, '"');
		term_safe(b, span_head(value, run));
		if (run < value.len)
			buf_adds(b, "\\\"");
		value = span_from(value, run + 1);
	}
	if (quotes)
		buf_addc(b, '"');
}

void log_field_addr(struct buf *b, const char *key, struct span address) {
	buf_addc(b, ' ');
	buf_adds(b, key);
	buf_adds(b, "=<");
	term_safe(b, address);
	buf_addc(b, '>');
}

void log_field_int(struct buf *b, const char *key, int64_t value) {
	buf_addc(b, ' ');
	buf_adds(b, key);
	buf_addc(b, '=');
	buf_addi(b, value);
}

void log_field_ms(struct buf *b, const char *key, int64_t ms) {
	if (ms < 0)
		ms = 0;
	buf_addf(b, " %s=%lld.%02d", key, (long long)(ms / 1000), (int)(ms % 1000 / 10));
}
