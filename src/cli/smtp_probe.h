#ifndef NIGHTMAIL_CLI_SMTP_PROBE_H
#define NIGHTMAIL_CLI_SMTP_PROBE_H

/* smtp-probe: the command line, the servers that it leads to, and what was found there. */

#include <stdbool.h>
#include <stdint.h>

#include "base/term.h"
#include "check/finding.h"
#include "check/probe.h"
#include "config/settings.h"
#include "creds/creds.h"
#include "tlspolicy/decide.h"

#define SMTP_PROBE_TARGETS_MAX 64

struct smtp_probe {
	/* what is asked */
	const char *host;    /* server, or the path of a socket */
	const char *mx;      /* domain whose servers are asked */
	const char *relay;   /* relay of the configuration */
	const char *config;
	const char *connect; /* ADDR:PORT instead of what DNS says */
	unsigned port;       /* 0: not said */
	int family;          /* 0, 4, 6 */
	bool first;          /* --mx: the first that answers is enough */
	const char *helo, *from, *to[PROBE_RECIPIENTS_MAX];
	size_t to_count;
	bool catchall, open_relay, injection, lmtp;
	const char *send; /* file of a message, "-": standard input */
	enum probe_stop stop;
	bool stop_given;
	enum probe_tls tls;
	bool tls_given, tls_verify, dane;
	const char *verify_name, *ca_file, *cert, *key;
	bool log_in;
	const char *mechanisms, *user, *secret_file;
	int64_t timeout_ms;
	unsigned days_warn, days_fail; /* of a certificate */
	int64_t slow_warn_ms, slow_fail_ms;
	const char *server, *trust_anchor;
	/* how it is shown */
	bool json, plain, nagios, verbose, sandbox;
	enum term_color color;
	const char *explain;
};

/* One address of one server. */
struct smtp_probe_target {
	char host[256];      /* "" for a socket */
	unsigned preference; /* of its MX record */
	struct net_addrs addrs;
	char where[80];      /* "192.0.2.1", for people */
	int64_t dns_ms;
	struct dane_result dane;
	bool has_dane; /* it was looked up */
	struct tlspolicy_decision decision;
	bool decided;
	bool tried;
	struct probe_result r;
	int injection; /* 1: the server is open to it, 0: not, -1: not asked */
};

struct smtp_probe_run {
	struct smtp_probe *p;
	char host_ascii[256], name_ascii[256]; /* of what was given, IDNs as A-labels */
	struct settings settings; /* with relay */
	bool configured;
	const struct config_relay *relay;
	struct secret secret;
	struct dns *dns;
	bool dns_secure; /* the MX records were validated */
	bool null_mx;
	struct sts_policy sts;
	bool has_sts;
	struct buf sts_text;
	struct tls_client *trust;
	struct smtp_auth_options auth;
	struct buf content;
	struct smtp_probe_target target[SMTP_PROBE_TARGETS_MAX];
	size_t count;
	char catchall_to[300], open_from[300], open_to[300];
	struct findings findings;
	int64_t begun_ms, took_ms;
};

extern const char smtp_probe_program[];

/* Checks what belongs together, asks for the password, finds the servers. 0, or an exit code that was
 * explained. */
int smtp_probe_prepare(struct smtp_probe_run *run);
/* Finds the servers of --mx, HOST or --as-relay by DNS. What is wrong there becomes findings. */
void smtp_probe_find_targets(struct smtp_probe_run *run);
/* Connects to each. */
void smtp_probe_ask(struct smtp_probe_run *run);
/* What it means. */
void smtp_probe_judge(struct smtp_probe_run *run);
/* Shows it all; returns the exit code. */
int smtp_probe_show(struct smtp_probe_run *run);
void smtp_probe_release(struct smtp_probe_run *run);

/* True when the server is asked by a socket of this machine, which has no port. */
bool smtp_probe_is_socket(const struct smtp_probe *p);
/* True for a server that takes mail of strangers (port 25): its certificate need not be trusted. */
bool smtp_probe_is_mx(const struct smtp_probe_run *run);
/* "host[192.0.2.1]", for findings. */
void smtp_probe_name(const struct smtp_probe_target *t, char *out, size_t size);
/* The transcript line of a probe (probe_said_fn; ctx is not used). */
void smtp_probe_said(void *ctx, char direction, bool tls, struct span line);

#include "base/banned.h"

#endif
