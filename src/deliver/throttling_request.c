/* The request `limits`: what was used of a relay's rates and quotas (control/control.h). */

#include "base/auto.h"
#include "base/codec.h"
#include "base/json.h"
#include "deliver/state.h"
#include "deliver/throttling_entry.h"

#define ANSWER_MAX (1u << 20)
#define HOUR_S 3600
#define DAY_S (24 * 3600)

struct answering {
	struct manager *manager;
	const struct config_relay *relay;
	struct moment now;
	struct buf *out;
};

static struct json begin(const struct answering *a, const char *domain, const char *kind,
			 uint64_t limit, int64_t per_s) {
	struct json j = json_into(a->out);
	json_object(&j, NULL);
	json_str_or_null(&j, "domain", span_str(domain[0] ? domain : NULL));
	json_str(&j, "kind", span_str(kind));
	json_int(&j, "limit", (int64_t)limit);
	json_int(&j, "per", per_s);
	return j;
}

static void finish(const struct answering *a, struct json *j, bool waits, int64_t left_ms) {
	json_bool(j, "waits", waits);
	if (left_ms > 0) /* both clocks were read one after the other: not exact to the ms */
		json_int(j, "next", (a->now.wall_ms + left_ms + 500) / 1000);
	else
		json_null(j, "next");
	json_end(j);
	buf_addc(a->out, '\n');
}

static void add_window(const struct answering *a, const char *domain, const char *kind,
		       uint64_t limit, int64_t per_s, bool warming,
		       const struct throttle_window *w) {
	struct json j = begin(a, domain, kind, limit, per_s);
	int64_t left = throttle_left_ms(w, &a->now);
	uint64_t used = left > 0 ? w->used : 0;
	json_bool(&j, "warmup", warming);
	json_int(&j, "used", (int64_t)used);
	finish(a, &j, used >= limit, left);
}

static void add_entry(const struct answering *a, const char *domain,
		      const struct config_limits *l) {
	struct throttling_entry *e, none = { .booked_ms = 0 };
	enum throttle_why why;
	if (!config_has_limit(l))
		return;
	e = throttling_find(a->manager, a->relay->name, domain);
	if (!e) {
		snprintf(none.relay, sizeof(none.relay), "%s", a->relay->name);
		snprintf(none.domain, sizeof(none.domain), "%s", domain);
		e = &none;
	}
	int64_t wait = throttling_entry_wait_ms(a->manager, e, &a->now, &why);
	if (l->rate.count > 0) {
		bool waits = wait > 0 && why == THROTTLE_RATE;
		struct json j = begin(a, domain, "rate", l->rate.count, l->rate.per_ms / 1000);
		finish(a, &j, waits, waits ? wait : 0);
	}
	if (l->hour > 0)
		add_window(a, domain, "hour", l->hour, HOUR_S, false, &e->t.hour);
	uint64_t day = throttle_day_limit(&e->t, l);
	if (l->day > 0 || l->warmup.first > 0)
		add_window(a, domain, "day", day, DAY_S, day != l->day, &e->t.day);
}

void throttling_request(struct manager *m, struct control_client *c, struct span line) {
	AUTO_BUF struct buf out = BUF_INIT(ANSWER_MAX), text = BUF_INIT(ROUTE_DESTINATION_MAX);
	struct answering a = { .manager = m, .now = clock_now(), .out = &out };
	struct span key, value;
	bool fine = true;
	while (fine && codec_word_take(&line, &key, &value)) {
		buf_reset(&text);
		fine = value.p && codec_percent_decode(&text, value) == 0;
		if (fine && !a.relay && span_eq(key, SPAN("relay"))) {
			a.relay = config_relay(&m->settings, buf_str(&text));
			fine = a.relay != NULL;
			if (fine)
				add_entry(&a, "", &a.relay->limits);
		} else if (fine && a.relay && span_eq(key, SPAN("domain")) && text.len > 0) {
			add_entry(&a, buf_str(&text), &a.relay->domain_limits);
		} else {
			fine = false;
		}
	}
	if (fine && a.relay)
		control_answer(c, buf_span(&out));
	control_end(c, fine && a.relay ? NULL : "there is no such relay");
}
