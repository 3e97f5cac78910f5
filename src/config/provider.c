/*
 * Providers of mail that let people in by OAuth 2.0: what their own pages give as servers, end
 * points and scope. What the configuration says itself stays. None of them lends an identity
 * to programs of others: client-id is the administrator's.
 */

#include "config/provider.h"

#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "config/keys.h"
#include "config/settings.h"
#include "config/values.h"

#define MICROSOFT "https://login.microsoftonline.com/common/oauth2/v2.0/"

/* device_url NULL: its scope for mail is not to be had that way. */
static const struct provider {
	const char *name, *host;
	enum config_tls tls;
	const char *auth, *token_url, *device_url, *auth_url, *scope;
} providers[] = {
	{ "google", "smtp.gmail.com", CONFIG_TLS_IMPLICIT, "OAUTHBEARER XOAUTH2",
	  "https://oauth2.googleapis.com/token", NULL,
	  "https://accounts.google.com/o/oauth2/v2/auth", "https://mail.google.com/" },
	{ "microsoft", "smtp.office365.com", CONFIG_TLS_STARTTLS, "XOAUTH2", MICROSOFT "token",
	  MICROSOFT "devicecode", MICROSOFT "authorize",
	  "https://outlook.office.com/SMTP.Send offline_access" },
	{ "yahoo", "smtp.mail.yahoo.com", CONFIG_TLS_IMPLICIT, "OAUTHBEARER XOAUTH2",
	  "https://api.login.yahoo.com/oauth2/get_token", NULL,
	  "https://api.login.yahoo.com/oauth2/request_auth", "mail-w" },
};
#define COUNT (sizeof(providers) / sizeof(providers[0]))

static const struct provider *find(struct span name) {
	for (size_t i = 0; i < COUNT; i++)
		if (span_eq(name, span_str(providers[i].name)))
			return &providers[i];
	return NULL;
}

static int parse_provider(struct config_value *v, const struct config_key *key, void *base,
			  struct err *err) {
	struct suggest near = { .word = v->text, .best = NULL };
	if (span_eq(v->text, SPAN("generic"))) {
		config_type_command.clear(key, base);
		return 0;
	}
	if (find(v->text))
		return config_type_command.parse(v, key, base, err);
	for (size_t i = 0; i < COUNT; i++)
		suggest_try(&near, providers[i].name);
	if (near.best)
		return err_set(err, ERR_SYNTAX, "%s is no provider; did you mean \"%s\"?",
			       term_quote(v->text).s, near.best);
	return err_set(err, ERR_SYNTAX,
		       "%s is no provider that is known; there are google, microsoft, yahoo, "
		       "and generic for others with their token-url",
		       term_quote(v->text).s);
}

static void show(const struct config_key *key, const void *base, struct buf *out) {
	config_type_command.show(key, base, out);
}

static void clear(const struct config_key *key, void *base) {
	config_type_command.clear(key, base);
}

const struct config_type config_type_provider = { parse_provider, show, clear };

static bool fill(char **member, const char *text) {
	if (!*member && text)
		*member = strdup(text);
	return *member || !text;
}

int config_provider_fill(struct config_relay *r, bool tls_chosen) {
	const struct provider *p = r->oauth.provider ? find(span_str(r->oauth.provider)) : NULL;
	struct config_oauth *o = &r->oauth;
	bool own_urls = o->token_url != NULL;
	if (!p)
		return 0;
	if (r->host_count == 0) {
		r->host[0] = strdup(p->host);
		r->host_count = r->host[0] != NULL;
	}
	if (!tls_chosen)
		r->tls = p->tls;
	bool oauth = !r->password || span_starts(span_str(r->password), SPAN("oauth2:"));
	if (r->login && !r->password)
		r->password = strdup("oauth2:");
	bool filled = r->host_count > 0 && (!oauth || fill(&r->auth, p->auth)) &&
		      fill(&o->token_url, p->token_url) && fill(&o->scope, p->scope);
	/* End points of one's own are all of them. */
	if (!own_urls)
		filled = filled && fill(&o->device_url, p->device_url) &&
			 fill(&o->auth_url, p->auth_url);
	return filled && (!r->login || r->password) ? 0 : -1;
}
