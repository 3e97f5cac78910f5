/*
 * Percent, words and base64: whatever decodes must encode to something that decodes to the
 * same, and an encoding never holds a byte that could make a word or a line.
 */

#include "base/codec.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_percent(struct span s) {
	AUTO_BUF struct buf plain = BUF_INIT(1 << 20);
	AUTO_BUF struct buf text = BUF_INIT(1 << 22);
	AUTO_BUF struct buf back = BUF_INIT(1 << 20);
	struct span plain_span = s;
	if (codec_percent_decode(&plain, s) == 0)
		plain_span = buf_span(&plain);
	else if (plain.len != 0)
		abort();
	if (codec_percent_add(&text, plain_span) != 0)
		abort();
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] <= 0x20 || text.data[i] >= 0x7f || text.data[i] == '=')
			abort();
	if (codec_percent_decode(&back, buf_span(&text)) != 0 ||
	    !span_eq(buf_span(&back), plain_span))
		abort();
}

/* Base64 is strict, so a text that decodes is the one that encoding gives. */
static void check_base64(struct span s) {
	AUTO_BUF struct buf plain = BUF_INIT(1 << 20);
	AUTO_BUF struct buf text = BUF_INIT(1 << 21);
	if (codec_base64_decode(&plain, s) != 0) {
		if (plain.len != 0)
			abort();
		return;
	}
	if (codec_base64_add(&text, buf_span(&plain)) != 0 ||
	    !span_eq(buf_span(&text), s))
		abort();
}

static void check_words(struct span line) {
	struct span key, value;
	while (codec_word_take(&line, &key, &value)) {
		if (span_find(key, ' ') != key.len || span_find(key, '=') != key.len)
			abort();
		if (value.p && span_find(value, ' ') != value.len)
			abort();
	}
	if (line.len > 1)
		abort();
}

static void check_base32hex(struct span s) {
	uint8_t bits[10];
	char text[16];
	if (codec_base32hex_80_decode(bits, s) != 0)
		return;
	codec_base32hex_80(text, bits);
	if (!span_eq_nocase(span_of(text, sizeof(text)), s))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct span s = span_of(data, size);
	check_percent(s);
	check_base64(s);
	check_words(s);
	check_base32hex(s);
	if (codec_crc32c(0, data, size) != codec_crc32c_portable(0, data, size))
		abort();
	return 0;
}
