/*
 * Injected answers: --reply STAGE[:ADDRESS]=CODE[ TEXT][,N] and --close-at
 * STAGE[:ADDRESS][,N]. The first rule that fits and is not used up applies. Uses are counted
 * in shared memory, since each connection is a process of its own.
 */
#include "cli/sink.h"

#include <stdio.h>

static const struct {
	const char *name;
	enum sink_stage stage;
	int lowest_code; /* 0: no reply can be given there */
	bool address;
} stages[] = {
	{ "greeting", SINK_GREETING, 200, false },
	{ "ehlo", SINK_EHLO, 400, false },
	{ "starttls", SINK_STARTTLS, 400, false },
	{ "auth", SINK_AUTH, 400, false },
	{ "mail", SINK_MAIL, 200, true },
	{ "rcpt", SINK_RCPT, 200, true },
	{ "data", SINK_DATA, 200, false },
	{ "content", SINK_CONTENT, 200, false },
	{ "dot", SINK_DOT, 0, false },
};

#define STAGE_COUNT (sizeof(stages) / sizeof(stages[0]))

const char *sink_stage_name(enum sink_stage stage) {
	for (size_t i = 0; i < STAGE_COUNT; i++) {
		if (stages[i].stage == stage)
			return stages[i].name;
	}
	return "?";
}

/* Takes STAGE[:ADDRESS] as a whole. */
static int parse_stage(struct span s, bool reply, struct sink_rule *ret,
		       struct err *err) {
	struct span name = span_head(s, span_find(s, ':'));

	ret->address = span_from(s, name.len + 1);
	for (size_t i = 0; i < STAGE_COUNT; i++) {
		if (!span_eq(name, span_str(stages[i].name)) ||
		    (reply && stages[i].lowest_code == 0))
			continue;
		if (name.len < s.len && (!stages[i].address || ret->address.len == 0))
			return err_set(err, ERR_SYNTAX,
				       "an address can only follow mail: and rcpt:");
		if (reply && ret->code < stages[i].lowest_code)
			return err_set(err, ERR_SYNTAX,
				       "%s can only be refused (a code from 400 to 599)",
				       stages[i].name);
		ret->stage = stages[i].stage;
		return 0;
	}
	return err_set(
		err, ERR_SYNTAX,
		"'%.*s' is no stage; stages are greeting, ehlo, starttls, auth, mail, rcpt, data, "
		"content%s",
		(int)name.len, name.p, reply ? "" : ", dot");
}

/* Cuts ",N" off the end, if it is there. */
static void take_times(struct span *s, uint64_t *ret) {
	size_t comma = s->len;

	*ret = 0;
	while (comma > 0 && s->p[comma - 1] != ',')
		comma--;
	if (comma > 0 && span_uint(span_from(*s, comma), UINT32_MAX, ret))
		*s = span_head(*s, comma - 1);
}

/* The place of the '=' before a reply code; an address may hold a '=' too. */
static size_t find_code(struct span s) {
	for (size_t i = 0; i < s.len; i++) {
		struct span rest = span_from(s, i);
		uint64_t code;

		if (span_take_char(&rest, '=') && span_take_uint(&rest, 599, &code) &&
		    code >= 200 && (rest.len == 0 || *rest.p == ' '))
			return i;
	}
	return s.len;
}

int sink_rule_parse_reply(struct span s, struct sink_rule *ret, struct err *err) {
	struct span rest;
	size_t at;

	*ret = (struct sink_rule){ .close = false };
	take_times(&s, &ret->times);
	at = find_code(s);
	rest = span_from(s, at + 1);
	uint64_t code;
	if (at == s.len || !span_take_uint(&rest, 599, &code))
		return err_set(err, ERR_SYNTAX,
			       "'=' and a code from 200 to 599 must follow the stage");
	span_take_char(&rest, ' ');
	if (rest.len >= sizeof(ret->text))
		return err_set(err, ERR_LIMIT, "the text is longer than %zu bytes",
			       sizeof(ret->text) - 1);
	for (size_t i = 0; i < rest.len; i++) {
		if ((unsigned char)rest.p[i] < 0x20)
			return err_set(err, ERR_SYNTAX,
				       "a control character in the text");
	}
	ret->code = (int)code;
	if (rest.len > 0)
		snprintf(ret->text, sizeof(ret->text), "%.*s", (int)rest.len, rest.p);
	else
		snprintf(ret->text, sizeof(ret->text), "%d.0.0 as told by --reply",
			 ret->code / 100);
	return parse_stage(span_head(s, at), true, ret, err);
}

int sink_rule_parse_close(struct span s, struct sink_rule *ret, struct err *err) {
	*ret = (struct sink_rule){ .close = true };
	take_times(&s, &ret->times);
	return parse_stage(s, false, ret, err);
}

static bool address_fits(struct span want, struct span have) {
	if (want.len == 0)
		return true;
	if (want.p[0] == '@')
		return span_ends_nocase(have, want);
	return span_eq_nocase(have, want);
}

/* Counts a use; false when the rule is used up. */
static bool take_turn(const struct sink *sink, size_t i) {
	uint64_t times = sink->options->rules[i].times;

	return times == 0 || atomic_fetch_add(&sink->shared->used[i], 1) < times;
}

const struct sink_rule *sink_rule_apply(const struct sink *sink, enum sink_stage stage,
					bool close, struct span address) {
	for (size_t i = 0; i < sink->options->rule_count; i++) {
		const struct sink_rule *rule = &sink->options->rules[i];

		if (rule->stage == stage && rule->close == close &&
		    address_fits(rule->address, address) && take_turn(sink, i))
			return rule;
	}
	return NULL;
}
