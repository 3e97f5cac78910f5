/*
 * The list of a view. Between begin and end the rows come anew: the filter drops some, tags
 * of rows that came again are taken over, qsort over (compare, order of adding) makes a
 * stable order, and the selected ID is looked for.
 */

#include "tui/list.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- tags: open addressing, never more than half full --- */

static size_t hash_of(const char *id) {
	uint64_t h = 14695981039346656037u; /* FNV-1a */
	for (; *id; id++)
		h = (h ^ (unsigned char)*id) * 1099511628211u;
	return (size_t)(h ^ (h >> 32));
}

/* The slot that has the ID, or the empty one where it would go; room is a power of two. */
static char **slot_of(char **slots, size_t room, const char *id) {
	size_t i = hash_of(id) & (room - 1);
	while (slots[i] && strcmp(slots[i], id) != 0)
		i = (i + 1) & (room - 1);
	return &slots[i];
}

static bool tags_have(const struct tui_list_tags *t, const char *id) {
	return t->count > 0 && *slot_of(t->slot, t->room, id) != NULL;
}

static void tags_release(struct tui_list_tags *t) {
	for (size_t i = 0; i < t->room; i++)
		free(t->slot[i]);
	free(t->slot);
	*t = (struct tui_list_tags){ .slot = NULL };
}

static bool tags_grow(struct tui_list_tags *t) {
	size_t room = t->room ? 2 * t->room : 64;
	char **slots = calloc(room, sizeof(*slots));
	if (!slots)
		return false;
	for (size_t i = 0; i < t->room; i++)
		if (t->slot[i])
			*slot_of(slots, room, t->slot[i]) = t->slot[i];
	free(t->slot);
	t->slot = slots;
	t->room = room;
	return true;
}

static bool tags_add(struct tui_list_tags *t, const char *id) {
	if (2 * (t->count + 1) > t->room && !tags_grow(t))
		return false;
	char **slot = slot_of(t->slot, t->room, id);
	if (*slot)
		return true;
	*slot = strdup(id);
	t->count += *slot != NULL;
	return *slot != NULL;
}

/* Those after the hole were put there because the slots before were taken: they go again. */
static void tags_remove(struct tui_list_tags *t, const char *id) {
	if (!tags_have(t, id))
		return;
	char **slot = slot_of(t->slot, t->room, id);
	free(*slot);
	*slot = NULL;
	t->count--;
	for (size_t i = (size_t)(slot - t->slot + 1) & (t->room - 1); t->slot[i];
	     i = (i + 1) & (t->room - 1)) {
		char *moved = t->slot[i];
		t->slot[i] = NULL;
		*slot_of(t->slot, t->room, moved) = moved;
	}
}

void tui_list_untag(struct tui_list *l) {
	tags_release(&l->tags);
	for (size_t i = 0; i < l->count; i++)
		l->rows[i].tagged = false;
	l->tagged = 0;
}

static void tag(struct tui_list *l, struct tui_list_row *row, bool tagged) {
	if (row->tagged == tagged)
		return;
	if (!tagged)
		tags_remove(&l->tags, row->id);
	else if (!tags_add(&l->tags, row->id))
		return;
	row->tagged = tagged;
	l->tagged = tagged ? l->tagged + 1 : l->tagged - 1;
}

/* --- rows --- */

void tui_list_release(struct tui_list *l) {
	tags_release(&l->tags);
	tags_release(&l->tags_before);
	buf_release(&l->search);
	free(l->rows);
	l->rows = NULL;
	l->count = l->room = l->total = 0;
}

void tui_list_begin(struct tui_list *l) {
	tags_release(&l->tags_before);
	l->tags_before = l->tags;
	l->tags = (struct tui_list_tags){ .slot = NULL };
	l->count = l->total = l->tagged = 0;
	l->failed = false;
}

void tui_list_add(struct tui_list *l, const char *id, const void *data) {
	bool tagged = tags_have(&l->tags_before, id) && tags_add(&l->tags, id);
	size_t order = l->total++;
	if (l->ops->shown && !l->ops->shown(data, l->ctx))
		return;
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		struct tui_list_row *more = reallocarray(l->rows, room, sizeof(*more));
		if (!more) {
			l->failed = true;
			return;
		}
		l->rows = more;
		l->room = room;
	}
	l->rows[l->count++] = (struct tui_list_row){ id, data, order, tagged };
	l->tagged += tagged;
}

static int compare_rows(const void *a, const void *b, void *ctx) {
	const struct tui_list_row *left = a, *right = b;
	const struct tui_list *l = ctx;
	int r = l->ops->compare(left->data, right->data, l->ctx);
	return r != 0 ? r : (left->order > right->order) - (left->order < right->order);
}

static void select_row(struct tui_list *l, size_t i) {
	l->selected = i;
	snprintf(l->selected_id, sizeof(l->selected_id), "%s", l->rows[i].id);
}

void tui_list_end(struct tui_list *l) {
	tags_release(&l->tags_before);
	if (l->ops->compare && l->count > 1)
		qsort_r(l->rows, l->count, sizeof(*l->rows), compare_rows, l);
	if (l->count == 0)
		l->selected = l->top = 0;
	else if (!l->selected_id[0] || !tui_list_select(l, l->selected_id))
		select_row(l, l->selected < l->count ? l->selected : l->count - 1);
}

const struct tui_list_row *tui_list_selected(const struct tui_list *l) {
	return l->count ? &l->rows[l->selected] : NULL;
}

bool tui_list_is_selected(const struct tui_list *l, const struct tui_list_row *row) {
	return row == tui_list_selected(l);
}

void tui_list_fit(struct tui_list *l, int height) {
	size_t lines = height > 0 ? (size_t)height : 1;
	if (l->top + lines > l->count)
		l->top = l->count > lines ? l->count - lines : 0;
	if (l->selected < l->top)
		l->top = l->selected;
	if (l->selected >= l->top + lines)
		l->top = l->selected - lines + 1;
}

const struct tui_list_row *tui_list_at(const struct tui_list *l, int y) {
	size_t i = l->top + (size_t)y;
	return y >= 0 && i < l->count ? &l->rows[i] : NULL;
}

bool tui_list_select(struct tui_list *l, const char *id) {
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->rows[i].id, id) == 0) {
			select_row(l, i);
			return true;
		}
	return false;
}

bool tui_list_select_line(struct tui_list *l, int y) {
	if (!tui_list_at(l, y))
		return false;
	select_row(l, l->top + (size_t)y);
	return true;
}

/* --- searching and moving --- */

/* Looks at every row once, from `from` on in steps of +1 or -1. */
static bool find_from(struct tui_list *l, size_t from, bool back) {
	struct span text = buf_span(&l->search);
	if (!l->ops->found || text.len == 0)
		return false;
	for (size_t n = 0; n < l->count; n++) {
		size_t i = (back ? from + l->count - n : from + n) % l->count;
		if (l->ops->found(l->rows[i].data, text, l->ctx)) {
			select_row(l, i);
			return true;
		}
	}
	return false;
}

bool tui_list_search(struct tui_list *l, struct span text) {
	buf_reset(&l->search);
	buf_add(&l->search, span_head(text, l->search.max));
	return find_from(l, l->selected, false);
}

static void move_by(struct tui_list *l, size_t rows, bool down) {
	size_t last = l->count - 1, i = l->selected;
	if (down)
		select_row(l, rows < last - i ? i + rows : last);
	else
		select_row(l, rows < i ? i - rows : 0);
}

static void tag_all(struct tui_list *l) {
	for (size_t i = 0; i < l->count; i++)
		tag(l, &l->rows[i], true);
}

/* Everything that needs a row to be there. */
static void act_on_rows(struct tui_list *l, enum action action, size_t page) {
	switch ((int)action) {
	case ACTION_DOWN:
	case ACTION_UP:
		move_by(l, 1, action == ACTION_DOWN);
		break;
	case ACTION_PAGE_DOWN:
	case ACTION_PAGE_UP:
		move_by(l, page, action == ACTION_PAGE_DOWN);
		break;
	case ACTION_FIRST:
		select_row(l, 0);
		break;
	case ACTION_LAST:
		select_row(l, l->count - 1);
		break;
	case ACTION_SEARCH_NEXT:
		find_from(l, (l->selected + 1) % l->count, false);
		break;
	case ACTION_SEARCH_BACK:
		find_from(l, (l->selected + l->count - 1) % l->count, true);
		break;
	case ACTION_TAG:
		tag(l, &l->rows[l->selected], !l->rows[l->selected].tagged);
		move_by(l, 1, true);
		break;
	case ACTION_TAG_ALL:
		tag_all(l);
		break;
	default:
		break;
	}
}

bool tui_list_act(struct tui_list *l, enum action action, int height) {
	static const enum action taken[] = {
		ACTION_DOWN,  ACTION_UP,    ACTION_PAGE_DOWN,   ACTION_PAGE_UP,
		ACTION_FIRST, ACTION_LAST,  ACTION_SEARCH_NEXT, ACTION_SEARCH_BACK,
		ACTION_TAG,   ACTION_UNTAG, ACTION_TAG_ALL,
	};
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (taken[i] != action)
			continue;
		if (action == ACTION_UNTAG)
			tui_list_untag(l);
		else if (l->count > 0)
			act_on_rows(l, action, height > 1 ? (size_t)height - 1 : 1);
		return true;
	}
	return false;
}

bool tui_scroll_act(struct tui_scroll *s, enum action action, int height) {
	size_t page = height > 1 ? (size_t)height - 1 : 1;
	size_t last = height > 0 && s->lines > (size_t)height ? s->lines - (size_t)height
							      : 0;
	size_t by = action == ACTION_DOWN || action == ACTION_UP ? 1 : page;
	if (s->top > last)
		s->top = last;
	switch ((int)action) {
	case ACTION_DOWN:
	case ACTION_PAGE_DOWN:
		s->top = by < last - s->top ? s->top + by : last;
		return true;
	case ACTION_UP:
	case ACTION_PAGE_UP:
		s->top = by < s->top ? s->top - by : 0;
		return true;
	case ACTION_FIRST:
		s->top = 0;
		return true;
	case ACTION_LAST:
		s->top = last;
		return true;
	default:
		return false;
	}
}
