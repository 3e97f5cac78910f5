/*
 * What a message costs, for `nightmail explain`. The limits are those of the files that are read
 * here when the daemon does not answer, else its own, with what it has used of them.
 */

#include "cli/explain_limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/json.h"
#include "base/term.h"
#include "mail/date.h"

static const struct {
	const char *name, *words;
	int64_t per_s;
} kinds[] = {
	[EXPLAIN_RATE] = { "rate", "", 0 },
	[EXPLAIN_HOUR] = { "hour", "an hour", 3600 },
	[EXPLAIN_DAY] = { "day", "a day", 24 * 3600 },
};

struct explain_limit *explain_limit_add(struct explain_way *w, struct span domain) {
	struct explain_limit *grown = reallocarray(w->limit, w->limits + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	w->limit = grown;
	struct explain_limit *l = &grown[w->limits++];
	*l = (struct explain_limit){ .used = -1 };
	snprintf(l->domain, sizeof(l->domain), "%.*s", (int)domain.len, domain.len ? domain.p : "");
	return l;
}

/* --- from the files --- */

static void add_configured(struct explain_way *w, struct span domain,
			   const struct config_limits *c) {
	const int64_t limits[] = {
		[EXPLAIN_RATE] = c->rate.count,
		[EXPLAIN_HOUR] = (int64_t)c->hour,
		[EXPLAIN_DAY] = (int64_t)(c->day > 0 ? c->day : c->warmup.first),
	};
	for (unsigned i = EXPLAIN_RATE; i <= EXPLAIN_DAY; i++) {
		struct explain_limit *l = limits[i] > 0 ? explain_limit_add(w, domain) : NULL;
		if (!l)
			continue;
		l->kind = (enum explain_kind)i;
		l->limit = limits[i];
		l->per_s = i == EXPLAIN_RATE ? c->rate.per_ms / 1000 : kinds[i].per_s;
		l->warmup = i == EXPLAIN_DAY && c->warmup.first > 0;
	}
}

void explain_limits_find(struct explain_ways *ways, const struct settings *s) {
	for (size_t i = 0; i < ways->count; i++) {
		struct explain_way *w = &ways->way[i];
		struct span rest = buf_span(&w->domains), domain;
		struct err err = ERR_INIT;
		if (!config_has_limit(&w->relay->limits) &&
		    !config_has_limit(&w->relay->domain_limits))
			continue;
		if (explain_limits_ask(w, s, &err) == 0)
			continue;
		w->limits = 0;
		memcpy(w->limits_trouble, err.msg, sizeof(w->limits_trouble));
		add_configured(w, SPAN(""), &w->relay->limits);
		while (span_take_word(&rest, &domain))
			add_configured(w, domain, &w->relay->domain_limits);
	}
}

/* --- telling --- */

static void print_until(const char *words, int64_t when) {
	AUTO_BUF struct buf text = BUF_INIT(64);
	if (when == 0)
		return;
	date_add_local(&text, when);
	printf("%s%s", words, buf_str(&text));
}

static void print_used(const struct explain_limit *l) {
	if (l->waits)
		print_until(l->kind == EXPLAIN_RATE ? "; the next one goes at "
						    : ": used up, mail waits until ",
			    l->next);
	else if (l->used > 0) {
		printf(": %lld used", (long long)l->used);
		print_until(", counted until ", l->next);
	} else if (l->used == 0) {
		fputs(": nothing used", stdout);
	}
}

void explain_limits_print(const struct explain_way *w) {
	for (size_t i = 0; i < w->limits; i++) {
		const struct explain_limit *l = &w->limit[i];
		AUTO_BUF struct buf per = BUF_INIT(64);
		fputs(i == 0 ? "limits   " : "         ", stdout);
		if (l->domain[0]) {
			fputs("to ", stdout);
			term_print(stdout, span_str(l->domain));
			fputs(": ", stdout);
		}
		term_duration(&per, l->per_s * 1000);
		if (l->kind == EXPLAIN_RATE)
			printf("%lld messages in %s", (long long)l->limit, buf_str(&per));
		else
			printf("%lld recipients %s%s", (long long)l->limit, kinds[l->kind].words,
			       l->warmup ? " (warm-up)" : "");
		print_used(l);
		fputc('\n', stdout);
	}
	if (w->limits > 0 && w->limits_trouble[0])
		printf("         how much is used is not known: %s\n", w->limits_trouble);
}

void explain_limits_json(struct json *j, const struct explain_way *w) {
	json_array(j, "limits");
	for (size_t i = 0; i < w->limits; i++) {
		const struct explain_limit *l = &w->limit[i];
		json_object(j, NULL);
		json_str_or_null(j, "domain", span_str(l->domain[0] ? l->domain : NULL));
		json_str(j, "kind", span_str(kinds[l->kind].name));
		json_int(j, "limit", l->limit);
		json_int(j, "per", l->per_s);
		if (l->used >= 0)
			json_int(j, "used", l->used);
		else
			json_null(j, "used");
		json_bool(j, "warmup", l->warmup);
		json_bool(j, "waits", l->waits);
		if (l->next > 0)
			json_int(j, "next", l->next);
		else
			json_null(j, "next");
		json_end(j);
	}
	json_end(j);
}
