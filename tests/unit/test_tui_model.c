/*
 * The dashboard's model against a control socket that this test answers by hand, in the same
 * loop: so every order of questions and answers can be tried.
 */

#include "tui/model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/proc.h"
#include "control/address.h"
#include "lib/spool.h"
#include "tap.h"

#define PATIENCE_MS 60000
#define CLIENTS 16
#define MANY 100000u
#define OK "{\"ok\":true}\n"

static char dir[] = "/tmp/nmmodel-XXXXXX";
static char path[sizeof(dir) + 16];
static struct model *model;

/* --- the daemon's side --- */

static struct client {
	int fd; /* 0: free */
	char request[70000];
	size_t len;
	bool asked; /* the request is whole */
} client[CLIENTS];
static int listener = -1;

static void listen_here(void) {
	struct sockaddr_un addr;
	socklen_t len;
	unlink(path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control_address(path, &addr, &len, NULL) != 0 ||
	    bind(listener, (struct sockaddr *)&addr, len) != 0 ||
	    listen(listener, 20) != 0) {
		printf("Bail out! cannot listen at %s: %s\n", path, strerror(errno));
		exit(1);
	}
}

static void hang_up(struct client *c) {
	close(c->fd);
	memset(c, 0, sizeof(*c));
}

static void stop_listening(void) {
	close(listener);
	listener = -1;
	unlink(path);
	for (int i = 0; i < CLIENTS; i++)
		if (client[i].fd)
			hang_up(&client[i]);
}

static void take_clients(void) {
	int fd;
	while (listener >= 0 && (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		for (int i = 0; i < CLIENTS; i++)
			if (!client[i].fd) {
				client[i].fd = fd;
				break;
			}
	for (int i = 0; i < CLIENTS; i++) {
		struct client *c = &client[i];
		if (!c->fd)
			continue;
		ssize_t n = recv(c->fd, c->request + c->len,
				 sizeof(c->request) - c->len - 1, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			hang_up(c);
			continue;
		}
		c->len += n > 0 ? (size_t)n : 0;
		c->asked = strchr(c->request, '\n') != NULL;
	}
}

/* One round of both sides. */
static bool turn(void) {
	struct pollfd fds[MODEL_FDS_MAX];
	size_t n = model_fds(model, fds, MODEL_FDS_MAX);
	int wait = model_timeout_ms(model);
	poll(fds, n, wait < 0 || wait > 5 ? 5 : wait);
	bool changed = model_ready(model, fds, n);
	take_clients();
	return changed;
}

/* The client that asked for this, waiting for it; NULL: nobody does. */
static struct client *asks(const char *begin) {
	int64_t end = clock_boot_ms() + PATIENCE_MS;
	while (clock_boot_ms() < end) {
		for (int i = 0; i < CLIENTS; i++)
			if (client[i].fd && client[i].asked &&
			    strncmp(client[i].request, begin, strlen(begin)) == 0)
				return &client[i];
		turn();
	}
	ok(false, "somebody asks '%s'", begin);
	return NULL;
}

static void say(struct client *c, const char *text) {
	struct span rest = span_str(text);
	while (c && rest.len) {
		ssize_t n = send(c->fd, rest.p, rest.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			return;
		rest = span_from(rest, n > 0 ? (size_t)n : 0);
		if (rest.len)
			turn();
	}
}

static void answer(const char *begin, const char *text) {
	struct client *c = asks(begin);
	if (!c)
		return;
	c->asked = false;
	say(c, text);
	hang_up(c);
}

static bool until(bool (*done)(void)) {
	int64_t end = clock_boot_ms() + PATIENCE_MS;
	while (!done() && clock_boot_ms() < end)
		turn();
	return done();
}

/* --- what is waited for --- */

static bool fresh(void) {
	return model_truth(model) == MODEL_FRESH;
}
static bool stale(void) {
	return model_truth(model) == MODEL_STALE;
}
static bool has_detail(void) {
	return model_detail(model)->state == MODEL_DETAIL_READY;
}
static bool failed_detail(void) {
	return model_detail(model)->state == MODEL_DETAIL_FAILED;
}
static bool job_over(void) {
	return !model_job(model)->running;
}
static bool status_known(void) {
	return model_status(model)->known;
}
static bool from_spool(void) {
	return model_link(model) == MODEL_SPOOL && fresh();
}
static bool lost(void) {
	return model_link(model) == MODEL_LOST;
}

static size_t wanted_rows;
static bool has_rows(void) {
	return model_count(model) == wanted_rows;
}
static bool rows_are(size_t n) {
	wanted_rows = n;
	return until(has_rows);
}

static const char *row_wanted;
static enum model_state state_wanted;
static bool has_state(void) {
	const struct model_row *r = model_find(model, row_wanted);
	return r && r->state == state_wanted;
}
static bool state_is(const char *id, enum model_state s) {
	row_wanted = id;
	state_wanted = s;
	return until(has_state);
}

/* --- data --- */

#define A "CO6L0H2B5KQ1C7VA"
#define B "CO6L0H2B5KQ1C7VB"
#define C "CO6L0H2B5KQ1C7VC"
#define D "CO6L0H2B5KQ1C7VD"

#define ROW(id, state, to_state, reply)                                                         \
	"{\"id\":\"" id "\",\"state\":\"" state                                                 \
	"\",\"created\":1000,\"from\":\"ann@x.example\","                                       \
	"\"size\":812,\"attempts\":2,\"next\":2000,\"relay\":\"default\",\"reason\":null,"      \
	"\"why\":\"refused for now; next try soon\",\"flags\":[\"possibly-twice\",\"storm=X\"],"  \
	"\"recipients\":[{\"address\":\"d@x.example\",\"state\":\"delivered\",\"status\":null," \
	"\"reply\":null},{\"address\":\"b@x.example\",\"state\":\"" to_state                    \
	"\",\"status\":"                                                                        \
	"\"4.7.1\",\"reply\":" reply "}]}\n"
#define ROWS                                                  \
	ROW(B, "deferred", "deferred", "\"451 4.7.1 later\"") \
	ROW(A, "held", "pending", "null")                     \
	"this is no JSON\n"                                   \
	"{\"what\":\"no row\"}\n" ROW(C, "queued", "pending", "null") OK

static const char status[] =
	"{\"pid\":42,\"version\":\"0.1\",\"since\":900,\"now\":1500,\"admin\":true,"
	"\"stopping\":false,\"complaint\":null,\"paused_until\":null,\"workers\":2,"
	"\"queue\":\"/q\",\"relays\":[{\"name\":\"default\",\"state\":\"held\",\"connections\":1,"
	"\"connections_max\":10,\"messages\":7,\"words\":\"no login\",\"reason\":\"535 no\","
	"\"since\":1400,\"next\":1600,\"host\":\"h[192.0.2.1]\",\"tls\":\"TLS1.3\","
	"\"auth\":null,\"last_success\":null,\"last_failure\":1400,\"last_reply\":\"250 ok\",\"failure\":\"535 no\"}],"
	"\"destinations\":[{\"domain\":\"x.example\",\"waiting\":3,\"next\":null,"
	"\"reply\":\"451 x\"}],\"since_start\":{\"queued\":5,\"delivered\":4,\"deferred\":3,"
	"\"bounced\":2},\"minutes\":[[1440,1,2,3,4],[1500,5,6,7,8]],\"hours\":[[0,1,1,1,1]]}\n" OK;

static struct client *events;

/* A model that has read three rows and the status. */
static void start_with(const struct model_options *options) {
	model = model_new(options);
	events = asks("events");
	events->asked = false;
	answer("list all=1", ROWS);
	answer("status", status);
	ok(until(fresh) && until(status_known), "a model that read everything is fresh");
}

static void start(void) {
	const struct model_options options = { .control = path, .deliverable = true };
	start_with(&options);
}

static void stop(void) {
	model_free(model);
	for (int i = 0; i < CLIENTS; i++)
		if (client[i].fd)
			hang_up(&client[i]);
}

/* --- tests --- */

static void test_rows(void) {
	start();
	is_int(model_count(model), 3, "lines that are no rows are passed over");
	is_str(model_at(model, 0)->id, A, "rows come in the order of their IDs");
	const struct model_row *r = model_find(model, B);
	is_int(r->state, MODEL_DEFERRED, "a row has its state");
	is_str(r->to, "b@x.example", "and the first recipient that waits");
	is_str(r->all_to, "d@x.example\nb@x.example", "and all of them");
	is_int(r->waiting * 10 + r->recipients, 12, "and how many there are of both");
	is_str(r->reason, "451 4.7.1 later", "and the reply as its reason");
	is_str(r->flags, "possibly-twice storm=X", "and its flags");
	is_int(r->next, 2000, "and its next try");
	is_str(model_find(model, C)->reason, "", "one that was not tried has no reason");
	ok(!model_find(model, D), "an ID that is not there is not found");
	const struct model_status *s = model_status(model);
	is_int(s->count[MODEL_DEFERRED].messages, 1, "the states are counted");
	is_int(s->count[MODEL_DEFERRED].oldest, 1000, "with the oldest");
	is_int(s->count[MODEL_ACTIVE].oldest, NO_TIME, "of which there may be none");
	is_int(s->pid, 42, "the status has the daemon's pid");
	is_int(s->relays, 1, "its relays");
	is_str(s->relay[0].words, "no login", "and why one is held");
	is_int(s->relay[0].last_success, NO_TIME, "a time may be unknown");
	is_str(s->destination[0].name, "x.example", "the destinations with trouble");
	is_int(s->minute[0].start, 1500, "bars, the latest first");
	is_int(s->minute[1].bounced, 4, "with all their numbers");
	is_int(s->total.delivered, 4, "and the sums");
	is_int(model_link(model), MODEL_DAEMON, "a daemon answers");
	stop();
}

static void test_events(void) {
	start();
	say(events, "{\"event\":\"queued\",\"time\":1501.250,\"id\":\"" D "\",\"uid\":0,"
		    "\"from\":\"q@x\",\"to\":\"r@x\",\"recipients\":3,\"size\":99}\n"
		    "{\"event\":\"nonsense\"}\n");
	ok(rows_are(4), "a message that comes is a row at once");
	is_str(model_find(model, D)->from, "q@x", "with what the event told");
	is_int(model_find(model, D)->recipients, 3, "all of it");
	is_int(model_events(model), 1, "what is no event is passed over");
	is_int(model_event(model, 0)->at_ms, 1501250, "the event is kept with its time");
	answer("list id=" D, ROW(D, "deferred", "deferred", "\"450 x\"") OK);
	ok(state_is(D, MODEL_DEFERRED), "then it is asked how the message is");
	uint64_t version = model_rows_version(model);
	say(events, "{\"event\":\"started\",\"time\":1502,\"id\":\"" B
		    "\",\"relay\":\"default\"}\n");
	ok(state_is(B, MODEL_ACTIVE), "a message a worker has is active at once");
	ok(model_rows_version(model) > version, "and the rows have another version");
	answer("list id=" B, ROW(B, "held", "pending", "null") OK);
	ok(state_is(B, MODEL_HELD), "then it is asked how the message really is");
	say(events,
	    "{\"event\":\"deferred\",\"time\":1503,\"id\":\"" B "\",\"to\":\"b@x\","
	    "\"reply\":\"451 x\",\"next\":3000}\n");
	ok(state_is(B, MODEL_DEFERRED), "and deferred as soon as that is told");
	is_int(model_find(model, B)->next, 3000, "with its next try");
	is_str(model_event(model, 0)->text, "451 x", "the latest event comes first");
	answer("list id=" B, ROW(B, "deferred", "deferred", "\"451 x\"") OK);
	say(events,
	    "{\"event\":\"delivered\",\"time\":1504,\"id\":\"" C "\",\"to\":\"b@x\"}\n"
	    "{\"event\":\"gone\",\"time\":1504,\"id\":\"" C
	    "\",\"outcome\":\"delivered\"}\n"
	    "{\"event\":\"gone\",\"time\":1504,\"id\":\"" A "\",\"outcome\":\"dead\"}\n"
	    "{\"event\":\"held\",\"time\":1504,\"id\":\"" B "\",\"by\":\"admin\"}\n");
	ok(rows_are(3), "what is gone is no row any more");
	ok(model_find(model, A), "unless it went to dead/");
	/* One of those asked for is gone meanwhile: the request fails as a whole. */
	struct client *c = asks("list id=");
	ok(strstr(c->request, A) && strstr(c->request, B),
	   "several are asked for at once");
	answer("list id=", "{\"ok\":false,\"kind\":\"missing\",\"error\":\"" A
			   ": no such message\"}\n");
	ok(rows_are(2), "one that the daemon does not know is no row");
	answer("list id=" B, ROW(B, "held", "pending", "null") OK);
	ok(state_is(B, MODEL_HELD), "and the others are asked for again");
	stop();
}

static void test_full_list(void) {
	start();
	model_refresh(model);
	struct client *c = asks("list all=1");
	c->asked = false;
	say(c, ROW(A, "held", "pending", "null"));
	say(events,
	    "{\"event\":\"queued\",\"time\":1501,\"id\":\"" D "\",\"from\":\"q@x\","
	    "\"to\":\"r@x\",\"recipients\":1,\"size\":99}\n");
	ok(rows_are(4), "what comes while the list is read anew is a row");
	uint64_t version = model_rows_version(model);
	const struct model_row *before = model_find(model, A);
	say(c, OK);
	hang_up(c);
	ok(rows_are(2), "what the list does not name is gone, but not what just came");
	ok(model_find(model, D) && model_find(model, A) == before,
	   "and a row that did not change stays where it was");
	ok(model_rows_version(model) > version, "the version counts on");
	stop();
}

static void test_detail(void) {
	AUTO_BUF struct buf text = BUF_INIT(65536);
	start();
	model_want(model, B);
	is_int(model_detail(model)->state, MODEL_DETAIL_LOADING,
	       "a detail is being read");
	struct client *late = asks("show id=" B " body=1");
	late->asked = false;
	model_want(model, A);
	buf_adds(
		&text,
		"{\"id\":\"" A "\",\"recipients\":[{\"address\":\"b@x\",\"state\":"
		"\"deferred\",\"status\":\"4.7.1\",\"reply\":\"451 x\"}],\"uid\":7,"
		"\"origin\":\"local\",\"journal\":["
		"{\"time\":100,\"what\":\"deferred\",\"to\":\"b@x\",\"reply\":\"first\"},"
		"{\"time\":100,\"what\":\"attempt\",\"relay\":\"default\"},"
		"{\"time\":150,\"what\":\"hold\",\"reason\":\"admin\"},"
		"{\"time\":200,\"what\":\"deferred\",\"to\":\"b@x\",\"reply\":\"second\","
		"\"host\":\"h\"},{\"time\":200,\"what\":\"attempt\"}]}\n"
		"{\"content\":\"");
	codec_base64_add(&text, SPAN("Subject: x\r\n"));
	buf_adds(&text, "\"}\n{\"content\":\"");
	codec_base64_add(&text, SPAN("\r\nbody"));
	buf_adds(&text, "\"}\n" OK);
	say(late, "{\"id\":\"" B "\",\"uid\":1}\n" OK);
	answer("show id=" A, buf_str(&text));
	ok(until(has_detail), "the answer about another message comes");
	const struct model_detail *d = model_detail(model);
	is_str(d->id, A, "and is about that one");
	is_int(d->uid, 7, "what was asked for before is dropped");
	ok(span_eq(d->content, SPAN("Subject: x\r\n\r\nbody")),
	   "the content is put together");
	ok(!d->cut, "and whole");
	is_int(d->attempts, 3, "what happened is told");
	is_int(d->attempt[0].number, 2, "the latest attempt first");
	is_str(d->attempt[0].reply, "second", "with its reply");
	is_str(d->attempt[1].what, "hold", "what is no attempt too");
	is_int(d->attempt[1].number, 0, "without a number");
	is_int(d->attempt[2].number, 1, "then the attempt before");
	uint64_t version = model_detail_version(model);
	say(events,
	    "{\"event\":\"held\",\"time\":1505,\"id\":\"" A "\",\"by\":\"admin\"}\n");
	answer("show id=" A, "{\"ok\":false,\"kind\":\"missing\",\"error\":\"" A
			     ": no such message\"}\n");
	ok(until(failed_detail), "a message that changed is asked for again");
	is_str(model_detail(model)->words, A ": no such message",
	       "and may be gone by then");
	ok(model_detail_version(model) > version, "the detail has another version");
	model_want(model, NULL);
	is_int(model_detail(model)->state, MODEL_DETAIL_NONE,
	       "nobody wants a detail any more");
	stop();
}

/* A message longer than is kept: the rest is not even read. */
static void test_long_content(void) {
	AUTO_BUF struct buf piece = BUF_INIT(1u << 20), line = BUF_INIT(2u << 20);
	start();
	model_want(model, A);
	struct client *c = asks("show id=" A);
	c->asked = false;
	say(c, "{\"id\":\"" A "\",\"uid\":7}\n");
	while (piece.len < 600000)
		buf_adds(&piece, "0123456789abcdef\r\n");
	buf_adds(&line, "{\"content\":\"");
	codec_base64_add(&line, buf_span(&piece));
	buf_adds(&line, "\"}\n");
	for (int i = 0; i < 10; i++)
		say(c, buf_str(&line));
	ok(until(has_detail), "a very long message is shown");
	ok(model_detail(model)->cut, "as one that was cut");
	is_int(model_detail(model)->content.len, 4 << 20, "at a bound");
	stop();
}

static void test_lost(void) {
	start();
	stop_listening();
	ok(until(stale), "without a daemon the rows are stale");
	is_int(model_count(model), 3, "but still there");
	ok(model_link_words(model)[0] != '\0', "and words say why: %s",
	   model_link_words(model));
	ok(until(lost), "that there is none is told");
	struct err err = ERR_INIT;
	is_int(model_may_act(model, MODEL_HOLD, &err), -1, "nothing can be done then");
	listen_here();
	events = asks("events");
	events->asked = false;
	ok(stale(), "with a new daemon they are so until they were read");
	answer("list all=1", ROW(C, "held", "pending", "null") OK);
	answer("status", status);
	ok(until(fresh), "and fresh then");
	is_int(model_count(model), 1, "and what is gone is gone");
	is_str(model_link_words(model), "", "without words");
	/* A daemon that hangs. */
	struct client *c = asks("status");
	c->asked = false;
	clock_shift_for_test(0, 20000, 0);
	ok(until(stale), "a daemon that does not answer is no longer believed");
	ok(strstr(model_link_words(model), "does not answer"), "and that is told");
	hang_up(c);
	answer("status", status);
	ok(until(fresh), "until it answers again");
	clock_shift_for_test(0, 0, 0);
	/* One that found us too slow. */
	say(events, "{\"ok\":false,\"error\":\"too slow\"}\n");
	answer("list all=1", ROWS);
	ok(rows_are(3), "who lost events reads the list anew");
	stop();
}

static void test_actions(void) {
	const char *ids[] = { A, B, C };
	struct err err = ERR_INIT;
	start();
	is_int(model_act(model, MODEL_HOLD, ids, 3, &err), 0, "an action starts");
	ok(model_job(model)->running, "and is under way");
	is_int(model_act(model, MODEL_HOLD, ids, 3, &err), -1,
	       "another one is refused meanwhile");
	answer("hold id=" A " id=" B " id=" C "\n",
	       "{\"ok\":false,\"kind\":\"missing\",\"error\":\"" B
	       ": no such message\"}\n");
	answer("hold id=" A " id=" C "\n",
	       "{\"id\":\"" A "\",\"pending\":false}\n{\"id\":\"" C
	       "\",\"pending\":true}\n" OK);
	ok(until(job_over), "it ends");
	const struct model_job *j = model_job(model);
	is_int(j->done, 2, "two were done");
	is_int(j->later, 1, "one of them later");
	is_int(j->failed, 1, "one was gone");
	ok(strstr(j->error, B), "which is named: %s", j->error);
	is_int(model_act(model, MODEL_BOUNCE, ids, 1, &err), 0, "the next action starts");
	answer("bounce id=" A "\n",
	       "{\"id\":\"" A "\",\"error\":\"it has no sender\"}\n" OK);
	ok(until(job_over), "and ends");
	is_str(model_job(model)->error, A ": it has no sender",
	       "with the daemon's words");
	is_int(model_act(model, MODEL_DELETE, ids, 0, &err), -1,
	       "no message is no action");
	is_int(model_act(model, MODEL_DELETE, ids, 1, &err), 0,
	       "a daemon that breaks off");
	hang_up(asks("delete id=" A "\n"));
	ok(until(job_over), "ends the action");
	is_int(model_job(model)->failed, 1, "as a failure");
	ok(strstr(model_job(model)->error, "broke off"), "in words: %s",
	   model_job(model)->error);
	stop();
}

static void test_edit(void) {
	struct err err = ERR_INIT;
	start();
	is_int(model_edit(model, A, SPAN("old@x\ngone@x\n"), SPAN("new@x\n"), &err), 0,
	       "recipients can be edited");
	answer("edit id=" A " to=old@x new=new@x remove=gone@x\n",
	       "{\"id\":\"" A "\",\"new\":\"" D "\",\"pending\":false}\n" OK);
	ok(until(job_over), "that ends");
	is_str(model_job(model)->new_id, D, "with the message's new ID");
	is_int(model_edit(model, A, SPAN("a\n"), SPAN("b\nc\n"), &err), -1,
	       "none can be added");
	ok(strstr(err.msg, "adds none"), "in words: %s", err.msg);
	is_int(model_edit(model, A, SPAN(""), SPAN(""), &err), -1,
	       "no change is no action");
	stop();
}

static void test_many_ids(void) {
	static char ids[450][MODEL_ID_SIZE];
	static const char *list[450];
	AUTO_BUF struct buf reply = BUF_INIT(1u << 20);
	size_t batches = 0;
	start();
	for (size_t i = 0; i < 450; i++) {
		snprintf(ids[i], sizeof(ids[i]), "CO6L0H2B5KQ0%04zu", i);
		list[i] = ids[i];
	}
	is_int(model_act(model, MODEL_FLUSH, list, 450, NULL), 0,
	       "450 messages are flushed");
	for (size_t at = 0; at < 450; batches++) {
		struct client *c = asks("flush id=");
		size_t n = 0;
		if (!c)
			break;
		for (const char *p = c->request; (p = strstr(p, "id=")); p++, n++)
			buf_addf(&reply, "{\"id\":\"%.16s\",\"pending\":false}\n", p + 3);
		at += n;
		buf_adds(&reply, OK);
		answer("flush", buf_str(&reply));
		buf_reset(&reply);
	}
	ok(until(job_over), "that ends");
	is_int(batches, 3, "in three requests");
	is_int(model_job(model)->done, 450, "all were done");
	stop();
}

static void test_read_only(void) {
	const struct model_options options = { .control = path, .read_only = true };
	const char *ids[] = { A };
	struct err err = ERR_INIT;
	start_with(&options);
	is_int(model_act(model, MODEL_DELETE, ids, 1, &err), -1,
	       "read-only refuses actions");
	is_str(err.msg, "delete: not with --read-only", "in words");
	stop();
}

static struct queue_id put_message(struct queue *q, const char *to) {
	struct envelope_recipient r = { .address = span_str(to) };
	struct envelope e = { .id = queue_id_new(),
			      .created = clock_now(),
			      .origin = SPAN("local"),
			      .from = SPAN("ann@x.example"),
			      .to = &r,
			      .to_count = 1 };
	struct err err = ERR_INIT;
	struct queue_accept *a = queue_accept_begin(q, &e, &err);
	if (!a || queue_accept_write(a, SPAN("Subject: s\r\n\r\nbody\r\n"), &err) != 0 ||
	    queue_accept_commit(a, NULL, &err) != 0)
		ok(false, "a message is put into the spool: %s", err.msg);
	return e.id;
}

static void test_spool(void) {
	char spool[sizeof(dir) + 16];
	struct err err = ERR_INIT;
	const struct model_options options = { .control = path, .queue = spool };
	const char *ids[1];
	stop_listening();
	snprintf(spool, sizeof(spool), "%s/spool", dir);
	ok(queue_create(spool, &err) == 0, "a spool is made");
	struct queue *q = queue_open(spool, &err);
	struct queue_id first = put_message(q, "a@x.example");
	model = model_new(&options);
	ok(until(from_spool), "without a daemon the queue is read from the disk");
	is_int(model_count(model), 1, "all of it");
	is_str(model_at(model, 0)->to, "a@x.example", "with its recipients");
	struct queue *owner = queue_open(spool, &err);
	is_int(queue_own(owner, &err), 0, "nobody took the lock for that: %s", err.msg);
	queue_free(owner);
	struct queue_id_text text = queue_id_text(&first);
	model_want(model, text.s);
	ok(until(has_detail), "so is one message");
	ok(span_eq(model_detail(model)->content, SPAN("Subject: s\r\n\r\nbody\r\n")),
	   "with its content");
	ids[0] = text.s;
	is_int(model_act(model, MODEL_DELETE, ids, 1, &err), -1, "it cannot be changed");
	ok(strstr(err.msg, "nightmaild is not running"), "and words say why: %s",
	   err.msg);
	put_message(q, "b@x.example");
	clock_shift_for_test(0, 20000, 0);
	ok(rows_are(2), "the queue is read again after a while");
	listen_here();
	clock_shift_for_test(0, 40000, 0);
	events = asks("events");
	events->asked = false;
	answer("list all=1", ROWS);
	answer("status", status);
	ok(rows_are(3) && until(fresh), "a daemon that starts is asked from then on");
	is_int(model_link(model), MODEL_DAEMON, "it answers");
	clock_shift_for_test(0, 0, 0);
	queue_free(q);
	stop();
}

static void test_no_spool(void) {
	const struct model_options options = { .control = path,
					       .queue = "/nonexistent/spool" };
	stop_listening();
	model = model_new(&options);
	ok(until(lost), "without a daemon and without a spool there is nothing");
	is_int(model_truth(model), MODEL_NOTHING, "to be shown");
	ok(model_link_words(model)[0] != '\0', "and words say why: %s",
	   model_link_words(model));
	stop();
	listen_here();
}

/* Of this process, so that others on the machine do not count. */
static int64_t now_us(void) {
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* What a queue of 100,000 costs: printed, and bounded only against the absurd. */
static void test_size(void) {
	AUTO_BUF struct buf lines = BUF_INIT(64u << 20);
	const struct model_options options = { .control = path };
	struct rusage before, after;
	int64_t longest = 0, begin;
	for (unsigned i = 0; i < MANY; i++)
		buf_addf(
			&lines,
			"{\"id\":\"CO6L0H2B5K%06X\",\"state\":\"deferred\",\"created\":1000,"
			"\"from\":\"ann@x.example\",\"size\":812,\"attempts\":2,\"next\":2000,"
			"\"relay\":\"default\",\"reason\":null,\"why\":\"refused for now by "
			"mx.example.net[192.0.2.1] (451 4.7.1 greylisted); tried twice, next try in "
			"4 min (05:57:36)\",\"flags\":[],\"recipients\":[{\"address\":"
			"\"someone.%u@example.net\",\"state\":\"deferred\",\"status\":\"4.7.1\","
			"\"reply\":\"451 4.7.1 greylisted\"}]}\n",
			i, i);
	buf_adds(&lines, OK);
	getrusage(RUSAGE_SELF, &before);
	model = model_new(&options);
	events = asks("events");
	events->asked = false;
	struct client *c = asks("list all=1");
	c->asked = false;
	begin = now_us();
	for (struct span rest = buf_span(&lines); rest.len;) {
		ssize_t n = send(c->fd, rest.p, rest.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		rest = span_from(rest, n > 0 ? (size_t)n : 0);
		int64_t at = now_us();
		turn();
		if (now_us() - at > longest)
			longest = now_us() - at;
	}
	hang_up(c);
	ok(rows_are(MANY), "%u messages are read", MANY);
	getrusage(RUSAGE_SELF, &after);
	printf("# reading %u rows: %lld ms, longest step %lld us, %lld bytes a row\n",
	       MANY, (long long)(now_us() - begin) / 1000, (long long)longest,
	       (long long)(after.ru_maxrss - before.ru_maxrss) * 1024 / MANY);
	stop();
}

int main(void) {
	proc_start();
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/control", dir);
	listen_here();
	test_rows();
	test_events();
	test_full_list();
	test_detail();
	test_long_content();
	test_lost();
	test_actions();
	test_edit();
	test_many_ids();
	test_read_only();
	test_spool();
	test_no_spool();
	test_size();
	stop_listening();
	spool_remove(dir);
	return done_testing();
}
