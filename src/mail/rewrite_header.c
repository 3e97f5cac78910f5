/*
 * Rewriting the header: the fields that hold addresses are walked, and where an address
 * becomes another one, its bytes are replaced. Everything else is copied as it is, folds,
 * comments, groups and names included; a field that cannot be read stays as it is from
 * there on.
 */

#include "mail/rewrite.h"

#include "mail/addr.h"
#include "mail/header.h"

#define LINE_MAX_OCTETS 998 /* RFC 5322 section 2.1.1 */

static const struct {
	const char *name;
	enum rewrite_field kind;
} fields[] = {
	{ "From", REWRITE_FROM },
	{ "Sender", REWRITE_FROM },
	{ "Reply-To", REWRITE_REPLY },
	{ "To", REWRITE_TO },
	{ "Cc", REWRITE_TO },
	{ "Resent-From", REWRITE_FROM },
	{ "Resent-Sender", REWRITE_FROM },
	{ "Resent-Reply-To", REWRITE_REPLY },
	{ "Resent-To", REWRITE_TO },
	{ "Resent-Cc", REWRITE_TO },
};

struct job {
	const struct rewrite_rules *rules;
	enum rewrite_field kind;
	struct span block;  /* all of it */
	const char *copied; /* up to here it stands in out */
	struct buf *out;
	bool changed;
};

static void copy_up_to(struct job *j, const char *end) {
	buf_add(j->out, span_of(j->copied, (size_t)(end - j->copied)));
	j->copied = end;
}

/* Octets of the line that is being written. */
static size_t column(const struct buf *out) {
	size_t n = 0;
	while (n < out->len && out->data[out->len - 1 - n] != '\n')
		n++;
	return n;
}

/* An address that would make the line too long begins a line of its own; a blank may stand
 * before it wherever it does. */
static void fold(struct job *j, struct span address, struct span raw) {
	const char *end = j->block.p + j->block.len;
	struct span rest = span_of(raw.p + raw.len, (size_t)(end - raw.p) - raw.len);
	size_t left = span_find(rest, '\n');
	if (column(j->out) + address.len + left > LINE_MAX_OCTETS)
		buf_adds(j->out, "\r\n ");
}

static int one_address(void *ctx, struct span address, struct span raw) {
	struct job *j = ctx;
	AUTO_BUF struct buf now = BUF_INIT(2 * ADDR_MAX);
	rewrite_in_field(j->rules, j->kind, address, &now);
	if (buf_failed(&now) || now.len == 0 || span_eq(buf_span(&now), address))
		return 0;
	copy_up_to(j, raw.p);
	fold(j, buf_span(&now), raw);
	buf_add(j->out, buf_span(&now));
	j->copied = raw.p + raw.len;
	j->changed = true;
	return 0;
}

static bool find_kind(struct span name, enum rewrite_field *ret) {
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (span_eq_nocase(name, span_str(fields[i].name))) {
			*ret = fields[i].kind;
			return true;
		}
	}
	return false;
}

int rewrite_header(const struct rewrite_rules *r, struct span block, struct buf *out) {
	struct job j = { .rules = r, .block = block, .copied = block.p, .out = out };
	struct span rest = block;
	struct header_field f;
	while (header_take(&rest, &f))
		if (find_kind(f.name, &j.kind))
			addr_list_raw(f.value, one_address, &j, NULL);
	if (!j.changed)
		return 0;
	copy_up_to(&j, block.p + block.len);
	return buf_failed(out) ? -1 : 1;
}
