/* Responses of DNS as bytes, and the frames of nightmail-resolve. */

#include <stdlib.h>

#include "net/dns_frame.h"
#include "net/dns_message.h"
#include "tap.h"

#define HEAD "\x12\x34\x84\x00\0\1\0" /* one question; then the number of answers */
#define ASKED "\1a\7example\0\0\1\0\1"

static struct dns_message m;

static bool reads(struct span packet, enum dns_type type) {
	buf_release(&m.rdata);
	return dns_message_read(packet, "a.example", type, &m);
}

static void test_messages(void) {
	ok(reads(SPAN(HEAD "\2\0\0\0\0" ASKED "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\300\0\2\1"
			   "\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4\300\0\2\2"),
		 DNS_A) &&
		   m.count == 2 && m.ttl == 30 && m.cnames == 0,
	   "two records, and the smaller TTL");
	ok(span_eq(m.record[1], SPAN("\300\0\2\2")), "with their bytes");

	ok(reads(SPAN(HEAD "\2\0\0\0\0" ASKED
			   "\1B\7example\0\0\1\0\1\0\0\0\x3c\0\4\300\0\2\1"
			   "\xc0\x0c\0\5\0\1\0\0\0\x0a\0\4\1b\xc0\x0e"),
		 DNS_A) &&
		   m.count == 1 && m.cnames == 1 && m.ttl == 10,
	   "a chain is followed wherever it stands");
	is_str(m.canonical, "b.example", "to its end");

	ok(reads(SPAN(HEAD "\1\0\0\0\0" ASKED
			   "\1x\7example\0\0\1\0\1\0\0\0\x3c\0\4\300\0\2\1"),
		 DNS_A) &&
		   m.count == 0,
	   "a record of another name is none of ours");
	ok(!reads(SPAN(HEAD "\1\0\0\0\0" ASKED
			    "\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\5\0\x0a\1m\xc0\x0e"),
		  DNS_MX),
	   "rdata that ends in the middle of a name is refused");
	ok(reads(SPAN(HEAD "\1\0\0\0\0" ASKED
			   "\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\6\0\x0a\1m\xc0\x0e"),
		 DNS_MX) &&
		   span_eq(m.record[0], SPAN("\0\x0a\1m\7example\0")),
	   "names in rdata are written out");
	ok(reads(SPAN("\x12\x34\x84\x03\0\1\0\0\0\1\0\0" ASKED
		      "\xc0\x0e\0\6\0\1\0\0\1\0\0\x1a\1n\0\1h\0"
		      "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\x0f"),
		 DNS_A) &&
		   m.rcode == 3 && m.ttl == 15,
	   "what is not there holds as long as the SOA says");

	ok(!reads(SPAN("\x12\x34\x04\x00\0\0\0\0\0\0\0\0"), DNS_A),
	   "a question is no response");
	ok(!reads(SPAN("\x12\x34\x84"), DNS_A), "nor is half a header");
	ok(!reads(SPAN(HEAD "\1\0\0\0\0" ASKED "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\300\0\2"),
		  DNS_A),
	   "nor a cut record");
	ok(!reads(SPAN(HEAD "\1\0\0\0\0" ASKED
			    "\xc0\x1b\0\1\0\1\0\0\0\x3c\0\4\300\0\2\1"),
		  DNS_A),
	   "a pointer to itself is refused");
	ok(!reads(SPAN(HEAD "\1\0\0\0\0" ASKED
			    "\xc0\x40\0\1\0\1\0\0\0\x3c\0\4\300\0\2\1"),
		  DNS_A),
	   "and one that leads forward");
	ok(reads(SPAN(HEAD "\2\0\0\0\0" ASKED "\xc0\x0c\0\5\0\1\0\0\0\x0a\0\4\1b\xc0\x0e"
			   "\1b\xc0\x0e\0\5\0\1\0\0\0\x0a\0\2\xc0\x0c"),
		 DNS_A) &&
		   m.count == 0,
	   "a loop of CNAMEs ends");
	buf_release(&m.rdata);
}

static void test_questions(void) {
	AUTO_BUF struct buf frame = BUF_INIT(PROC_FRAME_MAX);
	struct dns_frame_question q;
	dns_frame_add_question(&frame, 7, "a.example", DNS_MX);
	dns_frame_add_question(&frame, UINT32_MAX, "", DNS_DNSKEY);
	struct span in = buf_span(&frame);
	ok(span_take_char(&in, DNS_FRAME_QUESTIONS), "a frame of questions has its kind");
	ok(dns_frame_take_question(&in, &q) && q.id == 7 && q.type == DNS_MX &&
		   strcmp(q.name, "a.example") == 0,
	   "the first question arrives");
	ok(dns_frame_take_question(&in, &q) && q.id == UINT32_MAX && q.name[0] == '\0',
	   "and the second, of the root");
	ok(!dns_frame_take_question(&in, &q) && in.len == 0, "and that is all");
	static const struct {
		const char *label;
		struct span bytes;
	} bad[] = {
		{ "a question that is cut", SPAN_INIT("\0\0\0\1\0\1\3ab") },
		{ "a question of type 0", SPAN_INIT("\0\0\0\1\0\0\1a") },
		{ "a name that is none", SPAN_INIT("\0\0\0\1\0\1\4a..b") },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		in = bad[i].bytes;
		ok(!dns_frame_take_question(&in, &q), "%s is refused", bad[i].label);
	}
}

static void test_answers(void) {
	static struct dns_frame_answer a;
	static char large[60000];
	AUTO_BUF struct buf frame = BUF_INIT(PROC_FRAME_MAX);
	const struct span record[] = {
		SPAN_INIT("one"), SPAN_INIT(""), { large, 60000 }, { large, 60000 }
	};
	struct dns_found f = { .status = DNS_FOUND,
			       .secure = true,
			       .ttl = UINT32_MAX,
			       .canonical = "end.example",
			       .cnames = 3,
			       .record = record,
			       .count = 3 };
	is_int(dns_frame_write_answer(&frame, 9, &f), 0, "an answer is written");
	struct span in = span_from(buf_span(&frame), 1);
	ok(dns_frame_read_answer(in, &a) && a.id == 9 && a.found.secure &&
		   a.found.ttl == UINT32_MAX && a.found.cnames == 3 &&
		   a.found.count == 3 && a.found.record[2].len == 60000,
	   "and read again");
	is_str(a.found.canonical, "end.example", "with the end of its chain");
	ok(a.found.why == NULL, "and without a reason");
	bool cut = false;
	for (size_t n = 0; n < 100; n++)
		cut |= dns_frame_read_answer(span_head(in, n), &a);
	ok(!cut, "no part of it is one");
	f.count = 4;
	is_int(dns_frame_write_answer(&frame, 9, &f), 0,
	       "one that is too large for a frame");
	ok(dns_frame_read_answer(span_from(buf_span(&frame), 1), &a) &&
		   a.found.status == DNS_SERVFAIL && a.found.count == 0,
	   "says so");
	is_str(a.found.why, "an answer that is too large", "in words");
	ok(!dns_frame_read_answer(SPAN("\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0"), &a),
	   "an answer that is none yet is refused");
}

int main(void) {
	test_messages();
	test_questions();
	test_answers();
	return done_testing();
}
