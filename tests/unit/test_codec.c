/* Encodings: vectors of the RFCs, strictness, and that all bytes survive a round trip. */

#include "base/codec.h"

#include "tap.h"

static void test_percent(void) {
	static const struct {
		struct span input;
		const char *want;
	} cases[] = {
		{ SPAN_INIT("alice@example.org"), "alice@example.org" },
		{ SPAN_INIT(""), "%" },
		{ SPAN_INIT("%"), "%25" },
		{ SPAN_INIT("a b=c%d"), "a%20b%3Dc%25d" },
		{ SPAN_INIT("x\r\nRCPT\0\x7f\xff"), "x%0D%0ARCPT%00%7F%FF" },
		{ SPAN_INIT("!~\"\\"), "!~\"\\" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(100);
		codec_percent_add(&out, cases[i].input);
		is_str(buf_str(&out), cases[i].want,
		       "percent %zu is written as it should be", i);
	}
	char all[256];
	for (unsigned i = 0; i < 256; i++)
		all[i] = (char)i;
	AUTO_BUF struct buf text = BUF_INIT(1000);
	AUTO_BUF struct buf back = BUF_INIT(1000);
	codec_percent_add(&text, span_of(all, 256));
	bool clean = true;
	for (size_t i = 0; i < text.len; i++)
		clean = clean && text.data[i] > 0x20 && text.data[i] < 0x7f &&
			text.data[i] != '=';
	ok(clean, "all 256 bytes in percent are one word");
	ok(codec_percent_decode(&back, buf_span(&text)) == 0 &&
		   span_eq(buf_span(&back), span_of(all, 256)),
	   "all 256 bytes survive percent");
	AUTO_BUF struct buf small = BUF_INIT(2);
	is_int(codec_percent_add(&small, SPAN(" ")), -1,
	       "percent past the ceiling fails");
}

static void test_percent_decode(void) {
	static const struct {
		const char *label, *input, *want;
	} cases[] = {
		{ "a lone percent is empty", "%", "" },
		{ "the empty word is empty", "", "" },
		{ "lower-case digits are taken", "%c3%a9", "\xc3\xa9" },
		{ "one digit is refused", "a%4", NULL },
		{ "no digit is refused", "a%", NULL },
		{ "a wrong digit is refused", "%4g", NULL },
		{ "a space is refused", "a b", NULL },
		{ "a control character is refused", "a\nb", NULL },
		{ "DEL is refused", "\x7f", NULL },
		{ "a high byte is refused", "\xc3\xa9", NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(100);
		buf_adds(&out, "before");
		int r = codec_percent_decode(&out, span_str(cases[i].input));
		if (cases[i].want)
			ok(r == 0 && strcmp(buf_str(&out) + 6, cases[i].want) == 0,
			   "percent: %s", cases[i].label);
		else
			ok(r == -1 && strcmp(buf_str(&out), "before") == 0, "percent: %s",
			   cases[i].label);
	}
}

static void test_words(void) {
	AUTO_BUF struct buf line = BUF_INIT(200);
	buf_adds(&line, "to");
	codec_word_add(&line, "rcpt", SPAN("a b"));
	codec_word_add(&line, "envid", SPAN(""));
	codec_word_add_int(&line, "n", -12);
	is_str(buf_str(&line), "to rcpt=a%20b envid=% n=-12",
	       "words are written with one space");

	struct span in = buf_span(&line), key, value;
	ok(codec_word_take(&in, &key, &value) && span_eq(key, SPAN("to")) && !value.p,
	   "a word without = has no value");
	ok(codec_word_take(&in, &key, &value) && span_eq(key, SPAN("rcpt")) &&
		   span_eq(value, SPAN("a%20b")),
	   "a value stays encoded");
	codec_word_take(&in, &key, &value);
	codec_word_take(&in, &key, &value);
	ok(span_eq(value, SPAN("-12")) && !codec_word_take(&in, &key, &value),
	   "the last word ends the line");

	in = SPAN("a  b=");
	codec_word_take(&in, &key, &value);
	ok(codec_word_take(&in, &key, &value) && key.len == 0,
	   "two spaces have an empty word between");
	ok(codec_word_take(&in, &key, &value) && value.p && value.len == 0,
	   "an empty value is a value");
	in = SPAN("a=b=c");
	ok(codec_word_take(&in, &key, &value) && span_eq(value, SPAN("b=c")),
	   "the first = divides");
}

static void test_base64(void) {
	static const struct {
		const char *plain, *text;
	} rfc4648[] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xff\xef\xbf", "/++/" },
	};
	for (size_t i = 0; i < sizeof(rfc4648) / sizeof(rfc4648[0]); i++) {
		AUTO_BUF struct buf text = BUF_INIT(20);
		AUTO_BUF struct buf back = BUF_INIT(20);
		codec_base64_add(&text, span_str(rfc4648[i].plain));
		is_str(buf_str(&text), rfc4648[i].text, "base64 vector %zu is encoded",
		       i);
		int r = codec_base64_decode(&back, buf_span(&text));
		ok(r == 0 && strcmp(buf_str(&back), rfc4648[i].plain) == 0,
		   "and decoded");
	}
	static const char *const refused[] = {
		"Zg",       "Zg=",  "Zg===", "Z===", "====", "Zm9v Zm9v", "Zm9v\n",
		"Zg==Zg==", "Zh==", "Zm9=",  "Z=8=", "Zm9-", "Zm9_",      "=m9v",
	};
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(20);
		buf_adds(&out, "x");
		ok(codec_base64_decode(&out, span_str(refused[i])) == -1 && out.len == 1,
		   "base64 \"%s\" is refused and adds nothing", refused[i]);
	}
	AUTO_BUF struct buf out = BUF_INIT(20);
	is_int(codec_base64_decode(&out, SPAN("Zm\0v")), -1,
	       "base64 with a NUL is refused");
}

static void test_base32hex(void) {
	static const uint8_t low[10] = { 0 }, one[10] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
	static const uint8_t mixed[10] = { 'f', 'o', 'o', 'b', 'a',
					   'r', 'f', 'o', 'o', 'b' };
	uint8_t back[10], high[10];
	char a[17] = "", b[17] = "";
	memset(high, 0xff, sizeof(high));
	codec_base32hex_80(a, mixed);
	is_str(a, "CPNMUOJ1E9J6URR2", "base32hex is that of RFC 4648");
	ok(codec_base32hex_80_decode(back, span_str(a)) == 0 &&
		   memcmp(back, mixed, 10) == 0,
	   "and decoded");
	ok(codec_base32hex_80_decode(back, SPAN("cpnmuoj1e9j6urr2")) == 0 &&
		   memcmp(back, mixed, 10) == 0,
	   "lower case is accepted");
	codec_base32hex_80(a, low);
	codec_base32hex_80(b, one);
	ok(strcmp(a, b) < 0, "the text of 0 sorts before that of 1");
	codec_base32hex_80(a, high);
	ok(strcmp(b, a) < 0, "and that before the highest");
	is_str(a, "VVVVVVVVVVVVVVVV", "which is all V");
	memset(back, 7, sizeof(back));
	is_int(codec_base32hex_80_decode(back, SPAN("CPNMUOJ1CPNMUOW2")), -1,
	       "W is no digit");
	is_int(back[0], 7, "and nothing was written");
	is_int(codec_base32hex_80_decode(back, SPAN("CPNMUOJ1CPNMUO2")), -1,
	       "15 digits are too few");
	is_int(codec_base32hex_80_decode(back, SPAN("CPNMUOJ1CPNMU\0J2")), -1,
	       "NUL is no digit");
	for (const char *p = "/:@[`{wWzZ\xc1\xe1"; *p; p++) {
		char text[] = "CPNMUOJ1CPNMUO02";
		text[14] = *p;
		is_int(codec_base32hex_80_decode(back, span_str(text)), -1, "nor is \\x%02x",
		       (unsigned char)*p);
	}
}

static void test_crc32c(void) {
	char zeros[32] = { 0 }, ones[32], up[32], down[32];
	memset(ones, 0xff, sizeof(ones));
	for (int i = 0; i < 32; i++) {
		up[i] = (char)i;
		down[i] = (char)(31 - i);
	}
	/* RFC 3720 B.4, bytes in the order of the number. */
	is_int(codec_crc32c(0, zeros, 32), 0x8a9136aa, "crc32c of 32 zeros");
	is_int(codec_crc32c(0, ones, 32), 0x62a8ab43, "crc32c of 32 ones");
	is_int(codec_crc32c(0, up, 32), 0x46dd794e, "crc32c of 32 rising bytes");
	is_int(codec_crc32c(0, down, 32), 0x113fdb5c, "crc32c of 32 falling bytes");
	is_int(codec_crc32c(0, "123456789", 9), 0xe3069283, "crc32c of the check string");
	is_int(codec_crc32c(0, "", 0), 0, "crc32c of nothing");
	is_int(codec_crc32c_portable(0, "123456789", 9), 0xe3069283,
	       "the portable one agrees");

	char data[1000];
	uint32_t seed = 1;
	for (size_t i = 0; i < sizeof(data); i++) {
		seed = seed * 1664525 + 1013904223;
		data[i] = (char)(seed >> 24);
	}
	uint32_t whole = codec_crc32c(0, data, sizeof(data));
	bool continued = true, agree = true;
	for (size_t cut = 0; cut <= sizeof(data); cut++) {
		uint32_t crc = codec_crc32c(0, data, cut);
		agree = agree && crc == codec_crc32c_portable(0, data, cut);
		continued = continued &&
			    codec_crc32c(crc, data + cut, sizeof(data) - cut) == whole;
	}
	ok(continued, "crc32c continued at any place is that of the whole");
	ok(agree, "both ways agree for every length");
	data[500] = (char)(data[500] ^ 1);
	ok(codec_crc32c(0, data, sizeof(data)) != whole, "one flipped bit shows");
}

static void test_hex(void) {
	AUTO_BUF struct buf out = BUF_INIT(100);
	codec_hex_add(&out, 0xbeef, 8);
	buf_addc(&out, ' ');
	codec_hex_add(&out, 0xabc, 2);
	buf_addc(&out, ' ');
	codec_hex_add(&out, UINT64_MAX, 18);
	is_str(buf_str(&out), "0000beef bc 00ffffffffffffffff",
	       "hexadecimal of a given width");
}

int main(void) {
	test_percent();
	test_percent_decode();
	test_words();
	test_base64();
	test_base32hex();
	test_crc32c();
	test_hex();
	return done_testing();
}
