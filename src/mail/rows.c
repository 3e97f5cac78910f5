/*
 * Rows: what both formats share, and CSV. RFC 4180:
 *
 *     file    = record *(CRLF record) [CRLF]
 *     record  = field *("," field)
 *     field   = DQUOTE *(TEXTDATA / "," / CR / LF / 2DQUOTE) DQUOTE / *TEXTDATA
 *
 * Deviations: LF and CR alone end a line too, and the separator may be another.
 */

#include "mail/rows.h"

void row_init(struct row *row) {
	buf_init(&row->text, ROWS_ROW_MAX);
	row->count = 0;
}

void row_release(struct row *row) {
	buf_release(&row->text);
}

int row_add_text(struct row *row, struct row_text *slot, struct span text) {
	*slot = (struct row_text){ row->text.len, text.len };
	return buf_add(&row->text, text);
}

static struct span text_of(const struct row *row, struct row_text t) {
	return span_head(span_from(buf_span(&row->text), t.at), t.len);
}

struct span row_name(const struct row *row, size_t i) {
	return text_of(row, row->name[i]);
}

struct span row_value(const struct row *row, size_t i) {
	return text_of(row, row->value[i]);
}

bool row_get(const struct row *row, struct span name, struct span *ret) {
	for (size_t i = 0; i < row->count; i++)
		if (span_eq(row_name(row, i), name)) {
			*ret = row_value(row, i);
			return true;
		}
	return false;
}

/* --- CSV --- */

static bool at_line_end(struct span in) {
	return in.len == 0 || in.p[0] == '\r' || in.p[0] == '\n';
}

static void take_line_end(struct rows *r) {
	if (!span_take_lit(&r->rest, SPAN("\r\n")) && !span_take_char(&r->rest, '\n'))
		(void)span_take_char(&r->rest, '\r');
	r->line++;
}

/* Takes what stands between quotes, and the quotes. */
static int take_quoted(struct rows *r, struct buf *out, struct err *err) {
	size_t start = r->line;
	struct span part;
	while (span_take_until(&r->rest, '"', &part)) {
		buf_add(out, part);
		for (size_t i = 0; i < part.len; i++)
			r->line += part.p[i] == '\n';
		if (!span_take_char(&r->rest, '"')) {
			if (at_line_end(r->rest) || r->rest.p[0] == r->separator)
				return 0;
			return err_set(
				err, ERR_SYNTAX,
				"line %zu: text behind the closing quote of a field",
				r->line);
		}
		buf_addc(out, '"');
	}
	return err_set(err, ERR_SYNTAX, "line %zu: the quote of a field is never closed",
		       start);
}

static int take_plain(struct rows *r, struct buf *out, struct err *err) {
	size_t n = 0;
	while (n < r->rest.len && r->rest.p[n] != r->separator &&
	       !at_line_end(span_from(r->rest, n))) {
		if (r->rest.p[n] == '"')
			return err_set(err, ERR_SYNTAX,
				       "line %zu: a quote inside a field without quotes",
				       r->line);
		n++;
	}
	buf_add(out, span_head(r->rest, n));
	r->rest = span_from(r->rest, n);
	return 0;
}

static int take_record(struct rows *r, struct row *row, struct err *err) {
	size_t line = r->line;
	row->count = 0;
	buf_reset(&row->text);
	do {
		if (row->count == ROWS_CELLS_MAX)
			return err_set(err, ERR_LIMIT, "line %zu: more than %u fields",
				       line, ROWS_CELLS_MAX);
		size_t at = row->text.len;
		bool quoted = span_take_char(&r->rest, '"');
		if ((quoted ? take_quoted : take_plain)(r, &row->text, err) != 0)
			return -1;
		row->value[row->count++] = (struct row_text){ at, row->text.len - at };
	} while (span_take_char(&r->rest, r->separator));
	take_line_end(r);
	return buf_failed(&row->text)
		       ? err_set(err, ERR_LIMIT, "line %zu: the row is too long", line)
		       : 0;
}

static int next_csv(struct rows *r, struct row *row, struct err *err) {
	while (r->rest.len > 0 && at_line_end(r->rest))
		take_line_end(r);
	if (r->rest.len == 0)
		return 0;
	size_t line = r->line;
	if (take_record(r, row, err) != 0)
		return -1;
	if (row->count != r->names.count)
		return err_set(err, ERR_SYNTAX,
			       "line %zu: %zu fields, the first line has %zu", line,
			       row->count, r->names.count);
	for (size_t i = 0; i < row->count; i++)
		if (row_add_text(row, &row->name[i], row_value(&r->names, i)) != 0)
			return err_set(err, ERR_LIMIT, "line %zu: the row is too long",
				       line);
	r->count++;
	return 1;
}

static char find_separator(struct span data) {
	struct span line = span_head(data, span_find(data, '\n'));
	if (span_find(line, ',') < line.len)
		return ',';
	if (span_find(line, ';') < line.len)
		return ';';
	return span_find(line, '\t') < line.len ? '\t' : ',';
}

static int open_csv(struct rows *r, struct err *err) {
	r->separator = find_separator(r->rest);
	while (r->rest.len > 0 && at_line_end(r->rest))
		take_line_end(r);
	if (r->rest.len == 0)
		return err_set(err, ERR_SYNTAX,
			       "no first line with the names of the fields");
	return take_record(r, &r->names, err);
}

/* --- both --- */

static int check_text(struct span data, struct err *err) {
	size_t line = 1;
	uint32_t cp;
	while (data.len > 0) {
		char c = data.p[0];
		line += c == '\n';
		if (c == 0)
			return err_set(
				err, ERR_SYNTAX,
				"line %zu has a NUL byte (UTF-16? only UTF-8 is read)",
				line);
		if (!span_take_utf8(&data, &cp))
			return err_set(err, ERR_SYNTAX, "line %zu is not UTF-8", line);
	}
	return 0;
}

int rows_open(struct rows *r, enum rows_format format, struct span data,
	      struct err *err) {
	r->format = format;
	r->rest = data;
	r->line = 1;
	r->separator = ',';
	r->in_array = false;
	r->count = 0;
	row_init(&r->names);
	span_take_lit(&r->rest, SPAN("\xef\xbb\xbf"));
	if (check_text(r->rest, err) != 0)
		return -1;
	return format == ROWS_CSV ? open_csv(r, err) : 0;
}

void rows_release(struct rows *r) {
	row_release(&r->names);
}

int rows_next(struct rows *r, struct row *ret, struct err *err) {
	return r->format == ROWS_CSV ? next_csv(r, ret, err)
				     : rows_next_json(r, ret, err);
}
