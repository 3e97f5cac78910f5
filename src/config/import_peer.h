#ifndef NIGHTMAIL_CONFIG_IMPORT_PEER_H
#define NIGHTMAIL_CONFIG_IMPORT_PEER_H

/*
 * Inside of config/: what the readers of the peers' files share. A peer's file is described
 * by a table of the settings it may have; the reader fills a struct import_found for each.
 */

#include "config/import.h"

#define IMPORT_SETTINGS_MAX 80

struct import_setting {
	const char *name;
	const char *key;   /* key of ours that takes the value as it is, or NULL */
	const char *words; /* a note when it is set; "": it changes nothing here */
};

struct import_found {
	struct span value; /* p is NULL when the setting is not there */
	unsigned line;
};

/* Notes a setting that was found; unknown names become a note at once. Returns its index,
 * or -1. Names are compared without case when `nocase`. */
int import_find(struct import *in, const struct import_setting *table, size_t count,
		struct span name, bool nocase);
/* Carries over what the table alone can say: keys, notes, and what is not needed. */
void import_settings(struct import *in, const struct import_setting *table, size_t count,
		     const struct import_found *found);

/* Adds "FILE:LINE: words"; foreign bytes in the arguments are made safe. */
void import_note(struct import *in, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Sets a key; a value that it does not take becomes a note. */
void import_set(struct import *in, const char *key, struct span value);
/* One more server, at the end of the list. */
void import_host(struct import *in, struct span host);
/* "25" */
void import_port(struct import *in, struct span value);
/* Keeps the password; an empty one is none. */
void import_secret(struct import *in, struct span value);
/* The file with addresses of local names. */
void import_aliases(struct import *in, struct span path);
/* The authorities to trust, unless they are the system's own. */
void import_ca(struct import *in, struct span path);
/* A time in seconds. */
void import_seconds(struct import *in, const char *key, struct span value);
/* The file says where another one of the peer's is. */
void import_named(struct import *in, size_t file, struct span path);

/* "yes", "on", "true", "1", "enabled" in any case. */
bool import_is_yes(struct span value);
/* Without the blanks and the "..." or '...' around it. */
struct span import_unquote(struct span value);
/* Takes the next line that is not empty and no comment; counts in->line. */
bool import_line(struct import *in, struct span *rest, struct span *ret);

/* /etc/mailname, which several peers use. */
void import_mailname(struct import *in, struct span text);

/* One reader a file. */
void import_msmtp(struct import *in, struct span text);
void import_ssmtp(struct import *in, struct span text);
void import_revaliases(struct import *in, struct span text);
void import_esmtp(struct import *in, struct span text);
void import_dma(struct import *in, struct span text);
void import_dma_auth(struct import *in, struct span text);
void import_exim(struct import *in, struct span text);
void import_exim_auth(struct import *in, struct span text);
void import_postfix(struct import *in, struct span text);
void import_postfix_auth(struct import *in, struct span text);
void import_nullmailer(struct import *in, struct span text);
void import_nullmailer_me(struct import *in, struct span text);
void import_nullmailer_domain(struct import *in, struct span text);
void import_nullmailer_admin(struct import *in, struct span text);
void import_nullmailer_from(struct import *in, struct span text);
void import_nullmailer_helo(struct import *in, struct span text);
void import_nullmailer_lifetime(struct import *in, struct span text);
void import_nullmailer_other(struct import *in, struct span text);

#endif
