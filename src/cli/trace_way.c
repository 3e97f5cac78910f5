/* The hops of a message: reading, delays, what is odd about them. */

#include "cli/trace_way.h"

#include <stdlib.h>

#include "authres/psl.h"
#include "base/term.h"
#include "mail/header.h"

#define DELAY_NOTICE_S 60
#define DELAY_WARN_S 300
#define DELAY_FAIL_S 3600
#define HOPS_NOTICE 25u /* Exchange stops at 20 or more, Gmail at 50 */
#define HOPS_WARN 50u
#define GREYLIST_MIN_S 240
#define GREYLIST_MAX_S 1200

/* --- reading --- */

static int add_hop(struct trace_way *w, const struct header_field *f, struct err *err) {
	struct trace_hop *more = realloc(w->hop, (w->count + 1) * sizeof(*more));
	if (!more)
		return err_set(err, ERR_MEMORY, "out of memory");
	w->hop = more;
	struct trace_hop *h = &more[w->count++];
	*h = (struct trace_hop){ .at = f->raw.p };
	return received_parse(f->value, &h->r) == 0
		       ? 0
		       : err_set(err, ERR_MEMORY, "out of memory");
}

/* The header has the newest first. */
static void turn_round(struct trace_way *w) {
	for (size_t i = 0; i < w->count / 2; i++) {
		struct trace_hop other = w->hop[i];
		w->hop[i] = w->hop[w->count - 1 - i];
		w->hop[w->count - 1 - i] = other;
	}
}

/* A delay is the time since the latest clock before it: one that is late does not make the next
 * hop slow, one that is early adds nothing to the whole. */
static void measure(struct trace_way *w) {
	bool any = false;
	int64_t first = 0, latest = 0;
	for (size_t i = 0; i < w->count; i++) {
		struct trace_hop *h = &w->hop[i];
		if (!h->r.has_time)
			continue;
		if (any) {
			h->has_delay = true;
			h->delay_s = h->r.time_s - latest;
			h->skew = h->delay_s < 0;
		} else {
			first = latest = h->r.time_s;
		}
		any = true;
		if (h->r.time_s > latest)
			latest = h->r.time_s;
	}
	w->has_total = any;
	w->total_s = latest - first;
}

static bool is_below(struct span host, struct span domain) {
	if (domain.len && domain.p[0] == '.')
		domain = span_from(domain, 1);
	return domain.len > 0 && span_ends_nocase(host, domain) &&
	       (host.len == domain.len || host.p[host.len - domain.len - 1] == '.');
}

bool trace_way_same_org(struct span a, struct span b) {
	char org_a[256], org_b[256];
	if (span_eq_nocase(a, b))
		return true;
	return psl_org_domain(a, org_a) && psl_org_domain(b, org_b) &&
	       strcmp(org_a, org_b) == 0;
}

bool trace_way_trusts(const struct trace_way *w, const struct trace_options *o,
		      struct span host) {
	if (w->assumed)
		return host.len > 0 && trace_way_same_org(host, span_str(w->self));
	for (unsigned i = 0; i < o->trusted; i++)
		if (is_below(host, o->trust[i]))
			return true;
	return false;
}

/* From the newest down, as long as ours wrote them. */
static void find_boundary(struct trace_way *w, const struct trace_options *o) {
	w->assumed = o->trusted == 0;
	if (w->count == 0)
		return;
	struct span self = w->hop[w->count - 1].r.by;
	snprintf(w->self, sizeof(w->self), "%.*s", (int)(self.len < 255 ? self.len : 255),
		 self.len ? self.p : "");
	for (size_t i = w->count; i-- > 0 && trace_way_trusts(w, o, w->hop[i].r.by);) {
		w->hop[i].ours = true;
		w->boundary = w->hop[i].at;
	}
}

int trace_way_read(struct span header, const struct trace_options *o,
		   struct trace_way *ret, struct err *err) {
	struct header_field f;
	*ret = (struct trace_way){ .hop = NULL };
	header_take_mbox(&header);
	while (header_take(&header, &f)) {
		if (!span_eq_nocase(f.name, SPAN("Received")))
			continue;
		if (ret->count == TRACE_HOPS_MAX) {
			ret->cut = true;
			break;
		}
		if (add_hop(ret, &f, err) != 0) {
			trace_way_release(ret);
			return -1;
		}
	}
	turn_round(ret);
	measure(ret);
	find_boundary(ret, o);
	return 0;
}

void trace_way_release(struct trace_way *w) {
	for (size_t i = 0; i < w->count; i++)
		received_release(&w->hop[i].r);
	free(w->hop);
	*w = (struct trace_way){ .hop = NULL };
}

/* --- what is odd --- */

bool trace_way_is_private(struct span ip) {
	static const char *const nets[] = {
		"10.0.0.0/8",  "172.16.0.0/12",  "192.168.0.0/16",
		"127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10",
		"fc00::/7",    "fe80::/10",      "::1"
	};
	struct inet_addr a;
	struct inet_net net;
	if (!inet_addr_parse(ip, &a))
		return true; /* no address: nothing can be said of it */
	for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++)
		if (inet_net_parse(span_str(nets[i]), &net, NULL) == 0 &&
		    inet_net_has(&net, &a))
			return true;
	return false;
}

static void name_hop(char *out, size_t size, size_t i) {
	snprintf(out, size, "hop %zu", i + 1);
}

static void check_delay(const struct trace_way *w, size_t i, struct findings *f) {
	const struct trace_hop *h = &w->hop[i];
	AUTO_BUF struct buf words = BUF_INIT(256);
	char subject[32];
	name_hop(subject, sizeof(subject), i);
	if (h->skew) {
		finding_add(
			f, "hop.skew", FINDING_NOTICE, subject,
			"its clock is %lld s behind that of a hop before it: one of the two is "
			"wrong",
			(long long)-h->delay_s);
		return;
	}
	if (!h->has_delay || h->delay_s <= DELAY_NOTICE_S)
		return;
	term_duration(&words, h->delay_s * 1000);
	bool grey = h->delay_s >= GREYLIST_MIN_S && h->delay_s <= GREYLIST_MAX_S;
	finding_add(f, "hop.delay",
		    h->delay_s > DELAY_FAIL_S   ? FINDING_FAIL
		    : h->delay_s > DELAY_WARN_S ? FINDING_WARN
						: FINDING_NOTICE,
		    subject, "%s before %.*s had it%s", buf_str(&words), (int)h->r.by.len,
		    h->r.by.len ? h->r.by.p : "",
		    grey ? "; that is how greylisting with one retry looks" : "");
}

static void check_clear(const struct trace_way *w, size_t i, struct findings *f) {
	const struct received *r = &w->hop[i].r;
	struct span protocol = span_str(r->protocol);
	char subject[32];
	bool smtp = span_eq(protocol, SPAN("SMTP")) || span_eq(protocol, SPAN("ESMTP")) ||
		    span_eq(protocol, SPAN("ESMTPA")) ||
		    span_eq(protocol, SPAN("UTF8SMTP"));
	if (!smtp || received_is_tls(r) || r->ip.len == 0 || trace_way_is_private(r->ip))
		return;
	name_hop(subject, sizeof(subject), i);
	finding_add(f, "hop.cleartext", FINDING_WARN, subject,
		    "came to %.*s without TLS, from %.*s", (int)r->by.len,
		    r->by.len ? r->by.p : "", (int)r->ip.len, r->ip.p);
}

static void check_loop(const struct trace_way *w, struct findings *f) {
	for (size_t i = 0; i < w->count; i++) {
		for (size_t k = i + 1; k < w->count; k++) {
			const struct received *a = &w->hop[i].r, *b = &w->hop[k].r;
			if (a->by.len == 0 || a->id.len == 0 ||
			    !span_eq_nocase(a->by, b->by) || !span_eq(a->id, b->id))
				continue;
			finding_add(
				f, "hop.loop", FINDING_FAIL, "hops",
				"%.*s had it twice with the same id (hops %zu and %zu)",
				(int)a->by.len, a->by.p, i + 1, k + 1);
			return;
		}
	}
	if (w->count > HOPS_NOTICE || w->cut)
		finding_add(f, "hop.many",
			    w->count > HOPS_WARN ? FINDING_WARN : FINDING_NOTICE, "hops",
			    "%s%zu hops: servers refuse mail that has too many",
			    w->cut ? "more than " : "", w->count);
}

void trace_way_check(const struct trace_way *w, struct findings *f) {
	if (w->count == 0)
		finding_add(f, "hop.none", FINDING_INFO, "hops",
			    "there is no Received field: it did not travel by mail yet");
	for (size_t i = 0; i < w->count; i++) {
		check_delay(w, i, f);
		check_clear(w, i, f);
		if (!w->hop[i].r.has_time) {
			char subject[32];
			name_hop(subject, sizeof(subject), i);
			finding_add(f, "hop.no_time", FINDING_NOTICE, subject,
				    "its Received has no date that can be read");
		}
	}
	if (w->count && w->hop[0].r.ip.len && trace_way_is_private(w->hop[0].r.ip))
		finding_add(f, "hop.private_first", FINDING_INFO, "hop 1",
			    "it began in a private network, at %.*s",
			    (int)w->hop[0].r.ip.len, w->hop[0].r.ip.p);
	check_loop(w, f);
}
