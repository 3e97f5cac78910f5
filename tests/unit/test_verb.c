/* Verbs on queued and dead messages, and the sentence that says what a message waits for. */

#include "deliver/verb.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/spool.h"
#include "queue/relaystate.h"
#include "tap.h"

#define CONTENT "Subject: hello\r\n\r\nworld\r\n"
#define FIRST_REPLY "450 4.7.1 Greylisted, try again later"

static struct settings settings;
static struct queue *q;
static const char *dir;

static void start(void) {
	dir = spool_make();
	q = queue_open(dir, NULL);
}

static void end(void) {
	queue_free(q);
	spool_remove(dir);
}

static void append(const struct queue_id *id, struct buf *records) {
	struct queue_claim *c = queue_claim(q, id, NULL, NULL);
	queue_claim_append(c, buf_span(records), true, NULL);
	queue_claim_release(c);
	buf_release(records);
}

static void add_deferral(const struct queue_id *id, const char *reply, const char *host,
			 unsigned times) {
	struct buf records = BUF_INIT(65536);
	struct moment now = clock_now();
	struct journal_result r = {
		.state = RECIPIENT_DEFERRED,
		.reply = span_str(reply),
		.host = span_str(host),
	};
	for (unsigned i = 0; i < times; i++)
		journal_add_attempt(&records, &now, 1000, 240000, SPAN("default"));
	journal_add_result(&records, &now, 0, 1, &r, NULL);
	append(id, &records);
}

/* The value of a text member, "" when there is none. */
static const char *member(const struct buf *line, const char *key) {
	static char value[4096];
	char want[64];
	snprintf(want, sizeof(want), "\"%s\":\"", key);
	const char *p = strstr(buf_str(line), want);
	value[0] = '\0';
	if (!p)
		return value;
	p += strlen(want);
	const char *close = strchr(p, '"');
	snprintf(value, sizeof(value), "%.*s", close ? (int)(close - p) : 0, p);
	return value;
}

#define RUNNING                                                                         \
	{                                                                               \
		.daemon = true, .deliverable = true, .has_due = true, .due_ms = 240000, \
		.relay = "default"                                                      \
	}

static const struct verb_live running = RUNNING;

static const struct {
	const char *label;
	const char *reply, *host; /* of the last attempt; NULL: none was made */
	unsigned attempts;
	struct verb_live live;
	bool held;
	const char *state, *why_starts, *why_has;
} rows[] = {
	{ "a new message without a daemon",
	  NULL,
	  NULL,
	  0,
	  { .deliverable = true },
	  false,
	  "queued",
	  "queued; nightmaild is not running",
	  "" },
	{ "a new message and its turn",
	  NULL,
	  NULL,
	  0,
	  { .daemon = true, .deliverable = true, .has_due = true },
	  false,
	  "queued",
	  "queued; its turn comes next",
	  "" },
	{ "a message with a worker",
	  NULL,
	  NULL,
	  0,
	  { .daemon = true, .deliverable = true, .active = true },
	  false,
	  "active",
	  "being delivered now",
	  "" },
	{ "a held message",
	  NULL,
	  NULL,
	  0,
	  { .daemon = true, .deliverable = true },
	  true,
	  "held",
	  "held by admin",
	  "mailq release" },
	{ "a held message without a daemon",
	  NULL,
	  NULL,
	  0,
	  { .deliverable = true },
	  true,
	  "held",
	  "held by admin",
	  "" },
	{ "a broken configuration",
	  NULL,
	  NULL,
	  0,
	  { .daemon = true, .relay_words = "nightmail.conf: no [relay default]" },
	  false,
	  "queued",
	  "cannot be delivered: nightmail.conf: no [relay default]",
	  "" },
	{ "a held relay",
	  NULL,
	  NULL,
	  0,
	  { .daemon = true,
	    .deliverable = true,
	    .relay = "default",
	    .relay_held = true,
	    .relay_words = "login refused: 535 5.7.8 bad credentials",
	    .probe_ms = 240000 },
	  false,
	  "deferred",
	  "waiting for relay default: login refused: 535 5.7.8 bad credentials; ",
	  "next try in 4 min (" },
	{ "a held relay that is tried right now",
	  NULL,
	  NULL,
	  0,
	  { .daemon = true,
	    .deliverable = true,
	    .relay = "default",
	    .relay_held = true,
	    .relay_words = "login refused: 535 5.7.8 bad credentials" },
	  false,
	  "deferred",
	  "waiting for relay default: login refused: 535 5.7.8 bad credentials; ",
	  "next try now" },
	{ "greylisting", FIRST_REPLY, "mx1.example[192.0.2.1]", 2, RUNNING, false,
	  "deferred",
	  "greylisted by mx1.example[192.0.2.1] (450 4.7.1 Greylisted, try again later)",
	  "tried 2 times, next try in 4 min (" },
	{ "another refusal", "452 4.2.2 mailbox full", "mx1.example[192.0.2.1]", 1,
	  RUNNING, false, "deferred",
	  "refused for now by mx1.example[192.0.2.1] (452 4.2.2 mailbox full)",
	  "tried once, next try in 4 min (" },
	{ "our own words", "the connection broke off", "", 1, RUNNING, false, "deferred",
	  "the connection broke off; tried once, ", "next try in 4 min (" },
	{ "a refusal without a daemon",
	  "452 4.2.2 mailbox full",
	  "mx1.example",
	  1,
	  { .deliverable = true },
	  false,
	  "deferred",
	  "refused for now by mx1.example (452 4.2.2 mailbox full); nightmaild is not running",
	  "" },
};

static void check_row(size_t i) {
	const struct queue_id id = spool_id(1);
	struct buf line = BUF_INIT(65536), records = BUF_INIT(4096);
	start();
	spool_accept(q, id, 2, SPAN(CONTENT));
	if (rows[i].reply)
		add_deferral(&id, rows[i].reply, rows[i].host, rows[i].attempts);
	if (rows[i].held) {
		journal_add_hold(&records, &(struct moment){ .wall_ms = 1 }, "admin");
		append(&id, &records);
	}
	is_int(verb_describe(q, &id, false, &rows[i].live, &line, NULL), 0, "%s",
	       rows[i].label);
	is_str(member(&line, "state"), rows[i].state, "%s: its state", rows[i].label);
	const char *why = member(&line, "why");
	if (!ok(span_starts(span_str(why), span_str(rows[i].why_starts)) &&
			strstr(why, rows[i].why_has),
		"%s: what it waits for", rows[i].label))
		printf("# got %s\n# want %s ... %s\n", why, rows[i].why_starts,
		       rows[i].why_has);
	buf_release(&line);
	end();
}

static void check_flags(void) {
	const struct queue_id id = spool_id(1);
	struct buf line = BUF_INIT(65536), records = BUF_INIT(4096);
	start();
	spool_accept(q, id, 2, SPAN(CONTENT));
	journal_add_maybe_twice(&records, 0, 1);
	append(&id, &records);
	verb_describe(q, &id, false, &running, &line, NULL);
	ok(strstr(buf_str(&line), "\"flags\":[\"possibly-twice\"]"),
	   "a possible duplicate is flagged");
	ok(line.len > 0 && line.data[line.len - 1] == '\n' &&
		   span_find(buf_span(&line), '\n') == line.len - 1,
	   "a description is one line");
	buf_reset(&line);
	struct queue_id other = spool_id(2);
	struct err err = ERR_INIT;
	is_int(verb_describe(q, &other, false, &running, &line, &err), -1,
	       "a missing message is none");
	is_int(err.kind, ERR_MISSING, "and called missing");
	buf_release(&line);
	end();
}

/* Where the message is afterwards: "queue", "held", "dead", "gone". */
static const char *place(const struct queue_id *id) {
	struct queue_message m;
	const char *where = "gone";
	if (queue_read(q, id, true, &m, NULL, NULL) == 0) {
		queue_message_release(&m);
		return "dead";
	}
	if (queue_read(q, id, false, &m, NULL, NULL) == 0) {
		where = m.journal.held ? "held" : "queue";
		queue_message_release(&m);
	}
	return where;
}

static const struct {
	const char *label;
	const char
		*verbs; /* f h r d b, in lower case: on queue/, in upper case: on dead/ */
	int result;     /* of the last */
	const char *place;
} sequences[] = {
	{ "flush leaves it queued", "f", 0, "queue" },
	{ "hold holds it", "h", 0, "held" },
	{ "hold twice is one hold", "hhr", 0, "queue" },
	{ "release lets it go", "hr", 0, "queue" },
	{ "release of what is not held is refused", "r", -1, "queue" },
	{ "and of what was released already", "hrr", -1, "queue" },
	{ "flush of a held message is refused", "hf", -1, "held" },
	{ "delete keeps it in dead", "d", 0, "dead" },
	{ "delete of a dead message removes it", "dD", 0, "gone" },
	{ "release of a dead message revives it", "dR", 0, "queue" },
	{ "flush of a dead message revives it", "dF", 0, "queue" },
	{ "hold of a dead message is refused", "dH", -1, "dead" },
	{ "bounce ends it", "b", 0, "gone" },
	{ "bounce of a dead message ends it", "dB", 0, "gone" },
	{ "a verb on what is gone fails", "bh", -1, "gone" },
};

static enum verb_act act_of(char c) {
	static const char letters[] = "fhrdb";
	return (enum verb_act)(strchr(letters, c | 0x20) - letters);
}

static int count_name(void *ctx, const struct queue_id *id) {
	(void)id;
	++*(int *)ctx;
	return 0;
}

static void check_sequence(size_t i) {
	const struct queue_id id = spool_id(1);
	int r = 0, names = 0;
	start();
	spool_accept(q, id, 1, SPAN(CONTENT));
	for (const char *v = sequences[i].verbs; *v; v++)
		r = verb_apply(q, &settings, &(struct verb_wish){ .act = act_of(*v) }, &id, (*v & 0x20) == 0, NULL);
	is_int(r, sequences[i].result, "%s", sequences[i].label);
	is_str(place(&id), sequences[i].place, "%s: its place", sequences[i].label);
	if (strpbrk(sequences[i].verbs, "bB")) {
		queue_scan(q, false, count_name, &names, NULL);
		is_int(names, 1, "%s: the sender is told", sequences[i].label);
	}
	end();
}

static void check_active(void) {
	const struct queue_id id = spool_id(1);
	struct err err = ERR_INIT;
	start();
	spool_accept(q, id, 1, SPAN(CONTENT));
	struct queue_claim *c = queue_claim(q, &id, NULL, NULL);
	is_int(verb_apply(q, &settings, &(struct verb_wish){ .act = VERB_HOLD }, &id, false, &err), -1,
	       "a message that somebody has cannot be changed");
	is_int(err.kind, ERR_DENIED, "and that is said");
	queue_claim_release(c);
	end();
}

/* Ten hours ago, when its last attempt was made, something began that still goes on: its age
 * in seconds once the verb has ended its wait. */
static int64_t age_after(enum verb_act act, bool relay_held, bool held) {
	const struct queue_id id = spool_id(1);
	struct buf records = BUF_INIT(4096);
	struct moment past = clock_now();
	struct queue_message m;
	int64_t age_ms = -1;
	start();
	spool_accept(q, id, 1, SPAN(CONTENT));
	past.wall_ms -= 36000000;
	past.boot_ms -= 36000000;
	journal_add_attempt(&records, &past, 7000, 60000, SPAN("default"));
	if (held)
		journal_add_hold(&records, &(struct moment){ .wall_ms = 1 }, "admin");
	append(&id, &records);
	const struct relaystate r = { .relay = "default", .held = relay_held, .since = past,
				      .until = past };
	relaystate_write(q, &r, 1, NULL);
	verb_apply(q, &settings, &(struct verb_wish){ .act = act }, &id, false, NULL);
	if (queue_read(q, &id, false, &m, NULL, NULL) == 0) {
		age_ms = m.journal.age_ms;
		queue_message_release(&m);
	}
	end();
	return age_ms / 1000;
}

static void check_age(void) {
	ok(age_after(VERB_FLUSH, false, false) >= 36007, "waiting makes a message older");
	ok(age_after(VERB_FLUSH, true, false) < 100, "but not behind a held relay");
	ok(age_after(VERB_RELEASE, false, true) < 100, "nor while a person holds it");
}

int main(void) {
	char host[] = "relay.example.org";
	enum verb_act act;
	settings = (struct settings){ .hostname = host, .domain = host, .lifetime_ms = 432000000 };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(i);
	check_flags();
	for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++)
		check_sequence(i);
	check_active();
	check_age();
	ok(verb_parse(SPAN("bounce"), &act) && act == VERB_BOUNCE, "verbs have names");
	ok(!verb_parse(SPAN("bounced"), &act) && !verb_parse(SPAN(""), &act),
	   "and only those");
	return done_testing();
}
