/*
 * What DNS brings: responses, the frames of nightmail-resolve, rdata and its text, tables. The
 * first byte chooses.
 */

#include <stdint.h>
#include <stdlib.h>

#include "net/dns_frame.h"
#include "net/dns_message.h"
#include "net/dns_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const enum dns_type types[] = { DNS_A,      DNS_NS,           DNS_CNAME, DNS_SOA,
				       DNS_PTR,    DNS_MX,           DNS_TXT,   DNS_AAAA,
				       DNS_SRV,    DNS_DS,           DNS_TLSA,  DNS_CAA,
				       DNS_DNSKEY, (enum dns_type)99 };

/* What is written as text is read as the same record; names lose their case. */
static void check_rdata(enum dns_type type, struct span rdata) {
	AUTO_BUF struct buf text = BUF_INIT(1u << 20), back = BUF_INIT(1u << 20);
	AUTO_BUF struct buf again = BUF_INIT(1u << 20);
	if (rdata.len > 65535 || dns_rdata_add(&text, type, rdata) != 0)
		return;
	if (memchr(text.data, '\n', text.len) ||
	    dns_rdata_parse(buf_span(&text), type, &back, NULL) != 0 ||
	    dns_rdata_add(&again, type, buf_span(&back)) != 0 ||
	    !span_eq_nocase(buf_span(&text), buf_span(&again)))
		abort();
}

static void use_records(enum dns_type type, const struct span *record, size_t count) {
	struct dns_answer a = { .type = type, .record = record, .count = count };
	for (size_t i = 0; i < count; i++) {
		AUTO_BUF struct buf txt = BUF_INIT(65536);
		struct inet_addr addr;
		struct dns_mx mx;
		struct dns_srv srv;
		struct dns_tlsa tlsa;
		char host[256];
		dns_addr(&a, i, &addr);
		dns_txt(record[i], &txt);
		dns_mx(record[i], &mx);
		dns_srv(record[i], &srv);
		dns_tlsa(record[i], &tlsa);
		dns_host(record[i], host);
		check_rdata(type, record[i]);
	}
}

static void read_message(enum dns_type type, struct span in) {
	static struct dns_message m;
	char name[256];
	if (dns_message_read(in, "a.example", type, &m)) {
		use_records(type, m.record, m.count);
		if (*m.canonical && (!dns_name_parse(span_str(m.canonical), name) ||
				     strcmp(name, m.canonical) != 0))
			abort();
	}
	buf_release(&m.rdata);
}

static void read_frames(enum dns_type type, struct span in) {
	static struct dns_frame_answer a;
	struct dns_frame_question q;
	AUTO_BUF struct buf frame = BUF_INIT(PROC_FRAME_MAX);
	struct span rest = in;
	while (dns_frame_take_question(&rest, &q)) {
		struct span one;
		struct dns_frame_question back;
		buf_reset(&frame);
		dns_frame_add_question(&frame, q.id, q.name, q.type);
		one = span_from(buf_span(&frame), 1);
		if (!dns_frame_take_question(&one, &back) || back.id != q.id ||
		    back.type != q.type || strcmp(back.name, q.name) != 0)
			abort();
	}
	if (!dns_frame_read_answer(in, &a))
		return;
	use_records(type, a.found.record, a.found.count);
	if (dns_frame_write_answer(&frame, a.id, &a.found) != 0)
		abort();
}

static void read_table(struct span in) {
	AUTO_BUF struct buf first = BUF_INIT(1u << 20);
	struct dns *d = dns_table_open(in, NULL);
	struct span line, word;
	char name[256];
	if (!d)
		return;
	for (struct span rest = in; span_take_line(&rest, &line);)
		if (span_take_word(&line, &word) && dns_name_parse(word, name))
			for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
				dns_get(d, word, types[i]);
	dns_run(d);
	dns_table_write(d, &first);
	dns_close(d);
	d = dns_table_open(buf_span(&first), NULL);
	if (!d && !buf_failed(&first))
		abort();
	dns_close(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size == 0)
		return 0;
	enum dns_type type = types[(data[0] >> 2) % (sizeof(types) / sizeof(types[0]))];
	struct span in = span_of(data + 1, size - 1);
	switch (data[0] & 3) {
	case 0:
		read_message(type, in);
		break;
	case 1:
		read_frames(type, in);
		break;
	case 2:
		read_table(in);
		break;
	default:
		check_rdata(type, in);
	}
	return 0;
}
