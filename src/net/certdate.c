/*
 * The way to the two times in DER (RFC 5280 section 4.1): into the certificate, into what is
 * signed, over version, serial number, algorithm and issuer, into the validity.
 */

#include "net/certdate.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/codec.h"

#define BEGIN "-----BEGIN CERTIFICATE-----"
#define END "-----END CERTIFICATE-----"
#define DER_MAX 65536u

enum {
	TAG_INTEGER = 0x02,
	TAG_UTC_TIME = 0x17,
	TAG_GENERALIZED_TIME = 0x18,
	TAG_SEQUENCE = 0x30,
	TAG_VERSION = 0xa0,
};

/* Takes one value off the front. */
static bool take(struct span *in, unsigned *ret_tag, struct span *ret) {
	if (in->len < 2)
		return false;
	const unsigned char *p = (const unsigned char *)in->p;
	size_t len = p[1], head = 2;
	if (len & 0x80) {
		size_t bytes = len & 0x7f;
		if (bytes == 0 || bytes > 3 || in->len < 2 + bytes)
			return false;
		len = 0;
		for (size_t i = 0; i < bytes; i++)
			len = len << 8 | p[2 + i];
		head += bytes;
	}
	if (len > in->len - head)
		return false;
	*ret_tag = p[0];
	*ret = span_of(in->p + head, len);
	*in = span_from(*in, head + len);
	return true;
}

static bool take_tag(struct span *in, unsigned tag, struct span *ret) {
	unsigned found;
	struct span rest = *in;
	if (!take(&rest, &found, ret) || found != tag)
		return false;
	*in = rest;
	return true;
}

static bool take_digits(struct span *in, size_t count, int *ret) {
	uint64_t n;
	struct span digits = span_head(*in, count);
	if (digits.len != count || !span_uint(digits, 9999, &n))
		return false;
	*in = span_from(*in, count);
	*ret = (int)n;
	return true;
}

/* YYMMDDHHMMSSZ, or with four digits of the year (RFC 5280 section 4.1.2.5). */
static bool take_time(struct span *in, int64_t *ret) {
	struct tm tm = { .tm_isdst = 0 };
	struct span s;
	unsigned tag;
	int year;
	if (!take(in, &tag, &s) || (tag != TAG_UTC_TIME && tag != TAG_GENERALIZED_TIME) ||
	    !take_digits(&s, tag == TAG_UTC_TIME ? 2 : 4, &year) ||
	    !take_digits(&s, 2, &tm.tm_mon) || !take_digits(&s, 2, &tm.tm_mday) ||
	    !take_digits(&s, 2, &tm.tm_hour) || !take_digits(&s, 2, &tm.tm_min) ||
	    !take_digits(&s, 2, &tm.tm_sec) || !span_eq(s, SPAN("Z")))
		return false;
	if (tag == TAG_UTC_TIME)
		year += year < 50 ? 2000 : 1900;
	tm.tm_year = year - 1900;
	tm.tm_mon--;
	*ret = (int64_t)timegm(&tm);
	return true;
}

static bool read_der(struct span der, int64_t *ret_from, int64_t *ret_until) {
	struct span certificate, signed_part, validity, skipped;
	return take_tag(&der, TAG_SEQUENCE, &certificate) &&
	       take_tag(&certificate, TAG_SEQUENCE, &signed_part) &&
	       (take_tag(&signed_part, TAG_VERSION, &skipped) || true) &&
	       take_tag(&signed_part, TAG_INTEGER, &skipped) &&
	       take_tag(&signed_part, TAG_SEQUENCE, &skipped) &&
	       take_tag(&signed_part, TAG_SEQUENCE, &skipped) &&
	       take_tag(&signed_part, TAG_SEQUENCE, &validity) &&
	       take_time(&validity, ret_from) && take_time(&validity, ret_until);
}

int certdate_read(struct span pem, int64_t *ret_from_s, int64_t *ret_until_s,
		  struct err *err) {
	AUTO_BUF struct buf base64 = BUF_INIT(2 * DER_MAX), der = BUF_INIT(DER_MAX);
	struct span line;
	bool inside = false, complete = false;
	while (!complete && span_take_line(&pem, &line)) {
		line = span_trim(line);
		complete = inside && span_eq(line, SPAN(END));
		if (inside && !complete)
			buf_add(&base64, line);
		inside = inside || span_eq(line, SPAN(BEGIN));
	}
	if (!complete || codec_base64_decode(&der, buf_span(&base64)) != 0 ||
	    !read_der(buf_span(&der), ret_from_s, ret_until_s))
		return err_set(err, ERR_SYNTAX,
			       "there is no certificate that is understood");
	return 0;
}
