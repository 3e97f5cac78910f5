/* The table of servers, the certificates, the findings; or all of it as one object. */

#include "cli/smtp_probe.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/json.h"
#include "cli/cli.h"

#define OUTPUT_MAX (4u << 20)
#define DAY_S 86400

/* --- for people --- */

static void add_ms(char out[16], int64_t ms) {
	if (ms < 0)
		snprintf(out, 16, "-");
	else if (ms < 10000)
		snprintf(out, 16, "%dms", (int)ms);
	else
		snprintf(out, 16, "%.1fs", (double)ms / 1000);
}

/* "1.3 ok", "1.2 untrusted", "none" */
static void tls_words(const struct probe_result *r, char *out, size_t size) {
	const char *version = r->tls.version;
	if (!r->tls_done) {
		snprintf(out, size, "%s", r->tls_error[0] ? "failed" : r->before.seen ? "none" : "-");
		return;
	}
	if (strncmp(version, "TLS", 3) == 0)
		version += 3;
	snprintf(out, size, "%s %s", version, r->tls.verified ? "ok" : "untrusted");
}

static const char *policy_words(const struct smtp_probe_target *t) {
	if (!t->decided || !t->tried)
		return "-";
	if (t->has_dane && t->dane.status == DANE_RECORDS && t->r.tls_done)
		return t->r.dane_matched ? "DANE ok" : "DANE MISMATCH";
	switch (t->decision.level) {
	case TLSPOLICY_CLEAR:
		return "no TLS";
	case TLSPOLICY_MAY:
		return "opportunistic";
	case TLSPOLICY_ENCRYPT:
		return "TLS needed";
	case TLSPOLICY_VERIFY:
		return t->decision.source == TLSPOLICY_BY_STS ? "MTA-STS" : "verified";
	case TLSPOLICY_DANE:
		return "DANE";
	case TLSPOLICY_PIN:
		return "pinned";
	case TLSPOLICY_WAIT:
		return "wait";
	case TLSPOLICY_REFUSE:
		return "NOT IN STS";
	}
	return "-";
}

/* mx: it has a preference. */
static void print_row(const struct smtp_probe_target *t, const char *above, bool mx) {
	char connect[16], banner[16], tls[32], preference[12] = "";
	AUTO_BUF struct buf host = BUF_INIT(2048);
	bool same = strcmp(t->host, above) == 0;
	add_ms(connect, t->r.ms[PROBE_CONNECT]);
	add_ms(banner, t->r.ms[PROBE_BANNER]);
	tls_words(&t->r, tls, sizeof(tls));
	if (!same)
		term_safe(&host, span_str(t->host));
	if (mx && !same)
		snprintf(preference, sizeof(preference), "%u", (unsigned)t->preference);
	printf("  %-4s %-22s %-20s %7s %7s %-13s %s\n", preference, buf_str(&host), t->where,
	       !t->tried		? "-"
	       : t->r.connected ? connect
	       : t->r.timed_out ? "timeout"
				    : "refused",
	       banner, tls, policy_words(t));
}

static void print_table(const struct smtp_probe_run *run) {
	const char *above = "";
	if (run->count == 0)
		return;
	printf("  %-4s %-22s %-20s %7s %7s %-13s %s\n", run->p->mx ? "PREF" : "", "HOST", "ADDRESS", "CONNECT",
	       "BANNER", "TLS", "POLICY");
	for (size_t i = 0; i < run->count; i++) {
		print_row(&run->target[i], above, run->p->mx != NULL);
		above = run->target[i].host;
	}
}

static void print_text(const char *label, const char *text) {
	AUTO_BUF struct buf safe = BUF_INIT(65536);
	term_safe(&safe, span_str(text));
	printf("  %-12s %s\n", label, buf_str(&safe));
}

static void date_of(int64_t at_s, char out[16]) {
	time_t t = (time_t)at_s;
	struct tm tm;
	if (!gmtime_r(&t, &tm) || strftime(out, 16, "%Y-%m-%d", &tm) == 0)
		out[0] = '\0';
}

static void hex_of(const uint8_t hash[TLS_HASH_SIZE], char out[2 * TLS_HASH_SIZE + 1]) {
	for (size_t i = 0; i < TLS_HASH_SIZE; i++)
		snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

static void print_cert(const struct tls_cert *c, size_t depth) {
	char label[16], line[900], from[16], until[16];
	date_of(c->not_before_s, from);
	date_of(c->not_after_s, until);
	snprintf(label, sizeof(label), depth == 0 ? "certificate" : "issued by");
	snprintf(line, sizeof(line), "%s (%s %u, %s), %s to %s", c->subject, c->key, c->bits,
		 c->signature, from, until);
	print_text(label, line);
	if (depth > 0)
		return;
	AUTO_BUF struct buf names = BUF_INIT(2048);
	buf_adds(&names, c->names[0] ? c->names : "none");
	if (c->names_left > 0)
		buf_addf(&names, " and %u more", c->names_left);
	print_text("names", buf_str(&names));
}

static void print_hashes(const struct tls_cert *leaf) {
	AUTO_BUF struct buf pin = BUF_INIT(128);
	char hex[2 * TLS_HASH_SIZE + 1];
	buf_adds(&pin, "sha256:");
	codec_base64_add(&pin, span_of((const char *)leaf->key_hash, TLS_HASH_SIZE));
	print_text("pin", buf_str(&pin));
	hex_of(leaf->key_hash, hex);
	printf("  %-12s 3 1 1 %s\n", "TLSA", hex);
}

static void print_ehlo(const char *label, const struct probe_ehlo *e) {
	struct span rest = span_str(e->lines), line;
	bool first = true;
	while (e->seen && span_take_line(&rest, &line)) {
		char text[300];
		snprintf(text, sizeof(text), "%.*s", (int)line.len, line.p);
		print_text(first ? label : "", text);
		first = false;
	}
}

static void print_phases(const struct probe_result *r) {
	bool first = true;
	printf("  %-12s ", "times");
	for (int i = 0; i < PROBE_PHASES; i++) {
		char ms[16];
		if (r->ms[i] < 0)
			continue;
		add_ms(ms, r->ms[i]);
		printf("%s%s %s", first ? "" : ", ", probe_phase_name((enum probe_phase)i), ms);
		first = false;
	}
	putchar('\n');
}

static void print_details(const struct smtp_probe_run *run, const struct smtp_probe_target *t) {
	const struct probe_result *r = &t->r;
	char name[400];
	if (!t->tried || !r->connected)
		return;
	smtp_probe_name(t, name, sizeof(name));
	print_text("server", name);
	if (r->banner.code)
		print_text("banner", r->banner.text);
	print_ehlo("EHLO", &r->before);
	print_ehlo(r->before.seen ? "EHLO by TLS" : "EHLO", &r->after);
	if (r->tls_done) {
		char line[160];
		snprintf(line, sizeof(line), "%s, %s", r->tls.version, r->tls.cipher);
		print_text("TLS", line);
		for (size_t i = 0; i < r->certs; i++)
			print_cert(&r->cert[i], i);
		if (r->certs > 0)
			print_hashes(&r->cert[0]);
	}
	if (t->decided)
		print_text("sender asks", t->decision.reason);
	if (r->mechanism[0])
		print_text("logged in", r->mechanism);
	print_phases(r);
	(void)run;
}

static void print_people(struct smtp_probe_run *run) {
	const struct smtp_probe *p = run->p;
	const char *subject = p->mx ? p->mx : run->relay ? run->relay->name : p->host;
	const struct finding_style style = { .subject = subject,
					     .color = term_use_color(p->color, stdout),
					     .verbose = p->verbose };
	term_print(stdout, span_str(subject));
	if (smtp_probe_is_socket(p))
		putchar('\n');
	else
		printf(", port %u\n", p->port);
	if (p->mx || run->count > 1)
		print_table(run);
	if (!p->mx || p->verbose)
		for (size_t i = 0; i < run->count; i++)
			print_details(run, &run->target[i]);
	finding_print(stdout, &run->findings, &style);
}

/* --- as JSON --- */

static void json_cert(struct json *j, const struct tls_cert *c) {
	char hex[2 * TLS_HASH_SIZE + 1];
	struct span rest = span_str(c->names), word;
	json_object(j, NULL);
	json_str(j, "subject", span_str(c->subject));
	json_str(j, "issuer", span_str(c->issuer));
	json_array(j, "names");
	while (span_take_word(&rest, &word))
		json_str(j, NULL, word);
	json_end(j);
	json_int(j, "names_left", c->names_left);
	json_int(j, "not_before", c->not_before_s);
	json_int(j, "not_after", c->not_after_s);
	json_int(j, "days_left", (c->not_after_s - clock_wall_ms() / 1000) / DAY_S);
	json_str(j, "key", span_str(c->key));
	json_int(j, "bits", c->bits);
	json_str(j, "signature", span_str(c->signature));
	json_bool(j, "self_signed", c->self_signed);
	hex_of(c->hash, hex);
	json_str(j, "sha256", span_str(hex));
	hex_of(c->key_hash, hex);
	json_str(j, "spki_sha256", span_str(hex));
	json_end(j);
}

static void json_tls(struct json *j, const struct probe_result *r) {
	json_object(j, "tls");
	json_bool(j, "established", r->tls_done);
	json_bool(j, "verified", r->tls_done && r->tls.verified);
	struct span why = span_str(r->tls_done ? r->tls.why_not : r->tls_error);
	json_str_or_null(j, "verify_error", why.len > 0 ? why : (struct span){ NULL, 0 });
	json_str_or_null(j, "version",
			 r->tls_done ? span_str(r->tls.version) : (struct span){ NULL, 0 });
	json_str_or_null(j, "cipher",
			 r->tls_done ? span_str(r->tls.cipher) : (struct span){ NULL, 0 });
	json_array(j, "chain");
	for (size_t i = 0; i < r->certs; i++)
		json_cert(j, &r->cert[i]);
	json_end(j);
	json_end(j);
}

static const char *dane_status(const struct smtp_probe_target *t) {
	if (!t->has_dane || t->dane.status == DANE_NONE || t->dane.status == DANE_NO_HOST ||
	    t->dane.status == DANE_PENDING)
		return "none";
	if (t->dane.status == DANE_UNUSABLE)
		return "unusable";
	return t->dane.status == DANE_RECORDS && t->r.dane_matched ? "verified" : "failed";
}

static void json_dane(struct json *j, const struct smtp_probe_target *t) {
	json_object(j, "dane");
	json_str(j, "status", span_str(t ? dane_status(t) : "none"));
	json_str_or_null(j, "method", t && t->r.dane_matched ? span_str(t->r.dane_method)
							     : (struct span){ NULL, 0 });
	json_str_or_null(j, "reason", t && t->has_dane
					      ? span_str(t->r.dane_words[0] ? t->r.dane_words
									    : t->dane.reason)
					      : (struct span){ NULL, 0 });
	json_end(j);
}

static void json_reply(struct json *j, const char *key, const struct smtp_reply *r) {
	AUTO_BUF struct buf text = BUF_INIT(1024);
	if (r->code == 0) {
		json_null(j, key);
		return;
	}
	smtp_reply_add(&text, r);
	json_str(j, key, buf_span(&text));
}

static void json_ehlo(struct json *j, const char *key, const struct probe_ehlo *e) {
	struct span rest = span_str(e->lines), line;
	json_array(j, key);
	while (e->seen && span_take_line(&rest, &line))
		json_str(j, NULL, line);
	json_end(j);
}

static void json_server(struct json *j, const struct smtp_probe_run *run,
			const struct smtp_probe_target *t) {
	const struct probe_result *r = &t->r;
	json_object(j, NULL);
	json_str(j, "host", span_str(t->host));
	json_str(j, "address", span_str(t->where));
	json_int(j, "preference", t->preference);
	json_bool(j, "connected", r->connected);
	json_str_or_null(j, "connect_error", r->connect_error[0] ? span_str(r->connect_error)
								 : (struct span){ NULL, 0 });
	json_reply(j, "banner", &r->banner);
	json_ehlo(j, "ehlo", &r->before);
	json_ehlo(j, "ehlo_tls", &r->after);
	json_tls(j, r);
	json_dane(j, t);
	json_object(j, "policy");
	json_str(j, "level", span_str(tlspolicy_level_name(t->decision.level)));
	json_str(j, "source", span_str(tlspolicy_source_name(t->decision.source)));
	json_str(j, "reason", span_str(t->decision.reason));
	json_end(j);
	json_str_or_null(j, "auth", r->mechanism[0] ? span_str(r->mechanism)
						    : (struct span){ NULL, 0 });
	json_reply(j, "mail", &r->mail);
	json_array(j, "rcpt");
	for (size_t i = 0; i < run->p->to_count; i++) {
		json_object(j, NULL);
		json_str(j, "address", span_str(run->p->to[i]));
		json_reply(j, "reply", &r->rcpt[i]);
		json_end(j);
	}
	json_end(j);
	json_reply(j, "data", &r->data);
	json_object(j, "ms");
	json_int(j, "dns", t->dns_ms);
	for (int i = 0; i < PROBE_PHASES; i++)
		if (r->ms[i] >= 0)
			json_int(j, probe_phase_name((enum probe_phase)i), r->ms[i]);
	json_end(j);
	json_end(j);
}

static void print_json(struct smtp_probe_run *run) {
	static const struct probe_result nothing = { .connected = false };
	AUTO_BUF struct buf out = BUF_INIT(OUTPUT_MAX);
	struct json j = json_into(&out);
	const struct smtp_probe_target *first = NULL;
	for (size_t i = 0; i < run->count && !first; i++)
		if (run->target[i].r.connected)
			first = &run->target[i];
	if (!first && run->count > 0)
		first = &run->target[0];
	json_object(&j, NULL);
	if (smtp_probe_is_socket(run->p))
		json_null(&j, "port");
	else
		json_int(&j, "port", run->p->port);
	json_str_or_null(&j, "mx", run->p->mx ? span_str(run->p->mx) : (struct span){ NULL, 0 });
	json_bool(&j, "null_mx", run->null_mx);
	json_tls(&j, first ? &first->r : &nothing);
	json_dane(&j, first);
	json_str_or_null(&j, "mta_sts", run->has_sts ? span_str(sts_mode_name(run->sts.mode))
						     : (struct span){ NULL, 0 });
	json_array(&j, "servers");
	for (size_t i = 0; i < run->count; i++)
		json_server(&j, run, &run->target[i]);
	json_end(&j);
	json_int(&j, "took_ms", run->took_ms);
	finding_json(&j, &run->findings);
	json_end(&j);
	fwrite(buf_str(&out), 1, out.len, stdout);
	putchar('\n');
}

int smtp_probe_show(struct smtp_probe_run *run) {
	const struct smtp_probe *p = run->p;
	const char *subject = p->mx ? p->mx : run->relay ? run->relay->name : p->host;
	if (p->json)
		print_json(run);
	else if (p->nagios)
		finding_print_nagios(stdout, &run->findings, subject, run->took_ms);
	else if (p->plain)
		finding_print_plain(stdout, &run->findings);
	else
		print_people(run);
	return finding_exit(&run->findings);
}
