#ifndef NIGHTMAIL_CONFIG_SETTINGS_H
#define NIGHTMAIL_CONFIG_SETTINGS_H

/*
 * Effective settings: what every program reads instead of files. config_load() finds the
 * mode and the files, reads them, fills defaults, and collects every error in one pass.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/inet.h"
#include "route/route.h"

enum config_mode { CONFIG_SYSTEM, CONFIG_USER, CONFIG_PRIVATE };

enum config_tls {
	CONFIG_TLS_STARTTLS,
	CONFIG_TLS_IMPLICIT,
	CONFIG_TLS_OPPORTUNISTIC,
	CONFIG_TLS_NONE,
	CONFIG_TLS_DANE /* STARTTLS, verified by DANE or not at all */
};

enum config_sandbox { CONFIG_SANDBOX_AUTO, CONFIG_SANDBOX_OFF };
enum config_stream { CONFIG_STREAM_AUTO, CONFIG_STREAM_OFF };
enum config_downgrade { CONFIG_DOWNGRADE_WARN, CONFIG_DOWNGRADE_HOLD };
enum config_long_lines { CONFIG_LONG_LINES_ENCODE, CONFIG_LONG_LINES_SEND };

#define CONFIG_HOSTS_MAX 8
#define CONFIG_PINS_MAX 8
#define CONFIG_PIN_SIZE 32 /* SHA-256 */

struct config_tls_files {
	char *certificate, *key; /* PEM; may be the same file. NULL: none */
};

/* So many within that time; count 0: no limit. */
struct config_rate {
	unsigned count;
	int64_t per_ms;
};

/* The first day's quota, that of each day more in percent of the one before, and the first
 * day (days since 1970 in local time). first 0: none. */
struct config_warmup {
	unsigned first, percent;
	int64_t start_day;
};

#define CONFIG_QUOTA_MAX UINT64_C(1000000000)

/* How much may go: messages by rate, recipients by hour and day; 0: no limit. */
struct config_limits {
	struct config_rate rate;
	uint64_t hour, day;
	struct config_warmup warmup;
};

static inline bool config_has_limit(const struct config_limits *l) {
	return l->rate.count > 0 || l->hour > 0 || l->day > 0 || l->warmup.first > 0;
}

/* Where access tokens come from (creds/oauth2.h); the provider fills what is not set. */
struct config_oauth {
	char *provider; /* google, microsoft, yahoo, or NULL */
	char *client_id;
	char *client_secret; /* reference for creds_fetch(), or NULL */
	char *token_url, *device_url, *auth_url, *scope;
	char *ca; /* PEM file for these servers, NULL: the system's */
};

/* [relay NAME] */
struct config_relay {
	char *name;
	char *host[CONFIG_HOSTS_MAX]; /* tried in order */
	size_t host_count;
	uint16_t port; /* 587, or 465 with implicit TLS, when it is not set */
	enum config_tls tls;
	char *login;             /* NULL: no AUTH; %H %h %u expanded */
	char *password;          /* reference for creds_fetch(), NULL without login */
	struct config_oauth oauth;
	enum config_downgrade downgrade; /* what a server that offers less than before gets */
	char *ca;                /* PEM file, NULL: the system's */
	char *pin;               /* keys it may have (config_pins()), NULL: any */
	struct config_tls_files cert; /* ours, shown to the server */
	unsigned min_tls;        /* 12 or 13 */
	char *priority;          /* GnuTLS priorities to add, or NULL */
	char *auth;              /* mechanisms, space separated, NULL: our order */
	char *source;            /* local address, or NULL */
	unsigned connections;    /* at most, 1-100 */
	unsigned per_connection; /* messages, 1-100000 */
	enum config_stream stream; /* several messages before the first reply (smtp/client.h) */
	struct config_limits limits;        /* of all its mail */
	struct config_limits domain_limits; /* of the mail to each recipient domain */
	int64_t probe_ms;
	int64_t connect_timeout_ms, reply_timeout_ms, data_timeout_ms;
};

/* What `host` of a relay says (values_host.c). */
enum config_way {
	CONFIG_WAY_HOSTS,   /* names and addresses, tried in order; NAME*N in turn by weight */
	CONFIG_WAY_SRV,     /* srv:DOMAIN: its submission servers */
	CONFIG_WAY_MX,      /* mx: the recipients' domains' own servers; mx:DOMAIN: that one's */
	CONFIG_WAY_LMTP,    /* lmtp:/PATH or lmtp:HOST:PORT */
	CONFIG_WAY_MAILDIR, /* maildir:/PATH */
	CONFIG_WAY_DISCARD, /* discard: */
	CONFIG_WAY_HOLD,    /* hold: */
	CONFIG_WAY_ERROR,   /* error:TEXT */
};

#define CONFIG_DKIM_KEYS_MAX 4

/* Words of one value. */
struct config_words {
	char *word[CONFIG_DKIM_KEYS_MAX];
	size_t count;
};

/* [dkim DOMAIN]: the n-th selector belongs to the n-th key. */
struct config_dkim {
	char *domain;                 /* lower case */
	struct config_words selector; /* A-labels */
	struct config_words key;      /* PEM files */
};

struct config_source;

#define CONFIG_TCP_MAX 16
#define CONFIG_ALLOW_MAX 64

struct config_sessions {
	unsigned all, each; /* of one user or address */
};

/* [listen] */
struct config_listen {
	struct inet_port tcp[CONFIG_TCP_MAX]; /* port 0: any */
	size_t tcp_count;
	char *unix_path; /* one more socket, or NULL */
	struct inet_net allow[CONFIG_ALLOW_MAX];
	size_t allow_count;
	bool trust_local;      /* everybody on this machine may send */
	bool lenient_newlines; /* a bare CR or LF in a message is one */
	struct config_tls_files tls;
	char *users; /* who may log in, or NULL */
	struct config_sessions sessions;
	unsigned recipients; /* of a message that comes by TCP */
	unsigned errors;
	int64_t timeout_ms;
};

/* Storm control (deliver/storm.h): so many of the same within the window; 0: off. */
struct config_storm_limit {
	unsigned count;
	int64_t window_ms;
};

/* What one user may submit; 0: no limit. */
struct config_user_limit {
	uint64_t bytes; /* in the queue at a time */
	unsigned per_hour;
};

/* [notify]: who hears of trouble when mail cannot tell (deliver/alert.h). */
struct config_notify {
	char *command;     /* for /bin/sh, or NULL */
	char *webhook;     /* URL, or NULL */
	bool desktop;
	char *motd;        /* file that exists while something is wrong, or NULL */
	int64_t age_ms;    /* oldest message; 0: never */
	unsigned size;     /* messages in the queue; 0: never */
	int64_t last_resort_ms; /* root's mail goes to the mailbox too; 0: never */
	char *mailbox;     /* which */
};

#define CONFIG_WATCH_MAX 32
#define CONFIG_WATCH_IPS_MAX 16

/* [watch]: whose DNS is looked at again and again (deliver/watch.h). */
struct config_watch {
	char *domain[CONFIG_WATCH_MAX]; /* lower case, A-labels */
	size_t domain_count;            /* 0: none */
	int64_t every_ms;
	struct inet_addr ip[CONFIG_WATCH_IPS_MAX]; /* from which their mail is sent */
	size_t ip_count;
};

struct settings {
	enum config_mode mode;
	char *hostname; /* full host name of this machine (%H) */
	char *root;     /* reads mail for root and unknown local names, or NULL */
	enum config_sandbox sandbox; /* processes that meet strangers (base/sandbox.h) */
	char *resolver;     /* name server, "192.0.2.1:53"; NULL: the system's */
	char *trust_anchor; /* of DNSSEC, a file or "none"; NULL: the system's */
	/* [identity] */
	char *domain; /* completes local names; hostname by default */
	char *from;   /* sender for the accounts of this machine, or NULL */
	char *envelope_from; /* the same for the envelope alone, or NULL */
	char *masquerade;    /* patterns of domains that become `domain`, or NULL */
	char *aliases;       /* the aliases(5) file, or NULL */
	char *helo;   /* name in EHLO; hostname by default */
	/* [queue] */
	char *dir;    /* spool directory */
	char *rundir; /* sockets */
	int64_t lifetime_ms, bounce_lifetime_ms;
	int64_t retry_min_ms, retry_max_ms;
	int64_t warning_ms; /* delay notice; 0: never */
	uint64_t reserve_bytes;
	uint64_t reserve_inodes;
	uint64_t size_limit; /* bytes of a message */
	struct config_user_limit user_limit;
	struct config_storm_limit storm_limit;
	enum config_long_lines long_lines; /* lines over 998 octets */
	struct config_listen listen;
	struct config_notify notify;
	struct config_watch watch;
	struct config_relay *relay;
	size_t relay_count;           /* the one named "default" is where mail goes */
	struct route_rule *route;     /* unless one of these matches */
	size_t route_count;
	struct config_dkim *dkim; /* domains whose mail is signed */
	size_t dkim_count;
	struct config_source *source; /* files, and where each value came from */
};

/*
 * Loads the settings. file: --config, or NULL (then NIGHTMAIL_CONFIG is looked at, then the
 * user's, then the system's files, by the rules of nightmail.conf(5)).
 *
 * Returns 0, or -1 when anything is wrong: then `errors` holds every complaint, one line each
 * ("nightmail.conf:12:1: unknown key ..."), and *ret is filled as far as could be read:
 * dir, rundir and the defaults are always usable when config_usable() says so, because mail
 * is accepted with a broken configuration. Release *ret in both cases.
 */
int config_load(const char *file, struct settings *ret, struct buf *errors);
void config_release(struct settings *s);
/* True when the spool directory is known, so that mail can be accepted. */
bool config_usable(const struct settings *s);
/* The relay of that name, or NULL. */
const struct config_relay *config_relay(const struct settings *s, const char *name);
/* The pinned keys: SHA-256 of SubjectPublicKeyInfo. Returns how many. */
size_t config_pins(const struct config_relay *r,
		   uint8_t ret[CONFIG_PINS_MAX][CONFIG_PIN_SIZE]);
/* True when one of its login mechanisms goes without login and password. */
bool config_needs_no_secret(const struct config_relay *r);
/* What kind of relay it is; ret_target (may be NULL): what stands behind the colon, "". */
enum config_way config_way(const struct config_relay *r, const char **ret_target);
/* True when each recipient's domain is a destination of its own: host = mx: */
bool config_is_per_domain(const struct config_relay *r);
/* The routes as a table; `relays` gets the names of all relays and must live as long. The
 * user names are looked up. */
struct route_table config_routes(struct settings *s, struct buf *relays);

/* Appends what is worth a warning although the settings are valid, one line each ("file:12:1:
 * warning: nothing uses ..."): config check prints them, the daemon logs them at start. */
int config_warnings(const struct settings *s, struct buf *out);
/* Appends "file:12:1: warning: " for a key of [listen] that is set. */
void config_listen_place(const struct settings *s, const char *key, struct buf *out);
/* The same for a key of the i-th [dkim DOMAIN], and of the i-th [relay NAME]. */
void config_dkim_place(const struct settings *s, size_t i, const char *key, struct buf *out);
void config_relay_place(const struct settings *s, size_t i, const char *key, struct buf *out);
/* One effective value; a key that has none has an empty value. */
struct config_shown {
	/* section: "" before the first one; name: of a relay, else NULL */
	const char *section, *name, *key;
	struct span value;
	bool is_default; /* file (if not NULL) and line tried to set it, or took it back */
	const char *file; /* where it was set; NULL: nowhere */
	unsigned line;
};
typedef void config_value_fn(void *ctx, const struct config_shown *value);
/* Calls fn for every effective value; the spans are valid during the call. */
void config_each(const struct settings *s, config_value_fn *fn, void *ctx);
/* Appends the effective values, one `section key = value  # where it came from` line each
 * (config show). */
int config_show(const struct settings *s, struct buf *out);
/* The files that were read (or looked for), NULL-terminated; owned by s. */
const char *const *config_files(const struct settings *s);

#endif
