/*
 * What was seen, as findings. How bad a certificate is depends on who would mind: a sender at port
 * 25 takes any unless DANE or MTA-STS say otherwise; somebody with a password must not.
 */

#include "cli/smtp_probe.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/clock.h"
#include "deliver/greylist.h"
#include "deliver/outcome.h"
#include "smtp/syntax.h"

#define DAY_S 86400
#define BANNER_SLOW_MS 5000
#define BANNER_VERY_SLOW_MS 30000
#define PORT_SMTP 25

struct judge {
	struct smtp_probe_run *run;
	struct smtp_probe_target *t;
	const struct probe_result *r;
	struct findings *f;
	char name[400];
	bool mx;
};

static void add_reply_fix(struct finding *f, const struct smtp_reply *reply) {
	AUTO_BUF struct buf text = BUF_INIT(1024);
	if (!reply->local && smtp_reply_add(&text, reply) == 0)
		finding_evidence(f, buf_span(&text));
}

/* --- connection and greeting --- */

static void judge_mode(struct judge *j) {
	if (j->r->mode == PROBE_MODE_TLS)
		finding_fix(finding_add(j->f, "conn.wrong_mode", FINDING_FAIL, j->name,
					"port %u speaks TLS from the first byte", j->run->p->port),
			    "smtp-probe --tlsc -p %u %s", j->run->p->port, j->t->host);
	else if (j->r->mode == PROBE_MODE_CLEAR)
		finding_fix(finding_add(j->f, "conn.wrong_mode", FINDING_FAIL, j->name,
					"port %u begins in clear text, TLS comes by STARTTLS",
					j->run->p->port),
			    "smtp-probe --tls -p %u %s", j->run->p->port, j->t->host);
}

static void judge_connect(struct judge *j) {
	const char *words = j->r->connect_error;
	if (j->r->connected)
		return;
	if (j->r->timed_out)
		finding_add(j->f, "conn.timeout", FINDING_UNKNOWN, j->name, "no answer: %s", words);
	else
		finding_add(j->f,
			    strstr(words, "refused") ? "conn.refused" : "conn.unreachable",
			    FINDING_FAIL, j->name, "cannot connect: %s", words);
}

static void judge_banner(struct judge *j) {
	const struct smtp_reply *b = &j->r->banner;
	int64_t took = j->r->ms[PROBE_BANNER];
	if (!j->r->connected || j->run->p->stop == PROBE_STOP_CONNECT)
		return;
	if (b->code == 0) {
		if (j->r->mode == PROBE_MODE_AS_ASKED || j->r->mode == PROBE_MODE_OTHER)
			finding_add(j->f, "banner.none", FINDING_FAIL, j->name,
				    "no greeting: %s", j->r->reply.text);
		return;
	}
	if (b->code != 220) {
		const char *what =
			b->code == 421	 ? "the server is busy, or has had enough of us"
			: b->code == 554 ? "the server wants no mail from this address"
					 : "the greeting is a refusal";
		add_reply_fix(finding_add(j->f, "banner.not220",
					  b->code / 100 == 4 ? FINDING_UNKNOWN : FINDING_FAIL,
					  j->name, "%s: %d %s", what, b->code, b->text),
			      b);
	} else if (!strchr(b->text, '.') || b->text[0] == '\0') {
		finding_add(j->f, "banner.no_fqdn", FINDING_NOTICE, j->name,
			    "the greeting does not begin with a full host name: %s", b->text);
	}
	if (took > BANNER_SLOW_MS)
		finding_add(j->f, "banner.slow",
			    took > BANNER_VERY_SLOW_MS ? FINDING_WARN : FINDING_NOTICE, j->name,
			    "the greeting took %.1f s", (double)took / 1000);
}

static void judge_ehlo(struct judge *j) {
	const struct probe_ehlo *e = j->r->after.seen ? &j->r->after : &j->r->before;
	if (j->r->helo_only)
		finding_add(j->f, "ehlo.helo_only", FINDING_WARN, j->name,
			    "the server refuses EHLO and takes HELO: no extensions, no TLS");
	if (j->r->failed && j->r->stage == SMTP_STAGE_EHLO)
		add_reply_fix(finding_add(j->f, "ehlo.rejected",
					  j->r->reply.local || j->r->reply.code / 100 == 4
						  ? FINDING_UNKNOWN
						  : FINDING_FAIL,
					  j->name, "EHLO %s was refused: %d %s",
					  j->run->p->helo, j->r->reply.code, j->r->reply.text),
			      &j->r->reply);
	if (e->seen && e->ext.size && e->ext.size_max > 0 && e->ext.size_max < (10u << 20))
		finding_add(j->f, "size.small", FINDING_NOTICE, j->name,
			    "messages over %llu bytes are refused",
			    (unsigned long long)e->ext.size_max);
}

/* --- TLS --- */

/* Whoever the sender is, would it mind a certificate that it cannot verify? Where a TLSA record
 * names it, nobody asks who signed it (RFC 7672 section 3.1). */
static enum finding_severity certificate_matters(const struct judge *j) {
	if (j->t->has_dane && j->t->dane.status == DANE_RECORDS && j->r->dane_matched)
		return FINDING_INFO;
	if (!j->mx || j->t->decision.level == TLSPOLICY_VERIFY)
		return FINDING_FAIL;
	return FINDING_INFO;
}

/* Mail between sites needs TLS less than a login does; LMTP stays within one, and a socket within
 * the machine. */
static void judge_offer(struct judge *j) {
	const struct probe_ehlo *e = &j->r->before;
	enum probe_tls tls = j->run->p->tls;
	if (!e->seen || e->ext.starttls || tls == PROBE_TLS_NONE || tls == PROBE_TLS_IMPLICIT)
		return;
	bool must = tls == PROBE_TLS_STARTTLS;
	if (!must && !j->t->host[0])
		return;
	enum finding_severity by_role = j->run->p->lmtp ? FINDING_INFO
					: j->mx		? FINDING_WARN
							: FINDING_FAIL;
	finding_add(j->f, "tls.not_offered", must ? FINDING_FAIL : by_role, j->name,
		    "STARTTLS is not offered");
}

static void judge_handshake(struct judge *j) {
	if (j->r->tls_error[0])
		finding_add(j->f, "tls.handshake", FINDING_FAIL, j->name,
			    "the TLS handshake failed: %s", j->r->tls_error);
	else if (j->r->failed && j->r->stage == SMTP_STAGE_TLS && j->r->before.ext.starttls)
		add_reply_fix(finding_add(j->f, "tls.offered_refused", FINDING_WARN, j->name,
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

static void judge_dates(struct judge *j) {
	const struct smtp_probe *p = j->run->p;
	int64_t now = clock_wall_ms() / 1000, left = j->r->cert[0].not_after_s - now;
	char date[16];
	if (j->r->certs == 0)
		return;
	add_date(date, j->r->cert[0].not_after_s);
	if (left < 0)
		finding_add(j->f, "tls.expired", certificate_matters(j), j->name,
			    "the certificate expired on %s", date);
	else if (left < (int64_t)p->days_warn * DAY_S)
		finding_add(j->f, "tls.expires_soon",
			    left < (int64_t)p->days_fail * DAY_S ? FINDING_FAIL : FINDING_WARN,
			    j->name, "the certificate expires on %s, in %lld days", date,
			    (long long)(left / DAY_S));
}

static void judge_certificate(struct judge *j) {
	const struct tls_cert *leaf = &j->r->cert[0];
	const char *why = j->r->tls.why_not;
	if (!j->r->tls_done)
		return;
	judge_dates(j);
	if (!j->r->tls.verified) {
		const char *id = strstr(why, "is for ")	       ? "tls.name_mismatch"
				 : strstr(why, "lack an inter") ? "tls.chain_incomplete"
				 : strstr(why, "self-signed")   ? "tls.self_signed"
				 : strstr(why, "not valid before") ? "tls.not_yet"
				 : strstr(why, "expired")	   ? "tls.expired"
								   : "tls.untrusted";
		struct finding *f = finding_add(j->f, id, certificate_matters(j), j->name,
						"the certificate %s", why);
		if (leaf->names[0])
			finding_evidence(f, span_str(leaf->names));
	} else {
		finding_add(j->f, "tls.ok", FINDING_OK, j->name, "%s, certificate verified (%s)",
			    j->r->tls.version, j->r->tls.method);
	}
	if (j->r->certs > 0 && strcmp(leaf->key, "RSA") == 0 && leaf->bits < 2048)
		finding_add(j->f, "tls.weak_key", FINDING_WARN, j->name,
			    "the key is RSA with %u bits only", leaf->bits);
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
		finding_add(j->f, "dane.unusable", FINDING_WARN, j->name, "%s", d->reason);
		break;
	case DANE_TEMPORARY:
		finding_add(j->f, "dane.unknown", FINDING_UNKNOWN, j->name, "%s", d->reason);
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
		finding_add(j->f, "sts.mx_uncovered", FINDING_FAIL, j->name, "%s", d->reason);
	else
		finding_add(j->f, "policy.sender", FINDING_INFO, j->name,
			    "a sender asks for %s, by %s: %s", tlspolicy_level_name(d->level),
			    tlspolicy_source_name(d->source), d->reason);
	if (d->source == TLSPOLICY_BY_STS && d->level == TLSPOLICY_VERIFY && !j->r->tls_done &&
	    !j->r->tls_error[0] && j->run->p->stop > PROBE_STOP_FIRST_EHLO)
		finding_add(j->f, "sts.no_tls", FINDING_FAIL, j->name,
			    "MTA-STS asks for verified TLS, and there is none");
}

/* --- login --- */

static bool shows_password(const char *mechanisms) {
	return smtp_list_has(mechanisms, SPAN("PLAIN")) ||
	       smtp_list_has(mechanisms, SPAN("LOGIN"));
}

static void judge_auth(struct judge *j) {
	const struct probe_ehlo *before = &j->r->before, *after = &j->r->after;
	if (before->seen && shows_password(before->ext.auth) && j->t->host[0])
		finding_add(j->f, "auth.before_tls", FINDING_WARN, j->name,
			    "mechanisms that show the password are offered before TLS: %s",
			    before->ext.auth);
	if (after->seen && !j->mx && !after->ext.auth[0])
		finding_add(j->f, "auth.none_after_tls", FINDING_WARN, j->name,
			    "no login is offered under TLS");
	if (j->r->failed && j->r->stage == SMTP_STAGE_AUTH) {
		enum finding_severity s = j->r->reply.code / 100 == 4 && !j->r->reply.local
						  ? FINDING_UNKNOWN
						  : FINDING_FAIL;
		const char *offered = after->seen ? after->ext.auth : before->ext.auth;
		struct finding *f = finding_add(
			j->f, "auth.535", s, j->name,
			"the login was refused: %d %s (offered: %s)", j->r->reply.code,
			j->r->reply.text, offered[0] ? offered : "none");
		add_reply_fix(f, &j->r->reply);
	} else if (j->r->mechanism[0]) {
		finding_add(j->f, "auth.ok", FINDING_OK, j->name, "logged in by %s",
			    j->r->mechanism);
	}
}

/* --- envelope --- */

static void judge_rcpt(struct judge *j, const char *to, const struct smtp_reply *reply) {
	bool taken = reply->code / 100 == 2;
	if (reply->code == 0)
		return;
	if (to == j->run->catchall_to) {
		finding_add(j->f, "rcpt.catchall", taken ? FINDING_NOTICE : FINDING_OK, j->name,
			    taken ? "an address that nobody has is taken: %d %s"
				  : "an address that nobody has is refused: %d %s",
			    reply->code, reply->text);
		return;
	}
	if (to == j->run->open_to) {
		finding_add(j->f, "relay.open", taken ? FINDING_FAIL : FINDING_OK, j->name,
			    taken ? "mail from strangers to strangers is taken: %d %s"
				  : "mail from strangers to strangers is refused: %d %s",
			    reply->code, reply->text);
		return;
	}
	if (taken)
		finding_add(j->f, "rcpt.ok", FINDING_OK, j->name, "%s is taken", to);
	else if (greylist_is(reply))
		add_reply_fix(finding_add(j->f, "rcpt.greylisted", FINDING_UNKNOWN, j->name,
					  "%s: greylisted, a later try is taken: %d %s", to,
					  reply->code, reply->text),
			      reply);
	else
		add_reply_fix(
			finding_add(j->f, "rcpt.rejected",
				    reply->code / 100 == 4 ? FINDING_UNKNOWN : FINDING_FAIL,
				    j->name, "%s is refused: %d %s%s%s", to, reply->code,
				    reply->text,
				    outcome_judge(SMTP_STAGE_RCPT, reply, 0) == OUTCOME_RELAY
					    ? "; "
					    : "",
				    outcome_judge(SMTP_STAGE_RCPT, reply, 0) == OUTCOME_RELAY
					    ? outcome_words(SMTP_STAGE_RCPT, reply)
					    : ""),
			reply);
}

static void judge_envelope(struct judge *j) {
	const struct smtp_probe *p = j->run->p;
	const struct smtp_reply *mail = &j->r->mail, *data = &j->r->data;
	if (mail->code != 0 && mail->code / 100 != 2)
		add_reply_fix(finding_add(j->f, "mail.rejected",
					  mail->code / 100 == 4 ? FINDING_UNKNOWN : FINDING_FAIL,
					  j->name, "the sender <%s> is refused: %d %s", p->from,
					  mail->code, mail->text),
			      mail);
	for (size_t i = 0; i < p->to_count; i++)
		judge_rcpt(j, p->to[i], &j->r->rcpt[i]);
	if (data->code != 0)
		add_reply_fix(finding_add(j->f, data->code / 100 == 2 ? "data.ok" : "data.rejected",
					  data->code / 100 == 2	  ? FINDING_OK
					  : data->code / 100 == 4 ? FINDING_UNKNOWN
								  : FINDING_FAIL,
					  j->name, "the message: %d %s", data->code, data->text),
			      data);
}

static void judge_lost(struct judge *j) {
	if (j->r->failed && j->r->stage > SMTP_STAGE_AUTH && j->r->reply.local)
		finding_add(j->f, "conn.lost", FINDING_UNKNOWN, j->name, "%s", j->r->reply.text);
}

static void judge_one(struct smtp_probe_run *run, struct smtp_probe_target *t) {
	struct judge j = {
		.run = run, .t = t, .r = &t->r, .f = &run->findings, .mx = smtp_probe_is_mx(run)
	};
	smtp_probe_name(t, j.name, sizeof(j.name));
	judge_connect(&j);
	judge_mode(&j);
	judge_banner(&j);
	judge_ehlo(&j);
	judge_offer(&j);
	judge_handshake(&j);
	judge_certificate(&j);
	judge_dane(&j);
	judge_policy(&j);
	judge_auth(&j);
	judge_envelope(&j);
	judge_lost(&j);
	if (t->injection >= 0)
		finding_add(&run->findings, "tls.injection",
			    t->injection ? FINDING_FAIL : FINDING_OK, j.name,
			    t->injection ? "what came in clear behind STARTTLS is answered under TLS"
					 : "what comes in clear behind STARTTLS is forgotten");
}

/* --- all together --- */

static bool is_v6(const struct smtp_probe_target *t) {
	return strchr(t->where, ':') != NULL;
}

static void judge_families(struct smtp_probe_run *run) {
	for (size_t i = 0; i < run->count; i++) {
		const struct smtp_probe_target *six = &run->target[i];
		for (size_t k = 0; k < run->count && is_v6(six) && !six->r.connected; k++) {
			const struct smtp_probe_target *four = &run->target[k];
			if (is_v6(four) || !four->r.connected || strcmp(six->host, four->host) != 0)
				continue;
			finding_add(&run->findings, "conn.v6_broken", FINDING_WARN, six->host,
				    "IPv6 (%s) does not answer, IPv4 does", six->where);
			break;
		}
	}
}

static void judge_blocked(struct smtp_probe_run *run) {
	size_t tried = 0, silent = 0;
	for (size_t i = 0; i < run->count; i++) {
		tried += run->target[i].tried;
		silent += run->target[i].r.timed_out;
	}
	if (tried > 0 && silent == tried && run->p->port == PORT_SMTP)
		finding_add(&run->findings, "conn.port25_blocked", FINDING_WARN,
			    run->p->mx ? run->p->mx : run->target[0].host,
			    "no server answers at port 25: most networks block it on the way out");
}

static void judge_time(struct smtp_probe_run *run) {
	const struct smtp_probe *p = run->p;
	if (p->slow_fail_ms > 0 && run->took_ms > p->slow_fail_ms)
		finding_add(&run->findings, "conn.slow", FINDING_FAIL, "all", "it took %.1f s",
			    (double)run->took_ms / 1000);
	else if (p->slow_warn_ms > 0 && run->took_ms > p->slow_warn_ms && run->count == 1)
		finding_add(&run->findings, "conn.slow", FINDING_WARN, "all", "it took %.1f s",
			    (double)run->took_ms / 1000);
}

/* Ours, not a server's: told once. */
static void judge_our_name(struct smtp_probe_run *run) {
	bool said = false;
	for (size_t i = 0; i < run->count; i++)
		said |= run->target[i].r.banner.code == 220 &&
			run->p->stop > PROBE_STOP_BANNER;
	if (said && !strchr(run->p->helo, '.') && run->p->helo[0] != '[')
		finding_add(&run->findings, "ehlo.our_name", FINDING_WARN,
			    run->p->mx ? run->p->mx : run->relay ? run->relay->name : run->p->host,
			    "we call ourselves %s, which is no full host name", run->p->helo);
}

void smtp_probe_judge(struct smtp_probe_run *run) {
	for (size_t i = 0; i < run->count; i++)
		if (run->target[i].tried)
			judge_one(run, &run->target[i]);
	judge_families(run);
	judge_our_name(run);
	judge_blocked(run);
	judge_time(run);
}
