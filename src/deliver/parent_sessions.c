/* See parent_sessions.h. */

#include "deliver/parent_sessions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/log.h"

#define CACHES_MAX 16u /* a quarter of a megabyte each */
#define NAME_MAX_SIZE 1024u

struct kept {
	char *name; /* relay and destination; NULL: free */
	struct tls_cache *cache;
	uint64_t used;
};

struct sessions {
	struct kept at[CACHES_MAX];
	uint64_t clock;
	bool told;
};

struct sessions *sessions_new(void) {
	return calloc(1, sizeof(struct sessions));
}

static void drop(struct kept *k) {
	if (k->cache)
		tls_cache_free(k->cache);
	free(k->name);
	*k = (struct kept){ .name = NULL };
}

void sessions_free(struct sessions *s) {
	for (size_t i = 0; s && i < CACHES_MAX; i++)
		drop(&s->at[i]);
	free(s);
}

static struct kept *find(struct sessions *s, const char *name) {
	for (size_t i = 0; i < CACHES_MAX; i++)
		if (s->at[i].name && strcmp(s->at[i].name, name) == 0)
			return &s->at[i];
	return NULL;
}

static struct kept *add(struct sessions *s, const char *name) {
	struct kept *k = &s->at[0];
	for (size_t i = 1; i < CACHES_MAX; i++)
		if (s->at[i].used < k->used)
			k = &s->at[i];
	drop(k);
	*k = (struct kept){ .name = strdup(name), .cache = tls_cache_new() };
	if (k->name && k->cache)
		return k;
	if (!s->told)
		log_warn("TLS sessions are not resumed: %s", strerror(errno));
	s->told = true;
	drop(k);
	return NULL;
}

struct tls_cache *sessions_find(struct sessions *s, const char *relay, const char *destination) {
	AUTO_BUF struct buf name = BUF_INIT(NAME_MAX_SIZE);
	buf_addf(&name, "%s\n%s", relay, destination ? destination : "");
	if (buf_failed(&name))
		return NULL;
	struct kept *k = find(s, buf_str(&name));
	if (!k)
		k = add(s, buf_str(&name));
	if (!k)
		return NULL;
	k->used = ++s->clock;
	return k->cache;
}

void sessions_keep(struct sessions *s, const struct tls_cache *mine) {
	for (size_t i = 0; i < CACHES_MAX; i++)
		if (s->at[i].cache && s->at[i].cache != mine)
			drop(&s->at[i]);
}
