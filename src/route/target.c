/*
 * From names to servers. Everything that a stranger's DNS says is bounded: records, hosts,
 * addresses of a host. Whether a failure is final is decided by what was proved: that a name
 * does not exist is an answer, silence is none.
 */

#include "route/target.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t draw(uint64_t *random, uint32_t below) {
	*random = *random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(((*random >> 32) * below) >> 32);
}

__attribute__((format(printf, 5, 6))) static enum target_result
fail(struct target *t, unsigned code, unsigned subject, unsigned detail, const char *fmt, ...) {
	va_list ap;
	t->count = 0;
	t->code = code;
	t->subject = subject;
	t->detail = detail;
	va_start(ap, fmt);
	vsnprintf(t->words, sizeof(t->words), fmt, ap);
	va_end(ap);
	return code >= 500 ? TARGET_REFUSED : TARGET_LATER;
}

/* --- addresses --- */

static void take_addresses(struct target_host *h, const struct dns_answer *a, size_t most) {
	struct inet_addr addr;
	for (size_t i = 0; a->status == DNS_FOUND && i < a->count && h->addrs < most; i++)
		if (dns_addr(a, i, &addr))
			h->addr[h->addrs++] = addr;
}

/* What the look-up of one host came to. */
enum host_result { HOST_PENDING, HOST_FOUND, HOST_NONE, HOST_UNKNOWN };

static enum host_result look_up(struct dns *d, struct target_host *h, const char **ret_why) {
	const struct dns_answer *v6 = dns_get(d, span_str(h->name), DNS_AAAA);
	const struct dns_answer *v4 = dns_get(d, span_str(h->name), DNS_A);
	if (v6->status == DNS_PENDING || v4->status == DNS_PENDING)
		return HOST_PENDING;
	h->addrs = 0;
	/* Each family keeps some places, whatever the other has. */
	take_addresses(h, v6, TARGET_ADDRESSES_MAX - (v4->status == DNS_FOUND ? 2 : 0));
	take_addresses(h, v4, TARGET_ADDRESSES_MAX);
	h->secure = h->secure && (v6->status != DNS_FOUND || v6->secure) &&
		    (v4->status != DNS_FOUND || v4->secure);
	if (h->addrs > 0)
		return HOST_FOUND;
	bool unknown = dns_is_temporary(v6) || dns_is_temporary(v4);
	*ret_why = dns_is_temporary(v4) ? v4->why : dns_is_temporary(v6) ? v6->why : v4->why;
	return unknown ? HOST_UNKNOWN : HOST_NONE;
}

/* The first host whose address cannot be known now. */
struct unsure {
	char name[256]; /* "": there is none */
	unsigned preference;
	const char *why;
};

static enum target_result fail_unsure(struct target *t, const struct unsure *u) {
	return fail(t, 451, 4, 3, "the address of %s cannot be looked up now: %s", u->name,
		    u->why);
}

/* Looks all hosts up and keeps those with an address. */
static enum target_result look_up_all(struct dns *d, struct target *t, const char *domain,
				      struct unsure *ret_unsure) {
	size_t found = 0;
	bool pending = false;
	const char *why = "", *one = t->count > 0 ? t->host[0].name : domain;
	char name[256];
	snprintf(name, sizeof(name), "%s", one);
	*ret_unsure = (struct unsure){ .why = "" };
	for (size_t i = 0; i < t->count; i++) {
		struct target_host h = t->host[i];
		enum host_result r = h.addrs > 0 ? HOST_FOUND : look_up(d, &h, &why);
		pending |= r == HOST_PENDING;
		t->left_out += r == HOST_NONE;
		if (r == HOST_FOUND)
			t->host[found++] = h;
		if (r != HOST_UNKNOWN || ret_unsure->name[0])
			continue;
		snprintf(ret_unsure->name, sizeof(ret_unsure->name), "%s", h.name);
		ret_unsure->preference = h.preference;
		ret_unsure->why = why;
	}
	if (pending)
		return TARGET_PENDING;
	if (found == 0 && ret_unsure->name[0])
		return fail_unsure(t, ret_unsure);
	if (found == 0 && t->mx)
		return fail(t, 550, 4, 4, "no mail server of %s has an address (%s: %s)", domain,
			    name, why);
	if (found == 0)
		return fail(t, 550, 1, 2, "%s has neither a mail server nor an address (%s)",
			    domain, why);
	t->count = found;
	return TARGET_FOUND;
}

/* --- MX --- */

struct mx {
	struct dns_mx record;
	uint32_t random;
};

static int by_preference(const void *a, const void *b) {
	const struct mx *x = a, *y = b;
	if (x->record.preference != y->record.preference)
		return x->record.preference < y->record.preference ? -1 : 1;
	return x->random < y->random ? -1 : x->random > y->random;
}

static size_t read_mx(const struct dns_answer *a, uint64_t random, struct mx *ret, bool *ret_null) {
	size_t n = 0;
	*ret_null = false;
	for (size_t i = 0; i < a->count && n < TARGET_RECORDS_MAX; i++) {
		if (!dns_mx(a->record[i], &ret[n].record))
			continue;
		*ret_null |= ret[n].record.host[0] == '\0';
		ret[n].random = draw(&random, UINT32_MAX);
		n += ret[n].record.host[0] != '\0';
	}
	if (n > 0)
		qsort(ret, n, sizeof(*ret), by_preference);
	return n;
}

static bool is_our_name(const struct target_self *self, const char *host) {
	for (size_t i = 0; i < sizeof(self->names) / sizeof(self->names[0]); i++)
		if (self->names[i] && span_eq_nocase(span_str(self->names[i]), span_str(host)))
			return true;
	return false;
}

static bool is_our_address(const struct target_self *self, const struct target_host *h) {
	for (size_t i = 0; self->has && i < h->addrs; i++)
		if (self->has(self->ctx, &h->addr[i]))
			return true;
	return false;
}

static bool is_ourselves(const struct target_self *self, const struct target_host *h) {
	return self && (is_our_name(self, h->name) || is_our_address(self, h));
}

/* Only servers that come before us may get it, or mail goes round in circles (RFC 5321 section
 * 5.1). That there is none is proved only when all that may come before us are known. */
static enum target_result leave_out_us(struct target *t, const struct target_self *self,
				       const char *domain, const struct unsure *unsure) {
	unsigned ours = UINT32_MAX;
	size_t kept = 0;
	for (size_t i = 0; i < t->count; i++)
		if (is_ourselves(self, &t->host[i]) && t->host[i].preference < ours)
			ours = t->host[i].preference;
	for (size_t i = 0; i < t->count; i++)
		if (t->host[i].preference < ours)
			t->host[kept++] = t->host[i];
	t->left_out += (unsigned)(t->count - kept);
	if (kept == 0 && unsure->name[0] && unsure->preference < ours)
		return fail_unsure(t, unsure);
	if (kept == 0)
		return fail(t, 550, 4, 6,
			    "mail for %s loops back to myself: its mail server is this machine",
			    domain);
	t->count = kept;
	return TARGET_FOUND;
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" */
static enum target_result literal(const char *domain, struct target *t) {
	struct span s = span_str(domain);
	struct target_host *h = &t->host[0];
	s = s.len > 2 ? span_of(s.p + 1, s.len - 2) : SPAN("");
	if (s.len > 5 && span_eq_nocase(span_head(s, 5), SPAN("IPv6:")))
		s = span_from(s, 5);
	if (!inet_addr_parse(s, &h->addr[0]))
		return fail(t, 550, 1, 2, "%s is no address", domain);
	snprintf(h->name, sizeof(h->name), "%.*s", (int)s.len, s.p);
	h->addrs = 1;
	t->count = 1;
	snprintf(t->words, sizeof(t->words), "the address itself");
	return TARGET_FOUND;
}

static enum target_result no_mx(const struct dns_answer *a, const char *domain,
				struct target *t) {
	if (dns_is_temporary(a))
		return fail(t, 451, 4, 3, "the mail servers of %s cannot be looked up now: %s",
			    domain, a->why);
	if (a->status != DNS_NODATA)
		return fail(t, 550, 1, 2, "the domain %s does not exist (%s)", domain, a->why);
	t->count = 1;
	snprintf(t->host[0].name, sizeof(t->host[0].name), "%s", a->name);
	t->host[0].secure = a->secure;
	snprintf(t->words, sizeof(t->words), "%s has no MX: its own address", domain);
	return TARGET_FOUND;
}

static enum target_result take_mx(const struct dns_answer *a, const char *domain,
				  uint64_t random, struct target *t) {
	struct mx mx[TARGET_RECORDS_MAX];
	bool null;
	size_t n = read_mx(a, random, mx, &null);
	t->mx = true;
	if (n == 0 && null)
		return fail(t, 556, 1, 10, "%s takes no mail (null MX)", domain);
	if (n == 0)
		return fail(t, 451, 4, 3, "the MX records of %s cannot be read", domain);
	for (size_t i = 0; i < n && t->count < TARGET_HOSTS_MAX; i++) {
		struct target_host *h = &t->host[t->count++];
		memcpy(h->name, mx[i].record.host, sizeof(h->name));
		h->preference = mx[i].record.preference;
		h->secure = a->secure;
	}
	t->left_out = (unsigned)(a->count - t->count);
	snprintf(t->words, sizeof(t->words), "MX of %s", domain);
	return TARGET_FOUND;
}

enum target_result target_mx(struct dns *d, const char *domain, const struct target_self *self,
			     uint64_t random, struct target *ret) {
	enum target_result r;
	struct unsure unsure;
	*ret = (struct target){ .count = 0 };
	if (domain[0] == '[')
		return literal(domain, ret);
	const struct dns_answer *a = dns_get(d, span_str(domain), DNS_MX);
	if (a->status == DNS_PENDING)
		return TARGET_PENDING;
	r = a->status == DNS_FOUND ? take_mx(a, domain, random, ret) : no_mx(a, domain, ret);
	if (r != TARGET_FOUND)
		return r;
	r = look_up_all(d, ret, domain, &unsure);
	return r == TARGET_FOUND ? leave_out_us(ret, self, domain, &unsure) : r;
}

/* --- SRV --- */

static int by_priority(const void *a, const void *b) {
	const struct dns_srv *x = a, *y = b;
	return (x->priority > y->priority) - (x->priority < y->priority);
}

/* RFC 2782: one after the other is drawn, each as likely as its weight says; those of weight 0
 * have a small chance. */
static void order_by_weight(struct dns_srv *s, size_t n, uint64_t *random) {
	for (size_t first = 0; first + 1 < n; first++) {
		uint32_t sum = 0, at;
		size_t end = first, pick;
		while (end < n && s[end].priority == s[first].priority)
			sum += s[end++].weight * 100u + 1;
		at = draw(random, sum);
		for (pick = first; pick + 1 < end && at >= s[pick].weight * 100u + 1; pick++)
			at -= s[pick].weight * 100u + 1;
		struct dns_srv chosen = s[pick];
		s[pick] = s[first];
		s[first] = chosen;
	}
}

static void take_srv(const struct dns_answer *a, bool implicit, uint64_t *random,
		     struct target *t) {
	struct dns_srv s[TARGET_RECORDS_MAX];
	size_t n = 0;
	for (size_t i = 0; i < a->count && n < TARGET_RECORDS_MAX; i++)
		if (dns_srv(a->record[i], &s[n]) && s[n].host[0] && s[n].port > 0)
			n++;
	if (n > 0)
		qsort(s, n, sizeof(*s), by_priority);
	order_by_weight(s, n, random);
	for (size_t i = 0; i < n && t->count < TARGET_HOSTS_MAX; i++) {
		struct target_host *h = &t->host[t->count++];
		memcpy(h->name, s[i].host, sizeof(h->name));
		h->port = s[i].port;
		h->preference = s[i].priority;
		h->implicit = implicit;
		h->plain = !implicit;
		h->secure = a->secure;
	}
	t->left_out += (unsigned)(a->count > t->count ? a->count - t->count : 0);
}

static const struct dns_answer *ask_srv(struct dns *d, const char *service, const char *domain) {
	AUTO_BUF struct buf name = BUF_INIT(512);
	buf_addf(&name, "%s._tcp.%s", service, domain);
	return dns_get(d, buf_span(&name), DNS_SRV);
}

enum target_result target_srv(struct dns *d, const char *domain, unsigned which, uint64_t random,
			      struct target *ret) {
	static const struct {
		const char *name;
		unsigned bit;
	} services[] = { { "_submissions", TARGET_SUBMISSIONS },
			 { "_submission", TARGET_SUBMISSION } };
	struct unsure unsure;
	bool pending = false, unknown = false;
	const char *why = "";
	*ret = (struct target){ .count = 0 };
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		if (!(which & services[i].bit))
			continue;
		const struct dns_answer *a = ask_srv(d, services[i].name, domain);
		pending |= a->status == DNS_PENDING;
		unknown |= dns_is_temporary(a);
		if (a->status == DNS_FOUND)
			take_srv(a, services[i].bit == TARGET_SUBMISSIONS, &random, ret);
		else if (a->status != DNS_PENDING)
			why = a->why;
	}
	if (pending)
		return TARGET_PENDING;
	if (ret->count == 0 && unknown)
		return fail(ret, 451, 4, 3,
			    "the submission servers of %s cannot be looked up now: %s", domain,
			    why);
	if (ret->count == 0)
		return fail(ret, 550, 4, 4, "%s names no submission server (SRV)", domain);
	snprintf(ret->words, sizeof(ret->words), "SRV of %s", domain);
	ret->mx = true;
	return look_up_all(d, ret, domain, &unsure);
}

/* --- lists --- */

static uint32_t weight_of(const char *host) {
	const char *star = strchr(host, '*');
	return star ? (uint32_t)strtoul(star + 1, NULL, 10) : 0;
}

static void add_plain(struct target *t, const char *host) {
	struct target_host *h = &t->host[t->count++];
	snprintf(h->name, sizeof(h->name), "%.*s", (int)strcspn(host, "*"), host);
}

/* Adds a run of hosts with weights in a drawn order. */
static void add_group(struct target *t, char *const *hosts, size_t count, uint64_t *random) {
	bool done[TARGET_HOSTS_MAX] = { false };
	for (size_t n = 0; n < count; n++) {
		uint32_t sum = 0, at;
		size_t pick = 0;
		for (size_t i = 0; i < count; i++)
			sum += done[i] ? 0 : weight_of(hosts[i]);
		at = draw(random, sum ? sum : 1);
		for (size_t i = 0; i < count; i++) {
			if (done[i])
				continue;
			pick = i;
			if (at < weight_of(hosts[i]))
				break;
			at -= weight_of(hosts[i]);
		}
		done[pick] = true;
		add_plain(t, hosts[pick]);
	}
}

void target_list(char *const *hosts, size_t count, uint64_t random, struct target *ret) {
	*ret = (struct target){ .count = 0 };
	if (count > TARGET_HOSTS_MAX)
		count = TARGET_HOSTS_MAX;
	for (size_t i = 0; i < count;) {
		size_t end = i;
		while (end < count && weight_of(hosts[end]) > 0)
			end++;
		if (end > i)
			add_group(ret, hosts + i, end - i, &random);
		else
			add_plain(ret, hosts[end++]);
		i = end;
	}
}
