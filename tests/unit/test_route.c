/* Which relay takes what: patterns, rules in their order, and what covers what. */

#include <string.h>

#include "route/route.h"
#include "tap.h"

static const struct {
	const char *label, *pattern, *address;
	bool want;
} patterns[] = {
	{ "an address matches itself", "bob@example.org", "bob@example.org", true },
	{ "letters match without case", "Bob@Example.ORG", "bOB@eXAMPLE.org", true },
	{ "a star stands for a local part", "*@example.org", "bob@example.org", true },
	{ "another domain does not match", "*@example.org", "bob@example.com", false },
	{ "a longer domain does not match", "*@example.org", "bob@example.org.evil", false },
	{ "a domain in front is none below it", "*@example.org", "bob@notexample.org", false },
	{ "hosts below a domain", "*@*.lan.example.org", "a@b.lan.example.org", true },
	{ "hosts far below a domain", "*@*.lan.example.org", "a@b.c.lan.example.org", true },
	{ "not the domain itself", "*@*.lan.example.org", "a@lan.example.org", false },
	{ "stars on both sides", "*+list-*@*", "a+list-b@c.example", true },
	{ "a star may stand for nothing", "bob*@example.org", "bob@example.org", true },
	{ "one of several words", "a@x.example *@y.example", "q@Y.example", true },
	{ "none of several words", "a@x.example *@y.example", "q@z.example", false },
	{ "many stars end", "*a*a*a*a*a*a*a*a*a*b@*", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@x", false },
	{ "the null sender by its name", "<>", "", true },
	{ "a star is the null sender too", "*", "", true },
	{ "the null sender is at no domain", "*@*", "", false },
	{ "an address is not the null sender", "<>", "a@b", false },
	{ "letters beyond ASCII are themselves", "*@b\303\274cher.example",
	  "a@b\303\274cher.example", true },
};

static void check_patterns(void) {
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		ok(route_matches(patterns[i].pattern, span_str(patterns[i].address)) ==
			   patterns[i].want,
		   "%s", patterns[i].label);
	ok(route_pattern_ok(SPAN("*@example.org")) && route_pattern_ok(SPAN("*")) &&
		   route_pattern_ok(SPAN("<>")),
	   "patterns that can match");
	ok(!route_pattern_ok(SPAN("example.org")) && !route_pattern_ok(SPAN("@example.org")) &&
		   !route_pattern_ok(SPAN("a@")),
	   "patterns that cannot");
}

static char lan[] = "lan", work[] = "work", night[] = "night", office[] = "office",
	    all_lan[] = "*@*.lan.example.org", at_work[] = "*@work.example",
	    alice[] = "alice", all[] = "*", bob[] = "bob@work.example";

static const struct route_rule rules[] = {
	{ .name = lan, .relay = office, .recipient = all_lan },
	{ .name = work, .relay = work, .sender = at_work, .user = alice, .uid = { 1000 },
	  .uid_count = 1 },
	{ .name = night, .relay = night, .sender = at_work },
};
static const struct route_table table = { rules, 3, "default office work night" };

static const struct {
	const char *label, *from, *to, *wish, *relay, *words;
	uint32_t uid;
} routes[] = {
	{ "no rule matches", "a@b.example", "c@d.example", "", "default", "no route matches", 1 },
	{ "by recipient", "a@b.example", "c@d.LAN.example.org", "", "office",
	  "[route lan]: recipient = *@*.lan.example.org", 1 },
	{ "the first rule wins", "a@work.example", "c@d.lan.example.org", "", "office",
	  "[route lan]: recipient = *@*.lan.example.org", 1000 },
	{ "keys are joined by and: the user matches", "a@work.example", "c@d.example", "",
	  "work", "[route work]: sender = *@work.example, user = alice", 1000 },
	{ "keys are joined by and: the user does not", "a@work.example", "c@d.example", "",
	  "night", "[route night]: sender = *@work.example", 1001 },
	{ "the null sender", "", "c@d.example", "", "default", "no route matches", 1000 },
	{ "a wish comes before the rules", "", "c@d.lan.example.org", "night", "night",
	  "its sender asked for it", 1 },
	{ "a wish for what does not exist is none", "", "c@d.lan.example.org", "gone", "office",
	  "[route lan]: recipient = *@*.lan.example.org", 1 },
};

static void check_routes(void) {
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		AUTO_BUF struct buf words = BUF_INIT(1000);
		const struct route_query q = {
			.sender = span_str(routes[i].from),
			.recipient = span_str(routes[i].to),
			.uid = routes[i].uid,
			.relay = span_str(routes[i].wish),
		};
		struct route_choice c = route_find(&table, &q);
		route_words(&c, &words);
		ok(span_eq(c.name, span_str(routes[i].relay)), "%s", routes[i].label);
		is_str(buf_str(&words), routes[i].words, "%s: the words", routes[i].label);
	}
	ok(!route_is_plain(&table) && route_is_plain(&(struct route_table){ .count = 0 }),
	   "without rules it is plain");
}

static void check_covers(void) {
	struct route_rule everything = { .name = all, .sender = all };
	struct route_rule one = { .name = bob, .sender = bob };
	struct route_rule users = { .name = work, .user = alice, .uid = { 1, 2 }, .uid_count = 2 };
	struct route_rule user = { .name = work, .user = alice, .uid = { 2 }, .uid_count = 1 };
	struct route_rule nobody = { .name = work, .user = alice };
	ok(route_covers(&everything, &rules[2]), "a star covers what has a pattern");
	ok(route_covers(&everything, &rules[0]), "and what has none");
	ok(!route_covers(&rules[2], &everything), "not the other way round");
	ok(route_covers(&rules[2], &one), "a domain covers an address in it");
	ok(!route_covers(&one, &rules[2]), "not the other way round");
	ok(route_covers(&rules[2], &rules[1]) && !route_covers(&rules[1], &rules[2]),
	   "one key covers two");
	ok(!route_covers(&rules[0], &rules[2]), "different keys do not cover one another");
	ok(route_covers(&users, &user) && !route_covers(&user, &users), "users of users");
	ok(!route_covers(&user, &rules[2]) && !route_covers(&user, &nobody),
	   "a user does not cover everybody, nor one that nobody knows");
}

static void check_destination(void) {
	char d[ROUTE_DESTINATION_MAX + 1], longest[400];
	ok(route_destination(SPAN("Bob@Example.ORG"), d), "an address has a destination");
	is_str(d, "example.org", "in lower case");
	ok(route_destination(SPAN("\"a@b\"@c.example"), d), "an at sign in quotes");
	is_str(d, "c.example", "the domain is behind the last one");
	ok(!route_destination(SPAN("bob"), d) && !route_destination(SPAN("bob@"), d),
	   "no domain, no destination");
	memset(longest, 'x', sizeof(longest));
	longest[1] = '@';
	ok(!route_destination(span_of(longest, sizeof(longest)), d), "a domain that is too long");
}

int main(void) {
	check_patterns();
	check_routes();
	check_covers();
	check_destination();
	return done_testing();
}
