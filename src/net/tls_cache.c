/*
 * A table of slots of one size. Each has the hash of all it holds: an entry that was torn by two
 * writers, or by one that died, fails it. Readers take a copy before they look.
 */
#include "net/tls_cache.h"

#include <string.h>

#include <gnutls/crypto.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/sharedmem.h"

#define SLOTS 32u
#define SESSION_MAX 8000u
#define SAME_MAX 4u /* sessions of one key: connections side by side have one each */
#define AGE_MAX_MS (int64_t)(4 * 3600 * 1000)
#define KEY_MAX 65536u

struct entry {
	struct tls_cache_key key;
	int64_t stored_ms; /* boot time; 0: empty */
	uint32_t len;
	uint8_t session[SESSION_MAX];
};

struct slot {
	struct entry entry;
	uint8_t sum[TLS_HASH_SIZE];
};

struct tls_cache {
	struct slot slot[SLOTS];
};

struct tls_cache *tls_cache_new(void) {
	AUTO_FD int fd = -1;
	return sharedmem_new(sizeof(struct tls_cache), &fd);
}

void tls_cache_free(struct tls_cache *c) {
	sharedmem_free(c, sizeof(*c));
}

/* Lengths stand before the bytes: two different lists never look alike. */
static void add_field(struct buf *b, struct span s) {
	buf_addf(b, "%zu:", s.len);
	buf_add(b, s);
}

static struct span text_or_empty(const char *s) {
	return s ? span_str(s) : SPAN("");
}

bool tls_cache_key(uint64_t trust, const struct tls_policy *p, struct tls_cache_key *ret) {
	AUTO_BUF struct buf b = BUF_INIT(KEY_MAX);
	if (p->port == 0)
		return false;
	buf_addf(&b, "%llu %u %d %u %zu %zu ", (unsigned long long)trust, p->port, p->verify,
		 p->min_version, p->pins, p->tlsa_count);
	add_field(&b, span_str(p->host));
	add_field(&b, text_or_empty(p->priority));
	for (size_t i = 0; i < TLS_NAMES_MAX; i++)
		add_field(&b, text_or_empty(p->names[i]));
	for (size_t i = 0; i < p->pins; i++)
		buf_addm(&b, p->pin[i], sizeof(p->pin[i]));
	for (size_t i = 0; i < p->tlsa_count; i++) {
		const struct dns_tlsa *r = &p->tlsa[i];
		buf_addf(&b, "%u %u %u ", r->usage, r->selector, r->matching);
		add_field(&b, r->data);
	}
	return !buf_failed(&b) && gnutls_hash_fast(GNUTLS_DIG_SHA256, b.data, b.len, ret->byte) == 0;
}

static bool sum_of(const struct entry *e, uint8_t ret[TLS_HASH_SIZE]) {
	return gnutls_hash_fast(GNUTLS_DIG_SHA256, e, sizeof(*e), ret) == 0;
}

static bool is_fresh(const struct entry *e, int64_t now) {
	return e->stored_ms > 0 && e->stored_ms <= now && now - e->stored_ms < AGE_MAX_MS;
}

static bool has_key(const struct entry *e, const struct tls_cache_key *k) {
	return memcmp(&e->key, k, sizeof(*k)) == 0;
}

static struct slot *older(struct slot *a, struct slot *b) {
	return !a || b->entry.stored_ms < a->entry.stored_ms ? b : a;
}

/* The oldest of this key where it has enough, else the oldest of all. */
static struct slot *slot_for(struct tls_cache *c, const struct tls_cache_key *k) {
	struct slot *oldest = NULL, *same = NULL;
	unsigned count = 0;
	for (unsigned i = 0; i < SLOTS; i++) {
		struct slot *s = &c->slot[i];
		oldest = older(oldest, s);
		if (s->entry.stored_ms == 0 || !has_key(&s->entry, k))
			continue;
		same = older(same, s);
		count++;
	}
	return count >= SAME_MAX ? same : oldest;
}

void tls_cache_put(struct tls_cache *c, const struct tls_cache_key *k, struct span session) {
	struct slot new = { .entry = { .key = *k,
				       .stored_ms = clock_boot_ms(),
				       .len = (uint32_t)session.len } };
	if (session.len == 0 || session.len > SESSION_MAX)
		return;
	memcpy(new.entry.session, session.p, session.len);
	if (sum_of(&new.entry, new.sum))
		memcpy(slot_for(c, k), &new, sizeof(new));
	explicit_bzero(&new, sizeof(new));
}

static struct slot *newest(struct tls_cache *c, const struct tls_cache_key *k, int64_t now) {
	struct slot *found = NULL;
	for (unsigned i = 0; i < SLOTS; i++) {
		struct slot *s = &c->slot[i];
		if (is_fresh(&s->entry, now) && has_key(&s->entry, k) &&
		    (!found || s->entry.stored_ms > found->entry.stored_ms))
			found = s;
	}
	return found;
}

bool tls_cache_take(struct tls_cache *c, const struct tls_cache_key *k, struct buf *out) {
	int64_t now = clock_boot_ms();
	struct slot *s = newest(c, k, now);
	struct slot copy;
	uint8_t sum[TLS_HASH_SIZE];
	if (!s)
		return false;
	memcpy(&copy, s, sizeof(copy));
	explicit_bzero(s, sizeof(*s));
	const struct entry *e = &copy.entry;
	bool good = is_fresh(e, now) && has_key(e, k) && e->len <= SESSION_MAX &&
		    sum_of(e, sum) && memcmp(sum, copy.sum, sizeof(sum)) == 0 &&
		    buf_addm(out, e->session, e->len) == 0;
	explicit_bzero(&copy, sizeof(copy));
	return good;
}
