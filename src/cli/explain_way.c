/* The rules are route/route.h's and the servers route/target.h's: nothing is decided here. */

#include "cli/explain_way.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/json.h"
#include "base/term.h"
#include "cli/explain_limits.h"
#include "mail/addr.h"
#include "net/dns_unbound.h"
#include "net/lookup.h"

static struct explain_way *find(struct explain_ways *w, const struct config_relay *relay,
				const char *destination, struct span why) {
	for (size_t i = 0; i < w->count; i++)
		if (w->way[i].relay == relay && strcmp(w->way[i].destination, destination) == 0 &&
		    span_eq(buf_span(&w->way[i].why), why))
			return &w->way[i];
	if (w->count == EXPLAIN_WAYS_MAX)
		return NULL;
	if (!w->way)
		w->way = calloc(EXPLAIN_WAYS_MAX, sizeof(*w->way));
	if (!w->way)
		return NULL;
	struct explain_way *fresh = &w->way[w->count++];
	fresh->relay = relay;
	snprintf(fresh->destination, sizeof(fresh->destination), "%s", destination);
	buf_init(&fresh->why, 8192);
	buf_init(&fresh->recipients, 1u << 16);
	buf_init(&fresh->domains, 1u << 16);
	buf_add(&fresh->why, why);
	for (size_t i = 0; i < TARGET_HOSTS_MAX; i++) {
		buf_init(&fresh->address[i], 4096);
		buf_init(&fresh->trouble[i], 4096);
	}
	return fresh;
}

static void add_domain(struct buf *list, struct span address) {
	char domain[ROUTE_DESTINATION_MAX + 1];
	struct span rest = buf_span(list), one;
	if (!route_destination(address, domain))
		return;
	while (span_take_word(&rest, &one))
		if (span_eq(one, span_str(domain)))
			return;
	buf_addf(list, "%s%s", list->len > 0 ? " " : "", domain);
}

bool explain_way_add(struct explain_ways *w, const struct settings *s,
		     const struct route_table *routes, const struct route_query *q) {
	AUTO_BUF struct buf why = BUF_INIT(8192);
	char destination[ROUTE_DESTINATION_MAX + 1] = "";
	struct route_choice c = route_find(routes, q);
	AUTO_FREE char *name = span_dup(c.name);
	const struct config_relay *relay = name ? config_relay(s, name) : NULL;
	if (!relay)
		return false;
	if (config_is_per_domain(relay))
		route_destination(q->recipient, destination);
	route_words(&c, &why);
	struct explain_way *way = find(w, relay, destination, buf_span(&why));
	if (!way)
		return false;
	buf_addf(&way->recipients, "%s%.*s", way->recipients.len > 0 ? ", " : "",
		 (int)q->recipient.len, q->recipient.len ? q->recipient.p : "");
	add_domain(&way->domains, q->recipient);
	return true;
}

/* --- servers --- */

static struct dns *open_dns(const struct settings *s, struct err *err) {
	const struct dns_unbound_options o = {
		.server = s->resolver,
		.trust_anchor = s->trust_anchor,
	};
	return dns_unbound_open(&o, err);
}

static void fail(struct explain_way *w, const char *words) {
	w->result = TARGET_LATER;
	snprintf(w->target.words, sizeof(w->target.words), "%s", words);
}

static enum target_result ask(struct explain_way *w, const struct settings *s, struct dns *dns,
			      enum config_way way, const char *domain) {
	const struct target_self self = { .names = { s->hostname, s->helo } };
	enum config_tls tls = w->relay->tls;
	unsigned which = tls == CONFIG_TLS_IMPLICIT   ? TARGET_SUBMISSIONS
			 : tls == CONFIG_TLS_STARTTLS ? TARGET_SUBMISSIONS | TARGET_SUBMISSION
						      : TARGET_SUBMISSION;
	enum target_result r;
	do
		r = way == CONFIG_WAY_MX ? target_mx(dns, domain, &self, 0, &w->target)
					 : target_srv(dns, domain, which, 0, &w->target);
	while (r == TARGET_PENDING && dns_run(dns) > 0);
	return r;
}

static void ask_dns(struct explain_way *w, const struct settings *s, struct dns *dns,
		    enum config_way way, const char *target) {
	AUTO_BUF struct buf domain = BUF_INIT(1024);
	struct err err = ERR_INIT;
	if (w->destination[0])
		target = w->destination;
	if (target[0] == '[')
		buf_adds(&domain, target);
	else if (addr_domain_ascii(span_str(target), &domain, &err) != 0) {
		w->result = TARGET_REFUSED;
		snprintf(w->target.words, sizeof(w->target.words), "%s", err.msg);
		return;
	}
	w->result = ask(w, s, dns, way, buf_str(&domain));
	for (size_t i = 0; w->result == TARGET_FOUND && i < w->target.count; i++)
		for (size_t k = 0; k < w->target.host[i].addrs; k++) {
			if (k > 0)
				buf_addc(&w->address[i], ' ');
			inet_addr_add(&w->address[i], &w->target.host[i].addr[k]);
		}
}

/* Hosts by name: as the workers look them up. */
static void ask_hosts(struct explain_way *w, const struct settings *s, struct dns *dns) {
	for (size_t i = 0; i < w->target.count; i++) {
		const char *host = w->target.host[i].name;
		struct net_addrs addrs;
		struct err err = ERR_INIT;
		int r = s->resolver ? net_lookup_dns(dns, host, 0, &addrs, &err)
				    : net_lookup(host, 0, &addrs, &err);
		if (r != 0)
			buf_adds(&w->trouble[i], err.msg);
		for (size_t k = 0; r == 0 && k < addrs.count; k++) {
			if (k > 0)
				buf_addc(&w->address[i], ' ');
			net_addr_add(&w->address[i], &addrs.at[k]);
		}
	}
}

static void set_hosts(struct explain_way *w) {
	target_list(w->relay->host, w->relay->host_count, 0, &w->target);
	w->result = TARGET_FOUND;
}

static bool needs_dns(const struct explain_way *w, const struct settings *s) {
	enum config_way way = config_way(w->relay, NULL);
	return way == CONFIG_WAY_MX || way == CONFIG_WAY_SRV ||
	       (way == CONFIG_WAY_HOSTS && (s->resolver || w->relay->tls == CONFIG_TLS_DANE));
}

/* As the DNS has the domain whose MX records led to the servers; "": none did. */
static void add_mx_domain(const struct explain_way *w, struct buf *out) {
	const char *target;
	if (config_way(w->relay, &target) != CONFIG_WAY_MX)
		return;
	if (w->destination[0])
		target = w->destination;
	if (target[0] == '[' || addr_domain_ascii(span_str(target), out, NULL) != 0)
		buf_reset(out);
}

static void decide(struct explain_way *w, const struct explain_wishes *wishes, struct dns *dns) {
	AUTO_BUF struct buf domain = BUF_INIT(1024);
	if (w->result != TARGET_FOUND)
		return;
	add_mx_domain(w, &domain);
	explain_tls_find(&w->tls, w->relay, &w->target, buf_str(&domain),
			 w->destination[0] != '\0', wishes, dns);
}

void explain_ways_look_up(struct explain_ways *w, const struct settings *s,
			  const struct explain_wishes *wishes) {
	struct dns *dns = NULL;
	struct err err = ERR_INIT;
	for (size_t i = 0; i < w->count; i++) {
		const char *target;
		enum config_way way = config_way(w->way[i].relay, &target);
		if (way == CONFIG_WAY_HOSTS)
			set_hosts(&w->way[i]);
		if (needs_dns(&w->way[i], s) && !dns)
			dns = open_dns(s, &err);
		if (needs_dns(&w->way[i], s) && !dns)
			fail(&w->way[i], err.msg);
		else if (way == CONFIG_WAY_HOSTS)
			ask_hosts(&w->way[i], s, dns);
		else if (needs_dns(&w->way[i], s))
			ask_dns(&w->way[i], s, dns, way, target);
		decide(&w->way[i], wishes, dns);
	}
	dns_close(dns);
}

void explain_ways_release(struct explain_ways *w) {
	for (size_t i = 0; i < w->count; i++) {
		buf_release(&w->way[i].why);
		buf_release(&w->way[i].recipients);
		buf_release(&w->way[i].domains);
		free(w->way[i].limit);
		for (size_t k = 0; k < TARGET_HOSTS_MAX; k++) {
			buf_release(&w->way[i].address[k]);
			buf_release(&w->way[i].trouble[k]);
		}
	}
	free(w->way);
	*w = (struct explain_ways){ .way = NULL };
}

/* --- telling --- */

static void print_relay(const struct explain_way *w, bool several) {
	fputs("relay    ", stdout);
	term_print(stdout, span_str(w->relay->name));
	if (w->destination[0]) {
		fputs(" to ", stdout);
		term_print(stdout, span_str(w->destination));
	}
	if (several) {
		fputs(", for ", stdout);
		term_print(stdout, buf_span(&w->recipients));
	}
	fputs(": ", stdout);
	term_print(stdout, buf_span(&w->why));
	fputc('\n', stdout);
}

static unsigned port_of(const struct explain_way *w, size_t i) {
	return w->target.host[i].port > 0 ? w->target.host[i].port : w->relay->port;
}

static void print_host(const struct explain_way *w, size_t i) {
	const struct target_host *h = &w->target.host[i];
	fputs(i == 0 ? "hosts    " : "         ", stdout);
	term_print(stdout, span_str(h->name));
	printf(", port %u", port_of(w, i));
	if (w->target.mx)
		printf(", preference %u", h->preference);
	fputs(h->implicit ? ", TLS first: " : ": ", stdout);
	if (w->address[i].len > 0)
		term_print(stdout, buf_span(&w->address[i]));
	else
		fputs(buf_str(&w->trouble[i]), stdout); /* safe where it was made */
	fputc('\n', stdout);
}

/* What becomes of mail whose servers are not looked up; the target follows. */
static const char *const no_server[] = {
	[CONFIG_WAY_LMTP] = "by LMTP to ",
	[CONFIG_WAY_MAILDIR] = "kept in the Maildir ",
	[CONFIG_WAY_DISCARD] = "thrown away, and counted as delivered",
	[CONFIG_WAY_HOLD] = "held for a person",
	[CONFIG_WAY_ERROR] = "returned to the sender: ",
};

bool explain_way_goes(const struct explain_way *w) {
	enum config_way way = config_way(w->relay, NULL);
	return way != CONFIG_WAY_HOLD && way != CONFIG_WAY_ERROR && w->result != TARGET_REFUSED;
}

bool explain_way_is_tried(const struct explain_way *w) {
	return explain_way_goes(w) && config_way(w->relay, NULL) != CONFIG_WAY_DISCARD;
}

void explain_way_print(const struct explain_way *w, bool several) {
	const char *target;
	enum config_way way = config_way(w->relay, &target);
	print_relay(w, several);
	if (no_server[way]) {
		printf("way      %s", no_server[way]);
		if (way == CONFIG_WAY_HOLD && target[0])
			fputs(": ", stdout);
		term_print(stdout, span_str(target));
		fputc('\n', stdout);
		return;
	}
	if (w->result != TARGET_FOUND) {
		printf("hosts    none%s: ", w->result == TARGET_REFUSED ? "" : " known now");
		term_print(stdout, span_str(w->target.words));
		fputc('\n', stdout);
		return;
	}
	for (size_t i = 0; i < w->target.count; i++)
		print_host(w, i);
	if (w->target.words[0]) {
		fputs("         by ", stdout);
		term_print(stdout, span_str(w->target.words));
		fputc('\n', stdout);
	}
}

static void json_words(struct json *j, const char *key, struct span words) {
	struct span word;
	json_array(j, key);
	while (span_take_word(&words, &word))
		json_str(j, NULL, word);
	json_end(j);
}

void explain_way_json(struct json *j, const struct explain_way *w) {
	json_object(j, NULL);
	json_str(j, "relay", span_str(w->relay->name));
	json_str_or_null(j, "destination", span_str(w->destination[0] ? w->destination : NULL));
	json_str(j, "recipients", buf_span(&w->recipients));
	json_str(j, "why", buf_span(&w->why));
	json_str_or_null(j, "words",
			 span_str(w->target.words[0] ? w->target.words : NULL));
	json_array(j, "hosts");
	for (size_t i = 0; w->result == TARGET_FOUND && i < w->target.count; i++) {
		json_object(j, NULL);
		json_str(j, "name", span_str(w->target.host[i].name));
		json_int(j, "port", port_of(w, i));
		json_words(j, "addresses", buf_span(&w->address[i]));
		json_str_or_null(j, "trouble",
				 span_str(w->trouble[i].len ? buf_str(&w->trouble[i]) : NULL));
		explain_tls_json(j, &w->tls, i);
		json_end(j);
	}
	json_end(j);
	explain_limits_json(j, w);
	json_end(j);
}
