/*
 * Character sets by iconv(3). Only those that occur in mail are named: a message must not
 * choose freely among all the converters that a libc has. Latin 1 and its kin are read as
 * the Windows code pages that extend them, as everybody does who wrote them.
 */

#include "mail/charset.h"

#include <errno.h>
#include <iconv.h>

#define REPLACEMENT "\xef\xbf\xbd"
#define PIECE 4096u

/* Names of mail and what iconv calls them; "" is UTF-8, which is checked here. */
static const struct {
	struct span name;
	const char *iconv;
} sets[] = {
	{ SPAN_INIT("utf-8"), "" },
	{ SPAN_INIT("utf8"), "" },
	{ SPAN_INIT("us-ascii"), "" },
	{ SPAN_INIT("ascii"), "" },
	{ SPAN_INIT("ansi_x3.4-1968"), "" },
	{ SPAN_INIT("unknown-8bit"), "" },
	{ SPAN_INIT("iso-8859-1"), "CP1252" },
	{ SPAN_INIT("iso8859-1"), "CP1252" },
	{ SPAN_INIT("iso_8859-1"), "CP1252" },
	{ SPAN_INIT("latin1"), "CP1252" },
	{ SPAN_INIT("iso-8859-2"), "ISO-8859-2" },
	{ SPAN_INIT("iso-8859-3"), "ISO-8859-3" },
	{ SPAN_INIT("iso-8859-4"), "ISO-8859-4" },
	{ SPAN_INIT("iso-8859-5"), "ISO-8859-5" },
	{ SPAN_INIT("iso-8859-6"), "ISO-8859-6" },
	{ SPAN_INIT("iso-8859-7"), "ISO-8859-7" },
	{ SPAN_INIT("iso-8859-8"), "ISO-8859-8" },
	{ SPAN_INIT("iso-8859-8-i"), "ISO-8859-8" },
	{ SPAN_INIT("iso-8859-9"), "CP1254" },
	{ SPAN_INIT("iso-8859-10"), "ISO-8859-10" },
	{ SPAN_INIT("iso-8859-11"), "ISO-8859-11" },
	{ SPAN_INIT("iso-8859-13"), "ISO-8859-13" },
	{ SPAN_INIT("iso-8859-14"), "ISO-8859-14" },
	{ SPAN_INIT("iso-8859-15"), "ISO-8859-15" },
	{ SPAN_INIT("iso-8859-16"), "ISO-8859-16" },
	{ SPAN_INIT("windows-1250"), "CP1250" },
	{ SPAN_INIT("windows-1251"), "CP1251" },
	{ SPAN_INIT("windows-1252"), "CP1252" },
	{ SPAN_INIT("windows-1253"), "CP1253" },
	{ SPAN_INIT("windows-1254"), "CP1254" },
	{ SPAN_INIT("windows-1255"), "CP1255" },
	{ SPAN_INIT("windows-1256"), "CP1256" },
	{ SPAN_INIT("windows-1257"), "CP1257" },
	{ SPAN_INIT("windows-1258"), "CP1258" },
	{ SPAN_INIT("cp1250"), "CP1250" },
	{ SPAN_INIT("cp1251"), "CP1251" },
	{ SPAN_INIT("cp1252"), "CP1252" },
	{ SPAN_INIT("windows-874"), "CP874" },
	{ SPAN_INIT("tis-620"), "CP874" },
	{ SPAN_INIT("koi8-r"), "KOI8-R" },
	{ SPAN_INIT("koi8-u"), "KOI8-U" },
	{ SPAN_INIT("ibm437"), "CP437" },
	{ SPAN_INIT("cp437"), "CP437" },
	{ SPAN_INIT("ibm850"), "CP850" },
	{ SPAN_INIT("cp850"), "CP850" },
	{ SPAN_INIT("ibm866"), "CP866" },
	{ SPAN_INIT("cp866"), "CP866" },
	{ SPAN_INIT("macintosh"), "MACINTOSH" },
	{ SPAN_INIT("iso-2022-jp"), "ISO-2022-JP" },
	{ SPAN_INIT("euc-jp"), "EUC-JP" },
	{ SPAN_INIT("shift_jis"), "CP932" },
	{ SPAN_INIT("shift-jis"), "CP932" },
	{ SPAN_INIT("sjis"), "CP932" },
	{ SPAN_INIT("windows-31j"), "CP932" },
	{ SPAN_INIT("euc-kr"), "UHC" },
	{ SPAN_INIT("ks_c_5601-1987"), "UHC" },
	{ SPAN_INIT("gb2312"), "GB18030" },
	{ SPAN_INIT("gbk"), "GB18030" },
	{ SPAN_INIT("gb18030"), "GB18030" },
	{ SPAN_INIT("big5"), "BIG5" },
	{ SPAN_INIT("big5-hkscs"), "BIG5-HKSCS" },
	{ SPAN_INIT("utf-7"), "UTF-7" },
	{ SPAN_INIT("utf-16"), "UTF-16" },
	{ SPAN_INIT("utf-16le"), "UTF-16LE" },
	{ SPAN_INIT("utf-16be"), "UTF-16BE" },
};

static const char *find(struct span name) {
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		if (span_eq_nocase(name, sets[i].name))
			return sets[i].iconv;
	return NULL;
}

static void add_utf8(struct buf *out, struct span bytes) {
	while (bytes.len) {
		struct span rest = bytes;
		uint32_t cp;
		if (span_take_utf8(&rest, &cp)) {
			buf_add(out, span_head(bytes, bytes.len - rest.len));
		} else {
			buf_adds(out, REPLACEMENT);
			rest = span_from(rest, 1);
		}
		bytes = rest;
	}
}

/* Converts what can be, up to a byte that cannot or the end. iconv() takes its input without
 * const, and does not write there. */
static void convert(iconv_t cd, struct buf *out, struct span bytes) {
	char piece[PIECE];
	char *in;
	size_t left = bytes.len;
	memcpy(&in, &bytes.p, sizeof(in));
	while (left && !buf_failed(out)) {
		char *to = piece;
		size_t room = sizeof(piece);
		size_t r = iconv(cd, &in, &left, &to, &room);
		int why = errno;
		buf_addm(out, piece, (size_t)(to - piece));
		if (r == (size_t)-1 && why != E2BIG) {
			buf_adds(out, REPLACEMENT);
			in++;
			left--;
		}
	}
}

int charset_add(struct buf *out, struct span name, struct span bytes) {
	const char *known = find(name);
	iconv_t cd = known && known[0] ? iconv_open("UTF-8", known) : (iconv_t)-1;
	if (cd == (iconv_t)-1) {
		add_utf8(out, bytes);
	} else {
		convert(cd, out, bytes);
		iconv_close(cd);
	}
	return buf_failed(out) ? -1 : 0;
}
