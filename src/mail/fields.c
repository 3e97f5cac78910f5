/* Name=value lists; see fields.h. */

#include "mail/fields.h"

static bool is_blank(char c) {
	return c == ' ' || c == '\t';
}

struct span fields_trim(struct span s) {
	while (s.len > 0 && is_blank(s.p[0]))
		s = span_from(s, 1);
	while (s.len > 0 && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

static bool is_name_char(char c) {
	return span_is_alnum(c) || c == '_' || c == '-' || c == '.';
}

int fields_take(struct span *rest, struct field *ret) {
	struct span in = fields_trim(*rest);
	size_t n = 0;
	if (in.len == 0)
		return 0;
	struct span whole = span_head(in, span_find(in, ';'));
	size_t equals = span_find(whole, '=');
	ret->name = fields_trim(span_head(whole, equals));
	while (n < ret->name.len && is_name_char(ret->name.p[n]))
		n++;
	if (n == 0 || n < ret->name.len || equals == whole.len)
		return -1;
	struct span value = span_from(whole, equals + 1);
	ret->value = fields_trim(value);
	ret->spaced = equals != ret->name.len || (value.len > 0 && is_blank(value.p[0]));
	*rest = span_from(in, whole.len + 1);
	return 1;
}

bool fields_take_item(struct span *list, char separator, struct span *ret) {
	if (!list->p)
		return false;
	size_t n = span_find(*list, separator);
	*ret = fields_trim(span_head(*list, n));
	if (n == list->len)
		*list = (struct span){ NULL, 0 };
	else
		*list = span_from(*list, n + 1);
	return true;
}
