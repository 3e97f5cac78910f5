/*
 * Text output of mailq. The JSON lines come from the daemon or from our own process; all
 * strings in them are foreign bytes and go through term_print.
 */

#include "cli/mailq_text.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/codec.h"
#include "base/term.h"
#include "base/utf8.h"
#include "cli/answer.h"
#include "mail/date.h"

static const struct {
	const char *state, *mark, *color;
} state_marks[] = {
	{ "queued", "+", "" },           { "active", "*", "\033[32m" },
	{ "deferred", "-", "\033[33m" }, { "held", "!", "\033[36m" },
	{ "dead", "x", "\033[31m" },
};

/* A line that cannot be read is shown as it is: no message may be missing in a list. */
static json_t *parse(struct span line) {
	json_t *j = json_loadb(line.p, line.len, JSON_ALLOW_NUL, NULL);
	if (!j) {
		term_print(stdout, line);
		putchar('\n');
	}
	return j;
}

static void print_size(uint64_t bytes) {
	if (bytes < 10000)
		printf("%8" PRIu64, bytes);
	else if (bytes < 10000u * 1024)
		printf("%7" PRIu64 "K", bytes >> 10);
	else
		printf("%7" PRIu64 "M", bytes >> 20);
}

static void print_when(int64_t wall_s) {
	AUTO_BUF struct buf b = BUF_INIT(64);
	date_add_local(&b, wall_s);
	fputs(buf_str(&b), stdout);
}

static void print_address(struct span a) {
	putchar('<');
	term_print(stdout, a);
	putchar('>');
}

/* "queued" with its mark and colour. */
static void print_state(const struct mailq_text *t, struct span state) {
	size_t i = 0, n = sizeof state_marks / sizeof *state_marks;
	while (i + 1 < n && !span_eq(state, span_str(state_marks[i].state)))
		i++;
	printf("%s%s ", t->color ? state_marks[i].color : "", state_marks[i].mark);
	term_print(stdout, state);
	fputs(t->color && state_marks[i].color[0] ? "\033[0m" : "", stdout);
}

static void print_flags(const json_t *message) {
	size_t i;
	json_t *flag;
	json_array_foreach(json_object_get(message, "flags"), i, flag) {
		fputs("  ", stdout);
		term_print(stdout, span_str(json_string_value(flag)));
	}
}

/* Recipients that still wait, a line each up to a bound. */
static void print_recipients(const json_t *message) {
	enum { SHOWN = 20 };
	size_t i, waiting = 0;
	json_t *r;
	json_array_foreach(json_object_get(message, "recipients"), i, r) {
		if (span_eq(answer_text(r, "state"), SPAN("delivered")))
			continue;
		if (waiting++ >= SHOWN)
			continue;
		fputs("        to ", stdout);
		print_address(answer_text(r, "address"));
		if (span_eq(answer_text(r, "state"), SPAN("failed")))
			fputs(" (failed)", stdout);
		putchar('\n');
	}
	if (waiting > SHOWN)
		printf("        and %zu more\n", waiting - SHOWN);
}

unsigned mailq_text_columns(void) {
	struct winsize size;
	if (!isatty(STDOUT_FILENO))
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 80;
	return size.ws_col < 40 ? 40 : size.ws_col > 200 ? 200 : size.ws_col;
}

/* Prints a text that begins in column `indent`, and its further lines there as well. */
static void print_wrapped(const struct mailq_text *t, unsigned indent, struct span text) {
	AUTO_BUF struct buf safe = BUF_INIT(1u << 20);
	size_t at = indent;
	bool first = true;
	term_safe(&safe, text);
	struct span rest = buf_span(&safe);
	while (t->columns > 0 && rest.len > 0) {
		struct span word = span_head(rest, span_find(rest, ' '));
		size_t width = utf8_length(word);
		rest = span_from(rest, word.len + 1);
		if (!first && at + 1 + width > t->columns) {
			printf("\n%*s", (int)indent, "");
			at = indent;
		} else if (!first) {
			putchar(' ');
			at++;
		}
		fwrite(word.p, 1, word.len, stdout);
		at += width;
		first = false;
	}
	fwrite(rest.p ? rest.p : "", 1, rest.len, stdout);
}

void mailq_text_message(struct mailq_text *t, struct span json_line) {
	AUTO_JSON json_t *m = parse(json_line);
	if (!m)
		return;
	uint64_t size = (uint64_t)answer_number(m, "size");
	if (t->messages++ == 0)
		puts("-ID-             -size--  -queued------------  -state----  -from-");
	t->bytes += size;
	term_print(stdout, answer_text(m, "id"));
	putchar(' ');
	print_size(size);
	fputs("  ", stdout);
	print_when(answer_number(m, "created"));
	fputs("  ", stdout);
	print_state(t, answer_text(m, "state"));
	fputs("  ", stdout);
	print_address(answer_text(m, "from"));
	print_flags(m);
	putchar('\n');
	print_recipients(m);
	fputs("        ", stdout);
	print_wrapped(t, 8, answer_text(m, "why"));
	fputs("\n\n", stdout);
}

void mailq_text_end(const struct mailq_text *t) {
	if (t->messages == 0)
		puts("Mail queue is empty");
	else
		printf("-- %" PRIu64 " Kbytes in %lu Request%s.\n",
		       (t->bytes + 1023) / 1024, t->messages,
		       t->messages == 1 ? "" : "s");
}

static void print_line(const struct mailq_text *t, const char *label, struct span value) {
	printf("%-11s ", label);
	print_wrapped(t, 12, value);
	putchar('\n');
}

static void print_recipient_details(const json_t *r) {
	fputs("to          ", stdout);
	print_address(answer_text(r, "address"));
	putchar(' ');
	term_print(stdout, answer_text(r, "state"));
	if (answer_text(r, "reply").len) {
		fputs(": ", stdout);
		term_print(stdout, answer_text(r, "reply"));
	}
	putchar('\n');
}

static void add_words(struct buf *out, const char *before, struct span words) {
	if (words.len == 0)
		return;
	buf_adds(out, before);
	buf_add(out, words);
}

/* "deferred <a@b.example>: mx1.example[192.0.2.1]: 450 4.2.0 busy" */
static void print_record(const struct mailq_text *t, const json_t *r) {
	AUTO_BUF struct buf line = BUF_INIT(1u << 20);
	int64_t others = answer_number(r, "recipients") - 1, wait_s = answer_number(r, "wait");
	if (json_is_integer(json_object_get(r, "time")))
		date_add_local(&line, answer_number(r, "time"));
	else
		buf_adds(&line, "-                  ");
	add_words(&line, "  ", answer_text(r, "what"));
	if (answer_text(r, "to").len) {
		add_words(&line, " <", answer_text(r, "to"));
		buf_addc(&line, '>');
	}
	if (others > 0)
		buf_addf(&line, " and %" PRId64 " more", others);
	add_words(&line, " by relay ", answer_text(r, "relay"));
	if (wait_s > 0) {
		buf_adds(&line, ", next in ");
		term_duration(&line, wait_s * 1000);
	}
	add_words(&line, ": ", answer_text(r, "reason"));
	add_words(&line, ": ", answer_text(r, "host"));
	add_words(&line, ": ", answer_text(r, "reply"));
	print_wrapped(t, 12, buf_span(&line));
	putchar('\n');
}

static void print_history(const struct mailq_text *t, const json_t *journal) {
	size_t i;
	json_t *r;
	json_array_foreach(journal, i, r) {
		fputs(i == 0 ? "history     " : "            ", stdout);
		print_record(t, r);
	}
}

void mailq_text_details(const struct mailq_text *t, struct span json_line) {
	AUTO_JSON json_t *m = parse(json_line);
	size_t i;
	json_t *r;
	if (!m)
		return;
	print_line(t, "id", answer_text(m, "id"));
	fputs("state       ", stdout);
	print_state(t, answer_text(m, "state"));
	print_flags(m);
	putchar('\n');
	print_line(t, "why", answer_text(m, "why"));
	fputs("queued      ", stdout);
	print_when(answer_number(m, "created"));
	printf("\nsize        %" PRId64 " bytes\nattempts    %" PRId64 "\nfrom        ",
	       answer_number(m, "size"), answer_number(m, "attempts"));
	print_address(answer_text(m, "from"));
	putchar('\n');
	if (answer_text(m, "relay").len > 0)
		print_line(t, "relay", answer_text(m, "relay"));
	if (span_eq(answer_text(m, "priority"), SPAN("high")) ||
	    span_eq(answer_text(m, "priority"), SPAN("low")))
		print_line(t, "priority", answer_text(m, "priority"));
	json_array_foreach(json_object_get(m, "recipients"), i, r)
		print_recipient_details(r);
	print_history(t, json_object_get(m, "journal"));
}

static const struct {
	const char *verb, *done, *alone; /* alone: without a daemon */
} verb_words[] = {
	{ "flush", "will be tried now", "will be tried as soon as nightmaild runs" },
	{ "hold", "held", "held" },
	{ "release", "released", "released, for when nightmaild runs" },
	{ "delete", "deleted", "deleted" },
	{ "bounce", "bounced", "bounced, for when nightmaild runs" },
	{ "edit", "edited", "edited, for when nightmaild runs" },
};

int mailq_text_content(struct span json_line, struct buf *out) {
	AUTO_JSON json_t *m = json_loadb(json_line.p, json_line.len, 0, NULL);
	return codec_base64_decode(out, answer_text(m, "content")) != 0;
}

bool mailq_text_failed(struct span json_line) {
	AUTO_JSON json_t *m = json_loadb(json_line.p, json_line.len, JSON_ALLOW_NUL,
					 NULL);
	return !m || json_object_get(m, "error");
}

void mailq_text_answer(const char *verb, bool daemon, struct span json_line) {
	AUTO_JSON json_t *m = parse(json_line);
	if (!m)
		return;
	FILE *out = json_object_get(m, "error") ? stderr : stdout;
	term_print(out, answer_text(m, "id"));
	fputs(": ", out);
	if (json_object_get(m, "error")) {
		term_print(out, answer_text(m, "error"));
	} else if (answer_text(m, "why").len) {
		fputs("due, but ", out);
		term_print(out, answer_text(m, "why"));
	} else {
		for (size_t i = 0; i < sizeof(verb_words) / sizeof(*verb_words); i++)
			if (strcmp(verb, verb_words[i].verb) == 0)
				fputs(daemon ? verb_words[i].done : verb_words[i].alone,
				      out);
		if (answer_text(m, "new").len) {
			fputs("; goes on as ", out);
			term_print(out, answer_text(m, "new"));
		}
		if (json_is_true(json_object_get(m, "pending")))
			fputs(" once the attempt that is under way has ended", out);
		if (strcmp(verb, "delete") == 0)
			fputs(json_is_true(json_object_get(m, "purged"))
				      ? " for good"
				      : "; kept in dead/ for a day",
			      out);
	}
	fputc('\n', out);
}
