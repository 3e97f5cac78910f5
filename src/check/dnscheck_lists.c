/*
 * Blocklists. A list is believed only when it passes its own test (RFC 5782 section 5): its
 * entry 127.0.0.2 stands there and 127.0.0.1 does not. What a list refuses to say is not known.
 */

#include "authres/psl.h"
#include "base/auto.h"
#include "check/dnsbl.h"
#include "check/dnscheck_state.h"

#define TXT_MAX 4096
#define IPS_MAX 32

enum health { HEALTH_PENDING, HEALTH_GOOD, HEALTH_REFUSED, HEALTH_DEAD, HEALTH_SILENT };

/* Somebody who may stand on a list: an address or a domain. */
struct subject {
	struct inet_addr ip; /* bits 0: a domain */
	char text[256];
	bool sends;
};

static const struct dns_answer *ask(struct dnscheck *c, const struct subject *s,
				    const char *zone, enum dns_type type) {
	AUTO_BUF struct buf name = BUF_INIT(1024);
	if (s->ip.bits == 0) {
		buf_adds(&name, s->text);
	} else {
		dns_reverse_name(&name, &s->ip);
		/* "4.3.2.1.in-addr.arpa": without its end. */
		size_t end = name.len - (s->ip.bits == 32 ? strlen(".in-addr.arpa")
							  : strlen(".ip6.arpa"));
		buf_truncate(&name, end);
	}
	buf_addf(&name, ".%s", zone);
	return dns_get(c->dns, buf_span(&name), type);
}

static bool is_code(const struct dnsbl_zone *z, const struct dnsbl_code *code,
		    const struct inet_addr *a) {
	const uint8_t *b = a->byte;
	bool refused = b[0] == 127 && b[1] == 255 && b[2] == 255;
	if (refused)
		return code->meaning == DNSBL_REFUSED && b[3] >= code->from &&
		       b[3] <= code->to;
	if (b[0] != 127 || b[1] != 0 || b[2] != z->third)
		return false;
	if (z->bits)
		return (b[3] & code->from) != 0;
	return (code->meaning != DNSBL_REFUSED || z->third > 0) && b[3] >= code->from &&
	       b[3] <= code->to;
}

/* The code of one answer; NULL: none of the list's. */
static const struct dnsbl_code *meaning(const struct dnsbl_zone *z,
					const struct inet_addr *a) {
	for (size_t i = 0; i < DNSBL_CODES_MAX && z->code[i].words; i++)
		if (is_code(z, &z->code[i], a))
			return &z->code[i];
	return NULL;
}

static bool is_127(const struct dns_answer *a) {
	struct inet_addr addr;
	for (size_t i = 0; i < a->count; i++)
		if (!dns_addr(a, i, &addr) || addr.byte[0] != 127)
			return false;
	return true;
}

/* Why the test entries show that the list does not answer us; "" when it does. */
static enum health test(struct dnscheck *c, const struct dnsbl_zone *z,
			const char **ret_why) {
	struct subject listed = { .ip = { .bits = 32, .byte = { 127, 0, 0, 2 } } };
	struct subject clean = { .ip = { .bits = 32, .byte = { 127, 0, 0, 1 } } };
	if (z->test) {
		listed.ip.bits = clean.ip.bits = 0;
		snprintf(listed.text, sizeof(listed.text), "%s", z->test);
		snprintf(clean.text, sizeof(clean.text), "invalid");
	}
	const struct dns_answer *yes = ask(c, &listed, z->zone, DNS_A);
	const struct dns_answer *no = ask(c, &clean, z->zone, DNS_A);
	struct inet_addr addr;
	if (yes->status == DNS_PENDING || no->status == DNS_PENDING)
		return HEALTH_PENDING;
	*ret_why = yes->why;
	if (dns_is_temporary(yes) || dns_is_temporary(no))
		return HEALTH_SILENT;
	for (size_t i = 0; i < yes->count; i++) {
		const struct dnsbl_code *code = dns_addr(yes, i, &addr)
							? meaning(z, &addr)
							: NULL;
		*ret_why = code ? code->words : "";
		if (code && code->meaning == DNSBL_REFUSED)
			return HEALTH_REFUSED;
	}
	*ret_why = "its test entry is not there";
	if (yes->status == DNS_FOUND && !is_127(yes))
		*ret_why = "the resolver rewrites answers";
	return yes->status == DNS_FOUND && is_127(yes) && no->status != DNS_FOUND
		       ? HEALTH_GOOD
		       : HEALTH_DEAD;
}

static enum finding_severity severity(const struct dnscheck *c, const struct subject *s,
				      const struct dnsbl_code *code) {
	if (s->ip.bits == 0)
		return FINDING_FAIL;
	if (code->meaning == DNSBL_POLICY) {
		if (!s->sends)
			return FINDING_INFO;
		return c->smarthost ? FINDING_NA : FINDING_FAIL;
	}
	return s->sends && !c->smarthost ? FINDING_FAIL : FINDING_WARN;
}

static void report(struct dnscheck *c, const struct subject *s,
		   const struct dnsbl_zone *z, const struct dns_answer *a,
		   const struct dns_answer *txt) {
	AUTO_BUF struct buf why = BUF_INIT(TXT_MAX);
	struct inet_addr addr;
	if (txt->count > 0)
		dns_txt(txt->record[0], &why);
	for (size_t i = 0; i < a->count; i++) {
		const struct dnsbl_code *code = dns_addr(a, i, &addr) ? meaning(z, &addr)
								      : NULL;
		struct finding *f;
		if (code && code->meaning == DNSBL_REFUSED)
			f = finding_add(c->out, "bl.refused", FINDING_UNKNOWN, s->text,
					"%s refuses: %s", z->zone, code->words);
		else if (!is_127(a))
			f = finding_add(c->out, "bl.not127", FINDING_UNKNOWN, s->text,
					"%s: an answer outside 127.0.0.0/8", z->zone);
		else
			f = finding_add(c->out,
					code && code->meaning == DNSBL_POLICY
						? "bl.policy"
						: "bl.listed",
					code ? severity(c, s, code) : FINDING_WARN,
					s->text, "%s: %s (127.%u.%u.%u), removal: %s",
					z->zone,
					code ? code->words : "a code without meaning",
					addr.byte[1], addr.byte[2], addr.byte[3],
					z->removal);
		if (why.len > 0)
			finding_evidence(f, buf_span(&why));
	}
}

/* False: pending. */
static bool check_zone(struct dnscheck *c, const struct subject *s,
		       const struct dnsbl_zone *z, size_t *clean, bool *told) {
	const char *why = "";
	if ((s->ip.bits == 0) != (z->test != NULL) || (s->ip.bits == 128 && !z->ipv6))
		return true;
	enum health h = test(c, z, &why);
	const struct dns_answer *a = ask(c, s, z->zone, DNS_A);
	if (h == HEALTH_PENDING || a->status == DNS_PENDING)
		return false;
	if (h != HEALTH_GOOD) {
		if (!*told)
			finding_add(c->out,
				    h == HEALTH_DEAD ? "bl.zone_dead" : "bl.refused",
				    h == HEALTH_DEAD ? FINDING_INFO : FINDING_UNKNOWN,
				    z->zone, "%s%s",
				    h == HEALTH_REFUSED ? "refuses: " : "", why);
		*told = true;
		return true;
	}
	if (a->status == DNS_FOUND) {
		const struct dns_answer *txt = ask(c, s, z->zone, DNS_TXT);
		if (txt->status == DNS_PENDING)
			return false;
		report(c, s, z, a, txt);
	} else if (dns_is_temporary(a)) {
		finding_add(c->out, "bl.refused", FINDING_UNKNOWN, s->text, "%s: %s", z->zone,
			    a->why);
	} else {
		++*clean;
	}
	return true;
}

static void add_subject(struct subject *list, size_t *count, const struct inet_addr *ip,
			bool sends) {
	AUTO_BUF struct buf text = BUF_INIT(60);
	for (size_t i = 0; i < *count; i++)
		if (inet_same(&list[i].ip, ip))
			return;
	if (*count == IPS_MAX + 2)
		return;
	struct subject *s = &list[(*count)++];
	*s = (struct subject){ .ip = *ip, .sends = sends };
	inet_addr_add(&text, ip);
	snprintf(s->text, sizeof(s->text), "%s", buf_str(&text));
}

/* The domain, and the one that it belongs to. */
static void add_domains(struct dnscheck *c, struct subject *list, size_t *count) {
	char org[256];
	snprintf(list[(*count)++].text, sizeof(list->text), "%s", c->domain);
	if (psl_org_domain(span_str(c->domain), org) && strcmp(org, c->domain) != 0)
		snprintf(list[(*count)++].text, sizeof(list->text), "%s", org);
}

/* Without addresses to send from, those of the MX hosts, which often are the same. False:
 * pending. */
static bool collect(struct dnscheck *c, struct subject *list, size_t *count) {
	static const enum dns_type types[] = { DNS_A, DNS_AAAA };
	struct dnscheck_hosts h;
	struct inet_addr ip;
	bool all = true;
	for (size_t i = 0; i < c->ip_count; i++)
		add_subject(list, count, &c->ip[i], true);
	if (c->ip_count > 0)
		return true;
	if (!dnscheck_hosts(c, &h))
		return false;
	for (size_t i = 0; i < h.count && !h.implicit; i++)
		for (size_t t = 0; t < 2; t++) {
			const struct dns_answer *a = dnscheck_get(c, "", h.name[i],
								  types[t]);
			all = all && a->status != DNS_PENDING;
			for (size_t k = 0; k < a->count; k++)
				if (dns_addr(a, k, &ip))
					add_subject(list, count, &ip, false);
		}
	return all;
}

/* True when something was found about the subject. */
static bool is_named(const struct dnscheck *c, const char *subject) {
	for (size_t i = 0; i < c->out->count; i++)
		if (c->out->at[i].subject && strcmp(c->out->at[i].subject, subject) == 0)
			return true;
	return false;
}

bool dnscheck_lists(struct dnscheck *c) {
	struct subject list[IPS_MAX + 2] = { { .sends = false } };
	size_t count = 0;
	bool told[16] = { false };
	add_domains(c, list, &count);
	bool all = collect(c, list, &count);
	for (size_t i = 0; i < count; i++) {
		size_t clean = 0;
		for (size_t z = 0; z < dnsbl_zone_count; z++)
			all = check_zone(c, &list[i], &dnsbl_zones[z], &clean,
					 &told[z]) &&
			      all;
		if (clean > 0 && !is_named(c, list[i].text))
			finding_add(c->out, "bl.clean", FINDING_OK, list[i].text,
				    "on none of %zu lists", clean);
	}
	return all;
}
