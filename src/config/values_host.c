/*
 * The hosts of a relay: names, addresses, and the words that stand for other ways out.
 */

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/auto.h"
#include "config/keys.h"
#include "config/settings.h"
#include "config/values.h"

#define WEIGHT_MAX 1000u

static bool is_v6(const char *host) {
	char address[64];
	unsigned char bytes[16];
	struct span s = span_str(host);
	s = span_head(s, span_find(s, '%')); /* fe80::1%eth0 */
	if (s.len >= sizeof(address))
		return false;
	snprintf(address, sizeof(address), "%.*s", (int)s.len, s.p);
	return inet_pton(AF_INET6, address, bytes) == 1;
}

/* The resolver would take 192.0.2 for 192.0.0.2. */
static bool is_half_address(const char *host) {
	unsigned char bytes[4];
	const char *last = strrchr(host, '.');
	last = last ? last + 1 : host;
	return strspn(last, "0123456789") == strlen(last) &&
	       inet_pton(AF_INET, host, bytes) != 1;
}

/* --- what is no list of hosts: one word with a colon --- */

static const struct {
	const char *word;
	enum config_way way;
} ways[] = {
	{ "mx:", CONFIG_WAY_MX },           { "srv:", CONFIG_WAY_SRV },
	{ "lmtp:", CONFIG_WAY_LMTP },       { "maildir:", CONFIG_WAY_MAILDIR },
	{ "discard:", CONFIG_WAY_DISCARD }, { "hold:", CONFIG_WAY_HOLD },
	{ "error:", CONFIG_WAY_ERROR },
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* Takes the word off; CONFIG_WAY_HOSTS: there is none. */
static enum config_way take_way(struct span *text) {
	for (size_t i = 0; i < WAYS; i++) {
		struct span word = span_str(ways[i].word);
		if (text->len < word.len || !span_eq_nocase(span_head(*text, word.len), word))
			continue;
		*text = span_from(*text, word.len);
		return ways[i].way;
	}
	return CONFIG_WAY_HOSTS;
}

static int colon_words(struct span host, struct err *err) {
	struct span begin = host;
	if (take_way(&begin) != CONFIG_WAY_HOSTS)
		return err_set(err, ERR_SYNTAX, "%s stands alone, without other hosts",
			       term_quote(host).s);
	struct span scheme = span_head(host, span_find(host, ':'));
	struct span rest = span_from(host, scheme.len + 1);
	uint64_t port;
	if (span_starts(rest, SPAN("//")))
		return err_set(err, ERR_SYNTAX,
			       "%s: write the name alone, without %.*s://",
			       term_quote(host).s, (int)scheme.len, scheme.p);
	if (host.p[0] == '[')
		return err_set(err, ERR_SYNTAX,
			       "%s: write an address without brackets, and the port "
			       "as port = NUMBER",
			       term_quote(host).s);
	if (span_uint(rest, 65535, &port))
		return err_set(err, ERR_SYNTAX,
			       "%s: write the port on a line of its own, port = %u",
			       term_quote(host).s, (unsigned)port);
	return err_set(err, ERR_SYNTAX, "%s is neither a host name nor an address",
		       term_quote(host).s);
}

/* Cuts *N off a host; 0: a weight that is none. */
static uint64_t take_weight(struct span *host) {
	size_t star = span_find(*host, '*');
	uint64_t weight = 1;
	if (star < host->len && !span_uint(span_from(*host, star + 1), WEIGHT_MAX, &weight))
		return 0;
	*host = span_head(*host, star);
	return weight;
}

static int check_host(const char *text, struct err *err) {
	struct span s = span_str(text);
	uint64_t weight = take_weight(&s);
	char host[300];
	if (weight == 0)
		return err_set(err, ERR_SYNTAX,
			       "%s: a weight is a number from 1 to %u, as in smtp.example.org*3",
			       term_quote(s).s, WEIGHT_MAX);
	snprintf(host, sizeof(host), "%.*s", (int)s.len, s.len ? s.p : "");
	s = span_str(host);
	if (s.len == 0)
		return err_set(err, ERR_SYNTAX, "there is no host before the weight");
	if (is_v6(host))
		return 0;
	if (span_find(s, ':') < s.len)
		return colon_words(s, err);
	if (s.p[s.len - 1] == ',')
		return err_set(err, ERR_SYNTAX,
			       "%s: hosts are separated by spaces, without commas",
			       term_quote(s).s);
	if (!config_is_hostname(s) || is_half_address(host))
		return err_set(err, ERR_SYNTAX,
			       "%s is neither a host name nor an address",
			       term_quote(s).s);
	return 0;
}

static void clear_hosts(const struct config_key *key, void *base) {
	struct config_relay *relay = base;
	(void)key;
	for (size_t i = 0; i < relay->host_count; i++)
		free(relay->host[i]);
	relay->host_count = 0;
}

enum config_way config_way(const struct config_relay *r, const char **ret_target) {
	struct span text = span_str(r->host_count ? r->host[0] : NULL);
	enum config_way way = take_way(&text);
	if (ret_target)
		*ret_target = way == CONFIG_WAY_HOSTS ? "" : text.p;
	return way;
}

bool config_is_per_domain(const struct config_relay *r) {
	const char *target;
	return config_way(r, &target) == CONFIG_WAY_MX && target[0] == '\0';
}

/* "HOST:PORT", "[2001:db8::1]:24" */
static bool is_host_and_port(struct span s) {
	size_t colon = s.len;
	uint64_t port;
	char host[300];
	while (colon > 0 && s.p[colon - 1] != ':')
		colon--;
	if (colon < 2 || !span_uint(span_from(s, colon), 65535, &port) || port == 0)
		return false;
	s = span_head(s, colon - 1);
	bool brackets = s.len > 2 && s.p[0] == '[' && s.p[s.len - 1] == ']';
	if (brackets)
		s = span_of(s.p + 1, s.len - 2);
	snprintf(host, sizeof(host), "%.*s", (int)s.len, s.p);
	return brackets ? is_v6(host) : config_is_hostname(s) && !is_half_address(host);
}

static int check_target(enum config_way way, struct span target, struct err *err) {
	bool path = target.len > 1 && target.p[0] == '/';
	switch (way) {
	case CONFIG_WAY_SRV:
		return config_is_hostname(target)
			       ? 0
			       : err_set(err, ERR_SYNTAX,
					 "after srv: stands a domain, as in srv:example.org");
	case CONFIG_WAY_MX:
		return target.len == 0 || config_is_hostname(target)
			       ? 0
			       : err_set(err, ERR_SYNTAX,
					 "after mx: stands nothing, for each recipient's own "
					 "domain, or one domain");
	case CONFIG_WAY_LMTP:
		return path || is_host_and_port(target)
			       ? 0
			       : err_set(err, ERR_SYNTAX,
					 "after lmtp: stands the path of a socket, or "
					 "HOST:PORT");
	case CONFIG_WAY_MAILDIR:
		return path ? 0
			    : err_set(err, ERR_SYNTAX,
				      "after maildir: stands a path that begins with /");
	case CONFIG_WAY_DISCARD:
		return target.len == 0 ? 0
				       : err_set(err, ERR_SYNTAX,
						 "after discard: nothing may stand");
	case CONFIG_WAY_ERROR:
		return target.len > 0
			       ? 0
			       : err_set(err, ERR_SYNTAX,
					 "after error: stand the words that the sender is told");
	case CONFIG_WAY_HOSTS:
	case CONFIG_WAY_HOLD:
		break;
	}
	return 0;
}

/* The whole value is one host. */
static int parse_way(struct config_value *v, enum config_way way, struct span target,
		     struct config_relay *into, struct err *err) {
	AUTO_BUF struct buf b = BUF_INIT(CONFIG_VALUE_MAX);
	size_t word = (size_t)(target.p - v->text.p);
	for (size_t i = 0; i < WAYS; i++)
		if (ways[i].way == way)
			buf_adds(&b, ways[i].word);
	size_t colon = b.len;
	target = span_trim(target);
	if (config_expand(v, target, &b, err) != 0)
		return -1;
	v->wrong = word;
	if (check_target(way, span_from(buf_span(&b), colon), err) != 0)
		return -1;
	into->host[0] = buf_take(&b);
	if (!into->host[0])
		return err_set(err, ERR_MEMORY, "out of memory");
	into->host_count = 1;
	return 0;
}

static int add_host(struct config_value *v, struct config_relay *into, struct span word,
		    struct err *err) {
	AUTO_BUF struct buf b = BUF_INIT(300);
	size_t place = v->wrong;
	if (config_expand(v, word, &b, err) != 0)
		return -1;
	v->wrong = place;
	if (check_host(buf_str(&b), err) != 0)
		return -1;
	if (into->host_count == CONFIG_HOSTS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d hosts", CONFIG_HOSTS_MAX);
	char *host = buf_take(&b);
	if (!host)
		return err_set(err, ERR_MEMORY, "out of memory");
	into->host[into->host_count++] = host;
	return 0;
}

static int parse_hosts(struct config_value *v, const struct config_key *key, void *base,
		       struct err *err) {
	struct config_relay *relay = base;
	struct config_relay fresh = { .host_count = 0 };
	struct span rest = v->text, word;
	enum config_way way = take_way(&rest);
	if (way != CONFIG_WAY_HOSTS) {
		if (parse_way(v, way, rest, &fresh, err) != 0)
			return -1;
		rest = SPAN("");
	}
	while (config_value_word(v, &rest, &word)) {
		if (add_host(v, &fresh, word, err) != 0) {
			clear_hosts(key, &fresh);
			return -1;
		}
	}
	clear_hosts(key, relay);
	memcpy(relay->host, fresh.host, sizeof(fresh.host));
	relay->host_count = fresh.host_count;
	return 0;
}

static void show_hosts(const struct config_key *key, const void *base, struct buf *out) {
	const struct config_relay *relay = base;
	(void)key;
	for (size_t i = 0; i < relay->host_count; i++)
		buf_addf(out, "%s%s", i ? " " : "", relay->host[i]);
}

const struct config_type config_type_hosts = { parse_hosts, show_hosts, clear_hosts };
