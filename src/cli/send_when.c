/* When a message goes and by which relay: --at, --priority, --relay. */

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/send.h"
#include "mail/attime.h"

int send_take_at(struct send_call *c, const char *arg) {
	struct err err = ERR_INIT;
	int64_t now = clock_wall_ms();
	if (attime_parse(span_str(arg), now, &c->s.wishes.at_ms, &err) != 0)
		return cli_usage(send_program, "--at %s: %s", arg, err.msg);
	if (c->s.wishes.at_ms < now / 1000 * 1000)
		return cli_usage(send_program, "--at %s: this time is over", arg);
	return 0;
}

int send_take_priority(struct send_call *c, const char *arg) {
	struct mail_wishes *w = &c->s.wishes;
	w->has_priority = priority_parse(span_str(arg), &w->priority);
	return w->has_priority
		       ? 0
		       : cli_usage(send_program,
				   "--priority %s: it is high, normal or low", arg);
}

int send_take_relay(struct send_call *c, const char *arg) {
	struct mail_wishes *w = &c->s.wishes;
	if (!wishes_is_relay(span_str(arg)))
		return cli_usage(send_program, "--relay %s: this is no name of a relay",
				 arg);
	snprintf(w->relay, sizeof(w->relay), "%s", arg);
	return 0;
}

int send_check_relay(const struct send_call *c, const struct settings *s) {
	return cli_check_relay(send_program, s, c->s.wishes.relay);
}
