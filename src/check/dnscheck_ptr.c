/* Whether addresses that send, and those of the MX hosts, have names that lead back to them. */

#include "base/auto.h"
#include "check/dnscheck_state.h"

#define GENERIC_DIGITS 4 /* more than these in the first label are an address */

static size_t digits_of(struct span label) {
	size_t n = 0;
	for (size_t i = 0; i < label.len; i++)
		n += label.p[i] >= '0' && label.p[i] <= '9';
	return n;
}

/* The numbers of the address stand in the name, or a word of dial-up pools does. */
static bool is_generic(const char *name, const struct inet_addr *ip) {
	static const char *const words[] = { "dyn",    "dynamic", "pool", "dhcp",
					     "dialup", "ppp",     "dsl",  "cable" };
	struct span rest = span_str(name), word;
	unsigned numbers = 0;
	size_t end = span_find(rest, '.');
	for (size_t i = 0; ip->bits == 32 && i < 4; i++) {
		char number[8];
		snprintf(number, sizeof(number), "%u", (unsigned)ip->byte[i]);
		numbers += strstr(name, number) != NULL;
	}
	struct span first = span_head(rest, end);
	if (ip->bits == 32 && numbers == 4 && digits_of(first) > GENERIC_DIGITS)
		return true;
	for (size_t start = 0, i = 0; i <= rest.len; i++) {
		if (i < rest.len && rest.p[i] != '.' && rest.p[i] != '-')
			continue;
		word = span_of(rest.p + start, i - start);
		start = i + 1;
		for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++)
			if (span_eq_nocase(word, span_str(words[k])))
				return true;
	}
	return false;
}

/* What an address is to us: one that sends, or one of an MX host. */
struct about {
	const struct inet_addr *ip;
	char text[64];
	const char *host; /* the name it should have, or NULL */
	enum finding_severity bad;
	bool sends;
};

static bool leads_back(struct dnscheck *c, const char *name, const struct inet_addr *ip,
		       bool *pending, bool *temporary) {
	const struct dns_answer *a = dnscheck_get(c, "", name,
						  ip->bits == 32 ? DNS_A : DNS_AAAA);
	struct inet_addr back;
	*pending |= a->status == DNS_PENDING;
	*temporary |= dns_is_temporary(a);
	for (size_t i = 0; i < a->count; i++)
		if (dns_addr(a, i, &back) && inet_same(&back, ip))
			return true;
	return false;
}

static void check_name(struct dnscheck *c, const struct about *about, const char *name) {
	if (is_generic(name, about->ip))
		finding_add(c->out, "ptr.generic",
			    about->bad == FINDING_FAIL ? FINDING_WARN : FINDING_NOTICE,
			    about->text, "the name %s looks made from the address", name);
	if (about->sends && c->helo && !span_eq_nocase(span_str(c->helo), span_str(name)))
		finding_add(c->out, "ptr.not_helo", FINDING_NOTICE, about->text,
			    "the name is %s, the greeting %s", name, c->helo);
}

/* False: pending. */
static bool check_ptr(struct dnscheck *c, const struct about *about) {
	AUTO_BUF struct buf reverse = BUF_INIT(256);
	char name[256] = "", good[256] = "";
	bool pending = false, temporary = false;
	dns_reverse_name(&reverse, about->ip);
	const struct dns_answer *a = dns_get(c->dns, buf_span(&reverse), DNS_PTR);
	if (a->status == DNS_PENDING)
		return false;
	for (size_t i = 0; i < a->count && i < DNSCHECK_MX_MAX; i++)
		if (dns_host(a->record[i], name) &&
		    leads_back(c, name, about->ip, &pending, &temporary))
			memcpy(good, name, sizeof(good));
	if (pending)
		return false;
	if (dns_is_temporary(a) || (!good[0] && temporary)) {
		finding_add(c->out, "ptr.unknown", FINDING_UNKNOWN, about->text,
			    "its name: %s",
			    dns_is_temporary(a) ? a->why : "DNS did not answer");
		return true;
	}
	if (a->count == 0) {
		finding_fix(finding_add(c->out, "ptr.none", about->bad, about->text,
					"the address has no name (%s)", a->why),
			    "%s. PTR %s.", buf_str(&reverse),
			    about->host ? about->host : "NAME-OF-THE-SERVER");
		return true;
	}
	if (a->count > 1)
		finding_add(c->out, "ptr.multiple", FINDING_NOTICE, about->text,
			    "the address has %zu names", a->count);
	if (!good[0])
		finding_fix(finding_add(c->out, "ptr.no_fcrdns", about->bad, about->text,
					"the name %s does not lead back to the address",
					name),
			    "%s. %s %s", name, about->ip->bits == 32 ? "A" : "AAAA",
			    about->text);
	else
		finding_add(c->out, "ptr.ok", FINDING_OK, about->text, "is %s, and back",
			    good);
	check_name(c, about, good[0] ? good : name);
	return true;
}

static struct about about_ip(const struct inet_addr *ip, const char *host, bool sends,
			     enum finding_severity bad) {
	struct about about = { .ip = ip, .host = host, .sends = sends, .bad = bad };
	AUTO_BUF struct buf text = BUF_INIT(sizeof(about.text) - 1);
	inet_addr_add(&text, ip);
	snprintf(about.text, sizeof(about.text), "%s", buf_str(&text));
	return about;
}

static bool is_sender(const struct dnscheck *c, const struct inet_addr *ip) {
	for (size_t i = 0; i < c->ip_count; i++)
		if (inet_same(&c->ip[i], ip))
			return true;
	return false;
}

/* The addresses of a host of the MX, unless they are among the senders. False: pending. */
static bool check_host_names(struct dnscheck *c, const char *host, enum dns_type type) {
	const struct dns_answer *a = dnscheck_get(c, "", host, type);
	bool all = a->status != DNS_PENDING;
	struct inet_addr ip;
	for (size_t i = 0; i < a->count && i < DNSCHECK_MX_MAX; i++) {
		if (!dns_addr(a, i, &ip) || is_sender(c, &ip) || dnscheck_is_private(&ip))
			continue;
		struct about about = about_ip(&ip, host, false,
					      c->ip_count > 0 ? FINDING_NOTICE
							      : FINDING_WARN);
		all = check_ptr(c, &about) && all;
	}
	return all;
}

bool dnscheck_ptr(struct dnscheck *c) {
	struct dnscheck_hosts h;
	bool all = true;
	for (size_t i = 0; i < c->ip_count; i++) {
		struct about about = about_ip(&c->ip[i], c->helo, true,
					      c->smarthost ? FINDING_NOTICE
							   : FINDING_FAIL);
		all = check_ptr(c, &about) && all;
	}
	if (!dnscheck_hosts(c, &h))
		return false;
	for (size_t i = 0; i < h.count && !h.implicit; i++) {
		all = check_host_names(c, h.name[i], DNS_A) && all;
		all = check_host_names(c, h.name[i], DNS_AAAA) && all;
	}
	return all;
}
