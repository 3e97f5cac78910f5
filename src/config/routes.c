/* Routes as a whole: whether each leads somewhere and can match, and the table that programs
 * ask (route/route.h). */

#include <stdlib.h>

#include "base/auto.h"
#include "base/suggest.h"
#include "base/term.h"
#include "base/user.h"
#include "config/source.h"

/* What all routes may take of the order that a worker gets (deliver/wire.h), which has them all. */
#define ROUTES_TEXT_MAX 32768u

static const struct config_origin *place_of(const struct settings *s, size_t i,
					    const char *key) {
	const struct config_section *section = &s->source->route[i];
	int k = config_key_find(CONFIG_ROUTE, span_str(key));
	const struct config_origin *at = &section->key[k < 0 ? 0 : k];
	return at->file ? at : &section->opened;
}

static void check_relay(struct config_load *l, size_t i) {
	const struct route_rule *r = &l->s->route[i];
	const struct config_origin *at = place_of(l->s, i, "relay");
	struct suggest near = { .word = span_str(r->relay), .best = NULL };
	if (at->broken)
		return;
	if (!r->relay) {
		config_complain(l, at, "[route %s] leads nowhere; add relay = NAME", r->name);
		return;
	}
	if (config_relay(l->s, r->relay))
		return;
	for (size_t k = 0; k < l->s->relay_count; k++)
		suggest_try(&near, l->s->relay[k].name);
	if (near.best)
		config_complain(l, at, "there is no [relay %s]; did you mean \"%s\"?", r->relay,
				near.best);
	else
		config_complain(l, at, "there is no [relay %s]", r->relay);
}

/* Bytes of a text in that order: blanks and the like are encoded. */
static size_t text_size(const char *s) {
	size_t n = 1;
	for (; s && *s; s++)
		n += *s > ' ' && *s < 0x7f && *s != '%' && *s != '=' ? 1 : 3;
	return n;
}

static size_t route_size(const struct route_rule *r) {
	return text_size(r->name) + text_size(r->relay) + text_size(r->sender) +
	       text_size(r->recipient) + text_size(r->user) + ROUTE_USERS_MAX * 13u + 32u;
}

void config_check_routes(struct config_load *l) {
	size_t size = 0;
	for (size_t i = 0; i < l->s->route_count; i++) {
		const struct route_rule *r = &l->s->route[i];
		size += route_size(r);
		if (size > ROUTES_TEXT_MAX) {
			config_complain(l, &l->s->source->route[i].opened,
					"all [route] sections are too long together");
			return;
		}
		if (!l->incomplete)
			check_relay(l, i);
		if (!r->sender && !r->recipient && !r->user &&
		    !place_of(l->s, i, "sender")->broken &&
		    !place_of(l->s, i, "recipient")->broken &&
		    !place_of(l->s, i, "user")->broken)
			config_complain(l, &l->s->source->route[i].opened,
					"[route %s] does not say for which mail; add "
					"recipient, sender or user",
					r->name);
	}
}

/* Looks the names up. Returns the first one that nobody has, or an empty span. */
static struct span resolve(struct route_rule *r) {
	struct span rest = span_str(r->user), word, unknown = SPAN("");
	r->uid_count = 0;
	while (r->uid_count < ROUTE_USERS_MAX && span_take_word(&rest, &word)) {
		char name[64];
		struct user user;
		uint64_t uid;
		snprintf(name, sizeof(name), "%.*s", (int)word.len, word.p);
		if (span_uint(word, UINT32_MAX - 1, &uid))
			r->uid[r->uid_count++] = (uint32_t)uid;
		else if (user_by_name(name, &user))
			r->uid[r->uid_count++] = user.uid;
		else if (unknown.len == 0)
			unknown = word;
	}
	return unknown;
}

struct route_table config_routes(struct settings *s, struct buf *relays) {
	buf_reset(relays);
	for (size_t i = 0; i < s->relay_count; i++)
		buf_addf(relays, "%s%s", i ? " " : "", s->relay[i].name);
	for (size_t i = 0; i < s->route_count; i++)
		resolve(&s->route[i]);
	return (struct route_table){
		.rule = s->route,
		.count = s->route_count,
		.relays = buf_str(relays),
	};
}

static bool is_used(const struct settings *s, const char *relay) {
	bool used = strcmp(relay, ROUTE_DEFAULT) == 0;
	for (size_t i = 0; i < s->route_count && !used; i++)
		used = s->route[i].relay && strcmp(s->route[i].relay, relay) == 0;
	return used;
}

static void warn_order(const struct settings *s, size_t i, struct buf *out) {
	for (size_t k = 0; k < i; k++) {
		if (!route_covers(&s->route[k], &s->route[i]))
			continue;
		config_warn_at(s, &s->source->route[i].opened, out);
		buf_addf(out, "[route %s] never matches: [route %s] before it takes the same mail\n",
			 s->route[i].name, s->route[k].name);
		return;
	}
}

void config_warn_routes(const struct settings *s, struct buf *out) {
	for (size_t i = 0; i < s->relay_count; i++) {
		if (is_used(s, s->relay[i].name))
			continue;
		config_warn_at(s, &s->source->relay[i].opened, out);
		buf_addf(out,
			 "no route leads to [relay %s]: only mail that is queued for it goes "
			 "there\n",
			 s->relay[i].name);
	}
	for (size_t i = 0; i < s->route_count; i++) {
		struct span unknown = resolve(&s->route[i]);
		if (unknown.len > 0) {
			config_warn_at(s, place_of(s, i, "user"), out);
			buf_adds(out, "user: nobody here is called ");
			term_safe(out, unknown);
			buf_addc(out, '\n');
		}
		warn_order(s, i, out);
	}
}
