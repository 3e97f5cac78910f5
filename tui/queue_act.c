/*
 * Acting on messages. The IDs are taken when the key is pressed, so that a question is about
 * what the person saw, whatever happens to the queue until it is answered.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "mail/addr.h"
#include "tui/queue_state.h"

#define LINE_MAX_EDIT 4000u
#define PAGE_MAX (8u << 20)

static const struct {
	const char *done; /* what happened to those it was done to */
} words[] = {
	[MODEL_FLUSH] = { "due now; behind a held relay with its next try" },
	[MODEL_HOLD] = { "held; R releases" },
	[MODEL_RELEASE] = { "released" },
	[MODEL_DELETE] = { "deleted; what was not in dead/ yet is kept there for a day" },
	[MODEL_BOUNCE] = { "given up; the sender is told" },
	[MODEL_EDIT] = { "changed" },
};

static void add_count(struct buf *out, size_t n) {
	buf_addf(out, "%zu %s", n, n == 1 ? "message" : "messages");
}

/* Takes the IDs of the tagged messages, or that of the selected one. -1: there is none. */
static int choose(struct queue_view *q) {
	size_t count = q->for_tagged ? q->list.tagged : q->list.count > 0;
	free(q->chosen);
	q->chosen = calloc(count ? count : 1, sizeof(*q->chosen));
	q->chosen_count = 0;
	q->from_tags = q->for_tagged;
	q->for_tagged = false;
	if (!q->chosen || count == 0) {
		app_say(q->app, ROLE_BAD, "no message is selected");
		return -1;
	}
	for (size_t i = 0; i < q->list.count && q->chosen_count < count; i++) {
		const struct tui_list_row *row = &q->list.rows[i];
		if (q->from_tags ? row->tagged : tui_list_is_selected(&q->list, row))
			memcpy(q->chosen[q->chosen_count++], row->id,
			       strnlen(row->id, MODEL_ID_SIZE - 1));
	}
	return 0;
}

static void start(struct queue_view *q) {
	struct err err = ERR_INIT;
	const char **ids = calloc(q->chosen_count, sizeof(*ids));
	for (size_t i = 0; ids && i < q->chosen_count; i++)
		ids[i] = q->chosen[i];
	if (!ids)
		err_set(&err, ERR_MEMORY, "out of memory");
	else if (model_act(q->model, q->act, ids, q->chosen_count, &err) == 0)
		q->watching = true;
	if (err.msg[0])
		app_say(q->app, ROLE_BAD, "%s", err.msg);
	else if (q->from_tags)
		tui_list_untag(&q->list);
	free(ids);
	queue_act_watch(q);
}

static void answered(void *ctx, bool yes) {
	struct queue_view *q = ctx;
	if (yes)
		start(q);
	else
		app_say(q->app, ROLE_NORMAL, "nothing was done");
}

/* How many of the chosen ones are in dead/. */
static size_t dead_ones(const struct queue_view *q) {
	size_t dead = 0;
	for (size_t i = 0; i < q->chosen_count; i++) {
		const struct model_row *r = model_find(q->model, q->chosen[i]);
		dead += r && r->state == MODEL_DEAD;
	}
	return dead;
}

/* On a small screen the question alone has room. */
static void ask(struct queue_view *q) {
	AUTO_BUF struct buf question = BUF_INIT(256);
	size_t dead = dead_ones(q);
	buf_adds(&question, q->act == MODEL_BOUNCE ? "Bounce " : "Delete ");
	add_count(&question, q->chosen_count);
	if (q->act == MODEL_DELETE && dead == q->chosen_count)
		buf_adds(&question, " for good");
	else if (q->act == MODEL_DELETE && dead)
		buf_addf(&question, ", %zu for good", dead);
	buf_addc(&question, '?');
	if (q->act == MODEL_BOUNCE && !q->small)
		buf_addf(&question, " %s given up, and the sender is told",
			 q->chosen_count == 1 ? "It is" : "They are");
	else if (q->act == MODEL_DELETE && !q->small && dead < q->chosen_count)
		buf_adds(&question, " No bounce; kept in dead/ for a day");
	app_ask(q->app, buf_str(&question), answered, q);
}

void queue_act(struct queue_view *q, enum model_act act) {
	struct err err = ERR_INIT;
	q->act = act;
	if (model_may_act(q->model, act, &err) != 0) {
		q->for_tagged = false;
		app_say(q->app, ROLE_BAD, "%s", err.msg);
		return;
	}
	if (choose(q) != 0)
		return;
	if (act == MODEL_DELETE || act == MODEL_BOUNCE)
		ask(q);
	else
		start(q);
}

void queue_act_watch(struct queue_view *q) {
	const struct model_job *j = model_job(q->model);
	AUTO_BUF struct buf text = BUF_INIT(512);
	if (!q->watching)
		return;
	if (j->running) {
		if (j->total > 1)
			app_say(q->app, ROLE_NORMAL, "%s: %zu of %zu",
				model_act_name(j->act), j->done + j->failed, j->total);
		return;
	}
	q->watching = false;
	if (j->done || !j->failed) {
		add_count(&text, j->done);
		buf_addf(&text, " %s", words[j->act].done);
		if (j->later)
			buf_addf(&text, " (%zu once the attempt under way has ended)",
				 j->later);
		if (j->new_id[0])
			buf_addf(&text, ": it is %s now", j->new_id);
	}
	if (j->failed)
		buf_addf(&text, "%s%zu not %s: %s", j->done ? "; " : "", j->failed,
			 j->act == MODEL_FLUSH ? "tried" : "done", j->error);
	app_say(q->app, j->failed ? ROLE_BAD : ROLE_GOOD, "%s", buf_str(&text));
}

/* --- recipients --- */

/* Takes one address of a list with commas; quotes may hold commas. */
static bool take_address(struct span *in, struct span *ret) {
	bool quoted = false;
	size_t n = 0;
	if (in->len == 0)
		return false;
	for (; n < in->len && (quoted || in->p[n] != ','); n++) {
		if (in->p[n] == '\\' && quoted && n + 1 < in->len)
			n++;
		else
			quoted ^= in->p[n] == '"';
	}
	*ret = span_trim(span_head(*in, n));
	*in = span_from(*in, n + 1);
	return true;
}

static bool has_address(struct span list, struct span address) {
	struct span a;
	while (take_address(&list, &a))
		if (span_eq(a, address))
			return true;
	return false;
}

/* Appends those of `list` that `other` lacks, one a line. -1: one is no address. */
static int add_missing(struct buf *out, struct span list, struct span other,
		       struct err *err) {
	struct span a;
	struct addr parts;
	while (take_address(&list, &a)) {
		if (a.len == 0 || has_address(other, a))
			continue;
		if (addr_parse(a, ADDR_SUBMITTED, &parts, err) != 0)
			return -1;
		buf_add(out, a);
		buf_addc(out, '\n');
	}
	return 0;
}

/* Appends the recipients that still wait, as the person is to edit them. */
static int add_waiting(struct queue_view *q, const struct model_row *row,
		       struct buf *out) {
	const struct model_detail *d = model_detail(q->model);
	if (d->state != MODEL_DETAIL_READY || strcmp(d->id, row->id) != 0)
		return -1;
	for (size_t i = 0; i < d->recipients; i++) {
		const struct model_recipient *r = &d->recipient[i];
		if (strcmp(r->state, "delivered") == 0)
			continue;
		buf_adds(out, out->len ? ", " : "");
		buf_adds(out, r->address);
	}
	return 0;
}

static void edited(void *ctx, const struct app_line *line) {
	struct queue_view *q = ctx;
	AUTO_BUF struct buf before = BUF_INIT(LINE_MAX_EDIT),
			    old = BUF_INIT(2 * LINE_MAX_EDIT),
			    new = BUF_INIT(2 * LINE_MAX_EDIT);
	struct err err = ERR_INIT;
	const struct model_row *row = model_find(q->model, q->chosen[0]);
	if (!line->done || line->given_up)
		return;
	if (!row || add_waiting(q, row, &before) != 0)
		err_set(&err, ERR_MISSING,
			"the message changed meanwhile; nothing was done");
	else if (add_missing(&old, buf_span(&before), line->text, &err) == 0 &&
		 add_missing(&new, line->text, buf_span(&before), &err) == 0 &&
		 model_edit(q->model, q->chosen[0], buf_span(&old), buf_span(&new),
			    &err) == 0)
		q->watching = true;
	if (err.msg[0])
		app_say(q->app, ROLE_BAD, "%s", err.msg);
	queue_act_watch(q);
}

void queue_act_edit(struct queue_view *q) {
	AUTO_BUF struct buf text = BUF_INIT(LINE_MAX_EDIT);
	struct err err = ERR_INIT;
	const struct model_row *row = queue_selected(q);
	q->for_tagged = false; /* each message has recipients of its own */
	if (model_may_act(q->model, MODEL_EDIT, &err) != 0) {
		app_say(q->app, ROLE_BAD, "%s", err.msg);
		return;
	}
	if (choose(q) != 0 || !row)
		return;
	if (add_waiting(q, row, &text) != 0)
		app_say(q->app, ROLE_BAD, "the message is still being read; try again");
	else if (buf_failed(&text))
		app_say(q->app, ROLE_BAD,
			"too many recipients for one line; 'mailq edit %s' can", row->id);
	else
		app_prompt(q->app, "To: ", buf_span(&text), edited, q);
}

/* --- pager --- */

/* An unnamed file in memory with this content, at its start. -1 with errno. */
static int file_of(struct span content) {
	AUTO_FD int fd = memfd_create("message", MFD_CLOEXEC);
	while (fd >= 0 && content.len) {
		ssize_t n = write(fd, content.p, content.len);
		if (n < 0 && errno != EINTR)
			return -1;
		content = span_from(content, n > 0 ? (size_t)n : 0);
	}
	if (fd < 0 || lseek(fd, 0, SEEK_SET) != 0)
		return -1;
	return take_fd(&fd);
}

void queue_act_pager(struct queue_view *q) {
	static const char *const argv[] = {
		"/bin/sh", "-c",
		"if test -n \"$PAGER\"; then eval \"exec $PAGER\"; "
		"elif command -v less >/dev/null; then exec less; else exec more; fi",
		NULL
	};
	const struct model_detail *d = model_detail(q->model);
	AUTO_BUF struct buf page = BUF_INIT(PAGE_MAX);
	struct err err = ERR_INIT;
	if (d->state != MODEL_DETAIL_READY) {
		app_say(q->app, ROLE_BAD, "the message is still being read; try again");
		return;
	}
	queue_text_page(&page, d);
	AUTO_FD int fd = file_of(buf_span(&page));
	if (fd < 0)
		err_sys(&err, "the message cannot be put into a file");
	else if (app_run_program(q->app, argv, fd, &err) != 0 && !err.msg[0])
		err_set(&err, ERR_SYSTEM, "the pager failed; $PAGER names it");
	if (err.msg[0])
		app_say(q->app, ROLE_BAD, "%s", err.msg);
}
