/*
 * What signing and verifying costs beside the hashing and the operation with the key that nobody
 * can avoid: the body and the header through SHA-256 by GnuTLS, and one signature or check.
 *
 *     dkim_speed rsa|ed25519 KEY.pem OCTETS ROUNDS    four times in microseconds: sign, its floor,
 *                                                     verify, its floor
 */

#include <stdio.h>
#include <stdlib.h>

#include "authres/dkim_sign.h"
#include "authres/dkim_verify.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/file.h"
#include "mail/header.h"
#include "net/dns_table.h"

static const char fields[] =
	"From: Alice <alice@example.org>\r\nTo: bob@example.net\r\n"
	"Subject: a message\r\nDate: Tue, 1 Jul 2025 10:00:00 +0000\r\n"
	"Message-ID: <1@example.org>\r\n";

static void add_body(struct buf *out, size_t octets) {
	for (unsigned i = 0; out->len < octets; i++)
		buf_addf(
			out,
			"line %u of a body, with words as long as words of a mail are\r\n",
			i);
}

static int sign(const struct crypto_private *key, struct span body, struct buf *out) {
	struct dkim_signing how = { .domain = SPAN("example.org"),
				    .selector = SPAN("s"),
				    .key = key,
				    .header = CANON_RELAXED,
				    .body = CANON_RELAXED };
	struct dkim_signer *s = dkim_signer_new(&how, 1, NULL);
	if (!s)
		return -1;
	dkim_signer_feed(s, body);
	int r = dkim_signer_finish(s, span_of(fields, sizeof(fields) - 1), 1700000000,
				   "\r\n", out, NULL);
	dkim_signer_free(s);
	return r;
}

static bool verify(struct span header, struct span body, struct dns *dns) {
	struct dkim_verify *v = dkim_verify_new(header, 1700000000, NULL);
	if (!v)
		return false;
	dkim_verify_feed(v, body);
	dkim_verify_end(v);
	while (!dkim_verify_run(v, dns) && dns_run(dns) > 0)
		;
	bool pass = dkim_verify_result(v, 0)->verdict == DKIM_PASS;
	dkim_verify_free(v);
	return pass;
}

/* Hash of both, as they are. */
static void hash_all(struct span header, struct span body, struct crypto_digest *ret) {
	crypto_sha256(body, ret);
	crypto_sha256(header, ret);
}

static int64_t now_ns(void) {
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct dns *open_zone(const struct crypto_private *key) {
	AUTO_BUF struct buf record = BUF_INIT(8192), zone = BUF_INIT(8192);
	dkim_key_record(key, &record, NULL);
	buf_adds(&zone, "s._domainkey.example.org TXT");
	for (struct span rest = buf_span(&record); rest.len;
	     rest = span_from(rest, 200)) {
		struct span piece = span_head(rest, 200);
		buf_addf(&zone, " \"%.*s\"", (int)piece.len, piece.p);
	}
	buf_addc(&zone, '\n');
	return dns_table_open(buf_span(&zone), NULL);
}

int main(int argc, char **argv) {
	AUTO_BUF struct buf pem = BUF_INIT(1u << 16), body = BUF_INIT(1u << 28);
	AUTO_BUF struct buf header = BUF_INIT(1u << 16), public = BUF_INIT(1u << 16);
	AUTO_BUF struct buf sig = BUF_INIT(1u << 16);
	struct crypto_digest digest;
	uint64_t octets, rounds;
	int64_t took[5];
	if (argc != 5 || file_read(AT_FDCWD, argv[2], &pem, NULL) != 0 ||
	    !span_uint(span_str(argv[3]), 1u << 27, &octets) ||
	    !span_uint(span_str(argv[4]), 1000000, &rounds))
		return 64;
	struct crypto_private *key = crypto_private_read(buf_span(&pem), NULL);
	if (!key)
		return 65;
	add_body(&body, (size_t)octets);
	struct dns *dns = open_zone(key);
	crypto_private_public(key, &public, NULL);
	struct crypto_public *pub = crypto_public_read(crypto_private_kind(key),
						       buf_span(&public), NULL);
	took[0] = now_ns();
	for (uint64_t i = 0; i < rounds; i++) {
		buf_reset(&header);
		if (sign(key, buf_span(&body), &header) != 0)
			return 1;
	}
	took[1] = now_ns();
	for (uint64_t i = 0; i < rounds; i++) {
		buf_reset(&sig);
		hash_all(buf_span(&header), buf_span(&body), &digest);
		crypto_private_sign(key, &digest, &sig, NULL);
	}
	took[2] = now_ns();
	buf_adds(&header, fields);
	for (uint64_t i = 0; i < rounds; i++)
		if (!verify(buf_span(&header), buf_span(&body), dns))
			return 1;
	took[3] = now_ns();
	for (uint64_t i = 0; i < rounds; i++) {
		hash_all(buf_span(&header), buf_span(&body), &digest);
		crypto_public_verify(pub, &digest, buf_span(&sig));
	}
	took[4] = now_ns();
	for (int i = 0; i < 4; i++)
		printf("%.1f%c", (double)(took[i + 1] - took[i]) / 1000 / (double)rounds,
		       i < 3 ? ' ' : '\n');
	crypto_public_free(pub);
	crypto_private_free(key);
	dns_close(dns);
	return 0;
}
