/* Tools for the readers of peers' files: lines, quotes, tables of settings. */

#include "config/import_peer.h"

bool import_is_yes(struct span value) {
	static const char *const yes[] = { "yes", "on", "true", "1", "enabled" };
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (span_eq_nocase(value, span_str(yes[i])))
			return true;
	return false;
}

struct span import_unquote(struct span value) {
	value = span_trim(value);
	if (value.len >= 2 && (value.p[0] == '"' || value.p[0] == '\'') &&
	    value.p[value.len - 1] == value.p[0])
		return span_of(value.p + 1, value.len - 2);
	return value;
}

bool import_line(struct import *in, struct span *rest, struct span *ret) {
	struct span line;
	while (span_take_line(rest, &line)) {
		in->line++;
		*ret = span_trim(line);
		if (ret->len && ret->p[0] != '#')
			return true;
	}
	return false;
}

int import_find(struct import *in, const struct import_setting *table, size_t count,
		struct span name, bool nocase) {
	for (size_t i = 0; i < count; i++) {
		struct span s = span_str(table[i].name);
		if (nocase ? span_eq_nocase(name, s) : span_eq(name, s))
			return (int)i;
	}
	import_note(in, "not carried over: %.*s", (int)name.len, name.p ? name.p : "");
	return -1;
}

static void not_needed(struct import *in, const char *name) {
	buf_addf(&in->unneeded, "%s%s", in->unneeded.len ? " " : "", name);
}

void import_settings(struct import *in, const struct import_setting *table, size_t count,
		     const struct import_found *found) {
	for (size_t i = 0; i < count; i++) {
		if (!found[i].value.p)
			continue;
		in->line = found[i].line;
		if (table[i].key && found[i].value.len)
			import_set(in, table[i].key, found[i].value);
		if (table[i].words && !table[i].words[0])
			not_needed(in, table[i].name);
		else if (table[i].words)
			import_note(in, "%s: %s", table[i].name, table[i].words);
	}
	in->line = 0;
}

/* The name that completes addresses; what the peer's own file says goes before it. */
void import_mailname(struct import *in, struct span text) {
	struct span line;
	if (import_line(in, &text, &line) && !config_draft_get(&in->draft, "domain"))
		import_set(in, "domain", line);
}
