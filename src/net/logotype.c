/*
 * DER, as far as it leads to the logo:
 *
 *     SEQUENCE { [2] { [0] { SEQUENCE OF SEQUENCE { SEQUENCE {
 *             IA5String, SEQUENCE OF SEQUENCE { SEQUENCE { OID }, OCTET STRING },
 *             SEQUENCE OF IA5String } } } } }
 */

#include "net/logotype.h"

enum {
	TAG_OCTETS = 0x04,
	TAG_OID = 0x06,
	TAG_IA5 = 0x16,
	TAG_SEQUENCE = 0x30,
	TAG_DIRECT = 0xa0, /* [0]: the picture's data, not a reference to them */
	TAG_SUBJECT = 0xa2
};

/* Takes one value off. False: cut, or longer than anything that is meant here. */
static bool take(struct span *in, uint8_t *tag, struct span *ret) {
	size_t len, head = 2;
	if (in->len < 2)
		return false;
	*tag = (uint8_t)in->p[0];
	len = (uint8_t)in->p[1];
	if (len >= 0x80) {
		size_t bytes = len & 0x7f;
		if (bytes == 0 || bytes > 3 || in->len < 2 + bytes)
			return false;
		len = 0;
		for (size_t i = 0; i < bytes; i++)
			len = len << 8 | (uint8_t)in->p[2 + i];
		head += bytes;
	}
	if (in->len - head < len)
		return false;
	*ret = span_of(in->p + head, len);
	*in = span_from(*in, head + len);
	return true;
}

/* The first value of that tag; those before it are passed over. */
static bool find(struct span in, uint8_t want, struct span *ret) {
	uint8_t tag;
	while (take(&in, &tag, ret))
		if (tag == want)
			return true;
	return false;
}

static bool read_details(struct span in, struct logotype *ret) {
	struct span hashes, uris, one, algorithm;
	uint8_t tag;
	if (!take(&in, &tag, &ret->type) || tag != TAG_IA5 || !take(&in, &tag, &hashes) ||
	    tag != TAG_SEQUENCE || !take(&in, &tag, &uris) || tag != TAG_SEQUENCE)
		return false;
	return find(hashes, TAG_SEQUENCE, &one) && find(one, TAG_SEQUENCE, &algorithm) &&
	       find(algorithm, TAG_OID, &ret->digest) &&
	       find(one, TAG_OCTETS, &ret->hash) && find(uris, TAG_IA5, &ret->uri);
}

bool logotype_read(struct span der, struct logotype *ret) {
	static const uint8_t path[] = { TAG_SEQUENCE, TAG_SUBJECT,  TAG_DIRECT,
					TAG_SEQUENCE, TAG_SEQUENCE, TAG_SEQUENCE };
	struct span at = der;
	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < sizeof(path); i++)
		if (!find(at, path[i], &at))
			return false;
	return read_details(at, ret);
}

bool logotype_is_sha256(struct span digest) {
	static const char sha256[] = "\x60\x86\x48\x01\x65\x03\x04\x02\x01";
	return span_eq(digest, span_of(sha256, sizeof(sha256) - 1));
}
