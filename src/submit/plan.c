/* A plan as words, by a table of its members, and carried out. */

#include "submit/plan.h"

#include <stdlib.h>

#include "base/auto.h"
#include "base/codec.h"
#include "control/control.h"

#define TEXT(member) { #member, offsetof(struct plan, member), true }
#define NUMBER(member) { #member, offsetof(struct plan, member), false }

static const struct plan_member {
	const char *key;
	size_t offset;
	bool text;
} members[] = {
	TEXT(dir),
	TEXT(rundir),
	TEXT(hostname),
	TEXT(domain),
	TEXT(from),
	TEXT(address),
	TEXT(who),
	TEXT(certificate),
	TEXT(key),
	TEXT(users),
	NUMBER(size_limit),
	NUMBER(reserve_bytes),
	NUMBER(reserve_inodes),
	NUMBER(keep_long_lines),
	NUMBER(lenient_newlines),
	NUMBER(sandbox),
	NUMBER(uid),
	NUMBER(limited),
	NUMBER(recipients_max),
	NUMBER(errors_max),
	NUMBER(timeout_ms),
	NUMBER(right),
	NUMBER(slot),
};
#define MEMBERS (sizeof(members) / sizeof(members[0]))

static char **text_of(struct plan *p, const struct plan_member *m) {
	return (char **)(void *)((char *)p + m->offset);
}

static uint64_t *number_of(struct plan *p, const struct plan_member *m) {
	return (uint64_t *)(void *)((char *)p + m->offset);
}

int plan_write(const struct plan *p, struct buf *out) {
	struct plan all = *p;
	buf_adds(out, "plan");
	for (size_t i = 0; i < MEMBERS; i++) {
		const char *text = members[i].text ? *text_of(&all, &members[i]) : NULL;
		if (text)
			codec_word_add(out, members[i].key, span_str(text));
		else if (!members[i].text)
			codec_word_add_int(out, members[i].key,
					   (int64_t)*number_of(&all, &members[i]));
	}
	return buf_addc(out, '\n');
}

void plan_release(struct plan *p) {
	for (size_t i = 0; i < MEMBERS; i++)
		if (members[i].text)
			free(*text_of(p, &members[i]));
	*p = (struct plan){ .dir = NULL };
}

static int set_text(struct plan *p, const struct plan_member *m, struct span value,
		    struct err *err) {
	AUTO_BUF struct buf text = BUF_INIT(PLAN_MAX);
	if (codec_percent_decode(&text, value) != 0 ||
	    span_find(buf_span(&text), '\0') < text.len)
		return err_set(err, ERR_SYNTAX, "%s is no text", m->key);
	free(*text_of(p, m));
	*text_of(p, m) = span_dup(buf_span(&text));
	return *text_of(p, m) ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

static int set_member(struct plan *p, struct span key, struct span value, struct err *err) {
	for (size_t i = 0; i < MEMBERS; i++) {
		const struct plan_member *m = &members[i];
		if (!span_eq(key, span_str(m->key)))
			continue;
		if (m->text)
			return set_text(p, m, value, err);
		if (span_uint(value, INT64_MAX, number_of(p, m)))
			return 0;
		return err_set(err, ERR_SYNTAX, "%s is no number", m->key);
	}
	return err_set(err, ERR_SYNTAX, "an unknown word");
}

static int parse(struct span line, struct plan *p, struct err *err) {
	struct span key, value;
	if (!codec_word_take(&line, &key, &value) || !span_eq(key, SPAN("plan")))
		return err_set(err, ERR_SYNTAX, "not a plan");
	while (codec_word_take(&line, &key, &value))
		if (set_member(p, key, value, err) != 0)
			return -1;
	if (!p->dir || !p->rundir || !p->hostname || !p->domain)
		return err_set(err, ERR_SYNTAX, "the plan is not complete");
	return 0;
}

int plan_parse(struct span line, struct plan *ret, struct err *err) {
	*ret = (struct plan){ .dir = NULL };
	if (line.len == 0 || line.p[line.len - 1] != '\n')
		return err_set(err, ERR_SYNTAX, "the plan is cut off");
	if (parse(span_head(line, line.len - 1), ret, err) == 0)
		return 0;
	plan_release(ret);
	return -1;
}

int plan_serve(const struct plan *p, const struct plan_means *means, struct err *err) {
	AUTO_BUF struct buf wake = BUF_INIT(4096);
	const struct way_place place = { p->dir, p->rundir, p->size_limit, p->reserve_bytes,
					 p->reserve_inodes, p->keep_long_lines != 0 };
	const struct submit_host host = { .hostname = p->hostname,
					  .domain = p->domain,
					  .from = p->from,
					  .uid = (uid_t)p->uid,
					  .who = p->who };
	struct queue *q = queue_open(p->dir, err);
	struct way *way = q ? way_open_queue(&place, q, WAY_QUEUE_OWN, err) : NULL;
	AUTO_FD int wake_fd = control_wake_socket();
	buf_addf(&wake, "%s/wake", p->rundir);
	const struct session_params params = {
		.in = means->fd,
		.out = means->fd,
		.io = means->io,
		.host = &host,
		.way = way,
		.size_limit = p->size_limit,
		.wake_path = buf_str(&wake),
		.wake_fd = wake_fd,
		.via = p->address ? "tcp" : "socket",
		.limits = p->limited ? means->limits : NULL,
		.recipients_max = p->recipients_max,
		.errors_max = (unsigned)p->errors_max,
		.timeout_ms = (int64_t)p->timeout_ms,
		.lenient_newlines = p->lenient_newlines != 0,
		.address = p->address,
		.right = (enum session_right)p->right,
		.tls = means->tls,
		.auth = means->auth,
		.start_tls = means->start_tls,
		.start_tls_ctx = means->start_tls_ctx,
		.greeted_before = means->tls != NULL,
		.idle_since = means->idle_since,
	};
	int result = way ? session_run(&params, err) : -1;
	while (result == 0 && means->next && means->next(means->next_ctx))
		result = session_run(&params, err);
	way_free(way);
	return result;
}
