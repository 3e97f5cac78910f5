#ifndef NIGHTMAIL_CHECK_PROBE_H
#define NIGHTMAIL_CHECK_PROBE_H

/*
 * One connection to an SMTP server as a sender makes it, and everything that was seen on the way.
 * It is the client machine that delivers mail (smtp/client.h) with the same TLS and SASL, so that
 * what is found here is what the relay meets. Waits for the greeting, says QUIT, sends no content
 * unless it is given one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/conn.h"
#include "net/tls_cert.h"
#include "smtp/auth.h"
#include "smtp/client.h"

enum probe_tls {
	PROBE_TLS_OPTIONAL, /* STARTTLS where it is offered */
	PROBE_TLS_NONE,
	PROBE_TLS_STARTTLS,
	PROBE_TLS_IMPLICIT,
};

/* Where to stop: what is named is done, and then QUIT is said. */
enum probe_stop {
	PROBE_STOP_CONNECT,
	PROBE_STOP_BANNER,
	PROBE_STOP_FIRST_EHLO,
	PROBE_STOP_TLS,
	PROBE_STOP_EHLO,
	PROBE_STOP_AUTH,
	PROBE_STOP_MAIL,
	PROBE_STOP_RCPT,
	PROBE_STOP_NEVER
};

enum probe_phase {
	PROBE_CONNECT,
	PROBE_BANNER,
	PROBE_EHLO,
	PROBE_STARTTLS,
	PROBE_HANDSHAKE,
	PROBE_EHLO2,
	PROBE_AUTH,
	PROBE_MAIL,
	PROBE_RCPT,
	PROBE_DATA,
	PROBE_QUIT,
	PROBE_TOTAL,
	PROBE_PHASES
};
const char *probe_phase_name(enum probe_phase p);

/* What passes by: '>' sent, '<' received, '=' about the connection. Secrets are starred out. */
typedef void probe_said_fn(void *ctx, char direction, bool tls, struct span line);

#define PROBE_RECIPIENTS_MAX 16
#define PROBE_CERTS_MAX 8
#define PROBE_WORDS_MAX 512
#define PROBE_EHLO_MAX 4096

struct probe_plan {
	const char *helo;
	enum probe_tls tls;
	enum probe_stop stop;
	const struct tls_client *trust; /* NULL: no TLS is done */
	struct tls_policy policy; /* .host: for SNI and the certificate; never refuses */
	const struct tls_policy *dane; /* held against the server as well, or NULL */
	const struct smtp_auth_options
		*auth; /* NULL: no login; the binding is filled in */
	bool lmtp;
	const char *from; /* NULL: no transaction; "": the null sender */
	const char *to[PROBE_RECIPIENTS_MAX];
	size_t to_count;
	struct span content; /* wire form, or p NULL: none is sent */
	int64_t timeout_ms;  /* of each step */
	probe_said_fn *said; /* NULL: nobody listens */
	void *ctx;
};

/* What the server said to EHLO: its lines without codes, each with a line feed. */
struct probe_ehlo {
	bool seen;
	struct smtp_extensions ext;
	char lines[PROBE_EHLO_MAX];
};

enum probe_mode {
	PROBE_MODE_AS_ASKED,
	PROBE_MODE_TLS,
	PROBE_MODE_CLEAR,
	PROBE_MODE_OTHER
};

struct probe_result {
	bool connected;
	char connect_error[PROBE_WORDS_MAX];
	bool timed_out;           /* no answer to the connect */
	struct smtp_reply banner; /* code 0: none */
	unsigned banner_lines;
	struct probe_ehlo before, after; /* TLS; with implicit TLS only the second */
	bool helo_only;
	bool tls_done;
	char tls_error[PROBE_WORDS_MAX]; /* a handshake that failed */
	struct tls_info tls;
	struct tls_cert cert[PROBE_CERTS_MAX]; /* leaf first */
	size_t certs;
	bool dane_matched;
	char dane_method[TLS_METHOD_SIZE], dane_words[PROBE_WORDS_MAX];
	char mechanism[32]; /* of a login that succeeded */
	struct smtp_reply mail, rcpt[PROBE_RECIPIENTS_MAX], data; /* code 0: not asked */
	bool rude; /* QUIT was not answered */
	bool failed; /* the session ended before its stop */
	enum smtp_stage stage;
	struct smtp_reply reply;  /* why */
	enum probe_mode mode;     /* what the port really speaks */
	int64_t ms[PROBE_PHASES]; /* -1: not reached */
};

/* Connects and goes as far as the plan says. addrs: tried in turn. */
void probe_run(const struct probe_plan *plan, const struct net_addrs *addrs,
	       struct probe_result *ret);
/* The same over a connected socket, which is taken over. */
void probe_run_on(const struct probe_plan *plan, int fd, struct probe_result *ret);
/* After a session that failed at the greeting or in the handshake: what does the port speak? Makes
 * one more connection. */
enum probe_mode probe_mode(const struct probe_plan *plan, const struct net_addrs *addrs);
/* Does the server forget what came in clear behind STARTTLS (CVE-2011-0411)? 1: it does not, which is
 * dangerous; 0: it does; -1: could not be found out. Makes one more connection. */
int probe_injection(const struct probe_plan *plan, const struct net_addrs *addrs);

#include "base/banned.h"

#endif
