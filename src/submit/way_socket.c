/*
 * Through the daemon's socket. A short message waits here until it is whole and goes with its
 * envelope in one flight (flight.h); what is longer goes as it comes by the client machine
 * (smtp/client.h) over a blocking connection. One refused recipient refuses the whole message:
 * the connection is then closed before the content ends, which discards it. A daemon that has
 * too many sessions says so in its greeting, and is asked again for a while; where it has left
 * meanwhile, nightmail-drop takes what waits here.
 */

#include "submit/way.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "base/auto.h"
#include "base/buf.h"
#include "control/address.h"
#include "smtp/client.h"
#include "submit/envelope_words.h"
#include "submit/flight.h"

#define REPLY_MS 330000 /* longer than the daemon waits for us */
#define BUSY_TRIES 40
#define BUSY_PAUSE_NS 250000000
#define READ_BYTES 4096 /* replies are short */
#define DRAIN_AT 65536u
#define NOTIFY_TEXT_MAX 32

struct way_socket {
	struct way way;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char helo[256];
	int fd;
	bool greeted;               /* a flight went over this connection */
	struct smtp_client *client; /* NULL as long as only flights did */
	const struct envelope *envelope;
	uint64_t size;
	struct buf held; /* the content, without a client */
	struct smtp_transaction t;
	struct smtp_recipient *to;
	char (*notify)[NOTIFY_TEXT_MAX];
	bool ready, wants_content, done, over;
	struct smtp_reply reply; /* the last that decides something */
};

static struct way_socket *self(struct way *w) {
	return (struct way_socket *)w;
}

static void hang_up(struct way_socket *s) {
	auto_close(&s->fd);
	s->fd = -1;
	smtp_client_free(s->client);
	s->client = NULL;
	s->greeted = false;
	s->ready = s->wants_content = s->done = s->over = false;
}

static void end_transaction(struct way_socket *s) {
	free(s->to);
	free(s->notify);
	s->to = NULL;
	s->notify = NULL;
	s->envelope = NULL;
	buf_release(&s->held);
	s->wants_content = s->done = false;
}

/* The daemon's refusal as an error of the kind that says what it means. */
static int refused(struct way_socket *s, struct err *err) {
	const struct smtp_reply *r = &s->reply;
	enum err_kind kind = r->code < 500    ? ERR_REMOTE
			     : r->code == 552 ? ERR_LIMIT
			     : r->code == 550 ? ERR_DENIED
					      : ERR_SYNTAX;
	err_set(err, kind, "nightmaild: %d %s", r->code, r->text);
	hang_up(s);
	return -1;
}

/* --- moving bytes --- */

static int trouble(struct way_socket *s, struct err *err, const char *what) {
	err_sys(err, "%s: %s", s->path, what);
	if (err)
		err->kind =
			ERR_REMOTE; /* whatever it is, it is no fault of the message */
	hang_up(s);
	return -1;
}

/* Sends and reads what goes without waiting. Returns 1 when something moved, 0, or -1. */
static int move(struct way_socket *s) {
	char bytes[READ_BYTES];
	int moved = 0;
	struct span out = smtp_client_output(s->client);
	if (out.len > 0) {
		ssize_t n = send(s->fd, out.p, out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR && errno != EPIPE)
			return -1;
		if (n > 0)
			smtp_client_sent(s->client, (size_t)n);
		moved = n > 0;
	}
	ssize_t n = recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (n > 0 && smtp_client_input(s->client, span_of(bytes, (size_t)n)) < 0)
		return -1;
	if (n == 0)
		smtp_client_eof(s->client, "the daemon closed the connection");
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return -1;
	return moved || n >= 0;
}

static void note_event(struct way_socket *s, enum smtp_client_event event,
		       const struct smtp_client_note *note) {
	switch (event) {
	case SMTP_CLIENT_READY:
		s->ready = true;
		break;
	case SMTP_CLIENT_RECIPIENT:
		if (note->reply.code >= 300 && s->reply.code < 300)
			s->reply = note->reply;
		break;
	case SMTP_CLIENT_WANT_CONTENT:
		s->wants_content = true;
		break;
	case SMTP_CLIENT_DONE:
		s->done = true;
		if (s->reply.code < 300)
			s->reply = note->reply;
		break;
	case SMTP_CLIENT_CLOSED:
		s->over = true;
		if (s->reply.code < 300)
			s->reply = note->reply;
		break;
	case SMTP_CLIENT_WANT_TLS: /* not asked for */
	case SMTP_CLIENT_LOST:
	case SMTP_CLIENT_NONE:
		break;
	}
}

/* Works until *goal, or the transaction or the connection is over, or no more than `left`
 * bytes wait to be sent when there is no goal. */
static int run(struct way_socket *s, const bool *goal, size_t left, struct err *err) {
	struct smtp_client_note note;
	enum smtp_client_event event;
	for (;;) {
		while ((event = smtp_client_next(s->client, &note)) != SMTP_CLIENT_NONE)
			note_event(s, event, &note);
		struct span out = smtp_client_output(s->client);
		if (s->over || s->done ||
		    (goal ? *goal && out.len <= left : out.len <= left))
			return 0;
		int moved = move(s);
		if (moved < 0)
			return trouble(s, err, "the connection broke");
		if (moved > 0)
			continue;
		struct pollfd p = { .fd = s->fd, .events = POLLIN };
		if (out.len > 0)
			p.events |= POLLOUT;
		int n = poll(&p, 1, REPLY_MS);
		if (n == 0)
			errno = ETIMEDOUT;
		if (n == 0 || (n < 0 && errno != EINTR))
			return trouble(s, err, "no answer");
	}
}

/* --- the session --- */

static int connect_once(struct way_socket *s, struct err *err) {
	struct sockaddr_un addr;
	socklen_t len;
	if (control_address(s->path, &addr, &len, err) != 0)
		return -1;
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd >= 0 && connect(s->fd, (struct sockaddr *)&addr, len) == 0)
		return 0;
	int sys = errno;
	err_sys(err, "%s", s->path);
	if (err && (sys == ENOENT || sys == ECONNREFUSED || sys == ENOTDIR))
		err->kind = ERR_MISSING;
	else if (err && (sys == EACCES || sys == EPERM))
		err->kind = ERR_DENIED;
	hang_up(s);
	return -1;
}

static int open_session(struct way_socket *s, struct err *err) {
	const struct smtp_client_params params = { .helo = s->helo,
						   .starttls = SMTP_STARTTLS_NEVER };
	if (s->greeted)
		hang_up(s);
	if (s->fd < 0 && connect_once(s, err) != 0)
		return -1;
	s->reply = (struct smtp_reply){ .code = 0 };
	s->client = smtp_client_new(&params);
	if (!s->client) {
		hang_up(s);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	if (run(s, &s->ready, 0, err) != 0)
		return -1;
	return s->ready ? 0 : refused(s, err);
}

/* False when the daemon was asked often enough. */
static bool be_patient(int tries) {
	if (tries == BUSY_TRIES)
		return false;
	nanosleep(&(struct timespec){ .tv_nsec = BUSY_PAUSE_NS }, NULL);
	return true;
}

/* As long as the daemon has no session free for us. */
static int open_patiently(struct way_socket *s, struct err *err) {
	for (int i = 0; open_session(s, err) != 0; i++)
		if (s->reply.code != 421 || !be_patient(i))
			return -1;
	return 0;
}

static int fill_recipients(struct way_socket *s, const struct envelope *e) {
	s->to = calloc(e->to_count, sizeof(*s->to));
	s->notify = calloc(e->to_count, sizeof(*s->notify));
	if (!s->to || !s->notify)
		return -1;
	for (size_t i = 0; i < e->to_count; i++) {
		AUTO_BUF struct buf words = BUF_INIT(NOTIFY_TEXT_MAX - 1);
		submit_notify_add(&words, e->to[i].notify);
		memcpy(s->notify[i], buf_str(&words), words.len);
		s->to[i] = (struct smtp_recipient){ .address = e->to[i].address,
						    .notify = span_of(s->notify[i],
								      words.len),
						    .orcpt = e->to[i].orcpt };
	}
	return 0;
}

/* The way of a message that does not fit into a flight. */
static int begin_long(struct way_socket *s, struct err *err) {
	if (!s->client && open_patiently(s, err) != 0)
		return -1;
	s->reply = (struct smtp_reply){ .code = 0 };
	if (smtp_client_begin(s->client, &s->t, err) != 0 ||
	    run(s, &s->wants_content, SIZE_MAX, err) != 0)
		return -1;
	return s->wants_content && s->reply.code < 300 ? 0 : refused(s, err);
}

static int begin(struct way *w, const struct envelope *e, uint64_t size,
		 struct err *err) {
	struct way_socket *s = self(w);
	if (s->fd < 0 && connect_once(s, err) != 0)
		return -1;
	end_transaction(s);
	if (fill_recipients(s, e) != 0)
		return err_set(err, ERR_MEMORY, "out of memory");
	s->envelope = e;
	s->size = size;
	s->t = (struct smtp_transaction){
		.from = e->from,
		.to = s->to,
		.to_count = e->to_count,
		.size = size,
		.body_8bit = e->body_8bit,
		.smtputf8 = e->smtputf8,
		.ret = e->ret,
		.envid = e->envid,
	};
	if (s->client || size > FLIGHT_CONTENT_MAX || e->to_count > FLIGHT_RECIPIENTS_MAX)
		return begin_long(s, err);
	return 0;
}

static int send_content(struct way_socket *s, struct span wire, struct err *err) {
	if (smtp_client_content(s->client, wire, false) != 0)
		return err_set(err, ERR_MEMORY, "out of memory");
	if (run(s, NULL, DRAIN_AT, err) != 0)
		return -1;
	return s->over || s->done ? refused(s, err) : 0;
}

static int write_some(struct way *w, struct span wire, struct err *err) {
	struct way_socket *s = self(w);
	if (s->client)
		return send_content(s, wire, err);
	if (wire.len <= FLIGHT_CONTENT_MAX - s->held.len)
		return buf_add(&s->held, wire) == 0
			       ? 0
			       : err_set(err, ERR_MEMORY, "out of memory");
	if (begin_long(s, err) != 0 || send_content(s, buf_span(&s->held), err) != 0)
		return -1;
	buf_release(&s->held);
	return send_content(s, wire, err);
}

/* "queued as ID": the daemon's words are ours. */
static bool take_id(const char *text, struct queue_id *ret) {
	size_t len = strlen(text);
	return len >= QUEUE_ID_LEN &&
	       queue_id_parse(span_of(text + len - QUEUE_ID_LEN, QUEUE_ID_LEN), ret);
}

static int commit_long(struct way_socket *s, struct err *err) {
	if (smtp_client_content(s->client, SPAN(""), true) != 0)
		return err_set(err, ERR_MEMORY, "out of memory");
	return run(s, &s->done, SIZE_MAX, err);
}

/* What the daemon surely did not take. */
static int hand_to_helper(struct way_socket *s, struct queue_id *ret, struct err *err) {
	struct way *helper = way_open_helper(err);
	if (!helper)
		return -1;
	way_has_short_lines(helper);
	int r = way_begin(helper, s->envelope, s->size, err) != 0 ||
				way_write(helper, buf_span(&s->held), err) != 0 ||
				way_commit(helper, ret, err) != 0
			? -1
			: 0;
	way_free(helper);
	return r;
}

/* Sends it until somebody takes or refuses it: s->reply is the answer then. */
static enum flight_end fly(struct way_socket *s, struct err *err) {
	enum flight_end end;
	for (int i = 0;; i++) {
		const struct flight f = {
			.fd = s->fd,
			.path = s->path,
			.helo = s->greeted ? NULL : s->helo,
			.t = &s->t,
			.content = buf_span(&s->held),
			.timeout_ms = REPLY_MS,
		};
		s->reply = (struct smtp_reply){ .code = 0 };
		end = flight_run(&f, &s->reply, err);
		if (end != FLIGHT_NOT_TAKEN)
			return end;
		hang_up(s);
		if (!be_patient(i))
			return FLIGHT_REFUSED;
		if (connect_once(s, err) != 0)
			return end;
	}
}

static int commit_flight(struct way_socket *s, struct queue_id *ret, struct err *err) {
	struct err why = ERR_INIT;
	s->t.size = s->held.len;
	enum flight_end end = fly(s, &why);
	s->greeted = end == FLIGHT_QUEUED;
	if (end == FLIGHT_QUEUED || end == FLIGHT_REFUSED)
		return 0;
	if (end == FLIGHT_NOT_TAKEN && why.kind == ERR_MISSING &&
	    hand_to_helper(s, ret, NULL) == 0)
		return 1;
	if (why.kind == ERR_SYSTEM)
		why.kind = ERR_REMOTE; /* it is no fault of the message */
	if (err)
		*err = why;
	hang_up(s);
	return -1;
}

static int commit(struct way *w, struct queue_id *ret, struct err *err) {
	struct way_socket *s = self(w);
	bool flies = !s->client;
	int r = flies ? commit_flight(s, ret, err) : commit_long(s, err);
	if (r < 0)
		return -1;
	if (r == 0 && ((!flies && !s->done) || s->reply.code >= 300 ||
		       !take_id(s->reply.text, ret)))
		return refused(s, err);
	end_transaction(s);
	return 0;
}

/* A message that is not ended is discarded by whoever sees us go. */
static void give_up(struct way *w) {
	hang_up(self(w));
	end_transaction(self(w));
}

static void release(struct way *w) {
	struct way_socket *s = self(w);
	struct smtp_client_note note;
	if (s->client && s->ready && !s->over) {
		smtp_client_quit(s->client);
		while (smtp_client_next(s->client, &note) != SMTP_CLIENT_NONE)
			;
		struct span out = smtp_client_output(s->client);
		if (send(s->fd, out.p, out.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			s->over = true; /* it sees the end without it */
	}
	give_up(w);
	free(w);
}

static const struct way_ops ops = {
	.traced = true,
	.begin = begin,
	.write = write_some,
	.commit = commit,
	.abort = give_up,
	.free = release,
};

struct way *way_open_socket(const struct way_place *p, const char *helo,
			    struct err *err) {
	struct way_socket *s = calloc(1, sizeof(*s));
	if (!s) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	s->way.ops = &ops;
	s->fd = -1;
	buf_init(&s->held, FLIGHT_CONTENT_MAX);
	snprintf(s->helo, sizeof(s->helo), "%s", helo);
	int n = snprintf(s->path, sizeof(s->path), "%s/submit", p->rundir);
	if (n < 0 || (size_t)n >= sizeof(s->path))
		err_set(err, ERR_LIMIT, "%s/submit: too long for a socket", p->rundir);
	else if (connect_once(s, err) == 0)
		return &s->way;
	free(s);
	return NULL;
}
