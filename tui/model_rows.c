/*
 * Rows in an array sorted by ID. New messages have the largest IDs, so that a put is nearly
 * always an append; what is removed leaves a gap that is closed once for all of a round.
 */

#include "tui/model_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define TEXT_MAX 600u        /* bytes of a text */
#define RECIPIENTS_MAX 8192u /* bytes of all recipients */

struct model_rows_entry {
	struct model_row row;
	unsigned listing; /* the last one that named it */
	bool gone;
	char text[];
};

static void release_all(struct model_rows *r) {
	for (size_t i = 0; i < r->count; i++)
		free(r->entry[i]);
	free(r->entry);
}

void model_rows_release(struct model_rows *r) {
	release_all(r);
	*r = (struct model_rows){ .version = r->version + 1 };
}

/* The place of the ID, or where it belongs. */
static size_t place_of(const struct model_rows *r, const char *id, bool *ret_found) {
	size_t low = 0, high = r->count;
	*ret_found = false;
	if (high && strcmp(r->entry[high - 1]->row.id, id) < 0)
		return high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(r->entry[middle]->row.id, id);
		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const char *copy(char **at, struct span s) {
	char *begin = *at;
	if (s.len)
		memcpy(begin, s.p, s.len);
	begin[s.len] = '\0';
	*at += s.len + 1;
	return begin;
}

static struct model_rows_entry *entry_new(const struct model_row *row,
					  const struct model_rows_text *text) {
	const struct span from = utf8_head(text->from, TEXT_MAX), to = utf8_head(text->to, TEXT_MAX),
			  all = utf8_head(text->all_to, RECIPIENTS_MAX),
			  relay = utf8_head(text->relay, TEXT_MAX),
			  reason = utf8_head(text->reason, TEXT_MAX),
			  why = utf8_head(text->why, TEXT_MAX),
			  flags = utf8_head(text->flags, TEXT_MAX);
	struct model_rows_entry *e = malloc(sizeof(*e) + from.len + to.len + all.len +
					    relay.len + reason.len + why.len +
					    flags.len + 7);
	if (!e)
		return NULL;
	char *at = e->text;
	e->row = *row;
	e->gone = false;
	e->row.from = copy(&at, from);
	e->row.to = copy(&at, to);
	e->row.all_to = copy(&at, all);
	e->row.relay = copy(&at, relay);
	e->row.reason = copy(&at, reason);
	e->row.why = copy(&at, why);
	e->row.flags = copy(&at, flags);
	return e;
}

static bool same_texts(const struct model_row *a, const struct model_row *b) {
	return strcmp(a->from, b->from) == 0 && strcmp(a->all_to, b->all_to) == 0 &&
	       strcmp(a->to, b->to) == 0 && strcmp(a->relay, b->relay) == 0 &&
	       strcmp(a->reason, b->reason) == 0 && strcmp(a->why, b->why) == 0 &&
	       strcmp(a->flags, b->flags) == 0;
}

/* A listing mostly names what is known: that is no change for anybody. */
static bool same(const struct model_row *a, const struct model_row *b) {
	return a->state == b->state && a->created == b->created &&
	       a->next == b->next && a->size == b->size && a->attempts == b->attempts &&
	       a->recipients == b->recipients && a->waiting == b->waiting &&
	       same_texts(a, b);
}

/* A row that says nothing new stays where it is: so pointers to it live as long as `version`
 * does. */
static void replace(struct model_rows *r, size_t at, struct model_rows_entry *e) {
	struct model_rows_entry *old = r->entry[at];
	if (!old->gone && same(&old->row, &e->row)) {
		old->listing = e->listing;
		free(e);
		return;
	}
	if (old->gone)
		r->removed--;
	r->version++;
	r->entry[at] = e;
	free(old);
}

static int make_room(struct model_rows *r) {
	if (r->count < r->cap)
		return 0;
	size_t cap = r->cap ? r->cap * 2 : 256;
	struct model_rows_entry **grown = reallocarray(r->entry, cap, sizeof(*grown));
	if (!grown)
		return -1;
	r->entry = grown;
	r->cap = cap;
	return 0;
}

int model_rows_put(struct model_rows *r, const struct model_row *row,
		   const struct model_rows_text *text) {
	bool found;
	size_t at = place_of(r, row->id, &found);
	if (!found && (r->count - r->removed >= MODEL_ROWS_MAX || make_room(r) != 0)) {
		r->beyond++;
		return -1;
	}
	struct model_rows_entry *e = entry_new(row, text);
	if (!e)
		return -1;
	e->listing = r->listing;
	if (found) {
		replace(r, at, e);
		return 0;
	}
	memmove(r->entry + at + 1, r->entry + at, (r->count - at) * sizeof(*r->entry));
	r->entry[at] = e;
	r->count++;
	r->version++;
	return 0;
}

struct model_row *model_rows_find(const struct model_rows *r, const char *id) {
	bool found;
	size_t at = place_of(r, id, &found);
	return found && !r->entry[at]->gone ? &r->entry[at]->row : NULL;
}

const struct model_row *model_rows_at(const struct model_rows *r, size_t i) {
	return &r->entry[i]->row;
}

static void drop(struct model_rows *r, struct model_rows_entry *e) {
	e->gone = true;
	r->removed++;
	r->version++;
}

bool model_rows_remove(struct model_rows *r, const char *id) {
	bool found;
	size_t at = place_of(r, id, &found);
	if (!found || r->entry[at]->gone)
		return false;
	drop(r, r->entry[at]);
	return true;
}

void model_rows_begin(struct model_rows *r) {
	r->listing++;
	r->beyond = 0;
}

void model_rows_end(struct model_rows *r) {
	for (size_t i = 0; i < r->count; i++)
		if (!r->entry[i]->gone && r->entry[i]->listing != r->listing)
			drop(r, r->entry[i]);
	model_rows_settle(r);
}

void model_rows_settle(struct model_rows *r) {
	size_t kept = 0;
	if (r->removed == 0)
		return;
	for (size_t i = 0; i < r->count; i++) {
		if (r->entry[i]->gone)
			free(r->entry[i]);
		else
			r->entry[kept++] = r->entry[i];
	}
	r->count = kept;
	r->removed = 0;
}
