/* Reading the lines of the control socket; see model_read.h. Details are in model_show.c. */

#include "tui/model_read.h"

#include <string.h>

#include <jansson.h>

#include "base/utf8.h"
#include "tui/model_json.h"

/* COPY(array, object, key): a text of the object into an array. */
#define COPY(array, object, key) \
	utf8_copy(array, sizeof(array), model_json_text(object, key))

static uint64_t count_of(const json_t *object, const char *key) {
	int64_t n = model_json_number(object, key);
	return n > 0 ? (uint64_t)n : 0;
}

bool model_read_verdict(struct span line, int *ret, struct err *err) {
	if (!span_starts(line, SPAN("{\"ok\":")))
		return false;
	AUTO_JSON json_t *j = model_json_parse(line);
	struct span kind = model_json_text(j, "kind");
	enum err_kind as = ERR_REMOTE;
	*ret = json_is_true(json_object_get(j, "ok")) ? 0 : -1;
	if (*ret == 0)
		return true;
	if (span_eq(kind, SPAN("missing")))
		as = ERR_MISSING;
	else if (span_eq(kind, SPAN("denied")))
		as = ERR_DENIED;
	err_set(err, as, "%s", model_json_string(j, "error"));
	return true;
}

/* --- rows --- */

static const char *const state_names[MODEL_STATES] = {
	[MODEL_QUEUED] = "queued",     [MODEL_ACTIVE] = "active",
	[MODEL_DEFERRED] = "deferred", [MODEL_HELD] = "held",
	[MODEL_DEAD] = "dead",
};

const char *model_state_name(enum model_state s) {
	return state_names[s];
}

static enum model_state state_of(struct span name) {
	for (int i = 0; i < MODEL_STATES; i++)
		if (span_eq(name, span_str(state_names[i])))
			return (enum model_state)i;
	return MODEL_QUEUED;
}

struct recipients {
	struct buf all;
	struct span first, waits,
		reply; /* reply: of the first that was deferred or failed */
	unsigned count, waiting;
};

#define RECIPIENTS_KEPT 9000u
#define FLAGS_KEPT 512u

static void read_recipients(const json_t *list, struct recipients *ret) {
	size_t i;
	const json_t *r;
	for (i = 0; i < json_array_size(list); i++) {
		r = json_array_get(list, i);
		struct span address = model_json_text(r, "address");
		struct span state = model_json_text(r, "state");
		bool deferred = span_eq(state, SPAN("deferred"));
		bool waits = deferred || span_eq(state, SPAN("pending"));
		if (i == 0)
			ret->first = address;
		if (waits && ret->waiting++ == 0)
			ret->waits = address;
		if (!ret->reply.p && (deferred || span_eq(state, SPAN("failed"))))
			ret->reply = model_json_text(r, "reply");
		if (ret->all.len + address.len < RECIPIENTS_KEPT) {
			if (i > 0)
				buf_addc(&ret->all, '\n');
			buf_add(&ret->all, address);
		}
	}
	ret->count = (unsigned)i;
}

/* Who holds it, or the last reply: what a filter calls its reason. */
static struct span reason_of(const json_t *m, const struct recipients *to) {
	struct span hold = model_json_text(m, "reason");
	return hold.len ? hold : to->reply;
}

static void read_flags(const json_t *list, struct buf *out) {
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *flag = json_string_value(json_array_get(list, i));
		if (flag)
			buf_addf(out, "%s%s", out->len ? " " : "", flag);
	}
}

bool model_read_row(struct model_rows *rows, struct span line) {
	AUTO_JSON json_t *m = model_json_parse(line);
	AUTO_BUF struct buf all = BUF_INIT(2 * RECIPIENTS_KEPT);
	AUTO_BUF struct buf flags = BUF_INIT(FLAGS_KEPT);
	struct recipients to = { .all = all };
	struct model_row row = { .state = state_of(model_json_text(m, "state")) };
	COPY(row.id, m, "id");
	if (!row.id[0])
		return false;
	read_recipients(json_object_get(m, "recipients"), &to);
	all = to.all;
	row.created = model_json_number(m, "created");
	row.next = model_json_time(m, "next");
	row.size = count_of(m, "size");
	row.attempts = (unsigned)count_of(m, "attempts");
	row.recipients = to.count;
	row.waiting = to.waiting;
	read_flags(json_object_get(m, "flags"), &flags);
	struct model_rows_text text = {
		.from = model_json_text(m, "from"),
		.to = to.waiting ? to.waits : to.first,
		.all_to = buf_span(&all),
		.relay = model_json_text(m, "relay"),
		.reason = reason_of(m, &to),
		.why = model_json_text(m, "why"),
		.flags = buf_span(&flags),
	};
	model_rows_put(rows, &row, &text);
	return true;
}

/* --- status --- */

static void read_relay(struct model_relay *ret, const json_t *r) {
	*ret = (struct model_relay){ .connections = 0 };
	COPY(ret->name, r, "name");
	COPY(ret->state, r, "state");
	ret->connections = (unsigned)count_of(r, "connections");
	ret->connections_max = (unsigned)count_of(r, "connections_max");
	ret->messages = count_of(r, "messages");
	COPY(ret->host, r, "host");
	COPY(ret->tls, r, "tls");
	COPY(ret->auth, r, "auth");
	COPY(ret->failure, r, "failure");
	COPY(ret->words, r, "words");
	COPY(ret->waits, r, "waits");
	COPY(ret->reason, r, "reason");
	ret->last_success = model_json_time(r, "last_success");
	ret->last_failure = model_json_time(r, "last_failure");
	ret->since = model_json_time(r, "since");
	ret->next = model_json_time(r, "next");
}

static void read_destination(struct model_destination *ret, const json_t *d) {
	COPY(ret->name, d, "domain");
	COPY(ret->reply, d, "reply");
	ret->waiting = (size_t)count_of(d, "waiting");
	ret->next = model_json_time(d, "next");
}

static uint64_t nth(const json_t *array, size_t i) {
	json_int_t n = json_integer_value(json_array_get(array, i));
	return n > 0 ? (uint64_t)n : 0;
}

/* [[SECONDS,queued,delivered,deferred,bounced]...], the newest last. */
static size_t read_bars(struct model_bar *ret, size_t max, const json_t *list) {
	size_t count = json_array_size(list), kept = count < max ? count : max;
	for (size_t i = 0; i < kept; i++) {
		const json_t *b = json_array_get(list, count - 1 - i);
		ret[i] = (struct model_bar){ .start = (int64_t)nth(b, 0),
					     .queued = nth(b, 1),
					     .delivered = nth(b, 2),
					     .deferred = nth(b, 3),
					     .bounced = nth(b, 4) };
	}
	return kept;
}

static void read_lists(struct model_status *s, const json_t *j) {
	const json_t *relays = json_object_get(j, "relays");
	const json_t *destinations = json_object_get(j, "destinations");
	const json_t *total = json_object_get(j, "since_start");
	s->relays = s->destinations = 0;
	for (size_t i = 0; i < json_array_size(relays) && i < MODEL_RELAYS_MAX; i++)
		read_relay(&s->relay[s->relays++], json_array_get(relays, i));
	for (size_t i = 0;
	     i < json_array_size(destinations) && i < MODEL_DESTINATIONS_MAX; i++)
		read_destination(&s->destination[s->destinations++],
				 json_array_get(destinations, i));
	s->total = (struct model_bar){ .start = NO_TIME,
				       .queued = count_of(total, "queued"),
				       .delivered = count_of(total, "delivered"),
				       .deferred = count_of(total, "deferred"),
				       .bounced = count_of(total, "bounced") };
	s->minutes = read_bars(s->minute, MODEL_MINUTES_MAX,
			       json_object_get(j, "minutes"));
	s->hours = read_bars(s->hour, MODEL_HOURS_MAX, json_object_get(j, "hours"));
}

static void read_warnings(struct model_status *ret, const json_t *list) {
	const char *first = json_string_value(json_array_get(list, 0));
	ret->warnings = json_array_size(list);
	utf8_copy(ret->warning, sizeof(ret->warning), first ? span_str(first) : SPAN(""));
}

bool model_read_status(struct model_status *ret, struct span line) {
	AUTO_JSON json_t *j = model_json_parse(line);
	if (!json_is_object(j))
		return false;
	ret->known = true;
	ret->admin = json_is_true(json_object_get(j, "admin"));
	ret->stopping = json_is_true(json_object_get(j, "stopping"));
	ret->pid = model_json_number(j, "pid");
	ret->since = model_json_time(j, "since");
	ret->paused_until = model_json_time(j, "paused_until");
	ret->workers = (unsigned)count_of(j, "workers");
	COPY(ret->version, j, "version");
	COPY(ret->complaint, j, "complaint");
	read_warnings(ret, json_object_get(j, "warnings"));
	if (model_json_text(j, "queue").len)
		COPY(ret->queue, j, "queue");
	read_lists(ret, j);
	return true;
}

/* --- events --- */

/* What the event says besides its time, kind and ID, for the list of what happened. */
static void read_event_words(struct model_event *e, const json_t *j) {
	static const char *const who[] = { "to", "relay", "from", "by" };
	for (size_t i = 0; i < sizeof(who) / sizeof(who[0]) && !e->who[0]; i++)
		COPY(e->who, j, who[i]);
	COPY(e->text, j, "reply");
	if (!e->text[0])
		COPY(e->text, j, "outcome");
}

static void read_new_row(struct model_read_event *e, const json_t *j) {
	memcpy(e->row.id, e->event.id, sizeof(e->row.id));
	e->row.state = MODEL_QUEUED;
	e->row.created = e->event.at_ms / 1000;
	e->row.next = NO_TIME;
	e->row.size = count_of(j, "size");
	e->row.recipients = e->row.waiting = (unsigned)count_of(j, "recipients");
	e->text.from = model_json_text(j, "from");
	e->text.to = e->text.all_to = model_json_text(j, "to");
	e->has_row = true;
}

bool model_read_event(struct model_read_event *ret, struct span line) {
	json_t *j = model_json_parse(line);
	*ret = (struct model_read_event){ .owner = j };
	double time = json_number_value(json_object_get(j, "time"));
	COPY(ret->event.kind, j, "event");
	if (!ret->event.kind[0] || !(time > 0 && time < 1e11)) {
		model_read_event_release(ret);
		return false;
	}
	ret->event.at_ms = (int64_t)(time * 1000 + 0.5);
	COPY(ret->event.id, j, "id");
	COPY(ret->outcome, j, "outcome");
	ret->next = model_json_time(j, "next");
	read_event_words(&ret->event, j);
	if (strcmp(ret->event.kind, "queued") == 0 && ret->event.id[0])
		read_new_row(ret, j);
	return true;
}

void model_read_event_release(struct model_read_event *e) {
	json_decref(e->owner);
	e->owner = NULL;
}

/* --- answers to actions --- */

bool model_read_done(struct model_read_done *ret, struct span line) {
	AUTO_JSON json_t *j = model_json_parse(line);
	COPY(ret->id, j, "id");
	COPY(ret->new_id, j, "new");
	COPY(ret->error, j, "error");
	ret->pending = json_is_true(json_object_get(j, "pending"));
	return ret->id[0] != '\0';
}
