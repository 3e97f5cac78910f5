/*
 * Editing a queued message: what the new one is, and that no crash loses it or lets both go.
 * The edit dies, or the power is cut, at every file operation; then a start like the manager's
 * settles who replaces whom and "delivers" what may go, in either order of the two.
 */

#include "deliver/verb_edit.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "lib/crash.h"
#include "lib/spool.h"
#include "tap.h"

#define CONTENT SPAN("Subject: x\r\n\r\nbody\r\n")
#define STATES_MAX 160

static int edit_with(struct queue *q, const char *words, enum verb_by by, struct queue_id *ret,
		     struct err *err) {
	struct verb_edit e;
	struct queue_id id = spool_id(1);
	int r = verb_edit_parse(span_str(words), &e, err);
	if (r == 0)
		r = verb_edit(q, &e, by, &id, ret, err);
	verb_edit_release(&e);
	return r;
}

static const char replace_first[] = " to=rcpt0@example.org new=new@example.net";

/* --- what it does --- */

static void check_words(void) {
	static const struct {
		const char *label, *words;
		bool valid;
	} rows[] = {
		{ "a change", " to=a@b new=c@d", true },
		{ "several", " to=a@b new=c@d to=<e@f> new=<g@h> remove=i@j from=k@l", true },
		{ "the null sender", " from=%", true },
		{ "a local name", " to=a@b new=root", true },
		{ "nothing", "", false },
		{ "an old address alone", " to=a@b", false },
		{ "a new one alone", " new=a@b", false },
		{ "a new one behind a removal", " remove=a@b new=c@d", false },
		{ "two new ones", " to=a@b new=c@d new=e@f", false },
		{ "no old address", " to=% new=c@d", false },
		{ "two senders", " from=a@b from=c@d", false },
		{ "no address", " to=a@b new=c%20d@@", false },
		{ "a cut escape", " to=a@b new=c@d%4", false },
		{ "a control character", " to=a@b new=c%0A@d", false },
		{ "an unknown word", " all=1 to=a@b new=c@d", false },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct verb_edit e;
		struct err err = ERR_INIT;
		bool valid = verb_edit_parse(span_str(rows[i].words), &e, &err) == 0;
		verb_edit_release(&e);
		ok(valid == rows[i].valid, "words: %s (%s)", rows[i].label, err.msg);
	}
}

/* Appends records to message 1. */
static void record(struct queue *q, struct buf *records) {
	struct queue_id id = spool_id(1);
	struct queue_claim *c = queue_claim(q, &id, NULL, NULL);
	queue_claim_append(c, buf_span(records), true, NULL);
	queue_claim_release(c);
}

static void check_result(void) {
	AUTO_BUF struct buf records = BUF_INIT(4096);
	char *dir = strdup(spool_make());
	struct queue *q = queue_open(dir, NULL);
	struct queue_id old = spool_id(1), new;
	struct queue_message m;
	struct err err = ERR_INIT;
	struct moment now = clock_now();
	struct journal_result done = { .state = RECIPIENT_DELIVERED, .reply = SPAN("250 ok") };
	spool_accept(q, old, 4, CONTENT);
	journal_add_result(&records, &now, 1, 1, &done, NULL);
	journal_add_reached(&records, 2, SPAN("x@alias.example"));
	journal_add_maybe_twice(&records, 2, 1);
	journal_add_hold(&records, &(struct moment){ .wall_ms = 1 }, "admin");
	record(q, &records);
	is_int(edit_with(q, replace_first, VERB_BY_USER, &new, &err), -1,
	       "what an administrator holds its sender cannot edit");
	is_int(err.kind, ERR_DENIED, "it is denied (%s)", err.msg);
	is_int(edit_with(q, " to=rcpt1@example.org new=x@y.example", VERB_BY_ADMIN, &new, &err),
	       -1, "who has it already cannot be changed (%s)", err.msg);
	is_int(edit_with(q, " remove=rcpt0@example.org remove=rcpt2@example.org "
			    "remove=rcpt3@example.org", VERB_BY_ADMIN, &new, &err),
	       -1, "somebody must be left (%s)", err.msg);
	is_int(edit_with(q, " to=rcpt0@example.org new=new@example.net remove=rcpt3@example.org "
			    "from=me@example.org", VERB_BY_ADMIN, &new, &err),
	       0, "an edit (%s)", err.msg);
	is_int(queue_read(q, &old, false, &m, NULL, &err), -1, "the old message is gone");
	is_int(queue_read(q, &new, false, &m, NULL, &err), 0, "the new one is there (%s)", err.msg);
	is_int((int64_t)m.env.to_count, 2, "with two recipients");
	ok(span_eq(m.env.to[0].address, SPAN("new@example.net")), "the changed one");
	ok(span_eq(m.env.to[1].address, SPAN("rcpt2@example.org")), "and the one that waits");
	ok(span_eq(m.env.from, SPAN("me@example.org")), "from another sender");
	ok(m.journal.held && strcmp(m.journal.hold_reason, "admin") == 0, "held as before");
	ok(m.journal.to[1].maybe_twice && !m.journal.to[0].maybe_twice, "the doubt stays where it was");
	ok(journal_has_reached(&m.journal, 1, SPAN("x@alias.example")),
	   "and who of an alias has it already is not forgotten");
	ok(m.content_len == CONTENT.len, "the message is the same");
	queue_message_release(&m);
	queue_free(q);
	spool_remove(dir);
	free(dir);
}

/* --- crashes --- */

struct world {
	unsigned old, new, other; /* copies that went to each */
	bool answered;
};
static struct world *world;

static void deliver(struct queue_claim *c) {
	const struct queue_message *m = queue_claim_message(c);
	for (size_t i = 0; i < m->env.to_count; i++) {
		struct span to = m->env.to[i].address;
		world->old += span_eq(to, SPAN("rcpt0@example.org"));
		world->new += span_eq(to, SPAN("new@example.net"));
		world->other += span_eq(to, SPAN("rcpt1@example.org"));
	}
	queue_claim_remove(c, NULL);
}

/* Looks at one message as care does; true: it may go later. */
static bool visit(struct queue *q, const struct queue_id *id) {
	bool replaced;
	enum queue_damage damage;
	struct queue_claim *c = queue_claim(q, id, &damage, NULL);
	if (!c && damage != QUEUE_SOUND)
		queue_bury_damaged(q, id, NULL);
	if (!c || verb_edit_settle(q, c, &replaced, NULL) != 0 || replaced)
		return false;
	int is_free = verb_edit_is_free(q, queue_claim_message(c), NULL);
	if (is_free == 1)
		deliver(c);
	else
		queue_claim_release(c);
	return is_free == 0;
}

struct names {
	struct queue_id id[8];
	unsigned count;
};

static int add_name(void *ctx, const struct queue_id *id) {
	struct names *n = ctx;
	n->id[n->count++] = *id;
	return 0;
}

static void start(const char *dir, bool backwards) {
	struct names n = { .count = 0 };
	struct queue *q = queue_open(dir, NULL);
	bool again = q && queue_own(q, NULL) == 0 && queue_scan(q, false, add_name, &n, NULL) == 0;
	if (n.count == 2 && (queue_id_cmp(&n.id[0], &n.id[1]) > 0) != backwards) {
		struct queue_id first = n.id[0];
		n.id[0] = n.id[1];
		n.id[1] = first;
	}
	for (unsigned round = 0; again && round < 5; round++) {
		again = false;
		for (unsigned i = 0; i < n.count; i++)
			again |= visit(q, &n.id[i]);
	}
	queue_free(q);
}

static const char *wrong(void) {
	if (world->old > 0 && world->new > 0)
		return "both went";
	if (world->old + world->new == 0 || world->other == 0)
		return "it is lost";
	if (world->answered && world->new == 0)
		return "it was edited, and the old one went";
	return NULL;
}

/* Makes the message, then edits it with the hook of begin() installed. */
static void play(const char *dir, void (*begin)(struct crash_run *run), struct crash_run *run) {
	struct queue *q = queue_open(dir, NULL);
	struct queue_id new;
	struct err err = ERR_INIT;
	if (!q || queue_own(q, &err) != 0 || spool_accept(q, spool_id(1), 2, CONTENT) != 0)
		abort();
	begin(run);
	world->answered = edit_with(q, replace_first, VERB_BY_ADMIN, &new, &err) == 0;
	file_set_hook(NULL);
	queue_free(q);
}

static unsigned die_at, done_count;

static int before(void *ctx, const struct file_event *ev) {
	(void)ctx;
	(void)ev;
	if (++done_count == die_at)
		_exit(CRASH_DIED);
	return 0;
}

static void begin_dying(struct crash_run *run) {
	(void)run;
	done_count = 0;
	file_set_hook(&(struct file_hook){ .before = before });
}

static bool child_dies(const char *dir, bool starts, bool backwards) {
	int status = 0;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		if (starts) {
			begin_dying(NULL);
			start(dir, backwards);
		} else {
			play(dir, begin_dying, NULL);
		}
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == CRASH_DIED;
}

/* Dies everywhere; with `twice` the start behind it dies everywhere, too. Only a start before
 * anything went may die here: what went and is not removed is the completion journals' business. */
static void check_deaths(bool backwards) {
	unsigned places = 0, bad = 0;
	bool dies = true;
	for (unsigned at = 1; dies; at++) {
		char *dir = strdup(spool_make());
		*world = (struct world){ .old = 0 };
		die_at = at;
		dies = child_dies(dir, false, backwards);
		places += dies;
		start(dir, backwards);
		const char *why = wrong();
		if (why && bad++ < 5)
			printf("# died before operation %u: %s\n", at, why);
		spool_remove(dir);
		free(dir);
	}
	ok(bad == 0 && places > 5, "the edit dies at %u places, %s", places,
	   backwards ? "the new one is met first" : "the old one is met first");
}

static void check_starts(void) {
	unsigned bad = 0, places = 0;
	bool dies = true;
	for (unsigned at = 1; dies; at++) {
		bool start_dies = true;
		for (unsigned second = 1; start_dies; second++) {
			char *dir = strdup(spool_make());
			*world = (struct world){ .old = 0 };
			die_at = at;
			dies = child_dies(dir, false, false);
			die_at = second;
			start_dies = child_dies(dir, true, second % 2);
			start(dir, false);
			const char *why = wrong();
			if (why && bad++ < 5)
				printf("# died before operation %u, then %u: %s\n", at, second,
				       why);
			places++;
			spool_remove(dir);
			free(dir);
		}
	}
	ok(bad == 0, "then the start dies, %u places in all", places);
}

/* Does something with the new message while the old one is there still. */
static void act_on_new(const char *dir, const char *how, unsigned *met) {
	char host[] = "relay.example";
	const struct settings settings = { .hostname = host, .domain = host };
	struct names n = { .count = 0 };
	struct queue_id old = spool_id(1), newer;
	struct queue *q = queue_open(dir, NULL);
	struct err err = ERR_INIT;
	struct verb_edit e;
	if (!q || queue_own(q, NULL) != 0 || queue_scan(q, false, add_name, &n, NULL) != 0)
		abort();
	unsigned i = n.count == 2 && queue_id_cmp(&n.id[0], &old) == 0;
	struct queue_message m;
	if (n.count == 2 && queue_read(q, &n.id[i], false, &m, NULL, NULL) == 0) {
		queue_message_release(&m);
		++*met;
		if (strcmp(how, "edit") == 0) {
			if (verb_edit_parse(SPAN(" from=x@y.example"), &e, &err) != 0 ||
			    verb_edit(q, &e, VERB_BY_ADMIN, &n.id[i], &newer, &err) != 0)
				printf("# edit: %s\n", err.msg);
			verb_edit_release(&e);
		} else {
			struct verb_wish wish = { .act = VERB_DELETE };
			verb_parse(span_str(how), &wish.act);
			if (verb_apply(q, &settings, &wish, &n.id[i], false, &err) != 0)
				printf("# %s: %s\n", how, err.msg);
			if (wish.act == VERB_DELETE)
				queue_dead_remove(q, &n.id[i], &err);
		}
	}
	queue_free(q);
}

static void check_between(const char *how) {
	unsigned met = 0, bad = 0;
	bool dies = true;
	for (unsigned at = 1; dies; at++) {
		char *dir = strdup(spool_make());
		unsigned met_before = met;
		*world = (struct world){ .old = 0 };
		die_at = at;
		dies = child_dies(dir, false, false);
		act_on_new(dir, how, &met);
		start(dir, false);
		bad += met > met_before && world->old > 0;
		spool_remove(dir);
		free(dir);
	}
	ok(met > 0 && bad == 0, "%s of the new message between death and start, at %u places: "
	   "the old one does not come back", how, met);
}

static struct crash_disk *disk;

static void begin_recording(struct crash_run *run) {
	crash_disk_record(disk, run);
}

/* The power is cut at each operation; the edit counts as answered only behind the last one. */
static void check_power(bool backwards) {
	struct crash_marks marks = { .count = 0 };
	char *dir = strdup(spool_make());
	struct crash_run run = { .dir = dir, .marks = &marks };
	unsigned bad = 0;
	size_t states = 0;
	disk = crash_disk_new();
	*world = (struct world){ .old = 0 };
	play(dir, begin_recording, &run);
	unsigned operations = crash_disk_operations(disk);
	for (unsigned cut = 0; cut <= operations; cut++) {
		size_t n = crash_disk_states(disk, cut, STATES_MAX);
		for (size_t i = 0; i < n; i++) {
			char *remains = strdup(spool_make());
			*world = (struct world){ .answered = cut == operations };
			crash_disk_make(disk, cut, i, STATES_MAX, remains);
			start(remains, backwards);
			const char *why = wrong();
			if (why && bad++ < 5)
				printf("# cut at %u, state %zu: %s\n", cut, i, why);
			spool_remove(remains);
			free(remains);
		}
		states += n;
	}
	ok(bad == 0, "power cuts: %u operations, %zu states, %s first", operations, states,
	   backwards ? "new" : "old");
	crash_disk_free(disk);
	spool_remove(dir);
	free(dir);
}

int main(void) {
	world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	check_words();
	check_result();
	check_deaths(false);
	check_deaths(true);
	check_starts();
	check_between("edit");
	check_between("bounce");
	check_between("delete");
	check_power(false);
	check_power(true);
	return done_testing();
}
