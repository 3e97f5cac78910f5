/* What the state that a journal leads to means: questions that its readers ask. */

#include "queue/journal.h"

#include <string.h>

size_t journal_notice_slots(const struct journal *j) {
	return j->notices < JOURNAL_NOTICES_MAX ? j->notices : JOURNAL_NOTICES_MAX;
}

bool journal_has_reached(const struct journal *j, size_t to, struct span address) {
	for (size_t i = 0; i < j->reached_count; i++)
		if (j->reached[i].to == to && span_eq(j->reached[i].address, address))
			return true;
	return false;
}

bool journal_waits_for_name(const struct journal *j) {
	return j->held && (strcmp(j->hold_reason, JOURNAL_LOCAL_NAME) == 0 ||
			   strcmp(j->hold_reason, JOURNAL_ROUTE) == 0);
}

bool journal_storm(const struct journal *j, struct queue_id *ret) {
	struct span reason = span_str(j->hold_reason);
	struct queue_id id;
	if (!j->held || !span_take_lit(&reason, SPAN(JOURNAL_STORM)) ||
	    !queue_id_parse(reason, &id))
		return false;
	if (ret)
		*ret = id;
	return true;
}

bool journal_finished(const struct journal *j) {
	for (size_t i = 0; i < j->to_count; i++) {
		enum recipient_state s = j->to[i].last.state;
		if (s != RECIPIENT_DELIVERED && s != RECIPIENT_FAILED)
			return false;
	}
	for (size_t i = 0; i < journal_notice_slots(j); i++)
		if (!j->notice[i].done)
			return false;
	return true;
}

int64_t journal_age_ms(const struct journal *j, const struct moment *now,
		       int64_t held_ms) {
	int64_t passed = clock_elapsed_ms(&j->last, now) - held_ms;
	int64_t age;
	if (passed < 0)
		passed = 0;
	return __builtin_add_overflow(j->age_ms, passed, &age) ? INT64_MAX : age;
}

int64_t journal_due_ms(const struct journal *j, const struct moment *now) {
	return j->wait_ms - clock_elapsed_ms(&j->last, now);
}
