/*
 * Long lines. No line that comes out is over 998 octets; a message without one keeps its bytes;
 * where the input is cut does not matter, except to where lines are broken; what came out goes
 * through again unchanged. The first byte is the size of the pieces, '@' is a long run.
 */

#include "mail/longline.h"

#include <stdlib.h>

#define OUT_MAX (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool held) {
	if (!held)
		abort();
}

static int run(struct span in, size_t step, struct buf *out) {
	struct longline l;
	int r = 0;
	longline_init(&l);
	for (; in.len > 0 && r == 0; in = span_from(in, step))
		r = longline_feed(&l, span_head(in, step), out, NULL);
	if (r == 0)
		r = longline_finish(&l, out, NULL);
	longline_release(&l);
	return r;
}

static size_t longest(struct span s) {
	struct span line;
	size_t max = 0;
	while (span_take_line(&s, &line))
		max = line.len > max ? line.len : max;
	return max;
}

/* Into wire form; each '@' becomes 1000 octets. */
static void expand(struct buf *out, struct span s) {
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\n')
			buf_adds(out, "\r\n");
		else if (s.p[i] == '@')
			for (int k = 0; k < 1000; k++)
				buf_addc(out, k % 100 ? 'y' : ' ');
		else if (s.p[i] != '\r' && s.p[i] != '\0')
			buf_addc(out, s.p[i]);
	}
	if (s.len == 0 || s.p[s.len - 1] != '\n')
		buf_adds(out, "\r\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	AUTO_BUF struct buf in = BUF_INIT(OUT_MAX), one = BUF_INIT(OUT_MAX);
	AUTO_BUF struct buf two = BUF_INIT(OUT_MAX), again = BUF_INIT(OUT_MAX);
	if (size == 0 || size > 4096)
		return 0;
	expand(&in, span_of(data + 1, size - 1));
	int r = run(buf_span(&in), SIZE_MAX, &one);
	need(run(buf_span(&in), (size_t)data[0] + 1, &two) == r);
	if (longest(buf_span(&in)) <= 998)
		need(r == 0 && span_eq(buf_span(&in), buf_span(&one)));
	if (r != 0)
		return 0;
	need(longest(buf_span(&one)) <= 998 && longest(buf_span(&two)) <= 998);
	need(run(buf_span(&one), SIZE_MAX, &again) == 0);
	need(span_eq(buf_span(&one), buf_span(&again)));
	return 0;
}
