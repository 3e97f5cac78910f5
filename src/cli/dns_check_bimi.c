/* The two files of BIMI, fetched by nightmail-fetch, both at once. */

#include "cli/dns_check_bimi.h"

#include "base/auto.h"
#include "base/clock.h"
#include "mail/uri.h"
#include "net/lookup.h"

#define FETCH_MS 10000
#define GRACE_MS 1000
#define FILE_MAX (256u << 10)
#define HTTPS_PORT 443
#define GOOD 200

static void fail(struct dns_check_fetch *f) {
	f->file->fetch = DNSCHECK_FETCH_FAILED;
	f->file->why = f->err.msg;
	f->file->silent = f->err.kind == ERR_TIMEOUT;
}

/* Where the file's server is, by our own DNS. */
static int find_server(struct dns *dns, struct span url, struct buf *out,
		       struct err *err) {
	AUTO_BUF struct buf name = BUF_INIT(1024);
	struct net_addrs addrs;
	struct span host;
	if (!uri_https_host(url, &host))
		return err_set(err, ERR_SYNTAX, "not an https:// URI with a host");
	buf_add(&name, host);
	if (net_lookup_dns(dns, buf_str(&name), HTTPS_PORT, &addrs, err) != 0)
		return -1;
	return net_addr_add(out, &addrs.at[0]);
}

static void begin(struct dns_check_fetch *f, const struct dns_check *c, struct dns *dns) {
	AUTO_BUF struct buf server = BUF_INIT(100);
	struct http_request r = {
		.method = SPAN("GET"),
		.url = span_str(f->file->url),
		.ca = span_str(c->ca_file ? c->ca_file : ""),
		.timeout_ms = c->deadline_ms > 0 ? c->deadline_ms : FETCH_MS,
		.max = FILE_MAX,
	};
	f->until_ms = clock_boot_ms() + r.timeout_ms + GRACE_MS;
	if (find_server(dns, r.url, &server, &f->err) != 0) {
		fail(f);
		return;
	}
	r.resolve = buf_span(&server);
	f->call = http_begin(&r, &f->err);
	if (f->call)
		return;
	fail(f);
	f->file->silent = true; /* that is this machine's fault, not the domain's */
}

bool dns_check_bimi_begin(struct dns_check_bimi *b, const struct dns_check *c,
			  struct dnscheck *check) {
	*b = (struct dns_check_bimi){ .file = { { .file = &check->bimi_logo },
						{ .file = &check->bimi_mark } } };
	if (c->replay)
		return false;
	for (size_t i = 0; i < 2; i++)
		if (b->file[i].file->url[0])
			begin(&b->file[i], c, check->dns);
	return b->file[0].file->url[0] != '\0';
}

void dns_check_bimi_finish(struct dns_check_bimi *b) {
	for (size_t i = 0; i < 2; i++) {
		struct dns_check_fetch *f = &b->file[i];
		struct http_answer *a = &f->answer;
		if (!f->call)
			continue;
		if (http_finish(f->call, f->until_ms, a, &f->err) == 0) {
			f->answered = true;
			if (a->status == 0)
				f->err = a->error;
			else if (a->status != GOOD)
				err_set(&f->err, ERR_REMOTE, "status %d instead of %d",
					a->status, GOOD);
		}
		f->call = NULL;
		if (f->err.kind != ERR_NONE) {
			fail(f);
			continue;
		}
		f->file->fetch = DNSCHECK_FETCHED;
		f->file->bytes = a->body;
	}
}

void dns_check_bimi_release(struct dns_check_bimi *b) {
	for (size_t i = 0; i < 2; i++)
		if (b->file[i].answered)
			http_answer_release(&b->file[i].answer);
}
