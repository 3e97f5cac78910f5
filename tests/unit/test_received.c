/* Received fields and dates in the dialects of today's servers, and what is none of them. */

#include "mail/received.h"

#include <stdlib.h>

#include "mail/date.h"

#include "tap.h"

/* "from|ip|helo|rdns|by|protocol|id|for|ident|tls" */
static void describe(const struct received *r, struct buf *out) {
	const struct span parts[] = { r->from, r->ip,   r->helo,
				      r->rdns, r->by,   span_str(r->protocol),
				      r->id,   r->for_, r->ident,
				      r->tls };
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (i)
			buf_addc(out, '|');
		buf_add(out, parts[i]);
	}
}

static const struct {
	const char *label, *input, *want;
	int64_t time_s; /* 0: none */
} cases[] = {
	{ "Postfix with TLS",
	  "from a.example (a.example [192.0.2.1])\r\n\t(using TLSv1.3 with cipher "
	  "TLS_AES_256_GCM_SHA384 (256/256 bits))\r\n\tby b.example (Postfix) with ESMTPS id "
	  "4X2\r\n\tfor <bob@b.example>; Tue,  1 Jul 2025 10:00:00 +0200 (CEST)",
	  "a.example|192.0.2.1||a.example|b.example|ESMTPS|4X2|bob@b.example||TLSv1.3",
	  1751356800 },
	{ "Postfix with a login",
	  "from pc (unknown [10.0.0.5]) (Authenticated sender: alice) by b.example with ESMTPSA id 1; "
	  "Tue, 1 Jul 2025 08:00:00 +0000",
	  "pc|10.0.0.5|||b.example|ESMTPSA|1||alice|", 1751356800 },
	{ "Postfix, a user of the machine",
	  "by b.example (Postfix, from userid 1000)\n\tid 7; Tue, 1 Jul 2025 08:00:00 GMT",
	  "userid||||b.example||7|||", 1751356800 },
	{ "Exim",
	  "from [192.0.2.1] (port=40000 helo=a.example) by b.example with esmtpsa "
	  "(TLS1.3) tls TLS_AES (Exim 4.96) (envelope-from <x@y>) id 1x-2y-3z for bob@b; "
	  "Tue, 01 Jul 2025 08:00:00 +0000",
	  "192.0.2.1||a.example||b.example|ESMTPSA|1x-2y-3z|bob@b||TLS1.3", 1751356800 },
	{ "Gmail, IPv6",
	  "by 2002:a05:6402:1::1 with SMTP id x9;\r\n        Tue, 1 Jul 2025 01:00:00 -0700 (PDT)",
	  "||||2002:a05:6402:1::1|SMTP|x9|||", 1751356800 },
	{ "Exchange",
	  "from A.example (2603:10a6::1) by B.example (2603:10a6::2) with Microsoft SMTP "
	  "Server (version=TLS1_2, cipher=TLS_ECDHE) id 15.20; Tue, 1 Jul 2025 "
	  "08:00:00 +0000",
	  "A.example|2603:10a6::1|||B.example|SMTP|15.20|||TLS1_2", 1751356800 },
	{ "Sendmail",
	  "from a (a.example [192.0.2.1] (may be forged)) by b.example (8.17/8.17) with "
	  "ESMTP id 561x for <c@d>; Tue, 1 Jul 2025 08:00:00 GMT",
	  "a|192.0.2.1||a.example|b.example|ESMTP|561x|c@d||", 1751356800 },
	{ "qmail", "(qmail 123 invoked from network); 1 Jul 2025 08:00:00 -0000",
	  "network|||||||||", 1751356800 },
	{ "ours, a user of the machine",
	  "by b.example (nightmail, uid 0) id CO6RSHEMS1Q90OKF; Tue, 1 Jul 2025 08:00:00 +0000",
	  "||||b.example||CO6RSHEMS1Q90OKF|||", 1751356800 },
	{ "an address literal with IPv6",
	  "from x ([IPv6:2001:db8::1]) by y with LMTP; Tue, 1 Jul 2025 "
	  "08:00:00 +0000",
	  "x|2001:db8::1|||y|LMTP||||", 1751356800 },
	{ "no date", "from a by b with ESMTP id 1", "a||||b|ESMTP|1|||", 0 },
	{ "a date that is none", "from a by b; soon", "a||||b|||||", 0 },
	{ "a NUL", NULL, "a||||b|||||", 0 },
	{ "a comment without end", "from a (b (c by d", "a|||||||||", 0 },
	{ "empty", "", "|||||||||", 0 },
};

static void test_received(void) {
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf got = BUF_INIT(8192);
		struct received r;
		struct span input = cases[i].input ? span_str(cases[i].input)
						   : SPAN("from a by b \0 x");
		received_parse(input, &r);
		describe(&r, &got);
		is_str(buf_str(&got), cases[i].want, "%s", cases[i].label);
		is_int(r.has_time ? r.time_s : 0, cases[i].time_s, "its time: %s",
		       cases[i].label);
		received_release(&r);
	}
}

static void test_local(void) {
	static const struct {
		const char *input, *want;
	} local[] = {
		{ "by b (Postfix, from userid 1000) id 7; 1 Jul 2025 08:00:00 -0000", "userid 1000" },
		{ "by b (nightmail, uid 0) id 7; 1 Jul 2025 08:00:00 -0000", "uid 0" },
		{ "(qmail 123 invoked by uid 500); 1 Jul 2025 08:00:00 -0000", "uid 500" },
		{ "(qmail 123 invoked from network); 1 Jul 2025 08:00:00 -0000", "" },
		{ "from a (uid 7) by b (Postfix) id 7; 1 Jul 2025 08:00:00 -0000", "" },
		{ "from a.example (a.example [192.0.2.1]) by b (x, uid 7) id 7; 1 Jul 2025 08:00:00 "
		  "-0000", "" },
		{ "from [192.0.2.1] by b (x, uid 7); 1 Jul 2025 08:00:00 -0000", "" },
		{ "by b (x, uid 7) from a.example; 1 Jul 2025 08:00:00 -0000", "" },
		{ "(from a@a.example) by b (x, uid 7); 1 Jul 2025 08:00:00 -0000", "uid 7" },
		{ "by b (nightmail, uid root) id 7; 1 Jul 2025 08:00:00 -0000", "" },
		{ "by b (nightmail, uid) id 7; 1 Jul 2025 08:00:00 -0000", "" },
	};
	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
		AUTO_BUF struct buf got = BUF_INIT(256);
		struct received r;
		received_parse(span_str(local[i].input), &r);
		buf_add(&got, r.local);
		is_str(buf_str(&got), local[i].want, "who handed it over: %s", local[i].input);
		received_release(&r);
	}
}

static const struct {
	const char *input;
	int64_t want; /* -1: no date */
} dates[] = {
	{ "Tue, 1 Jul 2025 10:00:00 +0200", 1751356800 },
	{ "1 Jul 25 08:00 GMT", 1751356800 },
	{ "Tue Jul  1 08:00:00 2025", 1751356800 },
	{ "Tue Jul  1 04:00:00 EDT 2025", 1751356800 },
	{ "2025-07-01T08:00:00Z", 1751356800 },
	{ "2025-07-01T10:00:00+02:00", 1751356800 },
	{ "2025-07-01 08:00:00", 1751356800 },
	{ "1-Jul-2025 08:00:00 +0000", 1751356800 },
	{ "1 July 2025 8:00:00 AM +0000", 1751356800 },
	{ "1 Jul 2025 08:00:00 PM +0000", 1751400000 },
	{ "Tue, 1 Jul 2025 10:00:00.123456 +0200 m=+55.7", 1751356800 },
	{ "1 Jul 2025 08:00:60 +0000", 1751356859 },
	{ "29 Feb 2024 00:00:00 +0000", 1709164800 },
	{ "29 Feb 2025 00:00:00 +0000", -1 },
	{ "31 Jun 2025 00:00:00 +0000", -1 },
	{ "1 Jul 2025 24:00:00 +0000", -1 },
	{ "1 Jul 2025", -1 },
	{ "08:00:00", -1 },
	{ "1 Jan 1970 00:00:00 +0000", 0 },
	{ "", -1 },
};

static void test_dates(void) {
	for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
		int64_t got;
		if (!date_parse(span_str(dates[i].input), &got))
			got = -1;
		is_int(got, dates[i].want, "date: %s", dates[i].input);
	}
}

int main(void) {
	test_received();
	test_local();
	test_dates();
	return done_testing();
}
