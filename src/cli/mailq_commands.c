/*
 * The commands of mailq, on top of mailq_source.h. What comes back are lines of JSON,
 * printed as they are or as text; printing ends early when nobody reads.
 */

#include "cli/mailq.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/mailq_text.h"
#include "mail/header.h"
#include "queue/fsck.h"

static const char program[] = "mailq";

static int fail(const struct err *err) {
	int status = EX_TEMPFAIL;
	if (err->kind == ERR_DENIED)
		status = EX_NOPERM;
	else if (err->kind == ERR_MISSING)
		status = EX_NOINPUT;
	else if (err->kind == ERR_LIMIT || err->kind == ERR_SYNTAX)
		status = EX_USAGE;
	return cli_fail(program, status, "%s", err->msg);
}

static int print_json(void *ctx, struct span line) {
	(void)ctx;
	fwrite(line.p, 1, line.len, stdout);
	putchar('\n');
	return ferror(stdout);
}

static int print_message(void *ctx, struct span line) {
	mailq_text_message(ctx, line);
	return ferror(stdout);
}

/* A spool that is not there is an empty queue: nothing was ever queued. */
static int open_source(struct mailq *m, struct mailq_source *s, bool *ret_nothing,
		       struct err *err) {
	*ret_nothing = false;
	if (cli_become_owner(&m->settings, err) == 0 &&
	    mailq_source_open(s, &m->settings, m->deliverable, err) == 0)
		return 0;
	*ret_nothing = err->kind == ERR_MISSING;
	return -1;
}

int mailq_list(struct mailq *m) {
	struct mailq_source s = { .settings = &m->settings };
	struct err err = ERR_INIT;
	struct mailq_text text = { .color = term_use_color(m->color, stdout) };
	bool nothing;
	if (open_source(m, &s, &nothing, &err) != 0) {
		if (!nothing || m->count)
			return fail(&err);
	} else {
		int r = mailq_source_list(&s, m->ids, m->count, m->all,
					  m->json ? print_json : print_message, &text,
					  &err);
		mailq_source_close(&s);
		if (r != 0)
			return fail(&err);
	}
	if (!m->json)
		mailq_text_end(&text);
	if (s.unreadable)
		cli_fail(program, 0,
			 "%lu files of the queue cannot be read; see 'mailq check'",
			 s.unreadable);
	return EX_OK;
}

struct shown {
	struct mailq_text text;
	bool json;
	unsigned seen;
};

static int show_line(void *ctx, struct span line) {
	struct shown *s = ctx;
	s->seen++;
	if (s->json)
		return print_json(NULL, line);
	mailq_text_details(&s->text, line);
	return 0;
}

static int read_content(struct queue *q, const struct queue_id *id, bool dead, bool body,
			struct buf *out, struct err *err) {
	struct queue_message msg;
	if (queue_read(q, id, dead, &msg, NULL, err) != 0)
		return -1;
	size_t len = (size_t)msg.content_len;
	if (!body && len > HEADER_BLOCK_MAX)
		len = HEADER_BLOCK_MAX;
	AUTO_FD int fd = queue_open_content(q, id, dead);
	char *room = buf_room(out, len);
	ssize_t n = -1;
	if (fd >= 0 && room)
		n = file_pread_all(fd, room, len, (int64_t)msg.content_offset);
	queue_message_release(&msg);
	if (!room)
		return err_set(err, ERR_MEMORY, "not enough memory for the message");
	if (n < 0)
		return err_sys(err, "cannot read the message");
	buf_grew(out, (size_t)n);
	return 0;
}

static void print_lines(struct span rest) {
	bool safe = isatty(STDOUT_FILENO);
	struct span line;
	while (span_take_line(&rest, &line) && !ferror(stdout)) {
		if (safe)
			term_print(stdout, line);
		else
			fwrite(line.p, 1, line.len, stdout);
		putchar('\n');
	}
}

/* Prints the message's header, or all of it. */
static int print_content(const struct mailq *m, struct err *err) {
	AUTO_BUF struct buf content = BUF_INIT(SIZE_MAX / 4);
	struct queue_id id;
	bool dead;
	struct queue *q = queue_open(m->settings.dir, err);
	int r = q ? queue_find(q, span_str(m->ids[0]), &id, &dead, err) : -1;
	if (r == 0)
		r = read_content(q, &id, dead, m->body, &content, err);
	queue_free(q);
	if (r != 0)
		return -1;
	struct span all = buf_span(&content);
	print_lines(m->body ? all : span_head(all, header_block_len(all)));
	return 0;
}

int mailq_show(struct mailq *m) {
	struct mailq_source s;
	struct err err = ERR_INIT;
	struct shown shown = { { .color = term_use_color(m->color, stdout) },
			       m->json,
			       0 };
	bool nothing;
	if (open_source(m, &s, &nothing, &err) != 0)
		return fail(&err);
	int r = mailq_source_list(&s, m->ids, 1, true, show_line, &shown, &err);
	mailq_source_close(&s);
	if (r == 0 && shown.seen == 0)
		r = err_set(&err, ERR_MISSING, "%s: it is gone", m->ids[0]);
	if (r == 0 && !m->json) {
		putchar('\n');
		r = print_content(m, &err);
	}
	return r != 0 ? fail(&err) : EX_OK;
}

struct applied {
	const char *verb;
	bool json, daemon;
	unsigned failed;
};

static int applied_line(void *ctx, struct span line) {
	struct applied *a = ctx;
	if (mailq_text_failed(line))
		a->failed++;
	if (a->json)
		print_json(NULL, line);
	else
		mailq_text_answer(a->verb, a->daemon, line);
	return 0;
}

int mailq_apply(struct mailq *m, const char *verb) {
	struct mailq_source s;
	struct err err = ERR_INIT;
	struct applied a = { .verb = verb, .json = m->json };
	bool nothing;
	if (open_source(m, &s, &nothing, &err) != 0)
		return nothing && m->all ? EX_OK : fail(&err);
	a.daemon = !s.q;
	int r = mailq_source_apply(&s, verb, m->ids, m->count, m->all, applied_line, &a,
				   &err);
	mailq_source_close(&s);
	if (r != 0)
		return fail(&err);
	return a.failed ? EX_TEMPFAIL : EX_OK;
}

/* --- check --- */

static void print_flaw(void *ctx, const char *name, const char *words) {
	const struct mailq *m = ctx;
	AUTO_BUF struct buf out = BUF_INIT(SIZE_MAX / 4);
	if (m->json) {
		struct json j = json_into(&out);
		json_object(&j, NULL);
		json_str(&j, "name", span_str(name));
		json_str(&j, "flaw", span_str(words));
		json_end(&j);
		puts(buf_str(&out));
		return;
	}
	term_print(stdout, span_str(name));
	fputs(": ", stdout);
	term_print(stdout, span_str(words));
	putchar('\n');
}

static void print_counts(const struct mailq *m, const struct fsck_report *r) {
	const struct {
		const char *key, *words;
		unsigned long count;
	} counts[] = {
		{ "sound", "sound", r->sound },
		{ "incomplete", "incomplete", r->incomplete },
		{ "damaged", "damaged", r->damaged },
		{ "finished", "finished", r->finished },
		{ "torn", "with a torn end", r->journal_tails },
		{ "strange", "strange names", r->strangers },
		{ "dead", "in dead/", r->dead },
		{ "repaired", "repaired", r->repaired },
	};
	AUTO_BUF struct buf out = BUF_INIT(4096);
	struct json j = json_into(&out);
	if (m->json)
		json_object(&j, NULL);
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		if (m->json)
			json_int(&j, counts[i].key, (int64_t)counts[i].count);
		else
			buf_addf(&out, "%s%lu %s", i ? ", " : "", counts[i].count,
				 counts[i].words);
	}
	if (m->json)
		json_end(&j);
	puts(buf_str(&out));
}

/* To repair, mailq must own the spool; to look, nobody needs to stop for it. */
static int open_to_check(struct mailq *m, struct mailq_source *s, struct err *err) {
	bool nothing;
	if (!m->repair) {
		if (cli_become_owner(&m->settings, err) != 0)
			return -1;
		s->q = queue_open(m->settings.dir, err);
		return s->q ? 0 : -1;
	}
	if (open_source(m, s, &nothing, err) != 0)
		return -1;
	if (!s->q)
		return err_set(
			err, ERR_TIMEOUT,
			"nightmaild is running; it repairs when it starts: stop it first");
	return 0;
}

int mailq_check(struct mailq *m) {
	struct err err = ERR_INIT;
	struct fsck_report r;
	struct mailq_source s = { .settings = &m->settings };
	if (open_to_check(m, &s, &err) != 0)
		return fail(&err);
	int status = queue_fsck(s.q, m->repair, print_flaw, m, &r, &err);
	mailq_source_close(&s);
	if (status != 0)
		return fail(&err);
	print_counts(m, &r);
	unsigned long bad = r.incomplete + r.damaged + r.finished + r.journal_tails +
			    r.strangers;
	return bad > r.repaired ? EX_DATAERR : EX_OK;
}
