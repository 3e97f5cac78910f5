/*
 * One line is one item. A line that is wrong becomes an error item and the next line is
 * read as if nothing had happened, so that one pass finds every error; only a section line
 * that is wrong says so (INI_BAD_SECTION), because the keys behind it must not fall into
 * the section before it.
 *
 * Control characters and invalid UTF-8 are refused everywhere but in comments, so nothing
 * of a value can ever make a line in a log or a protocol.
 */

#include "config/ini.h"

static const char expected[] =
	"expected [section], key = value, or a comment line that begins with #";

struct ini ini_over(struct span text) {
	struct ini in = { .rest = text, .line = 0 };
	span_take_lit(&in.rest, SPAN("\xef\xbb\xbf"));
	return in;
}

static struct span trim_blanks(struct span s) {
	while (s.len && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_from(s, 1);
	while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static unsigned column_of(struct span line, struct span part) {
	return (unsigned)(part.p - line.p) + 1;
}

static enum ini_kind wrong(struct ini_item *ret, enum ini_kind kind, unsigned column,
			   const char *words) {
	ret->kind = kind;
	ret->column = column;
	ret->words = words;
	return kind;
}

/* Returns words when the line holds a byte that no value may have, with its column. */
static const char *bad_bytes(struct span line, unsigned *ret_column) {
	struct span rest = line;
	while (rest.len) {
		uint32_t cp;
		*ret_column = column_of(line, rest);
		if (!span_take_utf8(&rest, &cp))
			return "this is not UTF-8 text";
		if ((cp < 0x20 && cp != '\t') || (cp >= 0x7f && cp < 0xa0))
			return "control characters are not allowed here";
	}
	return NULL;
}

/* [word] or [word name] */
static enum ini_kind take_section(struct span line, struct span text,
				  struct ini_item *ret) {
	struct span inside, rest = span_from(text, 1);
	if (!span_take_until(&rest, ']', &inside))
		return wrong(ret, INI_BAD_SECTION, column_of(line, text),
			     "this [ has no ]");
	rest = trim_blanks(rest);
	if (rest.len)
		return wrong(
			ret, INI_BAD_SECTION, column_of(line, rest),
			"nothing may stand behind the ]; comments have lines of their own");
	inside = trim_blanks(inside);
	struct span name = inside;
	if (!span_take_word(&name, &ret->word))
		return wrong(ret, INI_BAD_SECTION, column_of(line, text),
			     "the section has no name");
	ret->name = trim_blanks(name);
	ret->value_column = column_of(line, ret->name);
	ret->column = column_of(line, ret->word);
	return ret->kind = INI_SECTION;
}

/* key = value, or -key = */
static enum ini_kind take_key(struct span line, struct span text, struct ini_item *ret) {
	struct span key, value = text;
	unsigned column = column_of(line, text);
	bool unset = span_take_char(&value, '-');
	if (!span_take_until(&value, '=', &key))
		return wrong(ret, INI_ERROR, column,
			     unset ? "expected -key =, to take a key back" : expected);
	ret->word = trim_blanks(key);
	if (ret->word.len == 0)
		return wrong(ret, INI_ERROR, column, "there is no key before the =");
	ret->value = trim_blanks(value);
	ret->value_column = column_of(line, ret->value);
	if (unset && ret->value.len)
		return wrong(ret, INI_ERROR, ret->value_column,
			     "a key that is taken back with - has no value");
	ret->column = column;
	return ret->kind = unset ? INI_UNSET : INI_KEY;
}

static enum ini_kind take_text(struct span line, struct ini_item *ret) {
	struct span text = trim_blanks(line);
	unsigned column = 0;
	const char *words;
	if (line.len > INI_LINE_MAX)
		words = "the line is longer than 4096 bytes";
	else
		words = bad_bytes(line, &column);
	if (words)
		return wrong(ret, text.p[0] == '[' ? INI_BAD_SECTION : INI_ERROR,
			     column ? column : INI_LINE_MAX + 1, words);
	return text.p[0] == '[' ? take_section(line, text, ret)
				: take_key(line, text, ret);
}

enum ini_kind ini_next(struct ini *in, struct ini_item *ret) {
	struct span line;
	while (span_take_line(&in->rest, &line)) {
		struct span text = trim_blanks(line);
		in->line++;
		if (text.len == 0 || text.p[0] == '#' || text.p[0] == ';')
			continue;
		*ret = (struct ini_item){ .line = in->line };
		return take_text(line, ret);
	}
	*ret = (struct ini_item){ .kind = INI_END, .line = in->line };
	return INI_END;
}
