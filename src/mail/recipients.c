/*
 * The recipients of one message without duplicates: an array in order of arrival, and a
 * hash table of indexes into it that is at most half full. The same person may be named
 * in To, in Cc and on the command line; one copy is enough.
 */

#include "mail/fixup.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

#define FIRST_CAP 16

/* Returns where the domain begins: behind the last "@" (a quoted one is before it). */
static size_t domain_at(struct span address) {
	size_t n = address.len;
	while (n > 0 && address.p[n - 1] != '@')
		n--;
	return n > 0 ? n : address.len;
}

/* FNV-1a, letters of the domain without case */
static size_t hash_of(struct span address) {
	uint64_t h = 14695981039346656037u;
	size_t domain = domain_at(address);
	for (size_t i = 0; i < address.len; i++) {
		h ^= (unsigned char)(i < domain ? address.p[i]
						: span_lower(address.p[i]));
		h *= 1099511628211u;
	}
	return (size_t)(h ^ (h >> 32));
}

static bool same(struct span a, struct span b) {
	size_t domain = domain_at(a);
	return a.len == b.len && span_eq(span_head(a, domain), span_head(b, domain)) &&
	       span_eq_nocase(span_from(a, domain), span_from(b, domain));
}

/* Returns the slot where the address is or would be. */
static size_t *find_slot(const struct fixup_recipients *r, struct span address) {
	size_t mask = r->hash_cap - 1;
	size_t i = hash_of(address) & mask;
	while (r->hash[i] != 0 && !same(span_str(r->address[r->hash[i] - 1]), address))
		i = (i + 1) & mask;
	return &r->hash[i];
}

static int grow(struct fixup_recipients *r) {
	size_t cap = r->cap ? r->cap * 2 : FIRST_CAP;
	char **address = reallocarray(r->address, cap, sizeof(*address));
	if (!address)
		return -1;
	r->address = address;
	size_t *hash = calloc(cap * 2, sizeof(*hash));
	if (!hash)
		return -1;
	free(r->hash);
	r->hash = hash;
	r->hash_cap = cap * 2;
	r->cap = cap;
	for (size_t i = 0; i < r->count; i++)
		*find_slot(r, span_str(r->address[i])) = i + 1;
	return 0;
}

int fixup_recipients_add(struct fixup_recipients *r, struct span address, size_t max,
			 struct err *err) {
	if (span_find(address, '\0') != address.len)
		return err_set(err, ERR_SYNTAX, "a recipient has a NUL byte");
	if (r->count == r->cap && grow(r) != 0)
		return err_set(err, ERR_MEMORY, "out of memory for %zu recipients",
			       r->count);
	size_t *slot = find_slot(r, address);
	if (*slot != 0)
		return 0;
	if (r->count >= max)
		return err_set(err, ERR_LIMIT, "more than %zu recipients", max);
	AUTO_FREE char *copy = span_dup(address);
	if (!copy)
		return err_set(err, ERR_MEMORY, "out of memory for %zu recipients",
			       r->count);
	r->address[r->count++] = take_ptr(&copy);
	*slot = r->count;
	return 0;
}

void fixup_recipients_release(struct fixup_recipients *r) {
	for (size_t i = 0; i < r->count; i++)
		free(r->address[i]);
	free(r->address);
	free(r->hash);
	*r = (struct fixup_recipients){ .count = 0 };
}
