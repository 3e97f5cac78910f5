/* Who signs, for `nightmail explain`: the [dkim] section of the author's domain, or of the nearest one
 * above it, as the workers find it (deliver/worker_dkim.c). */

#include <stdio.h>
#include <unistd.h>

#include "base/json.h"
#include "base/term.h"
#include "cli/explain_limits.h"
#include "cli/nightmail_dkim.h"

static const struct config_dkim *find_section(const struct settings *s, struct span domain) {
	struct span label;
	while (domain.len > 0) {
		for (size_t i = 0; i < s->dkim_count; i++)
			if (span_eq_nocase(span_str(s->dkim[i].domain), domain))
				return &s->dkim[i];
		if (!span_take_until(&domain, '.', &label))
			break;
	}
	return NULL;
}

/* NULL: err says why, or (ERR_DENIED) that the caller may not read what the daemon may. */
static const char *algorithm_of(const char *path, struct err *err) {
	struct crypto_private *key;
	const char *name;
	if (access(path, F_OK) == 0 && access(path, R_OK) != 0) {
		err_set(err, ERR_DENIED, "%s: it is the daemon's to read", path);
		return NULL;
	}
	key = nightmail_dkim_key(path, err);
	if (!key)
		return NULL;
	name = crypto_private_kind(key) == CRYPTO_RSA ? "rsa-sha256" : "ed25519-sha256";
	crypto_private_free(key);
	return name;
}

void explain_signed_print(const struct settings *s, struct span domain) {
	const struct config_dkim *d = find_section(s, domain);
	if (!d) {
		fputs("signed   no: there is no [dkim ", stdout);
		term_print(stdout, domain);
		fputs("]\n", stdout);
		return;
	}
	for (size_t k = 0; k < d->key.count; k++) {
		struct err err = ERR_INIT;
		const char *algorithm = algorithm_of(d->key.word[k], &err);
		fputs(k == 0 ? "signed   d=" : "         d=", stdout);
		term_print(stdout, span_str(d->domain));
		fputs(" s=", stdout);
		term_print(stdout, span_str(d->selector.word[k]));
		if (algorithm)
			printf(" a=%s\n", algorithm);
		else if (err.kind == ERR_DENIED)
			printf(" (%s)\n", err.msg);
		else
			printf(": not possible now, such mail waits: %s\n", err.msg);
	}
}

void explain_signed_json(struct json *j, const struct settings *s, struct span domain) {
	const struct config_dkim *d = find_section(s, domain);
	json_array(j, "signed");
	for (size_t k = 0; d && k < d->key.count; k++) {
		struct err err = ERR_INIT;
		const char *algorithm = algorithm_of(d->key.word[k], &err);
		json_object(j, NULL);
		json_str(j, "domain", span_str(d->domain));
		json_str(j, "selector", span_str(d->selector.word[k]));
		json_str_or_null(j, "algorithm", span_str(algorithm));
		json_str_or_null(j, "trouble", span_str(algorithm ? NULL : err.msg));
		json_end(j);
	}
	json_end(j);
}
