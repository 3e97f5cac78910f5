/*
 * What was seen of TLS, as findings. How bad a certificate is depends on who would mind: a sender
 * at port 25 takes any unless DANE or MTA-STS say otherwise; somebody with a password must not.
 */

#include "cli/smtp_probe_judge.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/clock.h"

#define DAY_S 86400

/* Whoever the sender is, would it mind a certificate that it cannot verify? Where a TLSA record
 * names it, nobody asks who signed it (RFC 7672 section 3.1). */
static enum finding_severity certificate_matters(const struct judge *j) {
	if (j->t->has_dane && j->t->dane.status == DANE_RECORDS && j->r->dane_matched)
		return FINDING_INFO;
	if (!j->mx || j->run->p->tls_verify || j->t->decision.level == TLSPOLICY_VERIFY)
		return FINDING_FAIL;
	return FINDING_INFO;
}

/* Mail between sites needs TLS less than a login does; LMTP stays within one, and a socket within
 * the machine. */
static void judge_offer(struct judge *j) {
	const struct probe_ehlo *e = &j->r->before;
	enum probe_tls tls = j->run->p->tls;
	if (!e->seen || e->ext.starttls || tls == PROBE_TLS_NONE ||
	    tls == PROBE_TLS_IMPLICIT)
		return;
	bool must = tls == PROBE_TLS_STARTTLS;
	if (!must && !j->t->host[0])
		return;
	enum finding_severity by_role = j->run->p->lmtp ? FINDING_INFO
					: j->mx         ? FINDING_WARN
							: FINDING_FAIL;
	finding_add(j->f, "tls.not_offered", must ? FINDING_FAIL : by_role, j->name,
		    "STARTTLS is not offered");
}

static void judge_handshake(struct judge *j) {
	if (j->r->tls_error[0])
		finding_add(j->f, "tls.handshake", FINDING_FAIL, j->name,
			    "the TLS handshake failed: %s", j->r->tls_error);
	else if (j->r->failed && j->r->stage == SMTP_STAGE_TLS &&
		 j->r->before.ext.starttls)
		smtp_probe_judge_said(
			finding_add(j->f, "tls.offered_refused", FINDING_WARN, j->name,
				    "STARTTLS is offered and refused: %d %s",
				    j->r->reply.code, j->r->reply.text),
			&j->r->reply);
}

static void add_date(char out[16], int64_t at_s) {
	time_t t = (time_t)at_s;
	struct tm tm;
	if (!gmtime_r(&t, &tm) || strftime(out, 16, "%Y-%m-%d", &tm) == 0)
		out[0] = '\0';
}

static const char *days(int64_t left_s, char out[32]) {
	long long n = left_s / DAY_S;
	snprintf(out, 32, "%lld day%s", n, n == 1 ? "" : "s");
	return out;
}

/* Of the chain, what ends first; an issuer is meant where it is one that the server sends. */
static const struct tls_cert *ends_first(const struct judge *j) {
	const struct tls_cert *first = &j->r->cert[0];
	for (size_t i = 1; i < j->r->certs; i++)
		if (!j->r->cert[i].self_signed &&
		    j->r->cert[i].not_after_s < first->not_after_s)
			first = &j->r->cert[i];
	return first;
}

/* What has expired is among the reasons, unless nobody asked: by a pin or a TLSA record the server
 * is known for sure. */
static void judge_dates(struct judge *j) {
	const struct smtp_probe *p = j->run->p;
	const struct tls_cert *c = ends_first(j);
	int64_t left = c->not_after_s - clock_wall_ms() / 1000;
	const char *whose = c == &j->r->cert[0] ? "" : ", of an issuer,";
	char date[16], n[32];
	if (j->r->certs == 0)
		return;
	add_date(date, c->not_after_s);
	if (left < 0 && !(j->r->tls.reasons & TLS_REASON_EXPIRED) && !whose[0])
		finding_add(j->f, "tls.expired", certificate_matters(j), j->name,
			    "the certificate expired on %s", date);
	else if (left >= 0 && left < (int64_t)p->days_warn * DAY_S)
		finding_add(j->f, "tls.expires_soon",
			    left < (int64_t)p->days_fail * DAY_S ? FINDING_FAIL
								 : FINDING_WARN,
			    j->name, "the certificate%s expires on %s, in %s", whose,
			    date, days(left, n));
}

/* The most telling reason names the finding; its text has them all. */
static const char *untrusted_id(unsigned reasons) {
	static const struct {
		unsigned bits;
		const char *id;
	} ids[] = {
		{ TLS_REASON_NAME, "tls.name_mismatch" },
		{ TLS_REASON_NO_INTERMEDIATE, "tls.chain_incomplete" },
		{ TLS_REASON_SELF_SIGNED, "tls.self_signed" },
		{ TLS_REASON_NOT_YET, "tls.not_yet" },
		{ TLS_REASON_EXPIRED, "tls.expired" },
		{ TLS_REASON_CONSTRAINTS, "tls.constraints" },
		{ TLS_REASON_PURPOSE, "tls.purpose" },
		{ TLS_REASON_WEAK_KEY, "tls.weak_key" },
		{ TLS_REASON_WEAK_SIGNATURE, "tls.weak_signature" },
		{ TLS_REASON_NO_STAPLE, "tls.no_staple" },
	};
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (reasons & ids[i].bits)
			return ids[i].id;
	return "tls.untrusted";
}

static void add_names(struct finding *f, const struct tls_cert *leaf) {
	AUTO_BUF struct buf names = BUF_INIT(2048);
	buf_adds(&names, leaf->names);
	if (leaf->names_left > 0)
		buf_addf(&names, " and %u more", leaf->names_left);
	if (names.len > 0)
		finding_evidence(f, buf_span(&names));
}

/* RFC 5246 section 7.4.2: each certificate must be signed by the next. Newer clients sort them. */
static void judge_order(struct judge *j) {
	for (size_t i = 0; i + 1 < j->r->certs; i++) {
		const struct tls_cert *c = &j->r->cert[i], *next = &j->r->cert[i + 1];
		if (strcmp(c->issuer, next->subject) == 0)
			continue;
		finding_add(
			j->f, "tls.chain_order", FINDING_NOTICE, j->name,
			"the chain is out of order or has what is not needed: number %zu (%s) is "
			"not signed by number %zu (%s)",
			i + 1, c->subject, i + 2, next->subject);
		return;
	}
}

static void judge_weakness(struct judge *j) {
	const struct tls_cert *leaf = &j->r->cert[0];
	bool rsa = strncmp(leaf->key, "RSA", 3) == 0;
	if (rsa && leaf->bits < 2048 && !(j->r->tls.reasons & TLS_REASON_WEAK_KEY))
		finding_add(j->f, "tls.weak_key", FINDING_WARN, j->name,
			    "the key is RSA with %u bits only", leaf->bits);
	if (j->r->tls.verified && !leaf->names[0] && !leaf->names_left)
		finding_add(
			j->f, "tls.cn_only", FINDING_NOTICE, j->name,
			"the name stands in the subject only (%s), where many senders do not look",
			leaf->subject);
}

static bool has_line(const struct probe_ehlo *e, struct span wanted) {
	struct span rest = span_str(e->lines), line;
	while (span_take_line(&rest, &line))
		if (span_eq_nocase(line, wanted))
			return true;
	return false;
}

/* What stands in the one answer to EHLO and not in the other; the first line is a greeting. */
static void add_missing(struct buf *out, const struct probe_ehlo *in,
			const struct probe_ehlo *of) {
	struct span rest = span_str(in->lines), line;
	size_t start = out->len;
	(void)span_take_line(&rest, &line);
	while (span_take_line(&rest, &line)) {
		if (span_eq_nocase(line, SPAN("STARTTLS")) || has_line(of, line))
			continue;
		buf_adds(out, out->len > start ? ", " : "");
		buf_add(out, line);
	}
}

/* A server should offer the same after TLS, and STARTTLS no more (RFC 3207 section 4.2). */
static void judge_change(struct judge *j) {
	const struct probe_ehlo *before = &j->r->before, *after = &j->r->after;
	AUTO_BUF struct buf gone = BUF_INIT(PROBE_EHLO_MAX),
			    added = BUF_INIT(PROBE_EHLO_MAX);
	if (!before->seen || !after->seen)
		return;
	if (has_line(after, SPAN("STARTTLS")))
		finding_add(j->f, "tls.offered_again", FINDING_NOTICE, j->name,
			    "STARTTLS is offered again under TLS");
	add_missing(&gone, before, after);
	add_missing(&added, after, before);
	if (gone.len + added.len > 0)
		finding_add(j->f, "tls.caps_changed", FINDING_INFO, j->name,
			    "EHLO changes with TLS: %s%s%s%s%s",
			    added.len ? "then also " : "", buf_str(&added),
			    gone.len && added.len ? "; " : "", gone.len ? "no more " : "",
			    buf_str(&gone));
}

static void judge_certificate(struct judge *j) {
	const struct tls_cert *leaf = &j->r->cert[0];
	int64_t left = leaf->not_after_s - clock_wall_ms() / 1000;
	char n[32];
	if (!j->r->tls_done)
		return;
	judge_dates(j);
	if (!j->r->tls.verified)
		add_names(finding_add(j->f, untrusted_id(j->r->tls.reasons),
				      certificate_matters(j), j->name,
				      "the certificate %s", j->r->tls.why_not),
			  leaf);
	else if (left >= 0)
		finding_add(j->f, "tls.ok", FINDING_OK, j->name,
			    "%s, certificate verified (%s), %s left", j->r->tls.version,
			    j->r->tls.method, days(left, n));
	else
		finding_add(j->f, "tls.ok", FINDING_OK, j->name,
			    "%s, certificate verified (%s)", j->r->tls.version,
			    j->r->tls.method);
	if (j->r->certs == 0)
		return;
	judge_order(j);
	judge_weakness(j);
}

static void add_tlsa(struct finding *f, const struct judge *j) {
	AUTO_BUF struct buf hex = BUF_INIT(128);
	for (size_t i = 0; i < TLS_HASH_SIZE; i++)
		buf_addf(&hex, "%02x", j->r->cert[0].key_hash[i]);
	finding_fix(f, "_%u._tcp.%s. IN TLSA 3 1 1 %s", j->run->p->port,
		    j->t->dane.base[0] ? j->t->dane.base : j->t->host, buf_str(&hex));
}

static void judge_dane(struct judge *j) {
	const struct dane_result *d = &j->t->dane;
	if (!j->t->has_dane)
		return;
	switch (d->status) {
	case DANE_RECORDS:
		if (j->r->tls_done && j->r->dane_matched)
			finding_add(j->f, "dane.ok", FINDING_OK, j->name,
				    "the certificate matches a TLSA record (%s)",
				    j->r->dane_method);
		else if (j->r->tls_done)
			add_tlsa(finding_add(j->f, "dane.mismatch", FINDING_FAIL, j->name,
					     "the certificate %s", j->r->dane_words),
				 j);
		else if (j->r->connected)
			finding_add(j->f, "dane.mismatch", FINDING_FAIL, j->name,
				    "TLSA records are published, and there is no TLS");
		break;
	case DANE_UNUSABLE:
		finding_add(j->f, "dane.unusable", FINDING_WARN, j->name, "%s",
			    d->reason);
		break;
	case DANE_TEMPORARY:
		finding_add(j->f, "dane.unknown", FINDING_UNKNOWN, j->name, "%s",
			    d->reason);
		break;
	case DANE_PENDING:
	case DANE_NONE:
	case DANE_NO_HOST:
		finding_add(j->f, "dane.none", FINDING_NA, j->name, "%s", d->reason);
		break;
	}
}

static void judge_policy(struct judge *j) {
	const struct tlspolicy_decision *d = &j->t->decision;
	if (!j->t->decided || !j->r->connected)
		return;
	if (d->level == TLSPOLICY_REFUSE)
		finding_add(j->f, "sts.mx_uncovered", FINDING_FAIL, j->name, "%s",
			    d->reason);
	else
		finding_add(j->f, "policy.sender", FINDING_INFO, j->name,
			    "a sender asks for %s, by %s: %s",
			    tlspolicy_level_name(d->level),
			    tlspolicy_source_name(d->source), d->reason);
	if (d->source == TLSPOLICY_BY_STS && d->level == TLSPOLICY_VERIFY &&
	    !j->r->tls_done && !j->r->tls_error[0] &&
	    j->run->p->stop > PROBE_STOP_FIRST_EHLO)
		finding_add(j->f, "sts.no_tls", FINDING_FAIL, j->name,
			    "MTA-STS asks for verified TLS, and there is none");
}

void smtp_probe_judge_tls(struct judge *j) {
	judge_offer(j);
	judge_handshake(j);
	judge_change(j);
	judge_certificate(j);
	judge_dane(j);
	judge_policy(j);
}
