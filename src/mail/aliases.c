/*
 * The parser of aliases(5). A logical line (with those that continue it) is unfolded first;
 * then the name is taken, then one item after the other, quotes respected. Included files
 * hold items alone, and include nothing themselves.
 */

#include "mail/aliases.h"

#include <stdlib.h>
#include <string.h>

#include "base/term.h"
#include "mail/addr.h"
#include "mail/chars.h"

#define COMPLAINT_MAX 512

struct reader {
	struct aliases *a;
	size_t cap;
	const char *label;
	unsigned line; /* of the name that is read */
	aliases_include_fn *include;
	void *ctx;
	struct buf *complaints;
	struct aliases_entry entry;
	struct err *err;
};

/* --- complaints --- */

/* Says what is wrong at the line, and makes the name that is read faulty with it. */
static void complain(struct reader *r, const char *words, struct span what) {
	AUTO_BUF struct buf line = BUF_INIT(COMPLAINT_MAX);
	buf_addf(&line, "%s:%u: ", r->label, r->line);
	if (what.len > 0) {
		term_safe(&line, span_head(what, 80));
		buf_adds(&line, ": ");
	}
	buf_adds(&line, words);
	if (r->complaints) {
		buf_add(r->complaints, buf_span(&line));
		buf_addc(r->complaints, '\n');
	}
	if (r->entry.fault > 0)
		return;
	r->entry.fault = r->a->text.len;
	buf_add(&r->a->text, buf_span(&line));
	buf_addc(&r->a->text, '\0');
}

/* --- items --- */

/* Takes up to the next comma outside of quotes and comments. */
static struct span take_item(struct span *in) {
	size_t i = 0, depth = 0;
	bool quoted = false;
	for (; i < in->len; i++) {
		char c = in->p[i];
		if (c == '\\' && i + 1 < in->len)
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && c == '(')
			depth++;
		else if (!quoted && c == ')' && depth > 0)
			depth--;
		else if (!quoted && depth == 0 && c == ',')
			break;
	}
	struct span item = span_head(*in, i);
	*in = span_from(*in, i + 1);
	return span_trim(item);
}

struct one {
	struct buf *text;
	size_t count;
};

static int add_address(void *ctx, struct span address, struct span display) {
	struct one *one = ctx;
	(void)display;
	one->count++;
	buf_add(one->text, address);
	return buf_addc(one->text, '\0');
}

/* What an item of another mail system asks for, and is not done here. */
static const char *refusal(struct span item) {
	span_take_char(&item, '"');
	if (span_take_char(&item, '|'))
		return "commands are not run; nothing but addresses may stand here";
	if (span_take_char(&item, '/'))
		return "mail is not written to files; nothing but addresses may stand here";
	if (span_take_char(&item, '\\'))
		return "there are no local mailboxes; nothing but addresses may stand here";
	return NULL;
}

static void take_address(struct reader *r, struct span item) {
	struct one one = { &r->a->text, 0 };
	struct err why = ERR_INIT;
	size_t before = r->a->text.len;
	bool full = r->entry.count >= ALIASES_TARGETS_MAX;
	if (!full && addr_list(item, add_address, &one, &why) == 0 && one.count == 1) {
		r->entry.count++;
		return;
	}
	if (buf_failed(&r->a->text))
		return;
	buf_truncate(&r->a->text, before);
	complain(r, full ? "more addresses than 1000" : "no address can be read", item);
}

static void take_items(struct reader *r, struct span list, bool included);

static void take_file(struct reader *r, struct span path) {
	AUTO_BUF struct buf content = BUF_INIT(ALIASES_FILE_MAX);
	struct err why = ERR_INIT;
	struct span rest, line;
	if (path.len > 1 && path.p[path.len - 1] == '"')
		path.len--;
	if (!r->include) {
		complain(r, "files are not included here", path);
		return;
	}
	if (path.len == 0 || path.p[0] != '/') {
		complain(r, "the path of :include: must begin with /", path);
		return;
	}
	if (r->include(r->ctx, path, &content, &why) != 0) {
		complain(r, why.msg, SPAN(":include:"));
		return;
	}
	rest = buf_span(&content);
	while (span_take_line(&rest, &line)) {
		line = span_trim(line);
		if (line.len > 0 && line.p[0] != '#')
			take_items(r, line, true);
	}
}

/* The strings of one entry must stand behind each other: a fault's words come between, but a
 * faulty entry's addresses are not used. */
static void take_items(struct reader *r, struct span list, bool included) {
	while (list.len > 0 && r->entry.fault == 0 && !buf_failed(&r->a->text)) {
		struct span item = take_item(&list), path = item;
		const char *no = refusal(item);
		span_take_char(&path, '"');
		if (item.len == 0)
			continue;
		if (no)
			complain(r, no, item);
		else if (!span_take_lit_nocase(&path, SPAN(":include:")))
			take_address(r, item);
		else if (included)
			complain(r, "an included file may not include another", item);
		else
			take_file(r, path);
	}
}

/* --- lines --- */

static char lower(char c) {
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Takes "name" and the colon. The name goes into the text, in lower case. */
static bool take_name(struct reader *r, struct span *in) {
	AUTO_BUF struct buf name = BUF_INIT(ADDR_LOCAL_MAX);
	struct span s = *in, word;
	if (s.len > 0 && s.p[0] == '"') {
		size_t end = 1;
		while (end < s.len && s.p[end] != '"')
			end += s.p[end] == '\\' ? 2 : 1;
		word = span_head(s, end + 1);
		s = span_from(s, end + 1);
		addr_local_unquoted(word, &name);
	} else {
		word = span_head(s, chars_run(s, CHARS_ATEXT));
		while (word.len < s.len &&
		       (s.p[word.len] == '.' || chars_is(s.p[word.len], CHARS_ATEXT)))
			word.len++;
		s = span_from(s, word.len);
		buf_add(&name, word);
	}
	while (s.len > 0 && chars_blank(s.p[0]))
		s = span_from(s, 1);
	if (name.len == 0 || buf_failed(&name) || !span_take_char(&s, ':'))
		return false;
	r->entry.name = r->a->text.len;
	for (size_t i = 0; i < name.len; i++)
		buf_addc(&r->a->text, lower(name.data[i]));
	buf_addc(&r->a->text, '\0');
	*in = s;
	return span_find(buf_span(&name), '\0') == name.len;
}

static int keep(struct reader *r) {
	struct aliases *a = r->a;
	if (a->count == ALIASES_NAMES_MAX)
		return err_set(r->err, ERR_LIMIT, "%s:%u: more than %u names", r->label,
			       r->line, ALIASES_NAMES_MAX);
	if (a->count == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 64;
		struct aliases_entry *grown = reallocarray(a->entry, cap, sizeof(*grown));
		if (!grown)
			return err_set(r->err, ERR_MEMORY, "out of memory");
		a->entry = grown;
		r->cap = cap;
	}
	a->entry[a->count++] = r->entry;
	return 0;
}

static int take_logical(struct reader *r, struct span line) {
	struct span whole = line;
	r->entry = (struct aliases_entry){ .line = r->line };
	if (!take_name(r, &line)) {
		complain(r, "expected a name without a domain, a colon, and addresses",
			 whole);
		return 0;
	}
	r->entry.targets = r->a->text.len;
	take_items(r, line, false);
	if (r->entry.count == 0 && r->entry.fault == 0)
		complain(r, "no address stands behind the name", span_trim(whole));
	return keep(r);
}

/* A comment ends with its line; "#" inside of a line is part of it, except behind a blank
 * where no quote is open, as the file of many a distribution has it. */
static struct span without_comment(struct span line) {
	bool quoted = false;
	for (size_t i = 0; i < line.len; i++) {
		if (line.p[i] == '"')
			quoted = !quoted;
		if (line.p[i] == '#' && !quoted && (i == 0 || chars_blank(line.p[i - 1])))
			return span_head(line, i);
	}
	return line;
}

static int by_name(const void *a, const void *b, void *ctx) {
	const struct aliases_entry *x = a, *y = b;
	const char *text = ctx;
	int order = strcmp(text + x->name, text + y->name);
	return order ? order : (x->line > y->line) - (x->line < y->line);
}

/* Where a name stands twice the first one counts, as with other mail systems. */
static void drop_repeated(struct reader *r) {
	struct aliases *a = r->a;
	size_t kept = 0;
	for (size_t i = 0; i < a->count; i++) {
		const char *name = a->text.data + a->entry[i].name;
		if (kept > 0 &&
		    strcmp(a->text.data + a->entry[kept - 1].name, name) == 0) {
			r->line = a->entry[i].line;
			r->entry.fault =
				1; /* the words are for the reader, not for the name */
			complain(r, "this name stood there before; this line is not used",
				 span_str(name));
			continue;
		}
		a->entry[kept++] = a->entry[i];
	}
	a->count = kept;
}

static int read_lines(struct reader *r, struct span bytes) {
	AUTO_BUF struct buf logical = BUF_INIT(ALIASES_FILE_MAX);
	unsigned number = 0;
	struct span line;
	while (span_take_line(&bytes, &line)) {
		bool goes_on = line.len > 0 && chars_blank(line.p[0]);
		struct span text = span_trim(without_comment(line));
		number++;
		if (text.len == 0)
			continue;
		if (goes_on && logical.len > 0) {
			buf_addc(&logical, ' ');
		} else {
			if (logical.len > 0 && take_logical(r, buf_span(&logical)) != 0)
				return -1;
			buf_reset(&logical);
			r->line = number;
		}
		buf_add(&logical, text);
	}
	return logical.len > 0 ? take_logical(r, buf_span(&logical)) : 0;
}

int aliases_parse(struct span bytes, const char *label, aliases_include_fn *include,
		  void *ctx, struct aliases *ret, struct buf *complaints,
		  struct err *err) {
	struct aliases a = { .entry = NULL };
	struct reader r = { .a = &a,
			    .label = label,
			    .include = include,
			    .ctx = ctx,
			    .complaints = complaints,
			    .err = err };
	buf_init(&a.text, ALIASES_TEXT_MAX);
	buf_addc(&a.text, '\0'); /* offset 0 means none */
	int rc = bytes.len > ALIASES_FILE_MAX
			 ? err_set(err, ERR_LIMIT, "%s: larger than %u bytes", label,
				   ALIASES_FILE_MAX)
			 : read_lines(&r, bytes);
	if (rc == 0 && a.count > 1)
		qsort_r(a.entry, a.count, sizeof(*a.entry), by_name, a.text.data);
	if (rc == 0)
		drop_repeated(&r);
	if (rc == 0 && buf_failed(&a.text))
		rc = err_set(err, ERR_LIMIT, "%s: too much text", label);
	if (rc != 0)
		aliases_release(&a);
	else
		*ret = a;
	return rc;
}

void aliases_release(struct aliases *a) {
	free(a->entry);
	buf_release(&a->text);
	*a = (struct aliases){ .entry = NULL };
}

static int compare(const char *have, struct span want) {
	size_t i = 0;
	for (; i < want.len && have[i]; i++) {
		int d = (unsigned char)have[i] - (unsigned char)lower(want.p[i]);
		if (d)
			return d;
	}
	return i < want.len ? -1 : have[i] ? 1 : 0;
}

const struct aliases_entry *aliases_find(const struct aliases *a, struct span name) {
	size_t low = 0, high = a->count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int d = compare(a->text.data + a->entry[mid].name, name);
		if (d == 0)
			return &a->entry[mid];
		if (d < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

const char *aliases_fault(const struct aliases *a, const struct aliases_entry *e) {
	return e->fault > 0 ? a->text.data + e->fault : NULL;
}

struct span aliases_target(const struct aliases *a, const struct aliases_entry *e,
			   size_t i) {
	const char *s = a->text.data + e->targets;
	while (i-- > 0)
		s += strlen(s) + 1;
	return span_str(s);
}
