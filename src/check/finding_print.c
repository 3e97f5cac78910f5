/*
 * Findings for people, scripts, monitoring and programs. A mark is always a word, colour only
 * underlines it; lines are folded at 80 columns, so that a report can be mailed.
 */

#include <string.h>

#include "base/buf.h"
#include "base/term.h"
#include "check/finding.h"

#define COLUMNS 80u
#define INDENT 18u
#define LINE_MAX_BYTES 131072
#define FIXES_MAX 6u

static const struct {
	const char *mark;
	const char *color;
} looks[] = {
	[FINDING_NA] = { "-", "2" },         [FINDING_OK] = { "ok", "32" },
	[FINDING_INFO] = { "info", "" },     [FINDING_NOTICE] = { "note", "36" },
	[FINDING_UNKNOWN] = { "?", "35" },   [FINDING_WARN] = { "warn", "33" },
	[FINDING_FAIL] = { "FAIL", "1;31" },
};

static void print_mark(FILE *out, enum finding_severity s, bool color, int width) {
	bool colored = color && looks[s].color[0];
	if (colored)
		fprintf(out, "\033[%sm", looks[s].color);
	fprintf(out, "%-*s", width, looks[s].mark);
	if (colored)
		fputs("\033[0m", out);
}

static unsigned width_of(struct span s) {
	unsigned n = 0;
	for (size_t i = 0; i < s.len; i++)
		n += (s.p[i] & 0xc0) != 0x80;
	return n;
}

/* Words from column `at`, going on at column `indent`; ends the line. Text made here has
 * escapes of its own already, so backslashes stay. */
static void print_folded(FILE *out, struct span text, unsigned at, unsigned indent) {
	AUTO_BUF struct buf safe = BUF_INIT(LINE_MAX_BYTES);
	struct span rest, word;
	bool first = true;
	term_safe_again(&safe, text);
	for (rest = buf_span(&safe); span_take_word(&rest, &word); first = false) {
		unsigned width = width_of(word);
		if (!first && at + 1 + width > COLUMNS) {
			fprintf(out, "\n%*s", (int)indent, "");
			at = indent;
		} else if (!first) {
			putc(' ', out);
			at++;
		}
		fwrite(word.p, 1, word.len, out);
		at += width;
	}
	putc('\n', out);
}

/* A line that must stay one: it is to be copied. */
static void print_lines(FILE *out, const char *text, const char *before) {
	struct span rest = span_str(text), line;
	while (span_take_line(&rest, &line)) {
		AUTO_BUF struct buf safe = BUF_INIT(LINE_MAX_BYTES);
		term_safe_again(&safe, line);
		fprintf(out, "%s%s\n", before, buf_str(&safe));
	}
}

static void print_one(FILE *out, const struct finding *f,
		      const struct finding_style *style) {
	AUTO_BUF struct buf text = BUF_INIT(LINE_MAX_BYTES);
	fputs("  ", out);
	print_mark(out, f->severity, style->color, 6);
	fprintf(out, "%-10s", finding_area(f->kind->id));
	if (!style->subject || strcmp(f->subject, style->subject) != 0)
		buf_addf(&text, "%s: ", f->subject);
	buf_adds(&text, f->text);
	print_folded(out, buf_span(&text), INDENT, INDENT);
	if (f->evidence && (f->shown || style->verbose || f->severity >= FINDING_WARN))
		print_lines(out, f->evidence, "                  > ");
}

static size_t count_of(const struct findings *f, enum finding_severity s) {
	size_t n = 0;
	for (size_t i = 0; i < f->count; i++)
		n += f->at[i].severity == s;
	return n;
}

/* The lines that mend what is worst, each once. */
static void print_fixes(FILE *out, const struct findings *f,
			const struct finding_style *style) {
	enum finding_severity worst = FINDING_NOTICE;
	unsigned shown = 0;
	for (size_t i = 0; i < f->count; i++)
		if (f->at[i].fix && f->at[i].severity > worst)
			worst = f->at[i].severity;
	for (size_t i = 0; worst >= FINDING_WARN && i < f->count; i++) {
		const struct finding *one = &f->at[i];
		bool again = false;
		if (!one->fix || (one->severity != worst && !style->verbose))
			continue;
		for (size_t k = 0; k < i; k++)
			again |= f->at[k].fix && strcmp(f->at[k].fix, one->fix) == 0;
		if (again || shown++ == FIXES_MAX)
			continue;
		if (shown == 1)
			fputs("Fix first:\n", out);
		print_lines(out, one->fix, "  ");
	}
}

static void add_counts(struct buf *out, const struct findings *f) {
	static const enum finding_severity told[] = { FINDING_FAIL, FINDING_WARN,
						      FINDING_UNKNOWN, FINDING_NOTICE };
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		size_t n = count_of(f, told[i]);
		if (n > 0)
			buf_addf(out, "%s%zu %s", out->len > 0 ? ", " : "", n,
				 finding_severity_name(told[i]));
	}
	if (out->len == 0)
		buf_adds(out, "nothing to mend");
}

/* The verdict as a word: only what changes the exit code. */
static enum finding_severity verdict(const struct findings *f) {
	enum finding_severity worst = finding_worst(f);
	return worst < FINDING_UNKNOWN ? FINDING_OK : worst;
}

void finding_print(FILE *out, const struct findings *f,
		   const struct finding_style *style) {
	AUTO_BUF struct buf counts = BUF_INIT(256);
	for (size_t i = 0; i < f->count; i++)
		if (f->at[i].severity != FINDING_INFO || f->at[i].shown || style->verbose)
			print_one(out, &f->at[i], style);
	print_fixes(out, f, style);
	add_counts(&counts, f);
	if (f->failed)
		fputs("  out of memory: this is not all\n", out);
	print_mark(out, verdict(f), style->color, 0);
	fprintf(out, "  %s\n", buf_str(&counts));
}

static void print_safe(FILE *out, const char *text) {
	AUTO_BUF struct buf safe = BUF_INIT(LINE_MAX_BYTES);
	term_safe_again(&safe, span_str(text));
	fputs(buf_str(&safe), out);
}

void finding_print_plain(FILE *out, const struct findings *f) {
	for (size_t i = 0; i < f->count; i++) {
		const struct finding *one = &f->at[i];
		fprintf(out, "%s\t%s\t", finding_severity_name(one->severity),
			one->kind->id);
		print_safe(out, one->subject);
		putc('\t', out);
		print_safe(out, one->text);
		putc('\n', out);
	}
}

void finding_print_nagios(FILE *out, const struct findings *f, const char *subject,
			  int64_t took_ms) {
	static const char *const states[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };
	AUTO_BUF struct buf counts = BUF_INIT(256);
	add_counts(&counts, f);
	fprintf(out, "%s - ", states[finding_exit(f)]);
	print_safe(out, subject);
	fprintf(out, ": %s | fail=%zu warn=%zu unknown=%zu time=%lld.%03llds\n",
		buf_str(&counts), count_of(f, FINDING_FAIL), count_of(f, FINDING_WARN),
		count_of(f, FINDING_UNKNOWN), (long long)took_ms / 1000,
		(long long)took_ms % 1000);
	for (size_t i = 0; i < f->count; i++) {
		if (f->at[i].severity < FINDING_UNKNOWN)
			continue;
		fprintf(out, "%s %s ", finding_severity_name(f->at[i].severity),
			f->at[i].kind->id);
		print_safe(out, f->at[i].subject);
		fputs(": ", out);
		print_safe(out, f->at[i].text);
		putc('\n', out);
	}
}

static void add_text(struct json *j, const char *key, const char *text) {
	json_str_or_null(j, key, span_str(text));
}

void finding_json(struct json *j, const struct findings *f) {
	json_str(j, "verdict", span_str(finding_severity_name(verdict(f))));
	json_int(j, "exit_code", finding_exit(f));
	json_object(j, "counts");
	for (int s = FINDING_NA; s <= FINDING_FAIL; s++)
		json_int(j, finding_severity_name((enum finding_severity)s),
			 (int64_t)count_of(f, (enum finding_severity)s));
	json_end(j);
	json_array(j, "findings");
	for (size_t i = 0; i < f->count; i++) {
		const struct finding *one = &f->at[i];
		json_object(j, NULL);
		add_text(j, "id", one->kind->id);
		add_text(j, "severity", finding_severity_name(one->severity));
		add_text(j, "subject", one->subject);
		add_text(j, "text", one->text);
		add_text(j, "evidence", one->evidence);
		add_text(j, "fix", one->fix);
		add_text(j, "rfc", one->kind->rfc[0] ? one->kind->rfc : NULL);
		json_end(j);
	}
	json_end(j);
}

bool finding_explain(FILE *out, struct span id) {
	const struct finding_kind *k = finding_kind(id);
	if (!k)
		return false;
	fprintf(out, "%s (%s)\n", k->id, finding_area(k->id));
	fputs("  means: ", out);
	print_folded(out, span_str(k->means), 9, 9);
	if (k->remedy[0]) {
		fputs("  do:    ", out);
		print_folded(out, span_str(k->remedy), 9, 9);
	}
	if (k->rfc[0])
		fprintf(out, "  see:   %s\n", k->rfc);
	return true;
}
