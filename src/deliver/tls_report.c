/* The names that a report needs are those of [identity]. */

#include "deliver/tls_report.h"

#include "base/auto.h"
#include "tlspolicy/tlsrpt.h"

int tls_report_add(struct buf *out, struct bag *counts, const struct settings *s,
		   int64_t day, struct err *err) {
	AUTO_BUF struct buf contact = BUF_INIT(1024);
	buf_addf(&contact, "postmaster@%s", s->domain);
	const struct tlsrpt_about about = {
		.organization = span_str(s->domain),
		.contact = buf_span(&contact),
		.host = span_str(s->hostname),
		.day = day,
	};
	return tlsrpt_report_add(out, counts, &about, err);
}
