/*
 * What ends one day, and stops mail then: the certificates of a relay's servers as they showed
 * them last, our own as they are on disk now, and the grants by which access tokens are got.
 */

#include <fcntl.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/term.h"
#include "creds/grant.h"
#include "deliver/state.h"
#include "net/certdate.h"

#define CERTIFICATE_MAX (1u << 20)
#define WORDS_MAX 500u
#define KEY_MAX 400u

static void look_at_file(struct manager *m, const char *file, const char *relay) {
	AUTO_BUF struct buf pem = BUF_INIT(CERTIFICATE_MAX), what = BUF_INIT(WORDS_MAX);
	struct validity v;
	if (!file || file_read(AT_FDCWD, file, &pem, NULL) != 0 ||
	    certdate_read(buf_span(&pem), &v.from_s, &v.until_s, NULL) != 0)
		return;
	if (relay)
		buf_addf(&what, "the certificate shown to relay %s, ", relay);
	else
		buf_adds(&what, "the certificate of the listener, ");
	term_safe(&what, span_head(span_str(file), 200));
	buf_addc(&what, ',');
	alert_raise_end(m, ALERT_CERTIFICATE, file, relay, buf_span(&what), &v);
}

static void look_at_servers(struct manager *m, const struct lane *lane) {
	struct span list = span_str(lane->state.certs), host;
	struct validity v;
	while (validity_next(&list, clock_wall_ms() / 1000, &host, &v)) {
		AUTO_BUF struct buf what = BUF_INIT(WORDS_MAX), key = BUF_INIT(KEY_MAX);
		buf_adds(&what, "the certificate of ");
		term_safe(&what, span_head(host, 100));
		buf_addf(&what, " (relay %s)", lane->relay);
		buf_addf(&key, "%s ", lane->relay);
		buf_add(&key, host);
		alert_raise_end(m, ALERT_CERTIFICATE, buf_str(&key), lane->relay, buf_span(&what),
				&v);
	}
}

static void look_at_grant(struct manager *m, const struct config_relay *r) {
	AUTO_BUF struct buf what = BUF_INIT(WORDS_MAX);
	const char *tokens = r->password ? grant_tokens(r->password) : NULL;
	struct validity v;
	if (!tokens || !grant_read(tokens, &v.from_s, &v.until_s))
		return;
	buf_addf(&what, "the login of relay %s (run nightmail login %s)", r->name, r->name);
	alert_raise_end(m, ALERT_TOKEN, r->name, r->name, buf_span(&what), &v);
}

void alert_ends(struct manager *m) {
	const struct settings *s = &m->settings;
	look_at_file(m, s->listen.tls.certificate, NULL);
	for (size_t i = 0; i < s->relay_count; i++) {
		look_at_file(m, s->relay[i].cert.certificate, s->relay[i].name);
		look_at_grant(m, &s->relay[i]);
	}
	for (size_t i = 0; i < m->lanes.end; i++)
		if (m->lanes.at[i] && m->lanes.at[i]->config && !lane_is_direct(m->lanes.at[i]))
			look_at_servers(m, m->lanes.at[i]);
}
