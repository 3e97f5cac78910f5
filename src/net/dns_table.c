/*
 * DNS from a table in memory. One entry is one line; an answer is made of all entries of its
 * name and type. Tables are small (tests, one recorded run), so they are searched from the
 * front.
 */

#include "net/dns_table.h"

#include <stdlib.h>

#include "base/term.h"
#include "net/dns_backend.h"

#define TEXT_MAX (16u << 20)
#define ENTRIES_MAX 200000u
#define RECORDS_MAX 4096u
#define RDATA_MAX 65535u

struct entry {
	char *name;
	enum dns_type type;
	enum dns_status status; /* FOUND: rdata is a record */
	bool secure;
	uint32_t ttl;
	char *bytes; /* rdata, or why */
	size_t len;
};

struct table {
	struct entry *entry;
	size_t count, cap;
};

static const struct {
	const char *word;
	enum dns_status status;
} marks[] = {
	{ "timeout", DNS_TIMEOUT }, { "servfail", DNS_SERVFAIL },
	{ "bogus", DNS_BOGUS },     { "nxdomain", DNS_NXDOMAIN },
	{ "nodata", DNS_NODATA },
};
#define MARKS (sizeof(marks) / sizeof(marks[0]))

static void close_table(void *ctx) {
	struct table *t = ctx;
	for (size_t i = 0; i < t->count; i++) {
		free(t->entry[i].name);
		free(t->entry[i].bytes);
	}
	free(t->entry);
	free(t);
}

static const struct entry *find(const struct table *t, const char *name,
				enum dns_type type) {
	for (size_t i = 0; i < t->count; i++)
		if (t->entry[i].type == type && strcmp(t->entry[i].name, name) == 0)
			return &t->entry[i];
	return NULL;
}

/* A name exists when something stands at it or below it (RFC 8020). */
static bool exists(const struct table *t, const char *name) {
	size_t len = strlen(name);
	for (size_t i = 0; i < t->count; i++) {
		size_t own = strlen(t->entry[i].name);
		const char *tail = own >= len ? t->entry[i].name + (own - len) : NULL;
		if (tail && strcmp(tail, name) == 0 &&
		    (own == len || len == 0 || tail[-1] == '.'))
			return true;
	}
	return false;
}

static void found_records(const struct table *t, const struct entry *first,
			  struct span *record, struct dns_found *f) {
	f->status = first->status;
	f->ttl = first->ttl;
	if (first->status != DNS_FOUND) {
		f->why = first->len > 0 ? first->bytes : NULL;
		f->secure = f->secure && first->secure;
		return;
	}
	for (const struct entry *e = first; e < t->entry + t->count; e++) {
		if (e->type != first->type || strcmp(e->name, first->name) != 0 ||
		    f->count == RECORDS_MAX)
			continue;
		f->secure = f->secure && e->secure;
		if (e->ttl < f->ttl)
			f->ttl = e->ttl;
		record[f->count++] = span_of(e->bytes, e->len);
	}
}

static void answer(const struct table *t, struct dns_question *q, struct span *record) {
	char name[256];
	const struct entry *e;
	struct dns_found f = { .secure = true, .record = record, .canonical = name };
	snprintf(name, sizeof(name), "%s", q->answer.name);
	while (!(e = find(t, name, q->answer.type)) &&
	       (e = find(t, name, DNS_CNAME)) != NULL && e->status == DNS_FOUND) {
		f.secure = f.secure && e->secure;
		if (++f.cnames > DNS_CNAMES_MAX ||
		    !dns_host(span_of(e->bytes, e->len), name)) {
			f.why = "a loop, or too long a chain, of CNAMEs";
			break;
		}
	}
	if (f.why || (e && e->status != DNS_FOUND && e->type != q->answer.type)) {
		f.status = f.why ? DNS_SERVFAIL : e->status;
	} else if (e) {
		found_records(t, e, record, &f);
	} else {
		f.status = exists(t, name) ? DNS_NODATA : DNS_NXDOMAIN;
		f.secure = false;
	}
	dns_settle(q, &f);
}

static void ask(void *ctx, struct dns_question *const *question, size_t count) {
	struct span *record = calloc(RECORDS_MAX, sizeof(*record));
	for (size_t i = 0; record && i < count; i++)
		answer(ctx, question[i], record);
	free(record);
}

static const struct dns_backend backend = { .ask = ask, .close = close_table };

static int add_entry(struct table *t, const struct entry *e, const char *name,
		     struct span bytes, struct err *err) {
	if (t->count == ENTRIES_MAX)
		return err_set(err, ERR_LIMIT, "more than %u lines", ENTRIES_MAX);
	if (t->count == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 32;
		struct entry *more = reallocarray(t->entry, cap, sizeof(*more));
		if (!more)
			return err_set(err, ERR_MEMORY, "out of memory");
		t->entry = more;
		t->cap = cap;
	}
	struct entry *own = &t->entry[t->count];
	*own = *e;
	own->name = span_dup(span_str(name));
	own->bytes = span_dup(bytes);
	own->len = bytes.len;
	t->count++; /* close_table() frees what there is of it */
	return own->name && own->bytes ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

/* The same record again: a recorded chain of CNAMEs is written once for each question. */
static bool has_same(struct table *t, const struct entry *e, const char *name,
		     struct span bytes) {
	for (size_t i = 0; i < t->count; i++) {
		struct entry *o = &t->entry[i];
		if (o->type == e->type && o->status == e->status &&
		    strcmp(o->name, name) == 0 &&
		    span_eq(span_of(o->bytes, o->len), bytes)) {
			o->secure |= e->secure;
			return true;
		}
	}
	return false;
}

/* "!timeout", or the mark alone of "!bogus why it is". */
static int parse_mark(struct span *in, struct entry *e, struct err *err) {
	struct span word;
	span_take_word(in, &word);
	for (size_t i = 0; i < MARKS; i++)
		if (span_eq_nocase(span_from(word, 1), span_str(marks[i].word))) {
			e->status = marks[i].status;
			*in = span_trim(*in);
			return 0;
		}
	return err_set(err, ERR_SYNTAX,
		       "not a status (!timeout, !servfail, !bogus, !nxdomain, !nodata)");
}

static int parse_line(struct table *t, struct span line, struct err *err) {
	AUTO_BUF struct buf rdata = BUF_INIT(RDATA_MAX);
	struct entry e = { .status = DNS_FOUND };
	struct span word, rest;
	uint64_t ttl;
	char name[256];
	if (!span_take_word(&line, &word) || !dns_name_parse(word, name))
		return err_set(err, ERR_SYNTAX, "not a name that DNS can hold");
	if (!span_take_word(&line, &word) || !dns_type_parse(word, &e.type))
		return err_set(err, ERR_SYNTAX,
			       "not a type of record (such as MX or TYPE99)");
	for (rest = line; span_take_word(&rest, &word); line = rest) {
		if (span_eq_nocase(word, SPAN("secure")))
			e.secure = true;
		else if (span_take_lit_nocase(&word, SPAN("ttl=")) &&
			 span_uint(word, UINT32_MAX, &ttl))
			e.ttl = (uint32_t)ttl;
		else
			break;
	}
	rest = span_trim(line);
	if (rest.len > 0 && rest.p[0] == '!') {
		if (parse_mark(&rest, &e, err) != 0)
			return -1;
		buf_add(&rdata, rest);
	} else if (dns_rdata_parse(rest, e.type, &rdata, err) != 0) {
		return -1;
	}
	if (has_same(t, &e, name, buf_span(&rdata)))
		return 0;
	return add_entry(t, &e, name, buf_span(&rdata), err);
}

struct dns *dns_table_open(struct span text, struct err *err) {
	struct table *t = calloc(1, sizeof(*t));
	struct span line;
	int result = t ? 0 : err_set(err, ERR_MEMORY, "out of memory");
	if (t && text.len > TEXT_MAX)
		result = err_set(err, ERR_LIMIT, "a table of more than 16 MiB");
	for (unsigned number = 1; result == 0 && span_take_line(&text, &line); number++) {
		line = span_trim(line);
		if (line.len == 0 || line.p[0] == '#')
			continue;
		result = parse_line(t, line, err);
		if (result != 0)
			err_prefix(err, "line %u", number);
	}
	if (result == 0) {
		struct dns *d = dns_new(&backend, t, DNS_DEADLINE_MS);
		if (!d)
			err_set(err, ERR_MEMORY, "out of memory");
		return d;
	}
	if (t)
		close_table(t);
	return NULL;
}

static void add_owner(struct buf *out, const char *name, enum dns_type type,
		      bool secure) {
	buf_addf(out, "%s %s%s", *name ? name : ".", dns_type_name(type),
		 secure ? " secure" : "");
}

static const char *mark_of(enum dns_status status) {
	for (size_t i = 0; i < MARKS; i++)
		if (marks[i].status == status)
			return marks[i].word;
	return NULL;
}

struct writing {
	struct dns *d;
	struct buf *out;
};

/* One step to where the chain ends, behind the steps that were asked for as such. */
static void write_chain(const struct writing *w, const struct dns_answer *a) {
	char at[256];
	const struct dns_answer *step;
	snprintf(at, sizeof(at), "%s", a->name);
	for (unsigned i = 0; i < DNS_CNAMES_MAX && strcmp(at, a->canonical) != 0; i++) {
		step = dns_known(w->d, at, DNS_CNAME);
		if (!step || step->status != DNS_FOUND || !dns_host(step->record[0], at))
			break;
	}
	if (strcmp(at, a->canonical) == 0)
		return;
	add_owner(w->out, at, DNS_CNAME, a->secure);
	buf_addf(w->out, " %s\n", *a->canonical ? a->canonical : ".");
}

static void write_answer(void *ctx, const struct dns_answer *a) {
	const struct writing *w = ctx;
	struct buf *out = w->out;
	const char *mark = mark_of(a->status), *owner = a->canonical;
	write_chain(w, a);
	if (mark) {
		add_owner(out, owner, a->type, a->secure);
		buf_addf(out, " !%s", mark);
		if (strcmp(a->why, dns_status_name(a->status)) != 0) {
			buf_addc(out, ' ');
			term_safe_again(out, span_str(a->why));
		}
		buf_addc(out, '\n');
	}
	for (size_t i = 0; a->status == DNS_FOUND && i < a->count; i++) {
		add_owner(out, owner, a->type, a->secure);
		if (a->ttl > 0)
			buf_addf(out, " ttl=%lu", (unsigned long)a->ttl);
		buf_addc(out, ' ');
		dns_rdata_add(out, a->type, a->record[i]);
		buf_addc(out, '\n');
	}
}

int dns_table_write(struct dns *d, struct buf *out) {
	struct writing w = { d, out };
	dns_each(d, write_answer, &w);
	return buf_failed(out) ? -1 : 0;
}
