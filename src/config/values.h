#ifndef NIGHTMAIL_CONFIG_VALUES_H
#define NIGHTMAIL_CONFIG_VALUES_H

/*
 * The kinds of values a key can have: how text becomes a member of struct settings or
 * struct config_relay, and how the member is shown again. Pure, apart from %u (which may
 * ask passwd).
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "base/term.h"
#include "config/env.h"

#define CONFIG_VALUE_MAX 4096

struct config_key;

struct config_value {
	struct span text; /* as written, trimmed, not empty */
	struct config_env *env;
	const char *hostname; /* %H */
	const char *folder;   /* relative paths begin here; NULL: they are refused */
	size_t wrong;         /* set by parse: offset in text of what is wrong */
};

struct config_type {
	/* Writes the value into the struct that `base` points to, at the key's offset. On -1 the
	 * member is as it was. Words never repeat a value that may be a secret. */
	int (*parse)(struct config_value *v, const struct config_key *key, void *base,
		     struct err *err);
	/* Appends the value as it would be written; nothing when it is unset. */
	void (*show)(const struct config_key *key, const void *base, struct buf *out);
	/* Unsets the member and frees what it holds; NULL: nothing to free. */
	void (*clear)(const struct config_key *key, void *base);
};

/* char *, with %H %h %u: */
extern const struct config_type config_type_command;  /* printable text */
extern const struct config_type config_type_webhook;  /* https URL */
extern const struct config_type config_type_login;    /* printable text */
extern const struct config_type config_type_password; /* reference to a secret */
extern const struct config_type config_type_path;     /* absolute path */
extern const struct config_type config_type_domain;   /* host name */
extern const struct config_type config_type_helo;     /* host name or [address] */
extern const struct config_type config_type_address;  /* user@domain */
extern const struct config_type config_type_masquerade; /* patterns of domains */
extern const struct config_type config_type_source;   /* address literal */
extern const struct config_type config_type_resolver; /* address and port */
extern const struct config_type config_type_anchor;   /* absolute path, or "none" */
extern const struct config_type config_type_auth;     /* SASL mechanisms */
extern const struct config_type config_type_provider; /* google, ... */
/* char *[CONFIG_HOSTS_MAX] and host_count of a relay: */
extern const struct config_type config_type_hosts;
/* char * of a route: patterns of addresses; users; the name of a relay */
extern const struct config_type config_type_patterns;
extern const struct config_type config_type_users;
extern const struct config_type config_type_relay_name;
/* struct config_words of a signing domain: selectors; paths: */
extern const struct config_type config_type_selectors;
extern const struct config_type config_type_paths;
/* enum config_tls: */
extern const struct config_type config_type_tls;
/* char *: pinned keys with blanks between them; GnuTLS priorities. unsigned: 12 or 13 */
extern const struct config_type config_type_pins;
extern const struct config_type config_type_priority;
extern const struct config_type config_type_min_tls;
/* Numbers between the key's min and max: uint16_t, unsigned, uint64_t bytes: */
extern const struct config_type config_type_port;
extern const struct config_type config_type_count;
extern const struct config_type config_type_size;
/* enum config_downgrade: */
extern const struct config_type config_type_downgrade;
/* enum config_long_lines: */
extern const struct config_type config_type_long_lines;
/* enum config_sandbox, enum config_stream: */
extern const struct config_type config_type_auto;
/* struct config_user_limit: */
extern const struct config_type config_type_user_limit;
/* struct config_rate, struct config_limits (hour and day), struct config_warmup: */
extern const struct config_type config_type_rate;
extern const struct config_type config_type_quota;
extern const struct config_type config_type_warmup;
/* struct config_storm_limit: */
extern const struct config_type config_type_storm_limit;
/* int64_t milliseconds between min and max: one; one or `never` (0); two, the first not
 * longer; three: */
extern const struct config_type config_type_time;
extern const struct config_type config_type_time_or_never;
extern const struct config_type config_type_retry;
extern const struct config_type config_type_timeouts;

/* struct config_listen: tcp, allow: */
extern const struct config_type config_type_tcp;
extern const struct config_type config_type_allow;
/* struct config_tls_files, struct config_sessions, bool: */
extern const struct config_type config_type_tls_files;
extern const struct config_type config_type_sessions;
extern const struct config_type config_type_yes_no;

/* struct config_watch: domains, addresses: */
extern const struct config_type config_type_watch_domains;
extern const struct config_type config_type_watch_ips;

/* Takes the next word of the value and notes its place for error messages. */
bool config_value_word(struct config_value *v, struct span *rest, struct span *ret);
/* Appends text with %H %h %u %% replaced. */
int config_expand(struct config_value *v, struct span text, struct buf *out,
		  struct err *err);

#endif
