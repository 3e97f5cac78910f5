/*
 * The commands of mailq, on top of mailq_source.h. What comes back are lines of JSON,
 * printed as they are or as text; printing ends early when nobody reads.
 */

#include "cli/mailq.h"

#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/mailq_select.h"
#include "cli/mailq_text.h"
#include "queue/drop.h"
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

static const char *const *ids_of(const struct mailq *m) {
	return (const char *const *)m->ids;
}

struct listing {
	const struct mailq *call;
	struct mailq_text text;
	unsigned long others; /* in the queue, and not shown */
};

static int list_line(void *ctx, struct span line) {
	struct listing *l = ctx;
	if (!mailq_select(&l->call->filter, line)) {
		l->others += !mailq_select_is_dead(line);
		return 0;
	}
	if (l->call->json)
		return print_json(NULL, line);
	mailq_text_message(&l->text, line);
	return ferror(stdout);
}

/* IDs and filters find messages in dead/ as well, a filter when it names that state. */
static bool with_dead(const struct mailq *m) {
	return m->all || (m->count == 0 && mailq_select_dead(&m->filter));
}

static int count_line(void *ctx, struct span line) {
	(void)line;
	++*(unsigned long *)ctx;
	return 0;
}

/* Filters, perhaps of messages named, let none pass. */
static int end_without_match(struct mailq_source *s, struct listing *l, struct err *err) {
	if (l->call->count > 0) {
		l->others = 0;
		if (mailq_source_list(s, NULL, 0, false, count_line, &l->others, err) != 0)
			return -1;
	}
	printf("No message matches; %lu in the queue\n", l->others);
	return 0;
}

/* The last line of a list; JSON has none. */
static int end_list(struct mailq_source *s, struct listing *l, struct err *err) {
	if (l->call->json)
		return 0;
	if (l->text.messages == 0 && (l->call->filter.count > 0 || l->call->count > 0))
		return end_without_match(s, l, err);
	mailq_text_end(&l->text);
	return 0;
}

/* What users left in drop/ can be read by its group; root alone can join that. */
static void join_drop_group(const struct settings *settings) {
	gid_t gid;
	if (geteuid() == 0 && drop_group(settings->dir, &gid) && setgroups(1, &gid) != 0)
		cli_fail(program, 0, "drop/ cannot be looked into");
}

/* A spool that is not there is an empty queue: nothing was ever queued. */
static int open_source(struct mailq *m, struct mailq_source *s, bool *ret_nothing,
		       struct err *err) {
	*ret_nothing = false;
	join_drop_group(&m->settings);
	if (cli_become_owner(&m->settings, err) == 0 &&
	    mailq_source_open(s, &m->settings, m->deliverable, err) == 0)
		return 0;
	*ret_nothing = err->kind == ERR_MISSING;
	return -1;
}

int mailq_list(struct mailq *m) {
	struct mailq_source s = { .settings = &m->settings };
	struct err err = ERR_INIT;
	struct listing l = { m, { .color = term_use_color(m->color, stdout) }, 0 };
	bool nothing;
	l.text.columns = mailq_text_columns();
	if (open_source(m, &s, &nothing, &err) != 0) {
		if (!nothing || m->count)
			return fail(&err);
		end_list(&s, &l, &err);
	} else {
		int r = mailq_source_list(&s, ids_of(m), m->count, with_dead(m), list_line, &l,
					  &err);
		if (r == 0)
			r = end_list(&s, &l, &err);
		mailq_source_close(&s);
		if (r != 0)
			return fail(&err);
	}
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
	struct buf content;
};

/* First the description, then the content in pieces. */
static int show_line(void *ctx, struct span line) {
	struct shown *s = ctx;
	if (s->seen++ > 0)
		return mailq_text_content(line, &s->content);
	if (s->json)
		return print_json(NULL, line);
	mailq_text_details(&s->text, line);
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

int mailq_show(struct mailq *m) {
	struct mailq_source s;
	struct err err = ERR_INIT;
	struct shown shown = { .text = { .color = term_use_color(m->color, stdout) },
			       .json = m->json };
	bool nothing;
	shown.text.columns = mailq_text_columns();
	if (open_source(m, &s, &nothing, &err) != 0)
		return fail(&err);
	buf_init(&shown.content, SIZE_MAX / 4);
	int r = mailq_source_show(&s, m->ids[0], m->body, show_line, &shown, &err);
	mailq_source_close(&s);
	if (r == 0 && buf_failed(&shown.content))
		r = err_set(&err, ERR_MEMORY, "not enough memory for the message");
	if (r == 0 && !m->json) {
		putchar('\n');
		print_lines(buf_span(&shown.content));
	}
	buf_release(&shown.content);
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

/* With a filter: the messages are those of a listing that pass. */
static int apply(const struct mailq *m, struct mailq_source *s, struct applied *a,
		 struct err *err) {
	if (m->filter.count == 0)
		return mailq_source_apply(s, a->verb, ids_of(m), m->count, m->all, applied_line, a,
					  err);
	struct mailq_ids ids = { .filter = &m->filter };
	int r = mailq_source_list(s, ids_of(m), m->count, with_dead(m), mailq_ids_take, &ids,
				  err);
	if (r == 0 && ids.no_memory)
		r = err_set(err, ERR_MEMORY, "out of memory");
	if (r == 0 && ids.count > 0)
		r = mailq_source_apply(s, a->verb, (const char *const *)ids.id, ids.count, true,
				       applied_line, a, err);
	mailq_ids_release(&ids);
	return r;
}

int mailq_apply(struct mailq *m, const char *verb) {
	struct mailq_source s;
	struct err err = ERR_INIT;
	struct applied a = { .verb = verb, .json = m->json };
	bool nothing;
	if (open_source(m, &s, &nothing, &err) != 0)
		return nothing && m->count == 0 ? EX_OK : fail(&err);
	a.daemon = !s.q;
	int r = apply(m, &s, &a, &err);
	mailq_source_close(&s);
	if (r != 0)
		return fail(&err);
	return a.failed ? EX_TEMPFAIL : EX_OK;
}

int mailq_edit(struct mailq *m) {
	struct mailq_source s;
	struct err err = ERR_INIT;
	struct applied a = { .verb = "edit", .json = m->json };
	bool nothing;
	if (open_source(m, &s, &nothing, &err) != 0)
		return fail(&err);
	a.daemon = !s.q;
	int r = mailq_source_edit(&s, m->ids[0], buf_span(&m->changes), applied_line, &a, &err);
	mailq_source_close(&s);
	return r != 0 ? fail(&err) : EX_OK;
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
