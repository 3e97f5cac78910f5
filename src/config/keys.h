#ifndef NIGHTMAIL_CONFIG_KEYS_H
#define NIGHTMAIL_CONFIG_KEYS_H

/*
 * The one table of everything that can be set. Reading, defaults, `config show`, `config
 * keys` and "did you mean" all follow it, and a test holds the manual page against it.
 */

#include <stddef.h>
#include <stdint.h>

#include "config/values.h"

enum config_section_id {
	CONFIG_TOP, /* before the first section line */
	CONFIG_RELAY,
	CONFIG_IDENTITY,
	CONFIG_QUEUE,
	CONFIG_LISTEN, /* no draft speaks of this one and those behind it */
	CONFIG_ROUTE,
	CONFIG_NOTIFY,
	CONFIG_WATCH,
	CONFIG_DKIM,
	CONFIG_SECTION_COUNT
};

struct config_section_name {
	const char *word; /* empty: no line opens it */
	bool named; /* [word NAME] */
};
extern const struct config_section_name config_sections[CONFIG_SECTION_COUNT];

#define CONFIG_KEYS_MAX 128

struct config_key {
	enum config_section_id section;
	const char *name;
	const struct config_type *type;
	size_t offset; /* in the struct of its section (config_base()) */
	const char
		*fallback; /* default as it is written; NULL: none, or made elsewhere */
	int64_t min, max;  /* numbers, bytes, milliseconds */
	const char *help;  /* one line for people */
};
extern const struct config_key config_keys[];
extern const size_t config_key_count; /* at most CONFIG_KEYS_MAX */

/* Returns the index of the key in the table, or -1. */
int config_key_find(enum config_section_id section, struct span name);

#endif
