/* Addresses in and out of text, by inet_pton(3) and inet_ntop(3), which take literals only. */

#include "base/inet.h"

#include <arpa/inet.h>

#include "base/term.h"

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static void unmap(struct inet_addr *a) {
	if (a->bits != 128 || memcmp(a->byte, mapped, sizeof(mapped)) != 0)
		return;
	uint8_t v4[4];
	memcpy(v4, a->byte + 12, 4);
	*a = (struct inet_addr){ .bits = 32 };
	memcpy(a->byte, v4, 4);
}

bool inet_addr_parse(struct span s, struct inet_addr *ret) {
	char text[INET6_ADDRSTRLEN];
	*ret = (struct inet_addr){ .bits = 0 };
	if (s.len == 0 || s.len >= sizeof(text) || span_find(s, '\0') < s.len)
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	if (inet_pton(AF_INET, text, ret->byte) == 1)
		ret->bits = 32;
	else if (inet_pton(AF_INET6, text, ret->byte) == 1)
		ret->bits = 128;
	unmap(ret);
	return ret->bits > 0;
}

/* Clears what stands behind the prefix; false when it was clear. */
static bool clear_rest(struct inet_net *net) {
	bool any = false;
	for (unsigned i = net->prefix; i < net->addr.bits; i++) {
		uint8_t bit = (uint8_t)(0x80u >> i % 8);
		any |= (net->addr.byte[i / 8] & bit) != 0;
		net->addr.byte[i / 8] &= (uint8_t)~bit;
	}
	return any;
}

static bool is_too_large(const struct inet_net *net) {
	bool local = net->addr.bits == 128 &&
		     ((net->addr.byte[0] & 0xfe) == 0xfc ||
		      (net->addr.byte[0] == 0xfe && (net->addr.byte[1] & 0xc0) == 0x80));
	unsigned least = net->addr.bits == 32 ? 8 : local ? 7 : 16;
	return net->prefix > 0 && net->prefix < least;
}

int inet_net_parse(struct span s, struct inet_net *ret, struct err *err) {
	struct span host = s, rest = s;
	uint64_t prefix;
	bool has_prefix = span_take_until(&rest, '/', &host);
	if (!inet_addr_parse(host, &ret->addr))
		return err_set(err, ERR_SYNTAX,
			       "%s is no network; write it like 192.0.2.0/24 or "
			       "2001:db8::/32, with blanks between several",
			       term_quote(s).s);
	ret->prefix = ret->addr.bits;
	if (has_prefix && (!span_uint(rest, ret->addr.bits, &prefix)))
		return err_set(err, ERR_SYNTAX, "%s: behind the / stand 0 to %u bits",
			       term_quote(s).s, ret->addr.bits);
	if (has_prefix)
		ret->prefix = (uint8_t)prefix;
	bool behind = clear_rest(ret);
	if (is_too_large(ret))
		return err_set(err, ERR_SYNTAX,
			       "%s is larger than any network; everybody is %s",
			       term_quote(s).s, ret->addr.bits == 32 ? "0.0.0.0/0" : "::/0");
	if (behind) {
		AUTO_BUF struct buf fit = BUF_INIT(64);
		inet_net_add(&fit, ret);
		return err_set(err, ERR_SYNTAX,
			       "%s: the address has bits behind the prefix; did you mean "
			       "%s, or the address alone?",
			       term_quote(s).s, buf_str(&fit));
	}
	return 0;
}

int inet_port_parse(struct span s, struct inet_port *ret, struct err *err) {
	struct span host;
	uint64_t port;
	size_t colon = s.len;
	while (colon > 0 && s.p[colon - 1] != ':')
		colon--;
	host = span_head(s, colon > 0 ? colon - 1 : 0);
	bool bracketed = host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']';
	if (bracketed)
		host = span_of(host.p + 1, host.len - 2);
	if (colon == 0 || !inet_addr_parse(host, &ret->addr) ||
	    bracketed != (span_find(host, ':') < host.len))
		return err_set(err, ERR_SYNTAX,
			       "%s is no address with a port; write it like 127.0.0.1:25 or "
			       "[::1]:25, with blanks between several",
			       term_quote(s).s);
	if (!span_uint(span_from(s, colon), UINT16_MAX, &port))
		return err_set(err, ERR_SYNTAX, "%s: a port is a number up to 65535",
			       term_quote(s).s);
	ret->port = (uint16_t)port;
	return 0;
}

static bool take_port(struct span s, uint16_t *ret) {
	uint64_t port;
	if (!span_uint(s, UINT16_MAX, &port) || port == 0)
		return false;
	*ret = (uint16_t)port;
	return true;
}

bool inet_server_parse(struct span s, uint16_t default_port, struct inet_port *ret) {
	struct span host;
	*ret = (struct inet_port){ .port = default_port };
	span_take_char(&s, '@');
	if (span_take_char(&s, '[')) {
		if (!span_take_until(&s, ']', &host) || !inet_addr_parse(host, &ret->addr))
			return false;
		if (s.len == 0)
			return true;
		return (span_take_char(&s, ':') || span_take_char(&s, '@')) &&
		       take_port(s, &ret->port);
	}
	if (inet_addr_parse(s, &ret->addr))
		return true;
	/* Without brackets a colon of an IPv6 address would be taken for the port's. */
	size_t at = span_find(s, '@');
	if (at == s.len)
		at = span_find(s, ':');
	return at < s.len && inet_addr_parse(span_head(s, at), &ret->addr) &&
	       take_port(span_from(s, at + 1), &ret->port);
}

bool inet_same(const struct inet_addr *a, const struct inet_addr *b) {
	return a->bits == b->bits && memcmp(a->byte, b->byte, a->bits / 8u) == 0;
}

bool inet_net_has(const struct inet_net *net, const struct inet_addr *a) {
	struct inet_net other = { .addr = *a, .prefix = net->prefix };
	if (a->bits != net->addr.bits)
		return false;
	clear_rest(&other);
	return inet_same(&other.addr, &net->addr);
}

bool inet_share_prefix(const struct inet_addr *a, const struct inet_addr *b, unsigned prefix) {
	if (a->bits != b->bits || prefix > a->bits)
		return false;
	for (unsigned i = 0; i < prefix; i++) {
		uint8_t bit = (uint8_t)(0x80u >> i % 8);
		if ((a->byte[i / 8] ^ b->byte[i / 8]) & bit)
			return false;
	}
	return true;
}

bool inet_is_loopback(const struct inet_addr *a) {
	static const struct inet_addr v6 = { .bits = 128, .byte = { [15] = 1 } };
	return a->bits == 32 ? a->byte[0] == 127 : inet_same(a, &v6);
}

bool inet_from_sockaddr(const struct sockaddr_storage *sa, struct inet_port *ret) {
	*ret = (struct inet_port){ .port = 0 };
	if (sa->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;
		ret->addr.bits = 32;
		memcpy(ret->addr.byte, &in->sin_addr, 4);
		ret->port = ntohs(in->sin_port);
	} else if (sa->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sa;
		ret->addr.bits = 128;
		memcpy(ret->addr.byte, &in6->sin6_addr, 16);
		ret->port = ntohs(in6->sin6_port);
		unmap(&ret->addr);
	}
	return ret->addr.bits > 0;
}

socklen_t inet_to_sockaddr(const struct inet_port *p, struct sockaddr_storage *ret) {
	*ret = (struct sockaddr_storage){ .ss_family = AF_INET };
	if (p->addr.bits == 32) {
		struct sockaddr_in *in = (void *)ret;
		in->sin_port = htons(p->port);
		memcpy(&in->sin_addr, p->addr.byte, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (void *)ret;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(p->port);
	memcpy(&in6->sin6_addr, p->addr.byte, 16);
	return sizeof(*in6);
}

int inet_addr_add(struct buf *out, const struct inet_addr *a) {
	char text[INET6_ADDRSTRLEN] = "";
	if (a->bits > 0)
		inet_ntop(a->bits == 32 ? AF_INET : AF_INET6, a->byte, text, sizeof(text));
	return buf_adds(out, text);
}

int inet_net_add(struct buf *out, const struct inet_net *net) {
	inet_addr_add(out, &net->addr);
	return net->prefix < net->addr.bits ? buf_addf(out, "/%u", net->prefix)
					    : buf_adds(out, "");
}

int inet_port_add(struct buf *out, const struct inet_port *p) {
	bool v6 = p->addr.bits == 128;
	buf_adds(out, v6 ? "[" : "");
	inet_addr_add(out, &p->addr);
	return buf_addf(out, "%s:%u", v6 ? "]" : "", p->port);
}
