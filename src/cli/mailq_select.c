/* Filters on the JSON lines of a listing; see mailq_select.h. */

#include "cli/mailq_select.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "cli/answer.h"

#define RECIPIENTS_MAX_BYTES (32u << 20)

static enum queue_state state_of(const json_t *m) {
	unsigned i = QUEUE_DEAD;
	while (i > 0 &&
	       !span_eq(answer_text(m, "state"), span_str(queue_state_name((enum queue_state)i))))
		i--;
	return (enum queue_state)i;
}

static void add_lines(struct buf *out, const json_t *list, const char *key, char end) {
	size_t i;
	json_t *one;
	json_array_foreach(list, i, one) {
		buf_add(out, key ? answer_text(one, key)
				 : span_of(json_string_value(one), json_string_length(one)));
		buf_addc(out, end);
	}
	if (out->len > 0)
		buf_truncate(out, out->len - 1);
}

/* Who holds it, or else the last reply. */
static struct span reason_of(const json_t *m) {
	struct span reason = answer_text(m, "reason");
	size_t i;
	json_t *r;
	json_array_foreach(json_object_get(m, "recipients"), i, r) {
		struct span state = answer_text(r, "state");
		if (reason.len == 0 && (span_eq(state, SPAN("deferred")) ||
					span_eq(state, SPAN("failed"))))
			reason = answer_text(r, "reply");
	}
	return reason;
}

bool mailq_select(const struct filter *f, struct span json_line) {
	AUTO_BUF struct buf to = BUF_INIT(RECIPIENTS_MAX_BYTES);
	AUTO_BUF struct buf flags = BUF_INIT(4096);
	if (f->count == 0)
		return true;
	AUTO_JSON json_t *m = json_loadb(json_line.p, json_line.len, JSON_ALLOW_NUL, NULL);
	if (!m)
		return true;
	const json_t *next = json_object_get(m, "next");
	add_lines(&to, json_object_get(m, "recipients"), "address", '\n');
	add_lines(&flags, json_object_get(m, "flags"), NULL, ' ');
	struct filter_row row = {
		.state = state_of(m),
		.created = json_integer_value(json_object_get(m, "created")),
		.next = json_is_integer(next) ? json_integer_value(next) : FILTER_NO_TIME,
		.size = (uint64_t)json_integer_value(json_object_get(m, "size")),
		.attempts = (uint64_t)json_integer_value(json_object_get(m, "attempts")),
		.id = answer_text(m, "id"),
		.from = answer_text(m, "from"),
		.relay = answer_text(m, "relay"),
		.reason = reason_of(m),
		.why = answer_text(m, "why"),
		.to = buf_span(&to),
		.flags = buf_span(&flags),
	};
	return filter_match(f, &row, clock_wall_ms() / 1000);
}

bool mailq_select_dead(const struct filter *f) {
	for (size_t i = 0; i < f->count; i++)
		if (f->term[i].key == FILTER_STATE && f->term[i].op == FILTER_IS &&
		    (f->term[i].number & UINT64_C(1) << QUEUE_DEAD))
			return true;
	return false;
}

bool mailq_select_is_dead(struct span json_line) {
	AUTO_JSON json_t *m = json_loadb(json_line.p, json_line.len, JSON_ALLOW_NUL, NULL);
	return m && state_of(m) == QUEUE_DEAD;
}

int mailq_ids_take(void *ctx, struct span json_line) {
	struct mailq_ids *ids = ctx;
	AUTO_JSON json_t *m = NULL;
	if (!mailq_select(ids->filter, json_line))
		return 0;
	m = json_loadb(json_line.p, json_line.len, JSON_ALLOW_NUL, NULL);
	if (!m)
		return 0;
	if (ids->count == ids->cap) {
		size_t cap = ids->cap ? 2 * ids->cap : 64;
		char **more = reallocarray(ids->id, cap, sizeof(*more));
		if (!more) {
			ids->no_memory = true;
			return 1;
		}
		ids->id = more;
		ids->cap = cap;
	}
	ids->id[ids->count] = span_dup(answer_text(m, "id"));
	if (!ids->id[ids->count]) {
		ids->no_memory = true;
		return 1;
	}
	ids->count++;
	return 0;
}

void mailq_ids_release(struct mailq_ids *ids) {
	for (size_t i = 0; i < ids->count; i++)
		free(ids->id[i]);
	free(ids->id);
	*ids = (struct mailq_ids){ .count = 0 };
}
