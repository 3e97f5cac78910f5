/*
 * Questions and their answers, whoever answers them. A question lives from dns_get() until
 * dns_forget() or dns_close(), in a hash table by name and type and in one list in the order
 * of asking; the struct dns_answer that callers hold is part of it and is filled in place.
 */

#include "net/dns.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/term.h"
#include "net/dns_backend.h"

#define QUESTIONS_MAX 100000u
#define FIRST_BUCKETS 64u
#define RECORDS_MAX 4096u

struct dns {
	const struct dns_backend *backend;
	void *ctx;
	int64_t deadline_ms;
	struct dns_question **bucket;
	size_t buckets;
	struct dns_question *first, **last;
	size_t count, pending;
	unsigned round;
};

static const struct dns_answer no_memory = {
	.name = "",
	.canonical = "",
	.status = DNS_TIMEOUT,
	.why = "out of memory",
};
static const struct dns_answer too_many = {
	.name = "",
	.canonical = "",
	.status = DNS_TIMEOUT,
	.why = "too many questions at once",
};

struct dns *dns_new(const struct dns_backend *backend, void *ctx, int64_t deadline_ms) {
	struct dns *d = calloc(1, sizeof(*d));
	if (d)
		d->bucket = calloc(FIRST_BUCKETS, sizeof(*d->bucket));
	if (!d || !d->bucket) {
		free(d);
		backend->close(ctx);
		return NULL;
	}
	d->backend = backend;
	d->ctx = ctx;
	d->deadline_ms = deadline_ms;
	d->buckets = FIRST_BUCKETS;
	d->last = &d->first;
	return d;
}

/* FNV-1a: how many names a stranger can make us ask is limited by whoever follows them. */
static uint32_t hash_of(struct span name, enum dns_type type) {
	uint32_t h = 2166136261u ^ (uint32_t)type;
	for (size_t i = 0; i < name.len; i++)
		h = (h ^ (uint8_t)name.p[i]) * 16777619u;
	return h;
}

static void put(struct dns *d, struct dns_question *q) {
	struct dns_question **at = &d->bucket[q->hash & (d->buckets - 1)];
	q->next_alike = *at;
	*at = q;
}

/* Twice the buckets; without memory the chains only get longer. */
static void grow(struct dns *d) {
	struct dns_question **more = calloc(d->buckets * 2,
					    sizeof(struct dns_question *));
	if (!more)
		return;
	free(d->bucket);
	d->bucket = more;
	d->buckets *= 2;
	for (struct dns_question *q = d->first; q; q = q->next_asked)
		put(d, q);
}

static void add(struct dns *d, struct dns_question *q) {
	q->next_asked = NULL;
	*d->last = q;
	d->last = &q->next_asked;
	if (q->answer.status == DNS_PENDING)
		d->pending++;
	put(d, q);
	if (++d->count > d->buckets)
		grow(d);
}

static void release(struct dns_question *q) {
	free(q->storage);
	free(q);
}

/* A new question; its name stands right behind it. */
static struct dns_question *question_new(struct span name, enum dns_type type) {
	struct dns_question *q = calloc(1, sizeof(*q) + name.len + 1);
	if (!q)
		return NULL;
	char *copy = (char *)(q + 1);
	memcpy(copy, name.p, name.len);
	q->answer = (struct dns_answer){
		.name = copy,
		.canonical = copy,
		.type = type,
		.status = DNS_PENDING,
		.why = "not asked yet",
	};
	q->hash = hash_of(name, type);
	return q;
}

static struct dns_question *find(const struct dns *d, const char *name,
				 enum dns_type type, bool good) {
	uint32_t hash = hash_of(span_str(name), type);
	for (struct dns_question *q = d->bucket[hash & (d->buckets - 1)]; q;
	     q = q->next_alike)
		if (q->hash == hash && q->answer.type == type &&
		    strcmp(q->answer.name, name) == 0 &&
		    (q->answer.status == DNS_BADNAME) == !good)
			return q;
	return NULL;
}

const struct dns_answer *dns_known(const struct dns *d, const char *name,
				   enum dns_type type) {
	struct dns_question *q = find(d, name, type, true);
	return q && q->answer.status != DNS_PENDING ? &q->answer : NULL;
}

const struct dns_answer *dns_get(struct dns *d, struct span name, enum dns_type type) {
	char text[256];
	bool good = dns_name_parse(name, text);
	if (!good) {
		AUTO_BUF struct buf shown = BUF_INIT(4 * sizeof(text));
		term_safe(&shown, span_head(name, sizeof(text) - 1));
		size_t n = shown.len < sizeof(text) ? shown.len : sizeof(text) - 1;
		memcpy(text, buf_str(&shown), n);
		text[n] = '\0';
	}
	struct dns_question *q = find(d, text, type, good);
	if (q)
		return &q->answer;
	if (d->count >= QUESTIONS_MAX)
		return &too_many;
	q = question_new(span_str(text), type);
	if (!q)
		return &no_memory;
	if (!good) {
		q->answer.status = DNS_BADNAME;
		q->answer.why = "not a name that DNS can hold";
	}
	add(d, q);
	return &q->answer;
}

/* Copies the strings and records into one piece of memory. */
static bool store(struct dns_question *q, const struct dns_found *f) {
	size_t count = f->count < RECORDS_MAX ? f->count : RECORDS_MAX;
	size_t canonical = f->canonical ? strlen(f->canonical) + 1 : 0;
	size_t why = f->why ? strlen(f->why) + 1 : 0, size = count * sizeof(struct span);
	for (size_t i = 0; i < count; i++)
		size += f->record[i].len;
	char *p = malloc(size + canonical + why + 1);
	if (!p)
		return false;
	q->storage = p;
	struct span *record = (struct span *)(void *)p;
	p += count * sizeof(struct span);
	for (size_t i = 0; i < count; i++) {
		record[i] = span_of(p, f->record[i].len);
		if (f->record[i].len > 0)
			memcpy(p, f->record[i].p, f->record[i].len);
		p += f->record[i].len;
	}
	q->answer.record = count > 0 ? record : NULL;
	q->answer.count = count;
	if (f->canonical) {
		memcpy(p, f->canonical, canonical);
		q->answer.canonical = p;
		p += canonical;
	}
	if (f->why) {
		memcpy(p, f->why, why);
		q->answer.why = p;
	}
	return true;
}

void dns_settle(struct dns_question *q, const struct dns_found *found) {
	struct dns_found f = *found;
	if (q->answer.status != DNS_PENDING)
		return;
	/* Nobody can use by mistake what is not there. */
	if (f.status != DNS_FOUND)
		f.count = 0;
	else if (f.count == 0)
		f.status = DNS_NODATA;
	if (f.status == DNS_FOUND)
		f.why = NULL;
	q->answer.why = f.status == DNS_FOUND ? "" : dns_status_name(f.status);
	q->answer.took_ms = clock_boot_ms() - q->asked_ms;
	if (!store(q, &f)) {
		q->answer.status = DNS_TIMEOUT;
		q->answer.why = no_memory.why;
		return;
	}
	q->answer.status = f.status;
	q->answer.secure = f.secure && (f.status == DNS_FOUND || f.status == DNS_NODATA ||
					f.status == DNS_NXDOMAIN);
	q->answer.ttl = f.ttl;
	q->answer.cnames = f.cnames;
}

static void settle_late(const struct dns *d, struct dns_question *q) {
	AUTO_BUF struct buf why = BUF_INIT(64);
	if (d->deadline_ms % 1000 == 0)
		buf_addf(&why, "no answer in %lld s", (long long)d->deadline_ms / 1000);
	else
		buf_addf(&why, "no answer in %lld ms", (long long)d->deadline_ms);
	struct dns_found late = { .status = DNS_TIMEOUT, .why = buf_str(&why) };
	dns_settle(q, &late);
}

size_t dns_run(struct dns *d) {
	size_t count = 0;
	int64_t begun_ms = clock_boot_ms();
	if (d->pending == 0)
		return 0;
	struct dns_question **q = calloc(d->pending, sizeof(struct dns_question *));
	if (!q)
		return 0;
	for (struct dns_question *i = d->first; i; i = i->next_asked)
		if (i->answer.status == DNS_PENDING && count < d->pending)
			q[count++] = i;
	for (size_t i = 0; i < count; i++)
		q[i]->asked_ms = begun_ms;
	d->round++;
	d->backend->ask(d->ctx, q, count);
	for (size_t i = 0; i < count; i++) {
		if (q[i]->answer.status == DNS_PENDING)
			settle_late(d, q[i]);
		q[i]->answer.round = d->round;
	}
	d->pending = 0;
	free(q);
	return count;
}

const struct dns_answer *dns_ask(struct dns *d, struct span name, enum dns_type type) {
	const struct dns_answer *a = dns_get(d, name, type);
	if (a->status != DNS_PENDING)
		return a;
	return dns_run(d) > 0 ? a : &no_memory;
}

void dns_forget(struct dns *d) {
	struct dns_question *q = d->first, *next;
	memset(d->bucket, 0, d->buckets * sizeof(struct dns_question *));
	d->first = NULL;
	d->last = &d->first;
	d->count = d->pending = 0;
	for (; q; q = next) {
		next = q->next_asked;
		if (q->answer.status == DNS_PENDING)
			add(d, q);
		else
			release(q);
	}
	if (d->backend->forget)
		d->backend->forget(d->ctx);
}

void dns_close(struct dns *d) {
	if (!d)
		return;
	d->backend->close(d->ctx);
	for (struct dns_question *q = d->first, *next; q; q = next) {
		next = q->next_asked;
		release(q);
	}
	free(d->bucket);
	free(d);
}

const char *dns_warning(struct dns *d) {
	return d->backend->warning ? d->backend->warning(d->ctx) : "";
}

void dns_each(struct dns *d, dns_each_fn *fn, void *ctx) {
	for (struct dns_question *q = d->first; q; q = q->next_asked)
		if (q->answer.status != DNS_PENDING)
			fn(ctx, &q->answer);
}

bool dns_is_temporary(const struct dns_answer *a) {
	return a->status == DNS_SERVFAIL || a->status == DNS_BOGUS ||
	       a->status == DNS_TIMEOUT;
}
