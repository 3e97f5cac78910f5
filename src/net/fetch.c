/*
 * One request by libcurl, with everything turned off that is not asked for: redirects, proxies,
 * cookies, other protocols, and its threads (names are looked up before, by us). The
 * certificate is always verified.
 */

#include "net/fetch.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/auto.h"

struct fetch {
	CURL *curl;
	struct curl_slist *headers, *resolve;
	const struct http_request *request;
	struct http_answer *answer;
	struct buf body, fields; /* fields: wanted ones, one after the other */
	size_t field_end[HTTP_HEADERS_MAX];
	bool too_long;
	char url[4096];
	char words[CURL_ERROR_SIZE];
};

static int fail(struct http_answer *a, enum err_kind kind, const char *words) {
	a->status = 0;
	err_set(&a->error, kind, "%s", words);
	return -1;
}

/* --- callbacks --- */

static size_t take_body(char *data, size_t size, size_t count, void *ctx) {
	struct fetch *f = ctx;
	if (f->body.len + size * count > f->request->max) {
		f->too_long = true;
		return 0;
	}
	return buf_add(&f->body, span_of(data, size * count)) == 0 ? size * count : 0;
}

static bool is_wanted(const struct fetch *f, struct span name) {
	for (size_t i = 0; i < f->request->want_count; i++)
		if (span_eq_nocase(name, f->request->want[i]))
			return true;
	return false;
}

static size_t take_header(char *data, size_t size, size_t count, void *ctx) {
	struct fetch *f = ctx;
	struct span line = span_trim(span_of(data, size * count)), rest = line, name;
	if (!span_take_until(&rest, ':', &name) || !is_wanted(f, name) ||
	    f->answer->header_count == HTTP_HEADERS_MAX || buf_add(&f->fields, line) != 0)
		return size * count;
	f->field_end[f->answer->header_count++] = f->fields.len;
	return size * count;
}

/* --- getting ready --- */

/* Host and port of the URL. */
static int take_apart(struct fetch *f, char **ret_host, char **ret_port,
		      struct http_answer *a) {
	CURLU *u = curl_url();
	bool ok = u && curl_url_set(u, CURLUPART_URL, f->url, 0) == CURLUE_OK &&
		  curl_url_get(u, CURLUPART_HOST, ret_host, 0) == CURLUE_OK &&
		  curl_url_get(u, CURLUPART_PORT, ret_port, CURLU_DEFAULT_PORT) ==
			  CURLUE_OK;
	curl_url_cleanup(u);
	return ok ? 0 : fail(a, ERR_SYNTAX, "this is no URL");
}

/* Appends the host's addresses, with commas between them. */
static int look_up(const char *host, const char *port, struct buf *out,
		   struct http_answer *a) {
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	int r = getaddrinfo(host, port, &hints, &list);
	if (r != 0) {
		AUTO_BUF struct buf words = BUF_INIT(512);
		buf_addf(&words, "%s: %s", host, gai_strerror(r));
		return fail(a, ERR_REMOTE, buf_str(&words));
	}
	for (struct addrinfo *i = list; i; i = i->ai_next) {
		char text[NI_MAXHOST];
		if (getnameinfo(i->ai_addr, i->ai_addrlen, text, sizeof(text), NULL, 0,
				NI_NUMERICHOST) != 0)
			continue;
		buf_addf(out, strchr(text, ':') ? "%s[%s]" : "%s%s", i == list ? "" : ",",
			 text);
	}
	freeaddrinfo(list);
	return 0;
}

static int resolve(struct fetch *f, struct http_answer *a) {
	AUTO_BUF struct buf entry = BUF_INIT(8192);
	char *host = NULL, *port = NULL;
	int r = take_apart(f, &host, &port, a);
	struct span given = f->request->resolve;
	if (r == 0) {
		buf_addf(&entry, "%s:%s:", host, port);
		if (given.len > 0)
			buf_add(&entry, given);
		else
			r = host[0] == '[' ? 0 : look_up(host, port, &entry, a);
		if (host[0] != '[' || given.len > 0)
			f->resolve = curl_slist_append(NULL, buf_str(&entry));
	}
	curl_free(host);
	curl_free(port);
	return r;
}

static void set_text(CURL *curl, CURLoption option, struct span value) {
	AUTO_FREE char *text = span_dup(value);
	if (text)
		curl_easy_setopt(curl, option, text);
}

static void set_options(struct fetch *f) {
	const struct http_request *r = f->request;
	CURL *c = f->curl;
	bool here = span_starts(r->url, SPAN("http:"));
	curl_easy_setopt(c, CURLOPT_URL, f->url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, here ? "http" : "https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "nightmail/" VERSION);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, f->headers);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, f);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, f);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, f->words);
	if (f->resolve)
		curl_easy_setopt(c, CURLOPT_RESOLVE, f->resolve);
	if (r->ca.len > 0)
		set_text(c, CURLOPT_CAINFO, r->ca);
	if (span_eq(r->method, SPAN("POST"))) {
		curl_easy_setopt(c, CURLOPT_POST, 1L);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)r->body.len);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body.len > 0 ? r->body.p : "");
	}
}

struct fetch *fetch_prepare(const struct http_request *r, struct http_answer *ret) {
	struct fetch *f = calloc(1, sizeof(*f));
	*ret = (struct http_answer){ .status = 0 };
	if (!f || curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
		free(f);
		fail(ret, ERR_MEMORY, "out of memory");
		return NULL;
	}
	f->request = r;
	buf_init(&f->body, HTTP_BODY_MAX);
	buf_init(&f->fields, 64u << 10);
	f->curl = curl_easy_init();
	if (!f->curl)
		fail(ret, ERR_MEMORY, "out of memory");
	else if (r->url.len >= sizeof(f->url))
		fail(ret, ERR_SYNTAX, "the URL is too long");
	if (ret->error.kind == ERR_NONE) {
		snprintf(f->url, sizeof(f->url), "%.*s", (int)r->url.len, r->url.p);
		for (size_t i = 0; i < r->header_count; i++) {
			AUTO_FREE char *line = span_dup(r->header[i]);
			f->headers = curl_slist_append(f->headers, line ? line : "");
		}
		resolve(f, ret);
	}
	if (ret->error.kind == ERR_NONE) {
		set_options(f);
		return f;
	}
	fetch_free(f);
	return NULL;
}

/* --- doing --- */

static enum err_kind kind_of(CURLcode code) {
	if (code == CURLE_OPERATION_TIMEDOUT)
		return ERR_TIMEOUT;
	return code == CURLE_OUT_OF_MEMORY ? ERR_MEMORY : ERR_REMOTE;
}

void fetch_perform(struct fetch *f, struct http_answer *ret) {
	long status = 0;
	f->answer = ret;
	CURLcode code = curl_easy_perform(f->curl);
	if (f->too_long) {
		fail(ret, ERR_LIMIT, "the answer is too long");
		return;
	}
	if (code != CURLE_OK) {
		fail(ret, kind_of(code),
		     f->words[0] ? f->words : curl_easy_strerror(code));
		return;
	}
	curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
	ret->status = (int)status;
	ret->body = buf_span(&f->body);
	size_t begin = 0;
	for (size_t i = 0; i < ret->header_count; i++) {
		ret->header[i] = span_of(buf_str(&f->fields) + begin,
					 f->field_end[i] - begin);
		begin = f->field_end[i];
	}
}

void fetch_free(struct fetch *f) {
	if (!f)
		return;
	curl_slist_free_all(f->headers);
	curl_slist_free_all(f->resolve);
	curl_easy_cleanup(f->curl);
	buf_release(&f->body);
	buf_release(&f->fields);
	free(f);
	curl_global_cleanup();
}
