#ifndef NIGHTMAIL_CONFIG_SOURCE_H
#define NIGHTMAIL_CONFIG_SOURCE_H

/*
 * Inside of config/: where each effective value came from, and the loader that fills it.
 */

#include <stdbool.h>
#include <stddef.h>

#include "config/env.h"
#include "config/ini.h"
#include "config/keys.h"
#include "config/settings.h"

#define CONFIG_FILES_MAX 100
#define CONFIG_RELAYS_MAX 64
#define CONFIG_FILE_SIZE_MAX (1 << 20)

struct config_origin {
	unsigned file; /* index + 1 in config_source; 0: not set anywhere */
	unsigned line, column;
	bool unset;  /* by "-key =": the default is in force */
	bool broken; /* the value was refused: a complaint says so */
};

/* One section: the top, identity, queue, listen, a relay, or a route. The key indexes are those of config_keys. */
struct config_section {
	enum config_section_id id;
	struct config_origin opened; /* where it begins, in the file that did so last */
	struct config_origin key[CONFIG_KEYS_MAX];
};

struct config_source {
	char *file[CONFIG_FILES_MAX + 1];  /* absolute paths, NULL at the end */
	char *label[CONFIG_FILES_MAX + 1]; /* the same as messages call them */
	size_t file_count;
	struct config_section top, identity, queue, listen, notify, watch;
	struct config_section *relay; /* settings.relay_count of them */
	struct config_section *route; /* settings.route_count of them */
	struct config_section *dkim;  /* settings.dkim_count of them */
	bool usable;                  /* the spool directory is known for sure */
};

/* State of one config_load(). */
struct config_load {
	struct settings *s;
	struct config_env *env;
	struct buf *errors; /* or NULL */
	unsigned error_count;
	bool incomplete; /* a section or file was not read: what is missing may stand there */
	const char *folder; /* where relative paths begin, or NULL */
	/* in the file that is being read: */
	unsigned file;                  /* as in config_origin */
	struct config_section *section; /* NULL: keys are skipped */
	void *base;                     /* what the section fills */
	char title[128];                /* "[relay default]" */
	bool repeated; /* the section was there before: its keys are not twice again */
};

/* config_load() with everything that it otherwise asks the system for; tests use it. */
int config_load_env(const char *file, struct config_env *env, struct settings *ret,
		    struct buf *errors);

/* Reads one file into l->s, complaining as it goes. */
void config_read_file(struct config_load *l, const char *path, const char *label);
/* Enters the section of the item: sets l->section and what belongs to it. */
void config_open_section(struct config_load *l, const struct ini_item *item);
/* Enters what stands before the first section line. */
void config_open_top(struct config_load *l);
/* Reads conf.d/(name).conf below the directory, in the order of their names. */
void config_read_directory(struct config_load *l, const char *path);
/* A place in the file that is being read. */
static inline struct config_origin config_here(const struct config_load *l, unsigned line,
					       unsigned column) {
	return (struct config_origin){ .file = l->file, .line = line, .column = column };
}
/* Adds an error line: "label:line:column: ..." with origin, else "label: ...". */
void config_complain(struct config_load *l, const struct config_origin *where,
		     const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Sets the default of a key, if the table has one. */
void config_set_default(struct config_load *l, const struct config_key *key, void *base);

/* The struct that the keys of a section fill; i: of a relay, a route or a signing domain, which one. */
const void *config_base(const struct settings *s, enum config_section_id id, size_t i);
const struct config_section *config_section(const struct settings *s,
					    enum config_section_id id, size_t i);
/* What is wrong with the routes as a whole; and what is odd about them. */
void config_check_routes(struct config_load *l);
void config_warn_routes(const struct settings *s, struct buf *out);
/* Returns the index of the [dkim DOMAIN], made when it is new, or -1. */
int config_find_or_add_dkim(struct config_load *l, struct span domain,
			    const struct config_origin *at);
/* What is wrong with the signing keys as a whole; and what is odd about them. */
void config_check_dkim(struct config_load *l);
void config_warn_dkim(const struct settings *s, struct buf *out);
void config_release_dkim(struct settings *s);
/* The same for [watch]. */
void config_check_watch(struct config_load *l);
void config_warn_watch(const struct settings *s, struct buf *out);
/* Appends "label:12:1: warning: ". */
void config_warn_at(const struct settings *s, const struct config_origin *at,
		    struct buf *out);

#endif
