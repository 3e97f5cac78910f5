/* The two ways to the queue; see mailq_source.h. */

#include "cli/mailq_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/codec.h"
#include "base/json.h"
#include "deliver/verb.h"
#include "queue/segment.h"

#define ANSWER_TIMEOUT_MS 60000
#define PATH_CEILING 4096u
#define LINE_MAX_LIST (64u << 20)
#define REPLAY_TRIES 300 /* of 100 ms: workers of a daemon that died leave within 30 s */
#define REPLAY_SILENT 10

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

int mailq_source_open(struct mailq_source *s, const struct settings *settings,
		      bool deliverable, struct err *err) {
	*s = (struct mailq_source){ .settings = settings, .deliverable = deliverable };
	if (daemon_answers(settings))
		return 0;
	struct queue *q = queue_open(settings->dir, err);
	if (!q)
		return -1;
	if (!queue_may_own(q))
		err_set(err, ERR_DENIED,
			"nightmaild is not running, and only root and the owner of %s "
			"may look into it",
			settings->dir);
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

static int ask(const struct mailq_source *s, const char *verb, const char *const ids[],
	       size_t count, bool all, control_line_fn *fn, void *ctx, struct err *err) {
	AUTO_BUF struct buf path = BUF_INIT(PATH_CEILING);
	AUTO_BUF struct buf request = BUF_INIT(CONTROL_REQUEST_MAX);
	control_path(s->settings, &path);
	buf_adds(&request, verb);
	if (all)
		codec_word_add_int(&request, "all", 1);
	for (size_t i = 0; i < count; i++)
		codec_word_add(&request, "id", span_str(ids[i]));
	if (buf_failed(&request))
		return err_set(err, ERR_LIMIT, "too many messages for one request");
	return control_ask(buf_str(&path), buf_span(&request), ANSWER_TIMEOUT_MS, fn, ctx,
			   err);
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

static int choose_named(struct chosen *c, const char *const ids[], size_t count,
			struct err *err) {
	for (size_t i = 0; i < count; i++) {
		struct queue_id id;
		if (queue_find(c->s->q, span_str(ids[i]), &id, &c->dead, err) != 0)
			return -1;
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
		  struct err *err) {
	int r = count ? choose_named(c, ids, count, err) : choose_all(c, dead, err);
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

/* Asked for all, what cannot be meant is passed over, as the daemon does. */
static bool not_meant(enum verb_act act, const struct err *err) {
	return err->kind == ERR_MISSING || (act == VERB_FLUSH && err->kind == ERR_DENIED);
}

static void apply_locally(struct chosen *c, enum verb_act act, bool all,
			  control_line_fn *fn, void *ctx) {
	int stop = 0;
	for (size_t i = 0; i < c->count && stop == 0; i++) {
		AUTO_BUF struct buf line = BUF_INIT(4096);
		struct json j = json_into(&line);
		struct chosen_one *one = &c->one[i];
		struct err why = ERR_INIT;
		int r = verb_apply(c->s->q, c->s->settings, act, &one->id, one->dead,
				   &why);
		if (r != 0 && all && not_meant(act, &why))
			continue;
		json_object(&j, NULL);
		json_str(&j, "id", span_str(queue_id_text(&one->id).s));
		if (r == 0)
			json_bool(&j, "pending", false);
		else
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
	int r = gather(&c, ids, count, dead, err);
	if (r == 0)
		list_locally(&c, fn, ctx);
	free(c.one);
	return r;
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
	int r = gather(&c, ids, count, false, err);
	if (r == 0)
		apply_locally(&c, act, all, fn, ctx);
	free(c.one);
	return r;
}
