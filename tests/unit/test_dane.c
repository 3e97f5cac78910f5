/*
 * Certificate chains against TLSA records: the suite of OpenSSL, which is not part of this project.
 * Usages 0 and 1 cannot be used in SMTP (RFC 7672 section 3.1.3): for us they are unusable. Nor do
 * names matter to usage 3 (section 3.1.1), where the suite can be told that they do.
 */
#include "net/tls_dane.h"

#include <fcntl.h>

#include "base/auto.h"
#include "base/codec.h"
#include "base/file.h"
#include "tap.h"

#define SUITE "../shared/conformance/tls/danetest.in"
#define RECORDS_MAX 16
#define CERTS_MAX 16
#define X509_HOSTNAME_MISMATCH 62 /* as OpenSSL counts its errors */

struct block {
	unsigned records, certs, no_names, line;
	int64_t result, depth;
	struct dns_tlsa record[RECORDS_MAX];
	struct buf data[RECORDS_MAX], der[CERTS_MAX];
};

static unsigned line_number;

static bool next_line(struct span *text, struct span *line) {
	while (span_take_line(text, line)) {
		line_number++;
		if (span_trim(*line).len > 0 && line->p[0] != '#')
			return true;
	}
	return false;
}

static int64_t number(struct span *line) {
	struct span word;
	uint64_t n = 0;
	if (!span_take_word(line, &word))
		return -1;
	bool negative = span_take_char(&word, '-');
	span_uint(word, INT32_MAX, &n);
	return negative ? -(int64_t)n : (int64_t)n;
}

static void take_record(struct span line, struct dns_tlsa *r, struct buf *data) {
	uint64_t octet;
	r->usage = (uint8_t)number(&line);
	r->selector = (uint8_t)number(&line);
	r->matching = (uint8_t)number(&line);
	buf_init(data, 65536);
	line = span_trim(line);
	while (span_take_hex(&line, 2, &octet))
		buf_addc(data, (char)octet);
	r->data = buf_span(data);
}

static void take_cert(struct span *text, struct buf *der) {
	AUTO_BUF struct buf base64 = BUF_INIT(65536);
	struct span line;
	buf_init(der, 65536);
	while (next_line(text, &line) && !span_starts(line, SPAN("-----BEGIN")))
		;
	while (next_line(text, &line) && !span_starts(line, SPAN("-----END")))
		buf_add(&base64, span_trim(line));
	codec_base64_decode(der, buf_span(&base64));
}

static bool take_block(struct span *text, struct block *b) {
	struct span line;
	if (!next_line(text, &line))
		return false;
	*b = (struct block){ .line = line_number };
	b->records = (unsigned)number(&line);
	b->certs = (unsigned)number(&line);
	b->no_names = (unsigned)number(&line);
	b->result = number(&line);
	b->depth = number(&line);
	if (b->records > RECORDS_MAX || b->certs > CERTS_MAX)
		return false;
	for (unsigned i = 0; i < b->records && next_line(text, &line); i++)
		take_record(line, &b->record[i], &b->data[i]);
	for (unsigned i = 0; i < b->certs; i++)
		take_cert(text, &b->der[i]);
	return true;
}

static void check_block(const struct block *b) {
	AUTO_BUF struct buf why = BUF_INIT(4096);
	gnutls_datum_t chain[CERTS_MAX];
	size_t usable = 0;
	for (unsigned i = 0; i < b->certs; i++)
		chain[i] = (gnutls_datum_t){ (unsigned char *)b->der[i].data,
					     (unsigned)b->der[i].len };
	for (unsigned i = 0; i < b->records; i++)
		usable += tls_tlsa_usable(&b->record[i]);
	const struct tls_policy p = { .host = "example.com",
				      .verify = true,
				      .tlsa = b->record,
				      .tlsa_count = b->records };
	enum tls_dane got = tls_dane_verify(chain, b->certs, &p, p.host, &why);
	if (usable == 0)
		is_int(got, TLS_DANE_UNUSABLE, "line %u: records that SMTP cannot use", b->line);
	else if (b->result == X509_HOSTNAME_MISMATCH && b->record[0].usage == 3)
		is_int(got, TLS_DANE_EE, "line %u: usage 3 under any name", b->line);
	else
		ok((got == TLS_DANE_EE || got == TLS_DANE_TA) == (b->result == 0 && b->depth >= 0),
		   "line %u: usage %u %u %u: %s (%s)", b->line, b->record[0].usage,
		   b->record[0].selector, b->record[0].matching,
		   b->result == 0 ? "verified" : "refused", buf_str(&why));
}

int main(void) {
	AUTO_BUF struct buf suite = BUF_INIT(16u << 20);
	struct err err = ERR_INIT;
	struct block b;
	if (file_read(AT_FDCWD, SUITE, &suite, &err) != 0) {
		printf("1..0 # SKIP the suite of OpenSSL is not here (%s)\n", err.msg);
		return 0;
	}
	struct span text = buf_span(&suite);
	while (take_block(&text, &b)) {
		check_block(&b);
		for (unsigned i = 0; i < b.records; i++)
			buf_release(&b.data[i]);
		for (unsigned i = 0; i < b.certs; i++)
			buf_release(&b.der[i]);
	}
	return done_testing();
}
