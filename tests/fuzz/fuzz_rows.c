/*
 * Tables and templates. The first byte chooses the format and the use, then come a table, a NUL
 * and a template. Whatever they say: reading ends, every cell is UTF-8 without NUL, a row of CSV
 * has as many cells as the first line, and a value put into HTML, a URL or an address leaves
 * nothing of what it must not become.
 */

#include "mail/rows.h"

#include <stdlib.h>

#include "mail/addr.h"
#include "mail/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rows rows;
static struct row row;

static void need(bool held) {
	if (!held)
		abort();
}

static void check_text(struct span s) {
	uint32_t cp;
	need(span_find(s, 0) == s.len);
	while (s.len > 0)
		need(span_take_utf8(&s, &cp));
}

static void check_value(struct span name) {
	AUTO_BUF struct buf place = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
	struct span plain = span_trim(name);
	for (size_t i = 0; i < name.len; i++)
		if (strchr("{}\n", name.p[i]))
			return;
	if (plain.len == 0 || plain.len != name.len || name.len > 100)
		return;
	buf_adds(&place, "{{");
	buf_add(&place, name);
	buf_adds(&place, "}}");
	if (template_expand(buf_span(&place), TEMPLATE_HTML, &row, &out, NULL) == 0)
		for (size_t i = 0; i < out.len; i++)
			need(!strchr("<>\"'", out.data[i]));
	buf_reset(&out);
	if (template_expand(buf_span(&place), TEMPLATE_URL, &row, &out, NULL) == 0)
		for (size_t i = 0; i < out.len; i++)
			need(out.data[i] > 0x20 && out.data[i] < 0x7f &&
			     !strchr("<>\"&?#/", out.data[i]));
}

static int count_one(void *ctx, struct span address, struct span display_name) {
	(void)address;
	(void)display_name;
	++*(unsigned *)ctx;
	return 0;
}

/* A value in the place of a name never makes a second address. */
static void check_name(struct span value) {
	AUTO_BUF struct buf out = BUF_INIT(1 << 20);
	unsigned count = 0;
	static struct row one;
	row_init(&one);
	one.count = 1;
	row_add_text(&one, &one.name[0], SPAN("v"));
	row_add_text(&one, &one.value[0], value);
	if (template_expand(SPAN("{{v}} <bob@x.example>"), TEMPLATE_ADDRESS, &one, &out,
			    NULL) == 0 &&
	    addr_list(buf_span(&out), count_one, &count, NULL) == 0)
		need(count == 1);
	row_release(&one);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size < 1)
		return 0;
	struct span rest = span_of(data + 1, size - 1), table, template = SPAN("");
	AUTO_BUF struct buf out = BUF_INIT(1 << 20);
	enum rows_format format = data[0] & 1 ? ROWS_JSON : ROWS_CSV;
	enum template_use use = (enum template_use)(data[0] >> 1 & 3);
	if (span_take_until(&rest, 0, &table))
		template = rest;
	else
		table = rest;
	int got = rows_open(&rows, format, table, NULL) == 0 ? 1 : -1;
	row_init(&row);
	for (size_t n = 0; got > 0 && (got = rows_next(&rows, &row, NULL)) > 0; n++) {
		need(n < table.len + 1);
		need(format == ROWS_JSON || row.count == rows.names.count);
		for (size_t i = 0; i < row.count; i++) {
			check_text(row_name(&row, i));
			check_text(row_value(&row, i));
			check_value(row_name(&row, i));
			check_name(row_value(&row, i));
		}
		template_expand(template, use, &row, &out, NULL);
	}
	row_release(&row);
	rows_release(&rows);
	return 0;
}
