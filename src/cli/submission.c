/*
 * Submission: the envelope from options and header, then the queue file. Which failure
 * is whose decides the exit code, and callers act on it: a message that can never be
 * accepted is EX_DATAERR, a spool that cannot take it now is EX_TEMPFAIL. A body that is
 * short is scanned for 8-bit bytes before the envelope is written; for a longer one
 * 8BITMIME is asked for without looking.
 */

#include "cli/submission.h"

#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/user.h"
#include "cli/cli.h"
#include "cli/intake.h"
#include "cli/submission_way.h"
#include "control/control.h"
#include "mail/header.h"
#include "mail/longline.h"
#include "queue/queue.h"

#define HEADER_OUT_MAX (2 * HEADER_BLOCK_MAX + (64u << 10)) /* line ends may double it */
#define PATH_CEILING 4096u

/* One message between its header and the queue. */
struct job {
	struct submission *s;
	struct intake in;
	struct buf head; /* the header in wire form */
	struct fixup_result seen;
	struct queue_id id;
	bool straight; /* into the files, by ourselves */
	struct {
		char address[ADDR_MAX + 1], name[256];
	} person; /* who submits; looked up only when needed */
};

/* The person's or machine's address, and the name that goes with it. */
static void find_person(struct job *j) {
	const struct settings *set = j->s->settings;
	struct user user;
	bool known = user_by_uid(getuid(), &user);
	if (set->from)
		snprintf(j->person.address, sizeof(j->person.address), "%s", set->from);
	else if (known)
		snprintf(j->person.address, sizeof(j->person.address), "%s@%s", user.name,
			 set->domain);
	else
		snprintf(j->person.address, sizeof(j->person.address), "uid%u@%s",
			 (unsigned)getuid(), set->domain);
	if (known)
		snprintf(j->person.name, sizeof(j->person.name), "%s", user.full_name);
}

/* True when header and envelope get along without asking who this is: asking costs. */
static bool is_anonymous(const struct submission *s, struct span block) {
	if (!s->from_set)
		return false;
	if (header_has(block, "Resent-To") || header_has(block, "Resent-Cc") ||
	    header_has(block, "Resent-Bcc"))
		return header_has(block, "Resent-From");
	return header_has(block, "From");
}

static int fix_header(struct job *j, struct span block, struct err *err) {
	const struct submission *s = j->s;
	struct queue_id_text id = queue_id_text(&j->id);
	char received[64];
	/* Where the daemon or nightmail-drop takes it, it is they who know the uid. */
	int len = j->straight ? snprintf(received, sizeof(received), "uid %u",
					 (unsigned)getuid())
			      : 0;
	if (!is_anonymous(s, block))
		find_person(j);
	struct fixup_params p = {
		.extract = s->extract,
		.recipients_max = ENVELOPE_RECIPIENTS_MAX,
		.host = span_str(s->settings->hostname),
		.received = span_of(received, (size_t)len),
		.id = span_str(id.s),
		.from = s->from_set && s->from.len ? s->from
						   : span_str(j->person.address),
		.from_name = s->full_name.p ? s->full_name : span_str(j->person.name),
		.wall_s = clock_wall_ms() / 1000,
		.keep_wishes = !j->straight, /* the daemon reads them */
	};
	if (!j->straight && wishes_any(&s->wishes))
		wishes_add_field(&j->head, &s->wishes);
	return fixup_header(block, &p, &j->s->to, &j->head, &j->seen, err);
}

/* What the options do not say, the header may. */
static void grant(const struct job *j, struct envelope *e) {
	const struct mail_wishes *said = &j->s->wishes, *seen = &j->seen.wishes;
	e->priority = said->has_priority ? said->priority : seen->priority;
	e->at_ms = said->at_ms > 0 ? said->at_ms : seen->at_ms;
	e->relay = span_str(said->relay[0] ? said->relay : seen->relay);
	e->requiretls = said->require_tls || seen->require_tls;
	e->tls_optional = !e->requiretls && wishes_tls_optional(seen);
}

static int fill_envelope(const struct job *j, struct envelope *ret) {
	const struct submission *s = j->s;
	*ret = (struct envelope){
		.id = j->id,
		.created = clock_now(),
		.uid = getuid(),
		.origin = SPAN("local"),
		.from = s->from_set ? s->from : span_str(j->person.address),
		.ret = s->ret,
		.envid = s->envid,
		.body_8bit = j->in.eol.has_8bit || j->seen.has_8bit ||
			     (!j->in.at_end && !s->source.read),
		.to_count = s->to.count,
	};
	grant(j, ret);
	ret->to = calloc(s->to.count, sizeof(*ret->to));
	if (!ret->to)
		return -1;
	ret->smtputf8 = j->seen.has_8bit || addr_is_utf8(ret->from);
	for (size_t i = 0; i < s->to.count; i++) {
		ret->to[i].address = span_str(s->to.address[i]);
		ret->to[i].notify = s->notify;
		ret->smtputf8 |= addr_is_utf8(ret->to[i].address);
	}
	return 0;
}

/* What a failure means for the caller; one of the system is whose the caller says. */
static int status_of(const struct err *err, int of_system) {
	switch (err->kind) {
	case ERR_SYNTAX:
	case ERR_LIMIT:
		return EX_DATAERR;
	case ERR_SYSTEM:
		return of_system;
	case ERR_NONE:
	case ERR_MEMORY:
	case ERR_MISSING:
	case ERR_DENIED:
	case ERR_TIMEOUT:
	case ERR_REMOTE:
		break;
	}
	return EX_TEMPFAIL;
}

static int store_status(const struct err *err) {
	return status_of(err, err->sys == EIO ? EX_IOERR : EX_TEMPFAIL);
}

/* Writes header and body. */
static int write_message(struct job *j, struct way *way, struct err *err) {
	struct intake *in = &j->in;
	if (way_write(way, buf_span(&j->head), err) != 0)
		return store_status(err);
	for (;;) {
		if (way_write(way, buf_span(&in->body), err) != 0)
			return store_status(err);
		if (in->at_end)
			return EX_OK;
		if (intake_next(in, err) != 0)
			return status_of(err, EX_NOINPUT);
	}
}

/* A short message is here as a whole, and seen to have no long line. */
static bool has_no_long_lines(const struct job *j) {
	return j->in.at_end && !longline_any(buf_span(&j->head)) &&
	       !longline_any(buf_span(&j->in.body));
}

/* What the other side of a way refuses for good is its policy. */
static int way_status(const struct err *err) {
	return err->kind == ERR_DENIED ? EX_UNAVAILABLE : store_status(err);
}

static int store(struct job *j, const struct envelope *e, struct err *err) {
	uint64_t size = j->in.at_end ? j->head.len + j->in.body.len : 0;
	struct way *way = submission_way(j->s->settings, err);
	if (!way)
		return EX_TEMPFAIL;
	if (has_no_long_lines(j))
		way_has_short_lines(way);
	int status = way_begin(way, e, size, err) != 0 ? way_status(err)
						       : write_message(j, way, err);
	if (status != EX_OK)
		way_abort(way);
	else if (way_commit(way, &j->id, err) != 0)
		status = way_status(err);
	way_free(way);
	return status;
}

static void wake_daemon(const struct job *j) {
	AUTO_BUF struct buf path = BUF_INIT(PATH_CEILING);
	struct queue_id_text id = queue_id_text(&j->id);
	buf_addf(&path, "%s/wake", j->s->settings->rundir);
	control_wake(buf_str(&path), span_str(id.s));
}

/* From a fixed header and the body's beginning to a queue file. */
static int queue_it(struct job *j, struct err *err) {
	struct envelope e;
	if (fill_envelope(j, &e) != 0) {
		err_set(err, ERR_MEMORY, "out of memory");
		return EX_TEMPFAIL;
	}
	int status = store(j, &e, err);
	free(e.to);
	if (status == EX_OK && j->straight) /* else whoever took it does */
		wake_daemon(j);
	return status;
}

/* Reads the header and the body's beginning, and puts the header right. */
static int take_in(struct job *j, struct err *err) {
	struct span block = j->s->header;
	if (!block.p && intake_header(&j->in, &block, err) != 0)
		return status_of(err, EX_NOINPUT);
	if (fix_header(j, block, err) != 0)
		return status_of(err, EX_DATAERR);
	if (!j->s->header.p)
		intake_drop_header(&j->in, block.len);
	if (j->s->to.count == 0) {
		err_set(err, ERR_MISSING, "no recipient%s",
			j->s->extract ? " in To, Cc or Bcc of the message" : "");
		return EX_USAGE;
	}
	return intake_body(&j->in, err) != 0 ? status_of(err, EX_NOINPUT) : EX_OK;
}

static void job_init(struct job *j, struct submission *s, int in) {
	*j = (struct job){ .s = s,
			   .id = queue_id_new(),
			   .straight = submission_is_straight(s->settings) };
	intake_init(&j->in, in, s->header.p ? s->body : span_of(NULL, 0));
	j->in.source = s->source;
	buf_init(&j->head, HEADER_OUT_MAX);
}

/* Hands on the words of a failure. */
static int job_end(struct job *j, int status, const struct err *why, struct err *err) {
	if (status != EX_OK && err)
		*err = *why;
	intake_release(&j->in);
	buf_release(&j->head);
	return status;
}

int submission_run(struct submission *s, int in, struct queue_id *ret_id,
		   struct err *err) {
	struct err why = ERR_INIT;
	struct job j;
	job_init(&j, s, in);
	int status = take_in(&j, &why);
	if (status == EX_OK)
		status = queue_it(&j, &why);
	if (status == EX_OK)
		*ret_id = j.id;
	return job_end(&j, status, &why, err);
}

/* Reads all of it, for its size. */
static int measure(struct job *j, struct submission_preview *ret, struct err *err) {
	struct envelope e;
	ret->octets = j->head.len + j->in.body.len;
	if (fill_envelope(j, &e) != 0) {
		err_set(err, ERR_MEMORY, "out of memory");
		return EX_TEMPFAIL;
	}
	ret->smtputf8 = e.smtputf8;
	ret->body_8bit = e.body_8bit;
	ret->wishes = (struct mail_wishes){ .priority = e.priority,
					    .at_ms = e.at_ms,
					    .require_tls = e.requiretls,
					    .tls_fields = e.tls_optional,
					    .tls_fields_no = e.tls_optional };
	snprintf(ret->wishes.relay, sizeof(ret->wishes.relay), "%.*s", (int)e.relay.len,
		 e.relay.p);
	snprintf(ret->from, sizeof(ret->from), "%.*s", (int)e.from.len, e.from.p);
	free(e.to);
	while (!j->in.at_end) {
		if (intake_next(&j->in, err) != 0)
			return status_of(err, EX_NOINPUT);
		ret->octets += j->in.body.len;
	}
	if (ret->octets <= j->s->settings->size_limit)
		return EX_OK;
	err_set(err, ERR_LIMIT, "%llu bytes: bigger than the limit of %llu",
		(unsigned long long)ret->octets,
		(unsigned long long)j->s->settings->size_limit);
	return EX_DATAERR;
}

int submission_preview(struct submission *s, int in, struct submission_preview *ret,
		       struct err *err) {
	struct err why = ERR_INIT;
	struct job j;
	job_init(&j, s, in);
	int status = take_in(&j, &why);
	if (status == EX_OK)
		status = measure(&j, ret, &why);
	if (status == EX_OK)
		buf_add(ret->header, buf_span(&j.head));
	return job_end(&j, status, &why, err);
}
