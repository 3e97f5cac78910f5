/*
 * --template: one message for each row of a table. All rows are made once before the first is
 * queued, so that a mistake in the last one stops everything while nothing has gone out; then
 * they are made again and queued one by one, each with a durable line in the results. Between
 * the two a crash may fall: such a row is queued again by the next run.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/term.h"
#include "cli/cli.h"
#include "cli/send.h"
#include "cli/send_merge.h"
#include "cli/send_results.h"

#define DATA_MAX (1u << 30)
#define COMPLAINTS_SHOWN 10u
#define STATUS_MAX 512u
#define DRAW_MS 100
#define BAR_WIDTH 30

struct merge {
	struct send_call *c;
	struct send_merge_template t;
	struct buf template, data, html;
	struct send_message m;
	struct rows rows;
	struct row row;
	struct send_results results;
	bool has_results; /* opened */
	size_t count;     /* rows in all */
	size_t done;      /* had a result before */
	size_t queued, refused;
	int64_t drawn;
	int status;
};

static int complain(int status, const struct err *err) {
	return cli_fail(send_program, status, "%s", err->msg);
}

/* --- reading --- */

static enum rows_format format_of(const char *path, struct span data) {
	struct span name = span_str(path), start = span_trim(data);
	if (span_ends_nocase(name, SPAN(".csv")) || span_ends_nocase(name, SPAN(".tsv")))
		return ROWS_CSV;
	if (span_ends_nocase(name, SPAN(".json")) ||
	    span_ends_nocase(name, SPAN(".jsonl")))
		return ROWS_JSON;
	return start.len > 0 && strchr("[{", start.p[0]) ? ROWS_JSON : ROWS_CSV;
}

static int read_files(struct merge *g, struct err *err) {
	const struct send_call *c = g->c;
	if (file_read(AT_FDCWD, c->template, &g->template, err) != 0 ||
	    file_read(AT_FDCWD, c->data, &g->data, err) != 0 ||
	    (c->html && file_read(AT_FDCWD, c->html, &g->html, err) != 0))
		return -1;
	return 0;
}

static int start_rows(struct merge *g, struct err *err) {
	rows_release(&g->rows);
	if (rows_open(&g->rows, format_of(g->c->data, buf_span(&g->data)),
		      buf_span(&g->data), err) != 0)
		return err_prefix(err, "%s", g->c->data);
	return 0;
}

/* Takes the next row and makes its message. Returns 1, 0 at the end, -1, or -2 when only this
 * row is wrong. */
static int next_message(struct merge *g, struct err *err) {
	int got = rows_next(&g->rows, &g->row, err);
	if (got < 0)
		return err_prefix(err, "%s", g->c->data);
	if (got > 0 && send_message_make(g->c, &g->t, &g->row, &g->m, err) != 0) {
		err_prefix(err, "row %zu", g->rows.count);
		return -2;
	}
	return got;
}

/* Makes every message once. Returns an exit code. */
static int check_rows(struct merge *g) {
	struct err err = ERR_INIT;
	size_t wrong = 0;
	int got;
	if (start_rows(g, &err) != 0)
		return complain(EX_DATAERR, &err);
	while ((got = next_message(g, &err)) != 0) {
		if (got > 0)
			continue;
		if (++wrong <= COMPLAINTS_SHOWN)
			complain(EX_DATAERR, &err);
		if (got == -1)
			break;
	}
	g->count = g->rows.count;
	if (wrong > COMPLAINTS_SHOWN)
		fprintf(stderr, "%s: %zu more rows are wrong\n", send_program,
			wrong - COMPLAINTS_SHOWN);
	if (wrong > 0)
		return cli_fail(send_program, EX_DATAERR, "nothing was queued");
	return g->count > 0
		       ? EX_OK
		       : cli_fail(send_program, EX_DATAERR, "%s: no rows", g->c->data);
}

/* --- results --- */

static void recipients_of(const struct merge *g, struct buf *out) {
	const struct fixup_recipients *to = &g->c->s.to;
	for (size_t i = 0; i < to->count; i++)
		buf_addf(out, "%s%s", i ? " " : "", to->address[i]);
}

/* A result is of this row only while the row says the same. Returns 1 when it has one. */
static int has_result(struct merge *g, struct err *err) {
	AUTO_BUF struct buf now = BUF_INIT(SIZE_MAX / 8);
	const char *then = send_results_of(&g->results, g->rows.count);
	if (!then)
		return 0;
	recipients_of(g, &now);
	if (strcmp(then, buf_str(&now)) == 0)
		return 1;
	return err_set(
		err, ERR_SYNTAX,
		"row %zu went to %.60s, and would now go to %.60s: the table was changed; "
		"to begin anew remove %s",
		g->rows.count, then, buf_str(&now), buf_str(&g->results.path));
}

static int open_results(struct merge *g) {
	struct err err = ERR_INIT;
	bool write = !g->c->dry_run;
	g->has_results = true;
	int r = send_results_open(&g->results, g->c->data, g->count, write, &err);
	if (r == 0)
		r = start_rows(g, &err);
	int got = 1;
	while (r == 0 && (got = next_message(g, &err)) > 0) {
		r = has_result(g, &err);
		g->done += r > 0;
		r = r < 0 ? -1 : 0;
	}
	if (r == 0 && got == 0)
		return EX_OK;
	return complain(err.kind == ERR_DENIED   ? EX_TEMPFAIL
			: err.kind == ERR_SYSTEM ? EX_CANTCREAT
						 : EX_DATAERR,
			&err);
}

/* --- what is seen --- */

static void draw(struct merge *g, bool last) {
	int64_t now = clock_boot_ms();
	size_t at = g->done + g->queued + g->refused;
	if (g->c->verbose || g->c->json || !isatty(STDERR_FILENO) ||
	    (!last && now - g->drawn < DRAW_MS))
		return;
	g->drawn = now;
	fputs("\r[", stderr);
	for (size_t i = 0; i < BAR_WIDTH; i++)
		fputc(i < at * BAR_WIDTH / g->count ? '#' : '.', stderr);
	fprintf(stderr, "] %zu of %zu", at, g->count);
	if (last)
		fputc('\n', stderr);
}

static void report_row(const struct merge *g, struct span id, const char *status) {
	if (g->c->json) {
		AUTO_BUF struct buf out = BUF_INIT(SIZE_MAX / 8);
		struct json j = json_into(&out);
		json_object(&j, NULL);
		json_int(&j, "row", (int64_t)g->rows.count);
		json_str_or_null(&j, "id", id.len > 0 ? id : span_of(NULL, 0));
		json_int(&j, "recipients", (int64_t)g->c->s.to.count);
		json_str(&j, "status", span_str(status));
		json_end(&j);
		puts(buf_str(&out));
	} else if (g->c->verbose && id.len > 0) {
		printf("row %zu: queued as %s\n", g->rows.count, id.p);
	}
}

static void report_all(const struct merge *g) {
	if (g->c->json || (!g->c->verbose && !isatty(STDOUT_FILENO)))
		return;
	printf("%zu queued", g->queued);
	if (g->refused > 0)
		printf(", %zu refused", g->refused);
	fputs("; results in ", stdout);
	term_print(stdout, buf_span(&g->results.path));
	putchar('\n');
}

/* A table that went out before must not look as if it went out again. */
static void report_done(const struct merge *g) {
	fprintf(stderr, "%s: %zu of %zu rows have a result in ", send_program, g->done,
		g->count);
	term_print(stderr, buf_span(&g->results.path));
	fputs(" and are left out; remove it to begin anew\n", stderr);
}

/* --- queueing --- */

static int store(struct merge *g, struct queue_id *id, struct err *err) {
	struct send_built built;
	int status = send_message_build(g->c, &g->m, &built, err);
	if (status == EX_OK)
		status = submission_run(&g->c->s, STDIN_FILENO, id, err);
	send_built_release(&built);
	return status;
}

/* What another try would refuse as well is a result. */
static bool is_final(int status) {
	return status == EX_OK || status == EX_DATAERR || status == EX_UNAVAILABLE ||
	       status == EX_NOPERM;
}

static int queue_row(struct merge *g) {
	AUTO_BUF struct buf to = BUF_INIT(SIZE_MAX / 8);
	AUTO_BUF struct buf words = BUF_INIT(STATUS_MAX);
	struct queue_id id;
	struct queue_id_text text = { "" };
	struct err err = ERR_INIT;
	int status = store(g, &id, &err);
	if (!is_final(status))
		return cli_fail(
			send_program, status,
			"row %zu: not queued: %s; the same command goes on from here",
			g->rows.count, err.msg);
	recipients_of(g, &to);
	if (status == EX_OK)
		text = queue_id_text(&id);
	if (status == EX_OK)
		buf_adds(&words, "queued");
	else
		buf_addf(&words, "refused: %s", err.msg);
	g->queued += status == EX_OK;
	g->refused += status != EX_OK;
	if (status != EX_OK)
		g->status = cli_fail(send_program, status, "row %zu: not queued: %s",
				     g->rows.count, err.msg);
	if (send_results_add(&g->results, g->rows.count, buf_span(&to), span_str(text.s),
			     buf_str(&words), &err) != 0)
		return cli_fail(send_program, EX_IOERR,
				"row %zu was %s, and then: %s; stopped", g->rows.count,
				buf_str(&words), err.msg);
	report_row(g, span_str(text.s), buf_str(&words));
	return EX_OK;
}

static int queue_rows(struct merge *g) {
	struct err err = ERR_INIT;
	int got, status = EX_OK;
	if (start_rows(g, &err) != 0)
		return complain(EX_DATAERR, &err);
	while (status == EX_OK && (got = next_message(g, &err)) > 0) {
		if (!send_results_of(&g->results, g->rows.count))
			status = queue_row(g);
		draw(g, false);
	}
	draw(g, true);
	report_all(g);
	return status != EX_OK ? status : g->status;
}

/* --- looking at it first --- */

/* Makes the first message that is to be sent, and shows it. */
static int show_first(struct merge *g) {
	struct send_built built;
	struct err err = ERR_INIT;
	int got = start_rows(g, &err) == 0 ? 1 : -1;
	while (got > 0 && (got = next_message(g, &err)) > 0)
		if (!send_results_of(&g->results, g->rows.count))
			break;
	if (got <= 0)
		return complain(EX_DATAERR, &err);
	int status = send_message_build(g->c, &g->m, &built, &err);
	if (status == EX_OK)
		status = send_dry_run(g->c, buf_span(&g->m.text));
	else
		complain(status, &err);
	send_built_release(&built);
	return status;
}

static bool agree(const struct merge *g) {
	char answer[16] = "";
	fflush(stdout);
	fprintf(stderr, "queue %zu messages like this one? [y/N] ", g->count - g->done);
	ssize_t n = read(STDIN_FILENO, answer, sizeof(answer) - 1);
	return n > 0 && (answer[0] == 'y' || answer[0] == 'Y');
}

static int look_then_queue(struct merge *g) {
	bool ask = !g->c->yes && isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
	if (g->done > 0)
		report_done(g);
	if (g->done == g->count)
		return EX_OK;
	if (g->c->dry_run || ask) {
		int status = show_first(g);
		if (status != EX_OK)
			return status;
	}
	if (g->c->dry_run) {
		if (!g->c->json)
			printf("%zu messages in all, %zu of them queued before\n",
			       g->count, g->done);
		return EX_OK;
	}
	if (ask && !agree(g))
		return cli_fail(send_program, EX_OK, "nothing was queued");
	return queue_rows(g);
}

static int run(struct merge *g) {
	struct err err = ERR_INIT;
	if (read_files(g, &err) != 0)
		return complain(EX_NOINPUT, &err);
	if (send_merge_template_read(&g->t, g->c, buf_span(&g->template),
				     g->c->html ? span_of(buf_str(&g->html), g->html.len)
						: span_of(NULL, 0),
				     &err) != 0) {
		err_prefix(&err, "%s", g->c->template);
		return complain(EX_DATAERR, &err);
	}
	int status = check_rows(g);
	if (status == EX_OK)
		status = open_results(g);
	return status == EX_OK ? look_then_queue(g) : status;
}

int send_merge(struct send_call *c) {
	struct merge *g = calloc(1, sizeof(*g));
	if (!g)
		return cli_fail(send_program, EX_OSERR, "out of memory");
	g->c = c;
	buf_init(&g->template, c->s.settings->size_limit);
	buf_init(&g->html, c->s.settings->size_limit);
	buf_init(&g->data, DATA_MAX);
	row_init(&g->row);
	send_message_init(&g->m);
	int status = run(g);
	if (g->has_results)
		send_results_release(&g->results);
	send_message_release(&g->m);
	rows_release(&g->rows);
	row_release(&g->row);
	buf_release(&g->template);
	buf_release(&g->html);
	buf_release(&g->data);
	free(g);
	return status;
}
