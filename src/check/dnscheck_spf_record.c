/* The SPF record as a text of DNS: what stands before, behind and beside it, and how long it is. */

#include "base/auto.h"
#include "base/term.h"
#include "check/dnscheck_spf.h"
#include "check/dnscheck_state.h"

#define TXT_MAX 65536
#define TYPE_SPF ((enum dns_type)99) /* RFC 7208 section 3.1: not used any more */
#define UDP_OLD 512                  /* bytes of an answer that every server may send */
#define RECORD_LONG 450              /* beside the rest of such an answer (section 3.4) */
#define HEAD_BYTES 12
#define POINT_BEFORE 40 /* bytes of a record around what is wrong in it */
#define POINT_AFTER 24
#define RR_BYTES 12 /* of a record without its data; the name is a pointer */

static struct finding *add(struct dnscheck *c, const char *id, enum finding_severity s,
			   const char *text) {
	return finding_add(c->out, id, s, c->domain, "%s", text);
}

/* --- one TXT record --- */

/* Begins with something that is a term of its own. */
static bool begins_term(struct span s) {
	static const char *const words[] = { "include:",  "ip4:", "ip6:", "exists:",
					     "redirect=", "exp=", "a:",   "mx:" };
	struct span word = s;
	if (s.len > 0 && strchr("+-~?", s.p[0]))
		s = word = span_from(s, 1);
	span_take_word(&s, &word);
	if (span_eq_nocase(word, SPAN("all")) || span_eq_nocase(word, SPAN("mx")))
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_starts_nocase(word, span_str(words[i])))
			return true;
	return false;
}

static bool is_blank(char c) {
	return c == ' ' || c == '\t';
}

/* Appends the strings of a record with a blank where two of them would grow together, and without
 * quotes inside. True when that is another text than receivers see. */
static bool mend_strings(struct span rdata, struct buf *out) {
	bool changed = false;
	while (rdata.len > 0) {
		size_t len = (uint8_t)rdata.p[0];
		struct span part = span_head(span_from(rdata, 1), len);
		rdata = span_from(rdata, 1 + part.len);
		if (out->len > 0 && part.len > 0 && !is_blank(part.p[0]) &&
		    !is_blank(buf_str(out)[out->len - 1]) && begins_term(part)) {
			buf_addc(out, ' ');
			changed = true;
		}
		for (size_t i = 0; i < part.len; i++) {
			changed |= part.p[i] == '"';
			if (part.p[i] != '"')
				buf_addc(out, part.p[i]);
		}
	}
	return changed;
}

static void check_one(struct dnscheck *c, struct span rdata) {
	AUTO_BUF struct buf one = BUF_INIT(TXT_MAX), mended = BUF_INIT(TXT_MAX);
	if (!dns_txt(rdata, &one))
		return;
	bool changed = mend_strings(rdata, &mended);
	struct span text = buf_span(&one), better = span_trim(buf_span(&mended));
	struct finding *f = NULL;
	if (span_starts_nocase(text, SPAN("spf2.0/")))
		f = add(c, "spf.senderid", FINDING_INFO,
			"there is a record of Sender ID");
	else if (!spf_is_record(text) && spf_is_record(better))
		f = add(c, "spf.leading_space", FINDING_NOTICE,
			"a blank or a quote stands before v=spf1");
	else if (spf_is_record(text) && changed)
		f = add(c, "spf.quoted_split", FINDING_NOTICE,
			memchr(text.p, '"', text.len)
				? "there are quotes inside of the record"
				: "two strings of the record have no blank between them");
	if (!f)
		return;
	finding_evidence(f, text);
	if (spf_is_record(better))
		finding_fix(f, "%s. TXT \"%.*s\"", c->domain, (int)better.len, better.p);
}

/* --- errors --- */

/* The record, and below the part of it that cannot be read a caret. */
void dnscheck_spf_point(struct finding *f, struct span record) {
	AUTO_BUF struct buf out = BUF_INIT(2 * TXT_MAX), line = BUF_INIT(TXT_MAX);
	struct spf_record r;
	size_t at = 0;
	if (spf_record_parse(record, &r, &at, NULL) == 0 || at > record.len) {
		finding_evidence(f, record);
		return;
	}
	size_t from = at > POINT_BEFORE ? at - POINT_BEFORE : 0;
	struct span part = span_head(span_from(record, from), POINT_BEFORE + POINT_AFTER);
	if (part.len < record.len) {
		buf_add(&out, record);
		buf_addc(&out, '\n');
	}
	term_safe(&line, span_head(part, at - from));
	size_t column = line.len;
	term_safe(&line, span_from(part, at - from));
	buf_addf(&out, "%s\n%*s^", buf_str(&line), (int)column, "");
	finding_evidence(f, buf_span(&out));
}

/* --- all of them --- */

/* Records of the type that was meant for SPF once. False: pending. */
static bool check_type99(struct dnscheck *c, const struct dns_answer *txt) {
	const struct dns_answer *old = dns_get(c->dns, span_str(c->domain), TYPE_SPF);
	AUTO_BUF struct buf text = BUF_INIT(TXT_MAX), now = BUF_INIT(TXT_MAX);
	if (old->status == DNS_PENDING)
		return false;
	if (old->status != DNS_FOUND || !dns_txt(old->record[0], &text))
		return true;
	bool same = dnscheck_txt(txt, SPAN("v=spf1"), &now) == 1 &&
		    span_eq(buf_span(&now), buf_span(&text));
	finding_evidence(finding_add(c->out, "spf.type99", FINDING_INFO, c->domain,
				     "there is a record of type SPF (99)%s",
				     same ? ""
					  : ", which differs from the one that counts"),
			 buf_span(&text));
	return true;
}

static void check_length(struct dnscheck *c, const struct dns_answer *txt,
			 struct span record) {
	size_t bytes = HEAD_BYTES + strlen(c->domain) + 2 + 4;
	for (size_t i = 0; i < txt->count; i++)
		bytes += RR_BYTES + txt->record[i].len;
	if (bytes > UDP_OLD)
		finding_add(c->out, "spf.record_gt512", FINDING_NOTICE, c->domain,
			    "the answer with the record has %zu bytes", bytes);
	else if (record.len > RECORD_LONG)
		finding_add(c->out, "spf.record_gt450", FINDING_NOTICE, c->domain,
			    "the record has %zu bytes", record.len);
}

bool dnscheck_spf_neighbours(struct dnscheck *c, struct span record) {
	const struct dns_answer *txt = dns_get(c->dns, span_str(c->domain), DNS_TXT);
	for (size_t i = 0; i < txt->count; i++)
		check_one(c, txt->record[i]);
	if (record.len > 0)
		check_length(c, txt, record);
	return check_type99(c, txt);
}
