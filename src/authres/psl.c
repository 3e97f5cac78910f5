/* libpsl, loaded once: the list is mapped and stays for the life of the process. */

#include "authres/psl.h"

#include <libpsl.h>

#include "base/auto.h"

static const psl_ctx_t *list(void) {
	static const psl_ctx_t *loaded;
	if (!loaded)
		loaded = psl_latest(NULL);
	if (!loaded)
		loaded = psl_builtin();
	return loaded;
}

bool psl_org_domain(struct span domain, char ret[256]) {
	char name[256], *lower = NULL;
	ret[0] = '\0';
	if (domain.len > 0 && domain.p[domain.len - 1] == '.')
		domain.len--;
	if (domain.len == 0 || domain.len >= sizeof(name) || domain.p[0] == '.' ||
	    span_find(domain, 0) < domain.len)
		return false;
	memcpy(name, domain.p, domain.len);
	name[domain.len] = '\0';
	if (!list() || psl_str_to_utf8lower(name, "utf-8", NULL, &lower) != PSL_SUCCESS)
		return false;
	const char *org = psl_registrable_domain(list(), lower);
	bool found = org && strlen(org) < 256;
	if (found)
		memcpy(ret, org, strlen(org) + 1);
	psl_free_string(lower);
	return found;
}
