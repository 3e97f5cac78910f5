/*
 * Signing what leaves. The header is signed as it is sent, rewritten or not; the body is read
 * once more for its hash, which costs a tenth of what sending it does. Keys are read when they
 * are first needed and again when their file was replaced. A key that cannot be had is our own
 * trouble: mail that would have to go without a signature waits.
 */

#include <stdlib.h>

#include "authres/dkim_sign.h"
#include "base/auto.h"
#include "base/log.h"
#include "creds/creds.h"
#include "deliver/worker_state.h"
#include "mail/header.h"

#define KEY_MAX (64u << 10)
#define TRY_AGAIN_MS 10000
#define DOMAIN_MAX 512u

struct dkim_file {
	char *domain, *selector, *path;
	struct crypto_private *key; /* NULL: why_not says why */
	struct stat st;             /* of the file it was read from */
	int64_t tried_ms;           /* boot time; 0: never */
	char why_not[ERR_MSG_SIZE];
};

struct worker_dkim {
	struct dkim_file *file;
	size_t count;
};

/* --- keys --- */

static bool is_same(const struct dkim_file *f, const struct stat *st) {
	return st->st_ino == f->st.st_ino && st->st_dev == f->st.st_dev &&
	       st->st_size == f->st.st_size &&
	       st->st_ctim.tv_sec == f->st.st_ctim.tv_sec && /* its rights count, too */
	       st->st_ctim.tv_nsec == f->st.st_ctim.tv_nsec;
}

/* Whoever looks after this machine is told of a key that cannot be had, and that it can again. */
static void report_key(struct worker *w, const struct dkim_file *f) {
	struct wire_report r = { .kind = WIRE_UNSIGNED };
	snprintf(r.name, sizeof(r.name), "%s %s", f->domain, f->selector);
	snprintf(r.text, sizeof(r.text), "%s", f->key ? "" : f->why_not);
	worker_report(w, &r);
}

static void read_key(struct worker *w, struct dkim_file *f) {
	struct secret pem = { .p = NULL };
	struct err err = ERR_INIT;
	bool first = f->tried_ms == 0 || f->key;
	f->tried_ms = clock_boot_ms();
	crypto_private_free(f->key);
	f->key = NULL;
	if (creds_read(f->path, KEY_MAX, &pem, &err) == 0) {
		f->key = crypto_private_read(span_of(pem.p, pem.len), &err);
		if (!f->key)
			err_prefix(&err, "%s", f->path);
		secret_release(&pem);
	}
	if (!f->key)
		memcpy(f->why_not, err.msg, sizeof(f->why_not));
	if (first || f->key)
		report_key(w, f);
	if (first && !f->key)
		log_error("mail from %s cannot be signed and waits: %s", f->domain,
			  err.msg);
}

/* Looked at before it is read: a change in between is seen the next time. */
static bool has_key(struct worker *w, struct dkim_file *f) {
	struct stat st;
	if (stat(f->path, &st) != 0)
		st = (struct stat){ .st_ino = 0 };
	if (f->key && (st.st_ino == 0 || is_same(f, &st)))
		return true;
	if (f->key || f->tried_ms == 0 || clock_boot_ms() - f->tried_ms > TRY_AGAIN_MS ||
	    !is_same(f, &st)) {
		read_key(w, f);
		f->st = st;
	}
	return f->key != NULL;
}

/* "domain selector path" again and again. */
static struct worker_dkim *keys_new(struct span text) {
	struct worker_dkim *d = calloc(1, sizeof(*d));
	struct span domain, selector, path;
	while (d && span_take_word(&text, &domain) && span_take_word(&text, &selector) &&
	       span_take_word(&text, &path)) {
		struct dkim_file *more = realloc(d->file, (d->count + 1) * sizeof(*more));
		if (!more)
			break;
		d->file = more;
		d->file[d->count++] = (struct dkim_file){
			.domain = span_dup(domain),
			.selector = span_dup(selector),
			.path = span_dup(path),
		};
		if (!more[d->count - 1].domain || !more[d->count - 1].selector ||
		    !more[d->count - 1].path)
			break;
	}
	if (d && span_trim(text).len == 0)
		return d;
	worker_dkim_free(d);
	return NULL;
}

void worker_dkim_free(struct worker_dkim *d) {
	if (!d)
		return;
	for (size_t i = 0; i < d->count; i++) {
		crypto_private_free(d->file[i].key);
		free(d->file[i].domain);
		free(d->file[i].selector);
		free(d->file[i].path);
	}
	free(d->file);
	free(d);
}

/* --- whose mail it is --- */

static int first_domain(void *ctx, struct span address, struct span name) {
	struct buf *out = ctx;
	struct addr a;
	(void)name;
	if (addr_parse(address, ADDR_SUBMITTED, &a, NULL) == 0 && a.domain.len)
		addr_domain_ascii(a.domain, out, NULL);
	return 1;
}

static bool has_section(const struct worker_dkim *d, struct span domain) {
	for (size_t i = 0; i < d->count; i++)
		if (span_eq_nocase(span_str(d->file[i].domain), domain))
			return true;
	return false;
}

/* The section of the author's domain, or of the nearest one above it. */
static struct span find_section(const struct worker_dkim *d, struct span header,
				struct buf *domain) {
	struct header_field from;
	struct span rest, label;
	if (!header_find(header, "From", &from))
		return SPAN("");
	addr_list(from.value, first_domain, domain, NULL);
	rest = buf_span(domain);
	while (rest.len > 0 && !has_section(d, rest))
		if (!span_take_until(&rest, '.', &label))
			return SPAN("");
	return rest;
}

/* --- signing --- */

static int wait_for(struct worker_job *job, struct span domain, const char *why) {
	snprintf(job->unsigned_why, sizeof(job->unsigned_why),
		 "mail from %.*s is to be signed, which is not possible now: %s",
		 (int)domain.len, domain.p, why);
	return 0;
}

/* Gathers the keys of a section. False: one cannot be had, and the job waits. */
static bool gather(struct worker *w, struct worker_job *job, struct span domain,
		   struct dkim_signing *how, size_t *ret_count) {
	struct worker_dkim *d = w->dkim;
	size_t n = 0;
	for (size_t i = 0; i < d->count && n < DKIM_SIGNERS_MAX; i++) {
		struct dkim_file *f = &d->file[i];
		if (!span_eq_nocase(span_str(f->domain), domain))
			continue;
		if (!has_key(w, f)) {
			wait_for(job, domain, f->why_not);
			return false;
		}
		how[n++] = (struct dkim_signing){
			.domain = span_str(f->domain),
			.selector = span_str(f->selector),
			.key = f->key,
			.header = CANON_RELAXED,
			.body = CANON_RELAXED,
		};
	}
	*ret_count = n;
	return true;
}

static int feed_file(struct worker_job *job, struct dkim_signer *s, uint64_t offset,
		     struct err *err) {
	AUTO_FREE char *piece = malloc(WORKER_PIECE);
	uint64_t size = queue_claim_message(job->claim)->content_len;
	bool first = true;
	if (!piece)
		return err_set(err, ERR_MEMORY, "out of memory");
	while (offset < size) {
		uint64_t left = size - offset;
		size_t len = left < WORKER_PIECE ? (size_t)left : WORKER_PIECE;
		struct span body = span_of(piece, len);
		if (queue_claim_content(job->claim, offset, piece, len, err) != 0)
			return -1;
		if (first)
			header_take_empty(&body);
		first = false;
		dkim_signer_feed(s, body);
		offset += len;
	}
	return 0;
}

int worker_dkim_sign(struct worker *w, struct worker_job *job, struct span header,
		     uint64_t body_offset, struct span converted, struct buf *out) {
	AUTO_BUF struct buf name = BUF_INIT(DOMAIN_MAX);
	struct dkim_signing how[DKIM_SIGNERS_MAX];
	struct err err = ERR_INIT;
	size_t count = 0;
	if (!w->params->dkim)
		return 0;
	if (!w->dkim && !(w->dkim = keys_new(span_str(w->params->dkim))))
		return -1;
	struct span domain = find_section(w->dkim, header, &name);
	if (domain.len == 0 || !gather(w, job, domain, how, &count))
		return 0;
	struct dkim_signer *s = dkim_signer_new(how, count, &err);
	if (s && header_take_empty(&converted))
		dkim_signer_feed(s, converted);
	int r = s ? feed_file(job, s, body_offset, &err) : -1;
	if (r == 0)
		r = dkim_signer_finish(s, header, clock_wall_ms() / 1000, "\r\n", out,
				       &err);
	dkim_signer_free(s);
	return r == 0 ? 0 : wait_for(job, domain, err.msg);
}
