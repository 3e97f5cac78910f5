/*
 * Addresses as a command line gives them: bare, in brackets, with a name, or a whole
 * list.
 */

#include <string.h>

#include "cli/submission.h"
#include "queue/envelope.h"

#define SHOWN_MAX 100

void submission_release(struct submission *s) {
	fixup_recipients_release(&s->to);
}

/* In a header a line end may be a fold; on a command line it is an attack or a mistake. */
static bool has_control(struct span text) {
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
			return true;
	return false;
}

struct adding {
	struct submission *s;
	struct err *err;
	unsigned count; /* of a name given twice, both count */
};

static int add_one(void *ctx, struct span address, struct span display_name) {
	struct adding *a = ctx;
	(void)display_name;
	a->count++;
	return fixup_recipients_add(&a->s->to, address, ENVELOPE_RECIPIENTS_MAX, a->err);
}

int submission_add(struct submission *s, struct span text, struct err *err) {
	struct addr parts;
	struct err why = ERR_INIT;
	struct adding adding = { s, &why, 0 };
	if (addr_parse(text, ADDR_SUBMITTED, &parts, NULL) == 0)
		return fixup_recipients_add(&s->to, text, ENVELOPE_RECIPIENTS_MAX, err);
	if (has_control(text))
		err_set(&why, ERR_SYNTAX, "it has a control character");
	else if (addr_list(text, add_one, &adding, &why) == 0 && adding.count > 0)
		return 0;
	return err_set(err, ERR_SYNTAX, "\"%.*s\" is not a recipient%s%s",
		       (int)span_head(text, SHOWN_MAX).len, text.p,
		       why.msg[0] ? ": " : "", why.msg);
}

struct single {
	struct submission *s;
	unsigned count;
};

static int take_single(void *ctx, struct span address, struct span display_name) {
	struct single *one = ctx;
	struct submission *s = one->s;
	(void)display_name;
	one->count++;
	if (address.len > ADDR_MAX)
		return -1;
	memcpy(s->from_text, address.p, address.len);
	s->from = span_of(s->from_text, address.len);
	return 0;
}

int submission_from(struct submission *s, struct span text, struct err *err) {
	struct addr parts;
	struct err why = ERR_INIT;
	struct single one = { s, 0 };
	s->from_set = true;
	s->from = SPAN("");
	if (text.len == 0 || span_eq(text, SPAN("<>")))
		return 0;
	if (addr_parse(text, ADDR_SUBMITTED, &parts, NULL) == 0)
		return take_single(&one, text, SPAN(""));
	if (has_control(text))
		err_set(&why, ERR_SYNTAX, "it has a control character");
	else if (addr_list(text, take_single, &one, &why) == 0 && one.count == 1)
		return 0;
	return err_set(err, ERR_SYNTAX, "\"%.*s\" is not a sender address%s%s",
		       (int)span_head(text, SHOWN_MAX).len, text.p,
		       why.msg[0] ? ": " : "", why.msg);
}
