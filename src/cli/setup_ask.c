/*
 * Answers are read byte by byte, so that nothing of a password stays in a buffer of stdio.
 * While a password is typed, ^C is read as a byte: a signal would leave the terminal without
 * echo.
 */

#include "cli/setup_ask.h"

#include <errno.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "base/term.h"

#define CONTROL_C 3

/* 1: a line; 0: ^C; -1: the end. */
static int read_line(struct buf *out) {
	char c = '\0';
	buf_reset(out);
	buf_adds(out, "");
	for (;;) {
		ssize_t n = read(STDIN_FILENO, &c, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return out->len ? 1 : -1;
		if (c == CONTROL_C)
			return 0;
		if (c == '\n' || c == '\r')
			return 1;
		buf_addc(out, c);
	}
}

static void put_question(const char *question, const char *fallback) {
	term_print(stderr, span_str(question));
	if (fallback) {
		fputs(" [", stderr);
		term_print(stderr, span_str(fallback));
		fputc(']', stderr);
	}
	fputs(": ", stderr);
}

int setup_ask(const char *question, const char *fallback, struct buf *out) {
	put_question(question, fallback);
	if (read_line(out) <= 0)
		return -1;
	struct span answer = span_trim(buf_span(out));
	size_t before = (size_t)(answer.p - buf_str(out));
	buf_truncate(out, before + answer.len);
	buf_consume(out, before);
	if (out->len == 0 && fallback)
		buf_adds(out, fallback);
	return buf_failed(out) ? -1 : 0;
}

bool setup_ask_yes(const char *question, bool fallback) {
	AUTO_BUF struct buf answer = BUF_INIT(64);
	for (;;) {
		if (setup_ask(question, fallback ? "Y/n" : "y/N", &answer) != 0)
			return false;
		struct span s = buf_span(&answer);
		if (s.len == 3 && s.p[1] == '/')
			return fallback;
		if (span_eq_nocase(s, SPAN("y")) || span_eq_nocase(s, SPAN("yes")))
			return true;
		if (span_eq_nocase(s, SPAN("n")) || span_eq_nocase(s, SPAN("no")))
			return false;
	}
}

int setup_ask_secret(const char *question, struct buf *out) {
	struct termios old, quiet;
	bool tty = tcgetattr(STDIN_FILENO, &old) == 0;
	if (tty) {
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
		quiet.c_cc[VEOL] = CONTROL_C; /* else it waits for the end of the line */
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	put_question(question, NULL); /* only now: who sees it may type */
	int r = read_line(out);
	if (tty)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
	fputc('\n', stderr);
	return r > 0 && !buf_failed(out) ? 0 : -1;
}
