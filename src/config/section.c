/*
 * Section lines: which struct the keys that follow will fill. Keys of a section that is
 * unknown or malformed are skipped without further words.
 */

#include <stdlib.h>

#include "base/suggest.h"
#include "config/source.h"

static bool is_relay_name(struct span s) {
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		if (!span_is_alnum(c) && c != '-' && c != '_' && c != '.')
			return false;
	}
	return s.len > 0 && s.len <= 64;
}

/* Makes room in both arrays, which run in parallel. */
static bool grow_relays(struct settings *s) {
	size_t n = s->relay_count + 1;
	struct config_relay *relay = realloc(s->relay, n * sizeof(*relay));
	if (relay)
		s->relay = relay;
	struct config_section *section = realloc(s->source->relay, n * sizeof(*section));
	if (section)
		s->source->relay = section;
	return relay && section;
}

/* Returns the index of the relay, made with its defaults when it is new, or -1. */
static int find_or_add_relay(struct config_load *l, struct span name,
			     const struct config_origin *at) {
	struct settings *s = l->s;
	for (size_t i = 0; i < s->relay_count; i++)
		if (span_eq(name, span_str(s->relay[i].name)))
			return (int)i;
	if (s->relay_count == CONFIG_RELAYS_MAX) {
		config_complain(l, at, "more than %d relays", CONFIG_RELAYS_MAX);
		return -1;
	}
	char *copy = span_dup(name);
	if (!copy || !grow_relays(s)) {
		free(copy);
		config_complain(l, at, "out of memory");
		return -1;
	}
	size_t i = s->relay_count++;
	s->relay[i] = (struct config_relay){ .name = copy };
	s->source->relay[i] = (struct config_section){ .id = CONFIG_RELAY };
	for (size_t k = 0; k < config_key_count; k++)
		if (config_keys[k].section == CONFIG_RELAY)
			config_set_default(l, &config_keys[k], &s->relay[i]);
	return (int)i;
}

static bool grow_routes(struct settings *s) {
	size_t n = s->route_count + 1;
	struct route_rule *route = realloc(s->route, n * sizeof(*route));
	if (route)
		s->route = route;
	struct config_section *section = realloc(s->source->route, n * sizeof(*section));
	if (section)
		s->source->route = section;
	return route && section;
}

/* The same for a route: where its first section stands is its place in the order. */
static int find_or_add_route(struct config_load *l, struct span name,
			     const struct config_origin *at) {
	struct settings *s = l->s;
	for (size_t i = 0; i < s->route_count; i++)
		if (span_eq(name, span_str(s->route[i].name)))
			return (int)i;
	if (s->route_count == ROUTE_RULES_MAX) {
		config_complain(l, at, "more than %u routes", ROUTE_RULES_MAX);
		return -1;
	}
	char *copy = span_dup(name);
	if (!copy || !grow_routes(s)) {
		free(copy);
		config_complain(l, at, "out of memory");
		return -1;
	}
	size_t i = s->route_count++;
	s->route[i] = (struct route_rule){ .name = copy };
	s->source->route[i] = (struct config_section){ .id = CONFIG_ROUTE };
	return (int)i;
}

static void unknown_section(struct config_load *l, const struct ini_item *item,
			    const struct config_origin *at) {
	struct suggest near = { .word = item->word, .best = NULL };
	for (size_t i = 0; i < CONFIG_SECTION_COUNT; i++)
		suggest_try(&near, config_sections[i].word);
	struct term_quoted word = term_quote(item->word);
	l->incomplete = true;
	if (near.best)
		config_complain(l, at, "unknown section %s; did you mean \"%s\"?", word.s,
				near.best);
	else
		config_complain(l, at,
				"unknown section %s; this version of nightmail knows "
				"[relay NAME], [route NAME], [dkim DOMAIN], [identity], "
				"[queue], [listen], [notify] and [watch]",
				word.s);
}

static bool check_section_name(struct config_load *l, const struct ini_item *item,
			       enum config_section_id id,
			       const struct config_origin *at) {
	struct config_origin name_at = config_here(l, item->line, item->value_column);
	if (!config_sections[id].named && item->name.len) {
		config_complain(l, &name_at, "[%s] takes no name",
				config_sections[id].word);
		return false;
	}
	if (config_sections[id].named && !item->name.len) {
		config_complain(
			l, at,
			"[%s] needs a name%s", config_sections[id].word,
			id == CONFIG_RELAY ? "; the one that mail goes to is [relay default]"
					   : "");
		return false;
	}
	if (id == CONFIG_DKIM && !config_is_hostname(item->name)) {
		config_complain(l, &name_at, "%s is no domain", term_quote(item->name).s);
		return false;
	}
	if (id != CONFIG_DKIM && config_sections[id].named && !is_relay_name(item->name)) {
		config_complain(
			l, &name_at,
			"%s is no name for a %s; take letters, digits, - _ and "
			"., 64 at most",
			term_quote(item->name).s, config_sections[id].word);
		return false;
	}
	return true;
}

static void enter_section(struct config_load *l, const struct ini_item *item, size_t id,
			  struct config_origin at) {
	struct settings *s = l->s;
	int n = 0;
	if (id == CONFIG_RELAY)
		n = find_or_add_relay(l, item->name, &at);
	else if (id == CONFIG_ROUTE)
		n = find_or_add_route(l, item->name, &at);
	else if (id == CONFIG_DKIM)
		n = config_find_or_add_dkim(l, item->name, &at);
	if (n < 0)
		return;
	switch ((enum config_section_id)id) {
	case CONFIG_RELAY:
		l->section = &s->source->relay[n];
		l->base = &s->relay[n];
		break;
	case CONFIG_ROUTE:
		l->section = &s->source->route[n];
		l->base = &s->route[n];
		break;
	case CONFIG_DKIM:
		l->section = &s->source->dkim[n];
		l->base = &s->dkim[n];
		break;
	case CONFIG_IDENTITY:
		l->section = &s->source->identity;
		l->base = s;
		break;
	case CONFIG_LISTEN:
		l->section = &s->source->listen;
		l->base = s;
		break;
	case CONFIG_NOTIFY:
		l->section = &s->source->notify;
		l->base = s;
		break;
	case CONFIG_WATCH:
		l->section = &s->source->watch;
		l->base = s;
		break;
	case CONFIG_TOP:
	case CONFIG_QUEUE:
	case CONFIG_SECTION_COUNT:
		l->section = &s->source->queue;
		l->base = s;
		break;
	}
	snprintf(l->title, sizeof(l->title), "[%s%s%.*s]", config_sections[id].word,
		 item->name.len ? " " : "", (int)item->name.len,
		 item->name.len ? item->name.p : "");
	l->repeated = l->section->opened.file == at.file;
	if (l->repeated)
		config_complain(l, &at,
				"%s stands twice in this file; the first is on line %u",
				l->title, l->section->opened.line);
	else
		l->section->opened = at;
}

void config_open_top(struct config_load *l) {
	l->section = &l->s->source->top;
	l->base = l->s;
	l->repeated = false;
	snprintf(l->title, sizeof(l->title), "the lines before the first [section]");
}

void config_open_section(struct config_load *l, const struct ini_item *item) {
	struct config_origin at = config_here(l, item->line, item->column);
	size_t id = 0;
	l->section = NULL;
	l->base = NULL;
	while (id < CONFIG_SECTION_COUNT &&
	       !span_eq(item->word, span_str(config_sections[id].word)))
		id++;
	if (id == CONFIG_SECTION_COUNT)
		unknown_section(l, item, &at);
	else if (check_section_name(l, item, (enum config_section_id)id, &at))
		enter_section(l, item, id, at);
	else
		l->incomplete = true;
}
