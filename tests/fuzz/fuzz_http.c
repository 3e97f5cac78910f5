/*
 * The lines between nightmail-fetch and its clients: whatever is read as a request or an answer is
 * read again from what is written of it, and a request never asks for more than it may.
 */

#include "net/http.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_request(struct span s) {
	AUTO_BUF struct buf out = BUF_INIT(8u << 20);
	struct http_request r, again;
	if (http_request_parse(s, &r, NULL) != 1)
		return;
	if (!http_url_ok(r.url) || r.timeout_ms > HTTP_TIMEOUT_MAX_MS ||
	    r.max > HTTP_BODY_MAX)
		abort();
	if (http_request_write(&out, &r) != 0 ||
	    http_request_parse(buf_span(&out), &again, NULL) != 1 ||
	    !span_eq(r.url, again.url) || !span_eq(r.body, again.body))
		abort();
	http_request_release(&again);
	http_request_release(&r);
}

static void check_answer(struct span s) {
	AUTO_BUF struct buf out = BUF_INIT(8u << 20);
	struct http_answer a, again;
	if (http_answer_parse(s, &a, NULL) != 1)
		return;
	if (http_answer_write(&out, &a) != 0 ||
	    http_answer_parse(buf_span(&out), &again, NULL) != 1 ||
	    a.status != again.status)
		abort();
	http_answer_release(&again);
	http_answer_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct span s = span_of((const char *)data, size);
	check_request(s);
	check_answer(s);
	return 0;
}
