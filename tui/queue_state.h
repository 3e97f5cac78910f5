#ifndef NIGHTMAIL_TUI_QUEUE_STATE_H
#define NIGHTMAIL_TUI_QUEUE_STATE_H

/*
 * Inside the Queue view only: view_queue.c (list, filter, keys), queue_sort.c (its orders),
 * queue_list.c (its columns), queue_text.c (a message as lines), queue_pane.c (those lines on
 * the screen), queue_act.c (what is done to messages).
 */

#include "base/buf.h"
#include "queue/filter.h"
#include "tui/app.h"
#include "tui/list.h"
#include "tui/model.h"
#include "tui/view.h"

enum queue_tab { QUEUE_ENVELOPE, QUEUE_HEADERS, QUEUE_BODY, QUEUE_TRIES };
#define QUEUE_TABS 4
#define QUEUE_LABEL 7 /* columns of a label and the blank behind it */

/* A line of the pane: a label, which may be empty, and text. */
struct queue_line {
	size_t at;    /* offset in the text */
	size_t label; /* bytes of the label, then `len` bytes of text */
	size_t len;
	enum theme_role role;
};

struct queue_lines {
	struct buf text;
	struct queue_line *line;
	size_t count, room;
	bool labelled; /* text stands QUEUE_LABEL columns from the left */
};

/* A row of the screen: a part of a line. */
struct queue_row {
	size_t line, from, len;
};

struct queue_view {
	struct app *app;
	struct model *model;

	struct tui_list list; /* of `key` */
	struct queue_key *key;
	size_t key_room;
	bool stale; /* the list is to be made anew before it is used */
	uint64_t rows_version;
	size_t sort; /* see queue_sort.h */
	struct filter filter;
	bool hide_dead; /* what is in dead/ is not shown */
	struct buf filter_text;
	struct err filter_error;
	int64_t now;

	enum queue_tab tab;
	bool cut; /* long lines are cut, not broken */
	struct tui_scroll scroll;
	struct queue_lines lines;
	struct { /* what `lines` was made of */
		char id[MODEL_ID_SIZE];
		enum queue_tab tab;
		uint64_t detail, rows;
	} made;
	struct queue_row *row; /* `lines` broken for a width */
	size_t rows, row_room;
	int row_width; /* 0: to be broken anew */
	bool row_cut;

	bool for_tagged;               /* ; was pressed */
	char (*chosen)[MODEL_ID_SIZE]; /* what a question or prompt is about */
	size_t chosen_count;
	enum model_act act;
	bool from_tags;
	bool small;    /* the screen is */
	bool watching; /* an action of ours is under way */
};

/* --- view_queue.c --- */
/* The message of a row of the list. */
const struct model_row *queue_row(const struct tui_list_row *row);
/* Messages in dead/ that are not shown, because no filter asks for them. */
size_t queue_hidden_dead(const struct queue_view *q);
/* The message the cursor is on; NULL. */
const struct model_row *queue_selected(struct queue_view *q);

/* --- queue_list.c --- */
void queue_list_draw(struct queue_view *q, const struct view_place *place);
/* Rows of the list's area that are no messages. */
int queue_list_head(const struct view_place *place);
/* "0:04", "11:48", "2d 03h": how long ago. */
void queue_add_age(struct buf *out, int64_t seconds);
/* The last characters of an ID, as many as tell the messages apart. */
struct span queue_short_id(const struct queue_view *q, const char *id);

/* --- queue_text.c --- */
void queue_lines_release(struct queue_lines *l);
/* Makes the lines of a tab from what the model has of the message. */
void queue_text(struct queue_lines *l, const struct model *m, const struct model_row *row,
		enum queue_tab tab, int64_t now);
/* Appends the message as a program would read it: fields and text decoded, made safe. */
void queue_text_page(struct buf *out, const struct model_detail *d);

/* --- queue_pane.c --- */
void queue_pane_draw(struct queue_view *q, const struct view_place *place);
/* Lines that the pane shows at once. */
int queue_pane_height(const struct view_place *place);

/* --- queue_act.c --- */
/* Does an action to the selected message, or to the tagged ones. */
void queue_act(struct queue_view *q, enum model_act act);
void queue_act_edit(struct queue_view *q);
void queue_act_pager(struct queue_view *q);
/* Tells how an action of ours ended. */
void queue_act_watch(struct queue_view *q);

#endif
