/*
 * The envelope as bytes. The lines stand in a fixed order and every word has one spelling,
 * so what does not parse was not written by this version:
 *
 *   id ID
 *   created wall_ms=N boot_ms=N boot_id=HEX
 *   uid N
 *   origin WORD [replaces=ID]
 *   from PATH [ret=FULL|HDRS] [envid=TEXT] [body=8BITMIME] [smtputf8] [requiretls]
 *        [tls-optional] [priority=high|low] [at=WALL_MS] [relay=NAME]
 *   to ADDRESS [notify=WORD[,WORD...]] [orcpt=TEXT]          one or more
 *   (empty line)
 */

#include "queue/envelope.h"

#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "queue/words.h"

static const struct {
	unsigned bit;
	const char *word;
} notify_words[] = {
	{ NOTIFY_NEVER, "NEVER" },
	{ NOTIFY_SUCCESS, "SUCCESS" },
	{ NOTIFY_FAILURE, "FAILURE" },
	{ NOTIFY_DELAY, "DELAY" },
};
#define NOTIFY_WORDS (sizeof(notify_words) / sizeof(notify_words[0]))

/* What is left to read, and the copy that the result will own. */
struct reader {
	char *base;
	struct span rest;
	unsigned line;
	struct envelope e;
	struct err *err;
};

static void write_recipient(const struct envelope_recipient *r, struct buf *out) {
	buf_adds(out, "to ");
	codec_percent_add(out, r->address);
	const char *before = " notify=";
	for (size_t i = 0; i < NOTIFY_WORDS; i++) {
		if (!(r->notify & notify_words[i].bit))
			continue;
		buf_adds(out, before);
		buf_adds(out, notify_words[i].word);
		before = ",";
	}
	if (r->orcpt.len > 0)
		codec_word_add(out, "orcpt", r->orcpt);
	buf_addc(out, '\n');
}

struct moment envelope_start(const struct envelope *e) {
	struct moment start = e->created;
	int64_t later = e->at_ms - e->created.wall_ms;
	if (e->at_ms > 0 && later > 0) {
		start.wall_ms += later;
		start.boot_ms += later;
	}
	return start;
}

int envelope_write(const struct envelope *e, struct buf *out) {
	buf_adds(out, "id ");
	buf_adds(out, queue_id_text(&e->id).s);
	buf_adds(out, "\ncreated");
	words_add_moment(out, &e->created);
	buf_adds(out, "\nuid ");
	buf_addi(out, e->uid);
	buf_adds(out, "\norigin ");
	codec_percent_add(out, e->origin);
	if (e->replaces)
		buf_addf(out, " replaces=%s", queue_id_text(&e->replaced).s);
	buf_adds(out, "\nfrom ");
	codec_percent_add(out, e->from);
	if (e->ret.len > 0)
		codec_word_add(out, "ret", e->ret);
	if (e->envid.len > 0)
		codec_word_add(out, "envid", e->envid);
	if (e->body_8bit)
		codec_word_add(out, "body", SPAN("8BITMIME"));
	if (e->smtputf8)
		buf_adds(out, " smtputf8");
	if (e->requiretls)
		buf_adds(out, " requiretls");
	if (e->tls_optional)
		buf_adds(out, " tls-optional");
	if (e->priority != PRIORITY_NORMAL)
		codec_word_add(out, "priority", span_str(priority_name(e->priority)));
	if (e->at_ms > 0)
		codec_word_add_int(out, "at", e->at_ms);
	if (e->relay.len > 0)
		codec_word_add(out, "relay", e->relay);
	buf_addc(out, '\n');
	for (size_t i = 0; i < e->to_count; i++)
		write_recipient(&e->to[i], out);
	return buf_addc(out, '\n');
}

static int bad(const struct reader *r, const char *what) {
	return err_set(r->err, ERR_SYNTAX, "envelope line %u: %s", r->line, what);
}

/* Takes the next line when it begins with the given kind; *ret is what follows. */
static bool take_line(struct reader *r, struct span kind, struct span *ret) {
	struct span rest = r->rest, line;
	if (!span_take_until(&rest, '\n', &line) || !span_take_lit(&line, kind) ||
	    !span_take_char(&line, ' '))
		return false;
	r->rest = rest;
	r->line++;
	*ret = line;
	return true;
}

/* Takes a word that has no key. */
static bool take_plain(struct reader *r, struct span *line, struct span *ret) {
	struct span value;
	return codec_word_take(line, ret, &value) && !value.p &&
	       words_decode(r->base, ret);
}

static int read_id_line(struct reader *r) {
	struct span line;
	if (!take_line(r, SPAN("id"), &line) || !queue_id_parse(line, &r->e.id))
		return bad(r, "no valid id");
	return 0;
}

static int read_created_line(struct reader *r) {
	struct span line, key, value;
	unsigned seen = 0;
	if (!take_line(r, SPAN("created"), &line))
		return bad(r, "no time of creation");
	while (codec_word_take(&line, &key, &value))
		if (!words_moment(key, value, &r->e.created, &seen))
			return bad(r, "bad time of creation");
	return seen == WORDS_MOMENT_ALL ? 0 : bad(r, "incomplete time of creation");
}

static bool read_replaced(struct reader *r, struct span line) {
	struct span key, value, more, none;
	if (!codec_word_take(&line, &key, &value))
		return true;
	r->e.replaces = true;
	return value.p && span_eq(key, SPAN("replaces")) &&
	       queue_id_parse(value, &r->e.replaced) &&
	       !codec_word_take(&line, &more, &none);
}

static int read_submitter_lines(struct reader *r) {
	struct span line;
	uint64_t uid;
	if (!take_line(r, SPAN("uid"), &line) || !span_uint(line, UINT32_MAX, &uid))
		return bad(r, "no valid uid");
	r->e.uid = (uint32_t)uid;
	if (!take_line(r, SPAN("origin"), &line) || !take_plain(r, &line, &r->e.origin) ||
	    !read_replaced(r, line))
		return bad(r, "no valid origin");
	return 0;
}

/* A word without a value, which comes once. */
static bool read_from_flag(struct envelope *e, struct span word) {
	const struct {
		const char *word;
		bool *flag;
	} flags[] = {
		{ "smtputf8", &e->smtputf8 },
		{ "requiretls", &e->requiretls },
		{ "tls-optional", &e->tls_optional },
	};
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (!span_eq(word, span_str(flags[i].word)))
			continue;
		bool first = !*flags[i].flag;
		*flags[i].flag = true;
		return first;
	}
	return false;
}

static bool read_from_word(struct reader *r, struct span key, struct span value) {
	if (!value.p)
		return read_from_flag(&r->e, key);
	if (!words_decode(r->base, &value))
		return false;
	if (span_eq(key, SPAN("body")) && span_eq(value, SPAN("8BITMIME"))) {
		r->e.body_8bit = true;
		return true;
	}
	if (span_eq(key, SPAN("priority")))
		return r->e.priority == PRIORITY_NORMAL &&
		       priority_parse(value, &r->e.priority) &&
		       r->e.priority != PRIORITY_NORMAL;
	if (span_eq(key, SPAN("at")))
		return r->e.at_ms == 0 && words_int(value, &r->e.at_ms) && r->e.at_ms > 0;
	if (span_eq(key, SPAN("relay")) && !wishes_is_relay(value))
		return false;
	struct span *field = span_eq(key, SPAN("ret"))     ? &r->e.ret
			     : span_eq(key, SPAN("envid")) ? &r->e.envid
			     : span_eq(key, SPAN("relay")) ? &r->e.relay
							   : NULL;
	if (!field || field->p)
		return false;
	*field = value;
	return true;
}

static int read_from_line(struct reader *r) {
	struct span line, key, value;
	if (!take_line(r, SPAN("from"), &line) || !take_plain(r, &line, &r->e.from))
		return bad(r, "no valid sender");
	while (codec_word_take(&line, &key, &value))
		if (!read_from_word(r, key, value))
			return bad(r, "bad parameter of the sender");
	return 0;
}

static bool read_notify(struct span value, unsigned *ret) {
	unsigned bits = 0;
	while (value.len > 0) {
		struct span word = span_head(value, span_find(value, ','));
		size_t i = 0;
		while (i < NOTIFY_WORDS && !span_eq(word, span_str(notify_words[i].word)))
			i++;
		if (i == NOTIFY_WORDS)
			return false;
		bits |= notify_words[i].bit;
		value = span_from(value, word.len + 1);
	}
	*ret = bits;
	return bits != 0;
}

static int read_to_line(struct reader *r, struct span line) {
	struct envelope_recipient to = { .notify = 0 };
	struct span key, value;
	if (!take_plain(r, &line, &to.address) || to.address.len == 0)
		return bad(r, "no valid recipient");
	while (codec_word_take(&line, &key, &value)) {
		bool valid = value.p && words_decode(r->base, &value);
		if (valid && span_eq(key, SPAN("notify")))
			valid = read_notify(value, &to.notify);
		else if (valid && span_eq(key, SPAN("orcpt")))
			to.orcpt = value;
		else
			valid = false;
		if (!valid)
			return bad(r, "bad parameter of a recipient");
	}
	r->e.to[r->e.to_count++] = to;
	return 0;
}

static size_t count_lines(struct span s) {
	size_t n = 0;
	struct span line;
	while (span_take_until(&s, '\n', &line))
		n++;
	return n;
}

static int read_recipients(struct reader *r) {
	size_t max = count_lines(r->rest);
	if (max > ENVELOPE_RECIPIENTS_MAX + 1)
		return err_set(r->err, ERR_LIMIT, "envelope: more than %u recipients",
			       ENVELOPE_RECIPIENTS_MAX);
	r->e.to = calloc(max ? max : 1, sizeof(*r->e.to));
	if (!r->e.to)
		return err_set(r->err, ERR_MEMORY, "envelope: out of memory");
	struct span line;
	while (take_line(r, SPAN("to"), &line))
		if (read_to_line(r, line) != 0)
			return -1;
	r->line++;
	if (r->e.to_count == 0)
		return bad(r, "no recipient");
	if (!span_eq(r->rest, SPAN("\n")))
		return bad(r, "neither a recipient nor the end");
	return 0;
}

static int read_all(struct reader *r) {
	if (read_id_line(r) != 0 || read_created_line(r) != 0 ||
	    read_submitter_lines(r) != 0 || read_from_line(r) != 0)
		return -1;
	return read_recipients(r);
}

int envelope_parse(struct span bytes, struct envelope *ret, struct err *err) {
	if (bytes.len > ENVELOPE_MAX)
		return err_set(err, ERR_LIMIT, "envelope: larger than %u bytes",
			       ENVELOPE_MAX);
	struct reader r = { .base = span_dup(bytes), .err = err };
	if (!r.base)
		return err_set(err, ERR_MEMORY, "envelope: out of memory");
	r.e.storage = r.base;
	r.rest = span_of(r.base, bytes.len);
	if (read_all(&r) != 0) {
		envelope_release(&r.e);
		return -1;
	}
	*ret = r.e;
	return 0;
}

void envelope_release(struct envelope *e) {
	free(e->to);
	free(e->storage);
	*e = (struct envelope){ .uid = 0 };
}
