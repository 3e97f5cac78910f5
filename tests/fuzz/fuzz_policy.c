/* The records that say how mail is to be treated, and the policy file with the web server's
 * answer around it: reading ends, what is shown is safe, and what one reader takes the linter
 * does not take for another kind. */

#include "authres/dmarc_record.h"

#include <stdlib.h>

#include "base/auto.h"
#include "check/expect.h"
#include "check/lint.h"
#include "tlspolicy/http_reply.h"
#include "tlspolicy/sts_record.h"
#include "tlspolicy/tlsrpt_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BODY_MAX 65536

static void check_lint(struct span text) {
	for (int kind = LINT_DMARC; kind <= LINT_BIMI; kind++) {
		struct lint l;
		bool valid = lint_record((enum lint_kind)kind, text, &l);
		struct dmarc_record record;
		if (valid && kind == LINT_DMARC && !dmarc_record_parse(text, &record))
			abort();
		if (memchr(buf_str(&l.errors), 27, l.errors.len) ||
		    memchr(buf_str(&l.notes), 27, l.notes.len))
			abort();
		lint_release(&l);
	}
}

static void check_policy(struct span text) {
	struct sts_policy p;
	struct span rest, mx;
	size_t n = 0;
	if (sts_policy_parse(text, &p, NULL) != 0)
		return;
	for (rest = p.text; sts_policy_take_mx(&rest, &mx); n++)
		sts_mx_matches(mx, SPAN("mx.a.example"));
	if (p.max_age_s > STS_MAX_AGE_MAX || (p.mode != STS_NONE && n == 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	AUTO_BUF struct buf body = BUF_INIT(BODY_MAX);
	struct span text = span_of(data, size);
	struct http_reply reply;
	struct dmarc_record record;
	char id[STS_ID_MAX + 1];
	check_lint(text);
	check_policy(text);
	sts_record_parse(text, id, NULL);
	tlsrpt_record_parse(text, NULL, NULL, NULL);
	if (dmarc_record_parse(text, &record) && record.p == DMARC_UNSET)
		abort();
	expect_close(expect_open(text, "a.example", NULL));
	http_reply_is_whole(text);
	if (http_reply_parse(text, &reply, &body, NULL) == 0 && body.len > size)
		abort();
	return 0;
}
