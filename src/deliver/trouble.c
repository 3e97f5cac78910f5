/* Destinations with trouble; see trouble.h. */

#include "deliver/trouble.h"

#include <stdlib.h>
#include <string.h>

#define DOMAIN_MAX 255u

static struct span domain_of(struct span address) {
	size_t at = address.len;
	while (at > 0 && address.p[at - 1] != '@')
		at--;
	return span_head(span_from(address, at), DOMAIN_MAX);
}

static struct trouble *find(const struct troubles *t, struct span domain) {
	struct trouble *unused = NULL;
	for (unsigned i = 0; i < TROUBLES_MAX; i++) {
		struct trouble *one = &t->list[i];
		if (one->domain && span_eq_nocase(span_str(one->domain), domain))
			return one;
		if (!unused && one->messages == 0)
			unused = one;
	}
	if (!unused)
		return NULL;
	free(unused->domain);
	unused->domain = span_dup(domain);
	unused->reply[0] = '\0';
	for (char *c = unused->domain; c && *c; c++)
		*c = span_lower(*c);
	return unused->domain ? unused : NULL;
}

void trouble_drop(struct troubles *t, uint16_t *number) {
	if (*number > 0)
		t->list[*number - 1].messages--;
	*number = 0;
}

void trouble_set(struct troubles *t, uint16_t *number, struct span address,
		 struct span reply) {
	trouble_drop(t, number);
	if (!t->list)
		t->list = calloc(TROUBLES_MAX, sizeof(*t->list));
	struct trouble *one = t->list ? find(t, domain_of(address)) : NULL;
	if (!one)
		return;
	reply = span_head(reply, sizeof(one->reply) - 1);
	if (reply.len > 0)
		memcpy(one->reply, reply.p, reply.len);
	one->reply[reply.len] = '\0';
	one->messages++;
	*number = (uint16_t)(one - t->list + 1);
}

void troubles_release(struct troubles *t) {
	for (unsigned i = 0; t->list && i < TROUBLES_MAX; i++)
		free(t->list[i].domain);
	free(t->list);
	t->list = NULL;
}
