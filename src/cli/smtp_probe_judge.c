/* What was seen, as findings: the connection, the dialogue, the login, the envelope. */

#include "cli/smtp_probe_judge.h"

#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "deliver/greylist.h"
#include "deliver/outcome.h"
#include "smtp/syntax.h"

#define BANNER_SLOW_MS 5000
#define BANNER_VERY_SLOW_MS 30000
#define PORT_SMTP 25

void smtp_probe_judge_said(struct finding *f, const struct smtp_reply *reply) {
	AUTO_BUF struct buf text = BUF_INIT(1024);
	if (!reply->local && smtp_reply_add(&text, reply) == 0)
		finding_evidence(f, buf_span(&text));
}

/* --- connection and greeting --- */

static void judge_mode(struct judge *j) {
	if (j->r->mode == PROBE_MODE_TLS)
		finding_fix(finding_add(j->f, "conn.wrong_mode", FINDING_FAIL, j->name,
					"port %u speaks TLS from the first byte",
					j->run->p->port),
			    "smtp-probe --tlsc -p %u %s", j->run->p->port, j->t->host);
	else if (j->r->mode == PROBE_MODE_CLEAR)
		finding_fix(
			finding_add(j->f, "conn.wrong_mode", FINDING_FAIL, j->name,
				    "port %u begins in clear text, TLS comes by STARTTLS",
				    j->run->p->port),
			"smtp-probe --tls -p %u %s", j->run->p->port, j->t->host);
}

/* Mail that finds another server of the domain, or another address, is late and not lost. */
static bool another_answers(const struct smtp_probe_run *run) {
	for (size_t i = 0; i < run->count; i++)
		if (run->target[i].r.connected)
			return true;
	return false;
}

static void judge_connect(struct judge *j) {
	const char *words = j->r->connect_error;
	if (j->r->connected)
		return;
	if (j->r->timed_out)
		finding_add(j->f, "conn.timeout", FINDING_UNKNOWN, j->name,
			    "no answer: %s", words);
	else
		finding_add(j->f,
			    strstr(words, "refused") ? "conn.refused"
						     : "conn.unreachable",
			    another_answers(j->run) ? FINDING_WARN : FINDING_FAIL,
			    j->name, "cannot connect: %s", words);
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
		const char *what = b->code == 421
					   ? "the server is busy, or has had enough of us"
				   : b->code == 554
					   ? "the server wants no mail from this address"
					   : "the greeting is a refusal";
		smtp_probe_judge_said(finding_add(j->f, "banner.not220",
						  b->code / 100 == 4 ? FINDING_UNKNOWN
								     : FINDING_FAIL,
						  j->name, "%s: %d %s", what, b->code,
						  b->text),
				      b);
	} else if (!strchr(b->text, '.') || b->text[0] == '\0') {
		finding_add(j->f, "banner.no_fqdn", FINDING_NOTICE, j->name,
			    "the greeting does not begin with a full host name: %s",
			    b->text);
	}
	if (j->r->banner_lines > 1)
		finding_add(j->f, "banner.multiline", FINDING_INFO, j->name,
			    "the greeting has several lines");
	if (took > BANNER_SLOW_MS)
		finding_add(j->f, "banner.slow",
			    took > BANNER_VERY_SLOW_MS ? FINDING_WARN : FINDING_NOTICE,
			    j->name, "the greeting took %.1f s", (double)took / 1000);
}

static void judge_ehlo(struct judge *j) {
	const struct probe_ehlo *e = j->r->after.seen ? &j->r->after : &j->r->before;
	if (j->r->helo_only)
		finding_add(
			j->f, "ehlo.helo_only", FINDING_WARN, j->name,
			"the server refuses EHLO and takes HELO: no extensions, no TLS");
	if (j->r->failed && j->r->stage == SMTP_STAGE_EHLO)
		smtp_probe_judge_said(
			finding_add(j->f, "ehlo.rejected",
				    j->r->reply.local || j->r->reply.code / 100 == 4
					    ? FINDING_UNKNOWN
					    : FINDING_FAIL,
				    j->name, "EHLO %s was refused: %d %s",
				    j->run->p->helo, j->r->reply.code, j->r->reply.text),
			&j->r->reply);
	if (e->seen && e->ext.size && e->ext.size_max > 0 &&
	    e->ext.size_max < (10u << 20))
		finding_add(j->f, "size.small", FINDING_NOTICE, j->name,
			    "messages over %llu bytes are refused",
			    (unsigned long long)e->ext.size_max);
}

/* --- login --- */

static bool shows_password(const char *mechanisms) {
	return smtp_list_has(mechanisms, SPAN("PLAIN")) ||
	       smtp_list_has(mechanisms, SPAN("LOGIN"));
}

static void judge_auth(struct judge *j) {
	const struct probe_ehlo *before = &j->r->before, *after = &j->r->after;
	if (before->seen && shows_password(before->ext.auth) && j->t->host[0])
		finding_add(
			j->f, "auth.before_tls", FINDING_WARN, j->name,
			"mechanisms that show the password are offered before TLS: %s",
			before->ext.auth);
	if (after->seen && !j->mx && !after->ext.auth[0])
		finding_add(j->f, "auth.none_after_tls", FINDING_WARN, j->name,
			    "no login is offered under TLS");
	if (j->r->failed && j->r->stage == SMTP_STAGE_AUTH) {
		enum finding_severity s = j->r->reply.code / 100 == 4 &&
							  !j->r->reply.local
						  ? FINDING_UNKNOWN
						  : FINDING_FAIL;
		const char *offered = after->seen ? after->ext.auth : before->ext.auth;
		struct finding *f =
			finding_add(j->f, "auth.535", s, j->name,
				    "the login was refused: %d %s (offered: %s)",
				    j->r->reply.code, j->r->reply.text,
				    offered[0] ? offered : "none");
		smtp_probe_judge_said(f, &j->r->reply);
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
		finding_add(j->f, "rcpt.catchall", taken ? FINDING_NOTICE : FINDING_OK,
			    j->name,
			    taken ? "an address that nobody has is taken: %d %s"
				  : "an address that nobody has is refused: %d %s",
			    reply->code, reply->text);
		return;
	}
	if (to == j->run->open_to) {
		finding_add(j->f, "relay.open", taken ? FINDING_FAIL : FINDING_OK,
			    j->name,
			    taken ? "mail from strangers to strangers is taken: %d %s"
				  : "mail from strangers to strangers is refused: %d %s",
			    reply->code, reply->text);
		return;
	}
	if (taken)
		finding_add(j->f, "rcpt.ok", FINDING_OK, j->name, "%s is taken", to);
	else if (greylist_is(reply))
		smtp_probe_judge_said(
			finding_add(j->f, "rcpt.greylisted", FINDING_UNKNOWN, j->name,
				    "%s: greylisted, a later try is taken: %d %s", to,
				    reply->code, reply->text),
			reply);
	else
		smtp_probe_judge_said(
			finding_add(
				j->f, "rcpt.rejected",
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
		smtp_probe_judge_said(
			finding_add(
				j->f, "mail.rejected",
				mail->code / 100 == 4 ? FINDING_UNKNOWN : FINDING_FAIL,
				j->name,
				mail->code == 421
					? "the session was ended at MAIL FROM:<%s>: %d %s"
					: "the sender <%s> is refused: %d %s",
				p->from, mail->code, mail->text),
			mail);
	for (size_t i = 0; i < p->to_count; i++)
		judge_rcpt(j, p->to[i], &j->r->rcpt[i]);
	if (data->code != 0)
		smtp_probe_judge_said(finding_add(j->f,
						  data->code / 100 == 2 ? "data.ok"
									: "data.rejected",
						  data->code / 100 == 2 ? FINDING_OK
						  : data->code / 100 == 4
							  ? FINDING_UNKNOWN
							  : FINDING_FAIL,
						  j->name, "the message: %d %s",
						  data->code, data->text),
				      data);
}

static void judge_lost(struct judge *j) {
	if (j->r->failed && j->r->stage > SMTP_STAGE_AUTH && j->r->reply.local)
		finding_add(j->f, "conn.lost", FINDING_UNKNOWN, j->name, "%s",
			    j->r->reply.text);
}

static void judge_injection(struct judge *j) {
	if (!j->run->p->injection)
		return;
	if (j->t->injection < 0)
		finding_add(j->f, "tls.injection", FINDING_NA, j->name,
			    j->r->before.ext.starttls
				    ? "injection: it could not be found out"
				    : "injection: there is no STARTTLS to try it with");
	else
		finding_add(
			j->f, "tls.injection",
			j->t->injection ? FINDING_FAIL : FINDING_OK, j->name,
			j->t->injection
				? "what came in clear behind STARTTLS is answered under TLS"
				: "what comes in clear behind STARTTLS is forgotten");
}

static void judge_one(struct smtp_probe_run *run, struct smtp_probe_target *t) {
	struct judge j = { .run = run,
			   .t = t,
			   .r = &t->r,
			   .f = &run->findings,
			   .mx = smtp_probe_is_mx(run) };
	smtp_probe_name(t, j.name, sizeof(j.name));
	judge_connect(&j);
	judge_mode(&j);
	judge_banner(&j);
	judge_ehlo(&j);
	smtp_probe_judge_tls(&j);
	judge_auth(&j);
	judge_envelope(&j);
	judge_lost(&j);
	if (t->r.rude)
		finding_add(&run->findings, "quit.rude", FINDING_INFO, j.name,
			    "the connection was closed without an answer to QUIT");
	judge_injection(&j);
}

/* --- all together --- */

static bool is_v6(const struct smtp_probe_target *t) {
	return strchr(t->where, ':') != NULL;
}

static void judge_families(struct smtp_probe_run *run) {
	for (size_t i = 0; i < run->count; i++) {
		const struct smtp_probe_target *six = &run->target[i];
		for (size_t k = 0; k < run->count && is_v6(six) && !six->r.connected;
		     k++) {
			const struct smtp_probe_target *four = &run->target[k];
			if (is_v6(four) || !four->r.connected ||
			    strcmp(six->host, four->host) != 0)
				continue;
			finding_add(&run->findings, "conn.v6_broken", FINDING_WARN,
				    six->host, "IPv6 (%s) does not answer, IPv4 does",
				    six->where);
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
		finding_add(
			&run->findings, "conn.port25_blocked", FINDING_WARN,
			run->p->mx ? run->p->mx : run->target[0].host,
			"no server answers at port 25: most networks block it on the way out");
}

static void judge_time(struct smtp_probe_run *run) {
	const struct smtp_probe *p = run->p;
	if (p->slow_fail_ms > 0 && run->took_ms > p->slow_fail_ms)
		finding_add(&run->findings, "conn.slow", FINDING_FAIL, "all",
			    "it took %.1f s", (double)run->took_ms / 1000);
	else if (p->slow_warn_ms > 0 && run->took_ms > p->slow_warn_ms && run->count == 1)
		finding_add(&run->findings, "conn.slow", FINDING_WARN, "all",
			    "it took %.1f s", (double)run->took_ms / 1000);
}

/* Ours, not a server's: told once. */
static void judge_our_name(struct smtp_probe_run *run) {
	bool said = false;
	for (size_t i = 0; i < run->count; i++)
		said |= run->target[i].r.banner.code == 220 &&
			run->p->stop > PROBE_STOP_BANNER;
	if (said && !strchr(run->p->helo, '.') && run->p->helo[0] != '[')
		finding_add(&run->findings, "ehlo.our_name", FINDING_WARN,
			    run->p->mx   ? run->p->mx
			    : run->relay ? run->relay->name
					 : run->p->host,
			    "we call ourselves %s, which is no full host name",
			    run->p->helo);
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
