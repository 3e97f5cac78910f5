/* Hints at forgery and breakage that stand in the header itself. */

#include "cli/trace_hints.h"

#include "authres/psl.h"
#include "mail/addr.h"
#include "mail/date.h"
#include "mail/decode.h"
#include "mail/header.h"

#define FUTURE_S 3600
#define OLD_S (7 * 86400)
#define NAME_MAX_LEN 4096u

static int first_domain(void *ctx, struct span address, struct span name) {
	struct buf *out = ctx;
	struct addr a;
	(void)name;
	if (addr_parse(address, ADDR_SUBMITTED, &a, NULL) == 0)
		for (size_t i = 0; i < a.domain.len; i++)
			buf_addc(out, span_lower(a.domain.p[i]));
	return 1;
}

bool trace_hints_domain(struct span header, const char *field, struct buf *out) {
	struct header_field f;
	buf_reset(out);
	if (!header_find(header, field, &f))
		return false;
	addr_list(f.value, first_domain, out, NULL);
	return out->len > 0;
}

static bool org_of(struct span header, const char *field, char ret[256]) {
	AUTO_BUF struct buf domain = BUF_INIT(1024);
	return trace_hints_domain(header, field, &domain) &&
	       psl_org_domain(buf_span(&domain), ret);
}

/* Message-ID is no address list: what stands behind its "@". */
static bool message_id_org(struct span header, char ret[256]) {
	struct header_field f;
	if (!header_find(header, "Message-ID", &f))
		return false;
	struct span s = span_trim(f.value);
	size_t at = span_find(s, '@');
	s = span_from(s, at + 1);
	s = span_head(s, span_find(s, '>'));
	return s.len > 0 && psl_org_domain(s, ret);
}

static void check_domains(struct span header, struct findings *f) {
	char from[256], other[256];
	if (!org_of(header, "From", from))
		return;
	if (org_of(header, "Return-Path", other) && strcmp(from, other) != 0)
		finding_add(f, "spoof.return_path", FINDING_INFO, "Return-Path",
			    "bounces go to %s, the author is of %s", other, from);
	if (org_of(header, "Reply-To", other) && strcmp(from, other) != 0)
		finding_add(f, "spoof.reply_to", FINDING_NOTICE, "Reply-To",
			    "answers go to %s, the author is of %s", other, from);
	if (message_id_org(header, other) && strcmp(from, other) != 0)
		finding_add(f, "spoof.message_id", FINDING_INFO, "Message-ID",
			    "it was made at %s, the author is of %s", other, from);
}

/* An address in the name of the author that is not the author's. */
struct name_check {
	struct findings *f;
	bool told;
};

static int check_name(void *ctx, struct span address, struct span name) {
	struct name_check *c = ctx;
	AUTO_BUF struct buf text = BUF_INIT(NAME_MAX_LEN);
	struct span rest, word;
	decode_words(&text, span_head(name, NAME_MAX_LEN / 4));
	rest = buf_span(&text);
	while (!c->told && span_take_word(&rest, &word)) {
		struct addr a, own;
		while (word.len && strchr("\"<('", word.p[0]))
			word = span_from(word, 1);
		while (word.len && strchr("\">)',", word.p[word.len - 1]))
			word.len--;
		if (addr_parse(word, ADDR_SMTP, &a, NULL) != 0 ||
		    addr_parse(address, ADDR_SUBMITTED, &own, NULL) != 0 ||
		    span_find(a.domain, '.') == a.domain.len ||
		    trace_way_same_org(a.domain, own.domain))
			continue;
		c->told = true;
		finding_add(c->f, "spoof.display", FINDING_WARN, "From",
			    "its name says %.*s, its address is %.*s", (int)word.len,
			    word.p, (int)address.len, address.p);
	}
	return c->told;
}

static void check_display(struct span header, struct findings *f) {
	struct name_check c = { f, false };
	struct header_field from;
	if (header_find(header, "From", &from))
		addr_list(from.value, check_name, &c, NULL);
}

/* Fields that may stand once only (RFC 5322 section 3.6). */
static void check_twice(struct span header, struct findings *f) {
	static const char *const once[] = { "From",       "Sender",     "Reply-To",
					    "To",         "Cc",         "Bcc",
					    "Date",       "Message-ID", "In-Reply-To",
					    "References", "Subject" };
	for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++) {
		struct span rest = header;
		struct header_field h;
		size_t n = 0;
		header_take_mbox(&rest);
		while (header_take(&rest, &h))
			n += span_eq_nocase(h.name, span_str(once[i]));
		if (n > 1)
			finding_add(
				f, "dup.header",
				strcmp(once[i], "From") == 0 ? FINDING_FAIL
							     : FINDING_WARN,
				once[i],
				"stands %zu times: programs differ in which one they show",
				n);
	}
}

static void check_date(struct span header, const struct trace_way *w, int64_t now_s,
		       struct findings *f) {
	struct header_field h;
	int64_t date, arrived = now_s;
	if (!header_find(header, "Date", &h)) {
		finding_add(f, "date.none", FINDING_NOTICE, "Date", "there is none");
		return;
	}
	if (!date_parse(h.value, &date)) {
		finding_add(f, "date.bad", FINDING_WARN, "Date", "it cannot be read");
		return;
	}
	for (size_t i = w->count; i-- > 0;)
		if (w->hop[i].r.has_time)
			arrived = w->hop[i].r.time_s;
	if (date > arrived + FUTURE_S)
		finding_add(
			f, "date.future", FINDING_WARN, "Date",
			"it is %lld h later than when the first server had the message",
			(long long)(date - arrived) / 3600);
	else if (w->count && date < arrived - OLD_S)
		finding_add(f, "date.old", FINDING_NOTICE, "Date",
			    "it is %lld days before the first server had the message",
			    (long long)(arrived - date) / 86400);
}

void trace_hints_check(struct span header, const struct trace_way *w, int64_t now_s,
		       struct findings *f) {
	struct header_field from;
	if (!header_find(header, "From", &from))
		finding_add(f, "from.none", FINDING_WARN, "From", "there is none");
	check_twice(header, f);
	check_display(header, f);
	check_domains(header, f);
	check_date(header, w, now_s, f);
}
