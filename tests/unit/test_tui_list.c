/* The list of a view: what stays selected and tagged when rows come and go, order, filter,
 * search, scrolling. */

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tui/list.h"
#include "tui/words.h"
#include "tap.h"

struct entry {
	const char *id;
	int rank;
};

static bool descending;
static int hidden_rank;

static int compare(const void *a, const void *b, void *ctx) {
	const struct entry *left = a, *right = b;
	(void)ctx;
	return descending ? right->rank - left->rank : left->rank - right->rank;
}

static bool shown(const void *data, void *ctx) {
	const struct entry *e = data;
	(void)ctx;
	return e->rank != hidden_rank;
}

static bool found(const void *data, struct span text, void *ctx) {
	const struct entry *e = data;
	(void)ctx;
	return words_contain(span_str(e->id), text);
}

static const struct tui_list_ops ops = { compare, shown, found };

static const struct entry entries[] = { { "ant", 3 }, { "bee", 1 }, { "cat", 2 },
					{ "dog", 1 }, { "Eel", 5 }, { "fox", 4 } };

static void fill(struct tui_list *l, const char *without) {
	tui_list_begin(l);
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		if (strcmp(entries[i].id, without) != 0)
			tui_list_add(l, entries[i].id, &entries[i]);
	tui_list_end(l);
}

/* "bee dog* >cat": the rows in order, those tagged, the selected one. */
static const char *picture(const struct tui_list *l) {
	static char text[200];
	size_t n = 0;
	text[0] = '\0';
	for (size_t i = 0; i < l->count; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s%s",
				      i ? " " : "",
				      tui_list_is_selected(l, &l->rows[i]) ? ">" : "",
				      l->rows[i].id, l->rows[i].tagged ? "*" : "");
	return text;
}

static void act(struct tui_list *l, const enum action *actions) {
	for (; *actions != ACTION_NONE; actions++)
		tui_list_act(l, *actions, 4);
}
#define ACT(list, ...) act(list, (const enum action[]){ __VA_ARGS__, ACTION_NONE })

static void test_selection(void) {
	struct tui_list l = TUI_LIST_INIT(&ops, NULL);
	ok(tui_list_selected(&l) == NULL, "nothing is selected in an empty list");
	ok(tui_list_act(&l, ACTION_DOWN, 5), "moving there is taken, and does nothing");
	fill(&l, "");
	is_str(picture(&l), ">bee dog cat ant fox Eel", "equal rows keep their order");
	ACT(&l, ACTION_LAST);
	descending = true;
	fill(&l, "");
	is_str(picture(&l), ">Eel fox ant cat bee dog",
	       "the selected row stays selected");
	fill(&l, "Eel");
	is_str(picture(&l), ">fox ant cat bee dog",
	       "when it goes, the one that takes its place is selected");
	ACT(&l, ACTION_LAST);
	fill(&l, "dog");
	is_str(picture(&l), "Eel fox ant cat >bee", "and at the end, the last one");
	descending = false;
	ok(tui_list_select(&l, "cat") && !tui_list_select(&l, "cow"),
	   "rows can be selected by ID, those that are there");
	ok(!tui_list_act(&l, ACTION_DELETE, 4), "what is no moving is not taken");
	tui_list_release(&l);
}

static void test_moving(void) {
	static const struct {
		const char *label;
		enum action actions[5];
		const char *want;
	} cases[] = {
		{ "down", { ACTION_DOWN }, "dog" },
		{ "up from the first", { ACTION_UP }, "bee" },
		{ "down past the last", { ACTION_LAST, ACTION_DOWN }, "Eel" },
		{ "a page is one row less than the screen", { ACTION_PAGE_DOWN }, "ant" },
		{ "two pages end at the last",
		  { ACTION_PAGE_DOWN, ACTION_PAGE_DOWN },
		  "Eel" },
		{ "a page up", { ACTION_LAST, ACTION_PAGE_UP }, "cat" },
		{ "to the first", { ACTION_LAST, ACTION_FIRST }, "bee" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tui_list l = TUI_LIST_INIT(&ops, NULL);
		fill(&l, "");
		act(&l, cases[i].actions);
		is_str(tui_list_selected(&l)->id, cases[i].want, "moving: %s",
		       cases[i].label);
		tui_list_release(&l);
	}
}

static void test_tags(void) {
	struct tui_list l = TUI_LIST_INIT(&ops, NULL);
	fill(&l, "");
	ACT(&l, ACTION_TAG, ACTION_TAG);
	is_str(picture(&l), "bee* dog* >cat ant fox Eel",
	       "a tag, and on to the next row");
	hidden_rank = 1;
	fill(&l, "");
	is_str(picture(&l), ">cat ant fox Eel", "the filter hides tagged rows too");
	is_int((int64_t)l.tagged, 0, "which then do not count");
	is_int((int64_t)l.total, 6, "but all rows do");
	hidden_rank = 0;
	fill(&l, "dog");
	is_str(picture(&l), "bee* >cat ant fox Eel", "without it they are tagged again");
	fill(&l, "");
	is_str(picture(&l), "bee* dog >cat ant fox Eel",
	       "a row that went away comes back without its tag");
	ACT(&l, ACTION_FIRST, ACTION_TAG);
	is_int((int64_t)l.tagged, 0, "a second tag removes the first");
	ACT(&l, ACTION_TAG_ALL);
	is_int((int64_t)l.tagged, 6, "all can be tagged");
	ACT(&l, ACTION_FIRST, ACTION_TAG, ACTION_DOWN, ACTION_TAG);
	fill(&l, "");
	is_str(picture(&l), "bee dog* cat >ant* fox* Eel*",
	       "and some of them untagged, for good");
	ACT(&l, ACTION_UNTAG);
	fill(&l, "");
	is_int((int64_t)l.tagged, 0, "and all untagged");
	tui_list_release(&l);
}

static void test_search(void) {
	struct tui_list l = TUI_LIST_INIT(&ops, NULL);
	fill(&l, "");
	ok(tui_list_search(&l, SPAN("E")), "a text is found whatever its case");
	is_str(tui_list_selected(&l)->id, "bee", "from the selected row on");
	ACT(&l, ACTION_SEARCH_NEXT);
	is_str(tui_list_selected(&l)->id, "Eel", "again: the next");
	ACT(&l, ACTION_SEARCH_NEXT);
	is_str(tui_list_selected(&l)->id, "bee", "after the last comes the first");
	ACT(&l, ACTION_SEARCH_BACK);
	is_str(tui_list_selected(&l)->id, "Eel", "and backward");
	ok(!tui_list_search(&l, SPAN("zebra")), "what is not there is not found");
	is_str(tui_list_selected(&l)->id, "Eel", "and nothing moves");
	tui_list_release(&l);
}

static void test_scrolling(void) {
	struct tui_list l = TUI_LIST_INIT(&ops, NULL);
	fill(&l, "");
	ACT(&l, ACTION_LAST);
	tui_list_fit(&l, 4);
	is_str(tui_list_at(&l, 0)->id, "cat", "the list scrolls to the selected row");
	ACT(&l, ACTION_UP);
	tui_list_fit(&l, 4);
	is_str(tui_list_at(&l, 0)->id, "cat", "and no further than it has to");
	ok(tui_list_select_line(&l, 1) && !tui_list_select_line(&l, 4),
	   "a line is selected when there is a row on it");
	is_str(tui_list_selected(&l)->id, "ant", "that row");
	tui_list_fit(&l, 10);
	is_str(tui_list_at(&l, 0)->id, "bee", "a larger screen shows rows from above");
	ok(tui_list_at(&l, 6) == NULL, "below the last there is none");
	tui_list_release(&l);
	struct tui_scroll s = { .lines = 10 };
	tui_scroll_act(&s, ACTION_LAST, 4);
	is_int((int64_t)s.top, 6, "text scrolls to its last screen");
	tui_scroll_act(&s, ACTION_PAGE_UP, 4);
	is_int((int64_t)s.top, 3, "a page up");
	s.lines = 2;
	tui_scroll_act(&s, ACTION_DOWN, 4);
	is_int((int64_t)s.top, 0, "a text that fits does not scroll");
}

#define MANY 100000

/* The time is told, not judged. */
static void test_many(void) {
	static struct entry many[MANY];
	static char ids[MANY][16];
	struct tui_list l = TUI_LIST_INIT(&ops, NULL);
	int64_t began = clock_boot_ms();
	for (int i = 0; i < MANY; i++) {
		snprintf(ids[i], sizeof(ids[i]), "m%05d", i);
		many[i] = (struct entry){ ids[i], i * 7919 % MANY + 1 };
	}
	for (int round = 0; round < 2; round++) {
		tui_list_begin(&l);
		for (int i = 0; i < MANY; i++)
			tui_list_add(&l, many[i].id, &many[i]);
		tui_list_end(&l);
		ACT(&l, ACTION_LAST, ACTION_TAG_ALL);
	}
	is_int((int64_t)l.tagged, MANY, "100,000 rows, sorted and tagged twice");
	printf("# in %lld ms\n", (long long)(clock_boot_ms() - began));
	tui_list_release(&l);
}

int main(void) {
	test_selection();
	test_moving();
	test_tags();
	test_search();
	test_scrolling();
	test_many();
	return done_testing();
}
