/* The hashes of a body; see dkim_body.h. */

#include "authres/dkim_body.h"

#include <stdlib.h>

static void add(void *ctx, struct span piece) {
	crypto_hash_add(ctx, piece);
}

int dkim_bodies_want(struct dkim_bodies *b, enum canon kind, uint64_t limit) {
	for (size_t i = 0; i < b->count; i++)
		if (b->item[i]->canon.kind == kind && b->item[i]->canon.limit == limit)
			return (int)i;
	if (b->count == DKIM_BODIES_MAX)
		return -1;
	struct dkim_body *new = calloc(1, sizeof(*new));
	if (!new || !(new->hash = crypto_hash_new())) {
		free(new);
		return -1;
	}
	canon_body_init(&new->canon, kind, limit, add, new->hash);
	b->item[b->count] = new;
	return (int)b->count++;
}

void dkim_bodies_feed(struct dkim_bodies *b, struct span piece) {
	for (size_t i = 0; i < b->count; i++)
		canon_body_feed(&b->item[i]->canon, piece);
}

void dkim_bodies_end(struct dkim_bodies *b) {
	for (size_t i = 0; i < b->count; i++)
		canon_body_end(&b->item[i]->canon);
}

bool dkim_bodies_digest(const struct dkim_bodies *b, int number,
			struct crypto_digest *ret, uint64_t *ret_octets) {
	if (ret_octets)
		*ret_octets = b->item[number]->canon.total;
	return crypto_hash_peek(b->item[number]->hash, ret);
}

void dkim_bodies_release(struct dkim_bodies *b) {
	for (size_t i = 0; i < b->count; i++) {
		crypto_hash_free(b->item[i]->hash);
		free(b->item[i]);
	}
	b->count = 0;
}
