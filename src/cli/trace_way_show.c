/* The hops of a message as a table, as plain lines, and as JSON. */

#include "cli/trace_way.h"

#include <time.h>

#include "base/term.h"
#include "base/utf8.h"

#define NAMES_WIDTH 34u
#define BAR_WIDTH 10
#define LINE_WIDTH 75u

/* --- JSON --- */

static void json_text(struct json *j, const char *key, struct span s) {
	json_str_or_null(j, key, s.len ? s : span_of(NULL, 0));
}

static void json_hop(struct json *j, const struct trace_hop *h) {
	const struct received *r = &h->r;
	json_object(j, NULL);
	json_text(j, "from", r->from);
	json_text(j, "from_ip", r->ip);
	json_text(j, "from_helo", r->helo);
	json_text(j, "from_rdns", r->rdns);
	json_text(j, "by", r->by);
	json_text(j, "with", r->protocol[0] ? span_str(r->protocol) : r->with);
	json_text(j, "via", r->via);
	json_text(j, "id", r->id);
	json_text(j, "for", r->for_);
	json_text(j, "ident", r->ident);
	json_text(j, "local", r->local);
	json_text(j, "tls", r->tls);
	json_text(j, "cipher", r->cipher);
	if (r->has_time)
		json_int(j, "time", r->time_s);
	else
		json_null(j, "time");
	if (h->has_delay)
		json_int(j, "delay", h->delay_s);
	else
		json_null(j, "delay");
	json_bool(j, "skew", h->skew);
	json_bool(j, "trusted", h->ours);
	json_end(j);
}

void trace_way_json(const struct trace_way *w, struct json *j) {
	json_array(j, "hops");
	for (size_t i = 0; i < w->count; i++)
		json_hop(j, &w->hop[i]);
	json_end(j);
	if (w->has_total)
		json_int(j, "total_delay", w->total_s);
	else
		json_null(j, "total_delay");
}

/* --- words --- */

static void add_clock(struct buf *out, const struct received *r, bool date) {
	char text[32] = "-";
	time_t t = (time_t)r->time_s;
	struct tm tm;
	if (r->has_time && gmtime_r(&t, &tm)) {
		if (date)
			strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
		else
			strftime(text, sizeof(text), "%H:%M:%S", &tm);
	}
	buf_adds(out, text);
}

static void add_seconds(struct buf *out, int64_t s) {
	if (s < 0) {
		buf_addf(out, "skew -%llds", (long long)-s);
		return;
	}
	if (s >= 86400)
		buf_addf(out, "%lldd%02lldh", (long long)s / 86400,
			 (long long)s % 86400 / 3600);
	else if (s >= 3600)
		buf_addf(out, "%lldh%02lldm", (long long)s / 3600,
			 (long long)s % 3600 / 60);
	else if (s >= 60)
		buf_addf(out, "%lldm%02llds", (long long)s / 60, (long long)s % 60);
	else
		buf_addf(out, "%llds", (long long)s);
}

/* "TLSv1.3", "TLS1_2" and the like as "1.3". */
static void add_tls(struct buf *out, const struct received *r) {
	struct span s = r->tls;
	if (s.len == 0) {
		buf_adds(out, received_is_tls(r) ? "yes" : "-");
		return;
	}
	s = span_from(s, 3);
	while (s.len && (s.p[0] == 'v' || s.p[0] == 'V' || s.p[0] == '-'))
		s = span_from(s, 1);
	for (size_t i = 0; i < s.len && i < 3; i++)
		if (s.p[i] == '.' || s.p[i] == '_' || (s.p[i] >= '0' && s.p[i] <= '9'))
			buf_addc(out, s.p[i] == '_' ? '.' : s.p[i]);
}

static void add_peer(struct buf *out, const struct received *r) {
	struct span name = r->from.len ? r->from : r->rdns;
	if (r->local.len) {
		buf_adds(out, "local, ");
		term_safe(out, r->local);
		return;
	}
	term_safe(out, name.len ? name : SPAN("?"));
	if (r->ip.len && !span_eq(r->ip, name)) {
		buf_adds(out, " [");
		term_safe(out, r->ip);
		buf_addc(out, ']');
	}
}

static struct span protocol(const struct received *r) {
	struct span s = r->protocol[0] ? span_str(r->protocol)
			: r->with.len  ? r->with
				       : r->via;
	return s.len ? s : SPAN("-");
}

static void print_plain(const struct trace_way *w, struct buf *out) {
	for (size_t i = 0; i < w->count; i++) {
		const struct trace_hop *h = &w->hop[i];
		buf_addf(out, "hop\t%zu\t", i + 1);
		add_peer(out, &h->r);
		buf_addc(out, '\t');
		term_safe(out, h->r.by);
		buf_addc(out, '\t');
		term_safe(out, protocol(&h->r));
		buf_addc(out, '\t');
		add_tls(out, &h->r);
		buf_addc(out, '\t');
		add_clock(out, &h->r, true);
		buf_addc(out, '\t');
		if (h->has_delay)
			add_seconds(out, h->delay_s);
		else
			buf_addc(out, '-');
		buf_addf(out, "\t%s\n", h->ours ? "trusted" : "claimed");
	}
}

/* Pads or cuts what was added since `from` to a width; characters, not octets. */
static void fit(struct buf *out, size_t from, size_t width) {
	size_t columns = 0, i = from;
	for (; i < out->len; i++) {
		bool begins = !utf8_continues(out->data[i]);
		if (begins && columns == width)
			break;
		columns += begins;
	}
	if (i < out->len) {
		buf_truncate(out, i);
		while (out->len > from && utf8_continues(out->data[out->len - 1]))
			buf_truncate(out, out->len - 1);
		buf_truncate(out, out->len - 1);
		buf_addc(out, '~');
	}
	for (; columns < width; columns++)
		buf_addc(out, ' ');
}

static int64_t longest(const struct trace_way *w) {
	int64_t most = 0;
	for (size_t i = 0; i < w->count; i++)
		if (w->hop[i].has_delay && w->hop[i].delay_s > most)
			most = w->hop[i].delay_s;
	return most;
}

static void add_names(struct buf *out, const struct received *r) {
	add_peer(out, r);
	buf_adds(out, " -> ");
	term_safe(out, r->by.len ? r->by : SPAN("?"));
}

/* Both names of a hop on one line, where that fits for all of them. */
static bool fits(const struct trace_way *w) {
	for (size_t i = 0; i < w->count; i++) {
		AUTO_BUF struct buf names = BUF_INIT(1u << 20);
		add_names(&names, &w->hop[i].r);
		if (names.len > NAMES_WIDTH)
			return false;
	}
	return true;
}

static void print_hop(const struct trace_way *w, size_t i, int64_t most, bool one_line,
		      struct buf *out) {
	const struct trace_hop *h = &w->hop[i];
	buf_addf(out, "%2zu  ", i + 1);
	size_t from = out->len;
	if (one_line) {
		add_names(out, &h->r);
	} else {
		add_peer(out, &h->r);
		fit(out, from,
		    out->len - from < LINE_WIDTH ? out->len - from : LINE_WIDTH);
		buf_adds(out, "\n    ");
		from = out->len;
		buf_adds(out, "-> ");
		term_safe(out, h->r.by.len ? h->r.by : SPAN("?"));
	}
	fit(out, from, NAMES_WIDTH);
	buf_addc(out, ' ');
	from = out->len;
	term_safe(out, protocol(&h->r));
	fit(out, from, 7);
	buf_addc(out, ' ');
	from = out->len;
	add_tls(out, &h->r);
	fit(out, from, 3);
	buf_addc(out, ' ');
	add_clock(out, &h->r, false);
	buf_addc(out, ' ');
	AUTO_BUF struct buf delay = BUF_INIT(64);
	if (h->has_delay)
		add_seconds(&delay, h->delay_s);
	buf_addf(out, "%9s", buf_str(&delay));
	if (h->has_delay && h->delay_s > 0 && most > 0) {
		int64_t n = (h->delay_s * BAR_WIDTH + most - 1) / most;
		buf_addf(out, " %.*s", (int)n, "##########");
	}
	while (out->len > from && out->data[out->len - 1] == ' ')
		buf_truncate(out, out->len - 1);
	buf_addc(out, '\n');
}

void trace_way_print(const struct trace_way *w, bool plain, struct buf *out) {
	if (plain) {
		print_plain(w, out);
		return;
	}
	if (w->count)
		buf_addf(out, " #  %-*s WITH    TLS UTC          DELAY\n",
			 (int)NAMES_WIDTH, "FROM -> BY");
	bool one_line = fits(w);
	int64_t most = longest(w);
	for (size_t i = 0; i < w->count; i++) {
		if (i > 0 && w->hop[i].ours && !w->hop[i - 1].ours)
			buf_addf(
				out,
				"    - - from here on written by %s; above: claimed - -\n",
				w->assumed ? "the last server's domain"
					   : "servers of ours");
		print_hop(w, i, most, one_line, out);
	}
}
