#ifndef NIGHTMAIL_TUI_OVERVIEW_H
#define NIGHTMAIL_TUI_OVERVIEW_H

/*
 * The Overview's state and its sections. view_overview.c is the view: what is listed, what
 * keys do, how much room each section gets. overview_draw.c draws them, overview_list.c those
 * whose rows can be selected.
 */

#include <stdbool.h>
#include <stdint.h>

#include "tui/app.h"
#include "tui/draw.h"
#include "tui/list.h"
#include "tui/model.h"

/* What can be selected: destinations with trouble, then relays. */
struct overview_item {
	char id[TUI_LIST_ID_SIZE];
	bool relay;
	size_t index; /* into the model's destinations or relays */
};

#define OVERVIEW_ITEMS_MAX (MODEL_DESTINATIONS_MAX + MODEL_RELAYS_MAX)

struct overview {
	struct app *app;
	struct tui_list list; /* of items, in their order */
	struct overview_item item[OVERVIEW_ITEMS_MAX];
	size_t items;
	/* Where the rows of the last drawing were, for the mouse: line of the place's list, and
	 * index of the first row there. */
	struct overview_rows {
		int y, h;
		size_t first;
	} destinations, relays;
};

/* The sections, from the top down. */
enum overview_section {
	OVERVIEW_STATE,
	OVERVIEW_QUEUE, /* with the bars beside it, where they are */
	OVERVIEW_BARS,
	OVERVIEW_DESTINATIONS,
	OVERVIEW_RELAYS,
	OVERVIEW_EVENTS,
	OVERVIEW_SECTIONS,
};

/* How many rows a section would like to have. */
int overview_wants(const struct overview *v, enum overview_section section);
/* Columns from which the bars stand beside the queue. */
#define OVERVIEW_BESIDE 76
/* Draws it into all rows of the area, `in` having a blank column at both sides already. */
void overview_draw(struct overview *v, enum overview_section section,
		   const struct draw_area *in, int y_in_list);
/* The list of relays, or of destinations in trouble, with its head. */
void overview_draw_list(struct overview *v, bool relays, const struct draw_area *in,
			int y_in_list);
/* What the daemon said last. */
const struct model_status *overview_status(const struct overview *v);
/* The time that ages are counted to: now, or when the data was true. */
int64_t overview_now(const struct overview *v);

#endif
