/*
 * Headers for servers without SMTPUTF8, and bodies for those without 8BITMIME. No field is made
 * or lost, ASCII keeps its bytes, and what came out goes through again unchanged. Whether a
 * body can be converted does not depend on where the input is cut: the first byte is the size
 * of the pieces.
 */

#include "mail/downgrade.h"

#include <stdint.h>
#include <stdlib.h>

#include "mail/header.h"
#include "mail/longline.h"

#define OUT_MAX (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool held) {
	if (!held)
		abort();
}

static size_t count_fields(struct span block) {
	struct header_field f;
	size_t n = 0;
	while (header_take(&block, &f))
		n++;
	return n;
}

static void check_header(struct span message) {
	AUTO_BUF struct buf one = BUF_INIT(OUT_MAX), two = BUF_INIT(OUT_MAX);
	struct err err = ERR_INIT;
	struct span block = span_head(message, header_block_len(message));
	int r = downgrade_header(block, &one, &err);
	need(r == 0 || err.kind != ERR_NONE);
	if (!downgrade_is_8bit(block))
		need(r == 0 && span_eq(buf_span(&one), block));
	if (r != 0)
		return;
	need(count_fields(buf_span(&one)) == count_fields(block));
	need(downgrade_header(buf_span(&one), &two, &err) == 0);
	need(span_eq(buf_span(&one), buf_span(&two)));
}

static int convert(struct span in, size_t step, struct buf *out) {
	struct longline l;
	int r = 0;
	longline_init_ascii(&l);
	for (; in.len > 0 && r == 0; in = span_from(in, step))
		r = longline_feed(&l, span_head(in, step), out, NULL);
	if (r == 0)
		r = longline_finish(&l, out, NULL);
	longline_release(&l);
	return r;
}

static void check_body(struct span message, size_t step) {
	AUTO_BUF struct buf one = BUF_INIT(OUT_MAX), two = BUF_INIT(OUT_MAX);
	AUTO_BUF struct buf again = BUF_INIT(OUT_MAX);
	int r = convert(message, SIZE_MAX, &one);
	need(convert(message, step, &two) == r);
	if (!downgrade_is_8bit(message))
		need(r == 0 && span_eq(buf_span(&one), message));
	if (r != 0)
		return;
	need(convert(buf_span(&one), SIZE_MAX, &again) == 0);
	need(span_eq(buf_span(&one), buf_span(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	AUTO_BUF struct buf in = BUF_INIT(OUT_MAX);
	if (size == 0 || size > 4096)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if (data[i] == '\n')
			buf_adds(&in, "\r\n");
		else if (data[i] != '\r' && data[i] != '\0')
			buf_addc(&in, (char)data[i]);
	}
	buf_adds(&in, "\r\n");
	check_header(buf_span(&in));
	check_body(buf_span(&in), (size_t)data[0] + 1);
	return 0;
}
