/* Transfer encodings, encoded words, character sets and parameters, as they occur in mail. */

#include "mail/decode.h"

#include "mail/charset.h"
#include "mail/param.h"
#include "tap.h"

#define OUT_MAX 65536u
/* A literal with what is in it, NULs too. */
#define BYTES(literal) SPAN(literal)

static void is_span(struct span got, struct span want, const char *name) {
	if (ok(span_eq(got, want), "%s", name))
		return;
	printf("#   got \"%.*s\"\n#  want \"%.*s\"\n", (int)got.len, got.p, (int)want.len,
	       want.p);
}

static void test_base64(void) {
	static const struct {
		const char *name;
		struct span in, want;
	} cases[] = {
		{ "the empty text", SPAN_INIT(""), SPAN_INIT("") },
		{ "three bytes", SPAN_INIT("Zm9v"), SPAN_INIT("foo") },
		{ "padding", SPAN_INIT("Zm8="), SPAN_INIT("fo") },
		{ "twice", SPAN_INIT("Zg=="), SPAN_INIT("f") },
		{ "without padding", SPAN_INIT("Zm8"), SPAN_INIT("fo") },
		{ "lines", SPAN_INIT("Zm\r\n 9v\r\n"), SPAN_INIT("foo") },
		{ "what is no digit", SPAN_INIT("Z!m-9.v"), SPAN_INIT("foo") },
		{ "two pieces one behind the other", SPAN_INIT("Zg==Zm9v"),
		  SPAN_INIT("ffoo") },
		{ "NUL and high bytes", SPAN_INIT("AP+A"), SPAN_INIT("\0\xff\x80") },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(OUT_MAX);
		is_int(decode_base64(&out, cases[i].in), 0, "base64 with %s",
		       cases[i].name);
		is_span(buf_span(&out), cases[i].want, "gives its bytes");
	}
	AUTO_BUF struct buf little = BUF_INIT(2);
	is_int(decode_base64(&little, SPAN("Zm9v")), -1,
	       "base64 for which there is no room fails");
}

static void test_qp(void) {
	static const struct {
		const char *name;
		struct span in, want;
	} cases[] = {
		{ "plain text", SPAN_INIT("hello"), SPAN_INIT("hello") },
		{ "an octet", SPAN_INIT("a=3Db=C3=A4"), SPAN_INIT("a=b\xc3\xa4") },
		{ "lower-case digits", SPAN_INIT("=c3=a4"), SPAN_INIT("\xc3\xa4") },
		{ "a soft line break", SPAN_INIT("a=\r\nb=\nc"), SPAN_INIT("abc") },
		{ "one with blanks behind it", SPAN_INIT("a= \t\r\nb"), SPAN_INIT("ab") },
		{ "line ends", SPAN_INIT("a\r\nb\nc"), SPAN_INIT("a\r\nb\nc") },
		{ "blanks at a line's end", SPAN_INIT("a  \r\nb\t"),
		  SPAN_INIT("a\r\nb") },
		{ "an = that means nothing", SPAN_INIT("a=xyz="), SPAN_INIT("a=xyz") },
		{ "a half octet", SPAN_INIT("=4"), SPAN_INIT("=4") },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(OUT_MAX);
		is_int(decode_qp(&out, cases[i].in), 0, "quoted-printable with %s",
		       cases[i].name);
		is_span(buf_span(&out), cases[i].want, "gives its bytes");
	}
}

static void test_words(void) {
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "Hello", "Hello" },
		{ " folded\r\n\ttext ", "folded text" },
		{ "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "Gr\xc3\xbc\xc3\x9f"
						 "e" },
		{ "=?UTF-8?q?a_b?= c", "a b c" },
		{ "=?utf-8?B?R3LDvMOfZQ==?=", "Gr\xc3\xbc\xc3\x9f"
					      "e" },
		{ "=?iso-8859-1?Q?caf=E9?=", "caf\xc3\xa9" },
		{ "=?iso-8859-1*fr?Q?caf=E9?=", "caf\xc3\xa9" },
		{ "=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\xe6\x97\xa5\xe6\x9c\xac" },
		/* Blanks between words are nothing, other blanks are. */
		{ "=?utf-8?Q?a?= =?utf-8?Q?b?=", "ab" },
		{ "=?utf-8?Q?a?=\r\n =?iso-8859-1?Q?=E9?=", "a\xc3\xa9" },
		{ "=?utf-8?Q?a?= x =?utf-8?Q?b?=", "a x b" },
		/* A character torn between two words. */
		{ "=?utf-8?Q?=C3?= =?utf-8?Q?=A4?=", "\xc3\xa4" },
		{ "=?utf-8?Q?broken", "=?utf-8?Q?broken" },
		{ "=?utf-8?X?a?=", "=?utf-8?X?a?=" },
		{ "=?", "=?" },
		{ "=?klingon?Q?a=FF?=", "a\xef\xbf\xbd" },
		{ "=?utf-8?Q?a=0D=0AEvil:_x?=", "a  Evil: x" },
		{ "=?utf-8?Q?=1B[31m?=", " [31m" },
		{ "\"=?utf-8?Q?=C3=A4?=\" <a@b>", "\"\xc3\xa4\" <a@b>" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(OUT_MAX);
		decode_words(&out, span_str(cases[i].in));
		is_str(buf_str(&out), cases[i].want, "the words %s", cases[i].in);
	}
}

static void test_charsets(void) {
	static const struct {
		const char *name;
		struct span in;
		const char *want;
	} cases[] = {
		{ "utf-8", SPAN_INIT("\xc3\xa4\xff"), "\xc3\xa4\xef\xbf\xbd" },
		{ "us-ascii", SPAN_INIT("a\x80"), "a\xef\xbf\xbd" },
		{ "ISO-8859-1", SPAN_INIT("\xe4\x80"), "\xc3\xa4\xe2\x82\xac" },
		{ "iso-8859-15", SPAN_INIT("\xa4"), "\xe2\x82\xac" },
		{ "windows-1251", SPAN_INIT("\xcf\xf0"), "\xd0\x9f\xd1\x80" },
		{ "koi8-r", SPAN_INIT("\xf0"), "\xd0\x9f" },
		{ "shift_jis", SPAN_INIT("\x93\xfa\x96\x7b"),
		  "\xe6\x97\xa5\xe6\x9c\xac" },
		{ "euc-jp", SPAN_INIT("\xc6\xfc"), "\xe6\x97\xa5" },
		{ "gb2312", SPAN_INIT("\xd6\xd0"), "\xe4\xb8\xad" },
		{ "big5", SPAN_INIT("\xa4\xa4"), "\xe4\xb8\xad" },
		{ "ks_c_5601-1987", SPAN_INIT("\xc7\xd1"), "\xed\x95\x9c" },
		{ "utf-16le", SPAN_INIT("a\0b\0"), "ab" },
		/* Bytes that are cut off are no character. */
		{ "euc-jp", SPAN_INIT("a\xc6"), "a\xef\xbf\xbd" },
		{ "x-unknown", SPAN_INIT("\xc3\xa4"), "\xc3\xa4" },
		{ "", SPAN_INIT("a"), "a" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(OUT_MAX);
		is_int(charset_add(&out, span_str(cases[i].name), cases[i].in), 0,
		       "text in \"%s\"", cases[i].name);
		is_str(buf_str(&out), cases[i].want, "comes as UTF-8");
	}
	AUTO_BUF struct buf little = BUF_INIT(3);
	is_int(charset_add(&little, SPAN("koi8-r"), SPAN("\xf0\xf0")), -1,
	       "text for which there is no room fails");
}

static void test_params(void) {
	static const struct {
		const char *in, *type, *name, *want; /* want NULL: there is none */
	} cases[] = {
		{ "text/plain", "text/plain", "charset", NULL },
		{ " TEXT / Plain (so) ; Charset = \"UTF-8\"", "text/plain", "charset",
		  "UTF-8" },
		{ "a/b; name=\"x;\\\"y\"; z=1", "a/b", "z", "1" },
		{ "a/b; name=\"x;\\\"y\"", "a/b", "name", "x;\"y" },
		{ "a/b; name=my file.txt; x=y", "a/b", "name", "my file.txt" },
		{ "a/b; ; x", "a/b", "x", NULL },
		{ "attachment; filename*=utf-8'de'%C3%A4.txt", "attachment", "filename",
		  "\xc3\xa4.txt" },
		{ "a; filename*0*=iso-8859-1''%E4; filename*1=b; filename*2*=%E4", "a",
		  "filename",
		  "\xc3\xa4"
		  "b\xc3\xa4" },
		{ "a; filename*1=b; filename*0=a", "a", "FILENAME", "ab" },
		{ "a; filename=plain; filename*=utf-8''better", "a", "filename",
		  "better" },
		{ "a; filename=\"=?utf-8?Q?=C3=A4?=.txt\"", "a", "filename",
		  "\xc3\xa4.txt" },
		{ "", "", "x", NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf type = BUF_INIT(OUT_MAX), value = BUF_INIT(OUT_MAX);
		struct param_list list;
		param_parse(span_str(cases[i].in), &type, &list);
		is_str(buf_str(&type), cases[i].type, "what \"%s\" begins with",
		       cases[i].in);
		bool found = param_find(&list, span_str(cases[i].name), &value);
		is_str(found ? buf_str(&value) : NULL, cases[i].want, "and its %s",
		       cases[i].name);
	}
	AUTO_BUF struct buf many = BUF_INIT(OUT_MAX), type = BUF_INIT(OUT_MAX);
	struct param_list list;
	buf_adds(&many, "a/b");
	for (unsigned i = 0; i < 2 * PARAM_MAX; i++)
		buf_addf(&many, "; x%u=y", i);
	param_parse(buf_span(&many), &type, &list);
	is_int(list.count, PARAM_MAX, "of very many parameters the first are read");
}

int main(void) {
	test_base64();
	test_qp();
	test_words();
	test_charsets();
	test_params();
	return done_testing();
}
