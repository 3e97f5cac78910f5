/* The two ways to the queue; see mailq_source.h. */

#include "cli/mailq_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/codec.h"
#include "base/json.h"
#include "deliver/content.h"
#include "deliver/verb.h"
#include "deliver/verb_edit.h"
#include "queue/drop.h"
#include "queue/segment.h"

#define ANSWER_TIMEOUT_MS 60000
#define PATH_CEILING 4096u
#define LINE_MAX_LIST (64u << 20)
#define REPLAY_TRIES 300 /* of 100 ms: workers of a daemon that died leave within 30 s */
#define REPLAY_SILENT 10
#define IDS_A_REQUEST 1000u

static void control_path(const struct settings *settings, struct buf *out) {
	buf_addf(out, "%s/control", settings->rundir);
}

static bool daemon_answers(const struct settings *settings) {
	AUTO_BUF struct buf path = BUF_INIT(PATH_CEILING);
	control_path(settings, &path);
	return control_reachable(buf_str(&path));
}

/* Takes the lock and settles what workers left behind. */
static int own_spool(struct queue *q, struct err *err) {
	unsigned busy = 0;
	if (queue_own(q, err) != 0)
		return -1;
	for (int i = 0; i < REPLAY_TRIES; i++) {
		if (segment_replay_all(q, &busy, err) != 0)
			return -1;
		if (busy == 0)
			return 0;
		if (i == REPLAY_SILENT && isatty(STDERR_FILENO))
			fprintf(stderr,
				"waiting for %u delivery workers of an ended daemon, "
				"at most 30 s\n",
				busy);
		usleep(100000);
	}
	return err_set(err, ERR_DENIED,
		       "%u delivery workers of an ended daemon are still busy", busy);
}

static int not_ours(const struct settings *settings, struct err *err) {
	return err_set(err, ERR_DENIED,
		       "nightmaild is not running, and only root and the owner of %s may look "
		       "into it",
		       settings->dir);
}

int mailq_source_open(struct mailq_source *s, const struct settings *settings,
		      bool deliverable, struct err *err) {
	*s = (struct mailq_source){ .settings = settings, .deliverable = deliverable };
	if (daemon_answers(settings))
		return 0;
	struct queue *q = queue_open(settings->dir, err);
	if (!q && (err->sys == EACCES || err->sys == EPERM))
		return not_ours(settings, err);
	if (!q)
		return -1;
	if (!queue_may_own(q))
		not_ours(settings, err);
	else if (own_spool(q, err) == 0)
		s->q = q;
	if (!s->q) {
		queue_free(q);
		return -1;
	}
	return 0;
}

void mailq_source_close(struct mailq_source *s) {
	queue_free(s->q);
	s->q = NULL;
}

static int ask_daemon(const struct mailq_source *s, struct span request,
		      control_line_fn *fn, void *ctx, struct err *err) {
	AUTO_BUF struct buf path = BUF_INIT(PATH_CEILING);
	control_path(s->settings, &path);
	return control_ask(buf_str(&path), request, ANSWER_TIMEOUT_MS, fn, ctx, err);
}

static int ask(const struct mailq_source *s, const char *verb, const char *const ids[],
	       size_t count, bool all, control_line_fn *fn, void *ctx, struct err *err) {
	AUTO_BUF struct buf request = BUF_INIT(CONTROL_REQUEST_MAX);
	size_t i = 0;
	int r = 0;
	do {
		buf_reset(&request);
		buf_adds(&request, verb);
		if (all)
			codec_word_add_int(&request, "all", 1);
		for (size_t n = 0; i < count && n < IDS_A_REQUEST; n++)
			codec_word_add(&request, "id", span_str(ids[i++]));
		if (buf_failed(&request))
			return err_set(err, ERR_SYNTAX, "that is no queue id");
		r = ask_daemon(s, buf_span(&request), fn, ctx, err);
	} while (r == 0 && i < count);
	return r;
}

/* The messages that a request without a daemon is about. */
struct chosen {
	struct mailq_source *s;
	struct chosen_one {
		struct queue_id id;
		bool dead;
	} * one;
	size_t count, room;
	bool dead; /* names being added are in dead/ */
};

static int choose(void *ctx, const struct queue_id *id) {
	struct chosen *c = ctx;
	if (c->count == c->room) {
		size_t room = c->room ? 2 * c->room : 64;
		struct chosen_one *more = reallocarray(c->one, room, sizeof(*more));
		if (!more)
			return 1;
		c->one = more;
		c->room = room;
	}
	c->one[c->count++] = (struct chosen_one){ *id, c->dead };
	return 0;
}

/* lenient: what is not in the queue is passed over. */
static int choose_named(struct chosen *c, const char *const ids[], size_t count, bool lenient,
			struct err *err) {
	for (size_t i = 0; i < count; i++) {
		struct queue_id id;
		if (queue_find(c->s->q, span_str(ids[i]), &id, &c->dead, err) != 0) {
			if (lenient && err->kind == ERR_MISSING)
				continue;
			return -1;
		}
		if (choose(c, &id) != 0)
			return 1;
	}
	return 0;
}

static int choose_all(struct chosen *c, bool dead, struct err *err) {
	int r = queue_scan(c->s->q, false, choose, c, err);
	c->dead = true;
	return r == 0 && dead ? queue_scan(c->s->q, true, choose, c, err) : r;
}

static int by_time(const void *a, const void *b) {
	const struct chosen_one *x = a, *y = b;
	return queue_id_cmp(&x->id, &y->id);
}

/* Fills c with the messages named, or, when none is, with all. */
static int gather(struct chosen *c, const char *const ids[], size_t count, bool dead,
		  bool lenient, struct err *err) {
	int r = count ? choose_named(c, ids, count, lenient, err) : choose_all(c, dead, err);
	if (r > 0)
		return err_set(err, ERR_MEMORY, "out of memory");
	if (r == 0 && c->count > 0)
		qsort(c->one, c->count, sizeof(*c->one), by_time);
	return r;
}

static void list_locally(struct chosen *c, control_line_fn *fn, void *ctx) {
	struct verb_live live = { .deliverable = c->s->deliverable };
	int r = 0;
	for (size_t i = 0; i < c->count && r == 0; i++) {
		AUTO_BUF struct buf line = BUF_INIT(LINE_MAX_LIST);
		struct err err = ERR_INIT;
		if (verb_describe(c->s->q, &c->one[i].id, c->one[i].dead, &live, &line,
				  &err) == 0)
			r = fn(ctx, span_trim(buf_span(&line)));
		else
			c->s->unreadable += err.kind != ERR_MISSING;
	}
}

struct dropped {
	struct mailq_source *s;
	control_line_fn *fn;
	void *ctx;
};

/* A file that is being written is no message yet; one that is damaged is told. */
static bool list_dropped_one(void *ctx, const struct queue_id *id) {
	const struct dropped *d = ctx;
	struct verb_live live = { .dropped = true };
	AUTO_BUF struct buf line = BUF_INIT(LINE_MAX_LIST);
	struct drop_file f;
	struct err err = ERR_INIT;
	enum drop_fate fate = drop_take(d->s->q, id, d->s->settings->size_limit, &f, &err);
	if (fate == DROP_BUSY)
		return false;
	if (fate != DROP_TAKEN) {
		d->s->unreadable++;
		return false;
	}
	bool stop = false;
	if (drop_read(&f, id, &err) == DROP_TAKEN &&
	    verb_describe_message(d->s->q, &f.m, false, &live, &line, &err) == 0)
		stop = d->fn(d->ctx, span_trim(buf_span(&line))) != 0;
	else
		d->s->unreadable++;
	drop_release(&f);
	return stop;
}

/* What ordinary users left for the daemon. */
static int list_dropped(struct mailq_source *s, control_line_fn *fn, void *ctx,
			struct err *err) {
	struct dropped d = { s, fn, ctx };
	return drop_each(s->q, list_dropped_one, &d, err);
}

static void apply_locally(struct chosen *c, enum verb_act act, bool all,
			  control_line_fn *fn, void *ctx) {
	int stop = 0;
	for (size_t i = 0; i < c->count && stop == 0; i++) {
		AUTO_BUF struct buf line = BUF_INIT(4096);
		struct json j = json_into(&line);
		struct chosen_one *one = &c->one[i];
		struct err why = ERR_INIT;
		struct verb_wish wish = { .act = act };
		int r = verb_apply(c->s->q, c->s->settings, &wish, &one->id, one->dead,
				   &why);
		if (r != 0 && all && verb_passed_over(act, &why))
			continue;
		json_object(&j, NULL);
		json_str(&j, "id", span_str(queue_id_text(&one->id).s));
		if (r == 0)
			json_bool(&j, "pending", false);
		if (r == 0 && one->dead && act == VERB_DELETE)
			json_bool(&j, "purged", true);
		if (r != 0)
			json_str(&j, "error", span_str(why.msg));
		json_end(&j);
		stop = fn(ctx, buf_span(&line));
	}
}

int mailq_source_list(struct mailq_source *s, const char *const ids[], size_t count,
		      bool dead, control_line_fn *fn, void *ctx, struct err *err) {
	struct chosen c = { .s = s };
	if (!s->q)
		return ask(s, "list", ids, count, dead, fn, ctx, err);
	int r = gather(&c, ids, count, dead, false, err);
	if (r == 0)
		list_locally(&c, fn, ctx);
	if (r == 0 && count == 0)
		r = list_dropped(s, fn, ctx, err);
	free(c.one);
	return r;
}

static int show_locally(struct mailq_source *s, const char *ending, bool body,
			control_line_fn *fn, void *ctx, struct err *err) {
	struct verb_live live = { .deliverable = s->deliverable };
	AUTO_BUF struct buf line = BUF_INIT(LINE_MAX_LIST);
	struct content content;
	struct queue_id id;
	bool dead;
	if (queue_find(s->q, span_str(ending), &id, &dead, err) != 0 ||
	    verb_describe_fully(s->q, &id, dead, &live, &line, err) != 0 ||
	    content_open(&content, s->q, &id, dead, body, err) != 0)
		return -1;
	int more = fn(ctx, span_trim(buf_span(&line))) == 0;
	while (more == 1) {
		buf_reset(&line);
		more = content_next(&content, &line);
		if (more == 1 && fn(ctx, span_trim(buf_span(&line))) != 0)
			more = 0;
	}
	content_close(&content);
	return more < 0 ? err_sys(err, "cannot read the message") : 0;
}

int mailq_source_show(struct mailq_source *s, const char *id, bool body, control_line_fn *fn,
		      void *ctx, struct err *err) {
	AUTO_BUF struct buf request = BUF_INIT(CONTROL_REQUEST_MAX);
	if (s->q)
		return show_locally(s, id, body, fn, ctx, err);
	buf_adds(&request, "show");
	codec_word_add(&request, "id", span_str(id));
	if (body)
		codec_word_add_int(&request, "body", 1);
	return ask_daemon(s, buf_span(&request), fn, ctx, err);
}

static int edit_locally(struct mailq_source *s, const char *ending, struct span changes,
			control_line_fn *fn, void *ctx, struct err *err) {
	AUTO_BUF struct buf line = BUF_INIT(4096);
	struct verb_edit edit;
	struct queue_id id, new_id;
	bool dead = false;
	int r = verb_edit_parse(changes, &edit, err);
	if (r == 0)
		r = queue_find(s->q, span_str(ending), &id, &dead, err);
	if (r == 0 && dead)
		r = err_set(err, ERR_DENIED, "it is in dead/; release it first");
	if (r == 0)
		r = verb_edit(s->q, &edit, VERB_BY_ADMIN, &id, &new_id, err);
	verb_edit_release(&edit);
	if (r != 0)
		return -1;
	struct json j = json_into(&line);
	json_object(&j, NULL);
	json_str(&j, "id", span_str(queue_id_text(&id).s));
	json_str(&j, "new", span_str(queue_id_text(&new_id).s));
	json_bool(&j, "pending", false);
	json_end(&j);
	fn(ctx, buf_span(&line));
	return 0;
}

int mailq_source_edit(struct mailq_source *s, const char *id, struct span changes,
		      control_line_fn *fn, void *ctx, struct err *err) {
	AUTO_BUF struct buf request = BUF_INIT(CONTROL_REQUEST_MAX);
	if (s->q)
		return edit_locally(s, id, changes, fn, ctx, err);
	buf_adds(&request, "edit");
	codec_word_add(&request, "id", span_str(id));
	buf_add(&request, changes);
	if (buf_failed(&request))
		return err_set(err, ERR_SYNTAX, "too many changes for one request");
	return ask_daemon(s, buf_span(&request), fn, ctx, err);
}

int mailq_source_apply(struct mailq_source *s, const char *verb, const char *const ids[],
		       size_t count, bool all, control_line_fn *fn, void *ctx,
		       struct err *err) {
	struct chosen c = { .s = s };
	enum verb_act act;
	if (!s->q)
		return ask(s, verb, ids, count, all, fn, ctx, err);
	if (!verb_parse(span_str(verb), &act))
		return err_set(err, ERR_SYNTAX, "unknown verb %s", verb);
	int r = gather(&c, ids, count, false, all, err);
	if (r == 0)
		apply_locally(&c, act, all, fn, ctx);
	free(c.one);
	return r;
}
