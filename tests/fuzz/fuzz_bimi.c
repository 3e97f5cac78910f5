/* What a BIMI record leads to: pictures and the certificates that vouch for them. The first byte
 * chooses. What is shown is safe. */

#include <stdint.h>
#include <stdlib.h>

#include "base/auto.h"
#include "check/svg.h"
#include "net/logotype.h"
#include "net/mark_cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_picture(struct span in) {
	AUTO_BUF struct buf errors = BUF_INIT(1u << 20), notes = BUF_INIT(1u << 20);
	bool good = svg_check(in, &errors, &notes);
	if (good != (errors.len == 0) || memchr(buf_str(&errors), 27, errors.len) ||
	    memchr(buf_str(&notes), 27, notes.len))
		abort();
}

static void read_logotype(struct span in) {
	struct logotype l;
	if (!logotype_read(in, &l))
		return;
	const struct span parts[] = { l.type, l.digest, l.hash, l.uri };
	for (size_t i = 0; i < 4; i++)
		if (parts[i].p < in.p || parts[i].p + parts[i].len > in.p + in.len)
			abort();
	logotype_is_sha256(l.digest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct mark_cert m;
	if (size == 0)
		return 0;
	struct span in = span_of((const char *)data + 1, size - 1);
	if (data[0] % 3 == 0)
		read_picture(in);
	else if (data[0] % 3 == 1)
		read_logotype(in);
	else
		mark_cert_read(in, &m, NULL);
	return 0;
}
