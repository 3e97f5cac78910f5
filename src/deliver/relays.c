/*
 * The relays: which are held, since when and why. Changes are written down at once, because
 * the time a relay is held never counts towards the lifetime of a message, also not across
 * restarts. Administrators hear of a hold when it begins and once a day.
 */

#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/term.h"
#include "deliver/offers.h"
#include "deliver/state.h"
#include "deliver/validity.h"

#define STREAM_PAUSE_MS (24 * 3600 * 1000LL)
#define BROKEN_TWICE_MS (3600 * 1000LL)

static void save(struct manager *m) {
	AUTO_FREE struct relaystate *all = malloc(RELAYS_MAX * sizeof(*all));
	struct err err = ERR_INIT;
	size_t n = 0;
	if (!all) {
		log_error("out of memory: the state of the relays cannot be kept");
		return;
	}
	for (size_t i = 0; i < m->lanes.end && n < RELAYS_MAX; i++)
		if (m->lanes.at[i] && m->lanes.at[i]->state.relay[0])
			all[n++] = m->lanes.at[i]->state;
	if (relaystate_write(m->queue, all, n, &err) != 0)
		log_error("the state of the relays cannot be kept: %s", err.msg);
}

static void set_name(char *out, size_t size, const char *name) {
	snprintf(out, size, "%s", name);
}

/* Begins anew with these settings; a hold stays one. */
static void settle(struct lane *lane, const struct config_relay *config) {
	lane->config = config;
	lane->refused = 0;
	lane->restart_at_ms = lane->restart_delay_ms = lane->limited_ms = 0;
	lane->host[0] = lane->tls[0] = lane->cipher[0] = lane->auth[0] = '\0';
	breaker_init(&lane->breaker, config ? config->connections : 1,
		     config ? config->probe_ms : 0);
	if (lane->state.held)
		breaker_restore_held(&lane->breaker, clock_boot_ms());
}

/* Mail of a lane that is not there any more waits in that of the default relay until it is
 * placed anew. */
static void move_messages(struct lane *from, struct lane *to) {
	struct message *msg;
	while ((msg = heap_top(&from->heap)) != NULL) {
		heap_remove(&from->heap, msg);
		msg->lane = to->number;
		if (heap_push(&to->heap, msg) == 0)
			continue;
		msg->state = MESSAGE_HELD; /* it is in no heap */
		log_error("out of memory: id=%s waits until the next start",
			  queue_id_text(&msg->id).s);
	}
}

/* The settings for a lane; NULL: it is not needed any more. */
static const struct config_relay *settings_of(const struct manager *m,
					      const struct lane *lane) {
	const struct config_relay *config =
		m->complaints.len == 0 ? config_relay(&m->settings, lane->relay) : NULL;
	return config && (!lane_is_direct(lane) || config_is_per_domain(config)) ? config
										 : NULL;
}

void relays_update(struct manager *m) {
	const struct settings *s = &m->settings;
	struct lane *first = lane_make(
		&m->lanes, &(struct lane_key){ .relay = "default", .destination = SPAN("") });
	for (size_t i = 0; m->complaints.len == 0 && i < s->relay_count; i++)
		if (!lane_make(&m->lanes, &(struct lane_key){ .relay = s->relay[i].name,
							     .destination = SPAN("") }))
			log_error("out of memory: relay %s is not used", s->relay[i].name);
	for (size_t i = 0; i < m->lanes.end; i++) {
		struct lane *lane = m->lanes.at[i];
		const struct config_relay *config = lane ? settings_of(m, lane) : NULL;
		if (!lane)
			continue;
		if (config || lane == first) {
			settle(lane, config);
			continue;
		}
		move_messages(lane, first);
		lane_drop(&m->lanes, lane);
	}
	lanes_touch_all(&m->lanes);
	place_rules_changed(m);
	manager_kick(m);
}

struct lane *relays_lane(struct manager *m, const struct lane_key *key) {
	struct lane *lane = lane_find(&m->lanes, key);
	if (lane)
		return lane;
	lane = lane_make(&m->lanes, key);
	if (lane)
		settle(lane, settings_of(m, lane));
	else
		log_error("there are too many destinations: a message for %.*s waits",
			  (int)key->destination.len, key->destination.p);
	return lane;
}

void relays_restore(struct manager *m) {
	AUTO_FREE struct relaystate *all = malloc(RELAYS_MAX * sizeof(*all));
	size_t n = all ? relaystate_read(m->queue, all, RELAYS_MAX) : 0;
	if (!all)
		log_error("out of memory: the state of the relays is not known");
	for (size_t i = 0; i < n; i++) {
		struct lane *lane = lane_of_relay(&m->lanes, all[i].relay);
		if (!lane)
			continue;
		lane->state = all[i];
		if (lane->state.held)
			breaker_restore_held(&lane->breaker, clock_boot_ms());
	}
}

static void set_reason(struct lane *lane, const char *words, const char *text) {
	if (words[0] && text[0])
		snprintf(lane->state.reason, sizeof(lane->state.reason), "%s: %s", words, text);
	else
		set_name(lane->state.reason, sizeof(lane->state.reason),
			 words[0] ? words : text);
}

/* Who looks after this machine hears of a relay that fails; that somebody else's mail
 * server does not work is none of their business. */
static void tell_failure(const struct lane *lane, bool alert) {
	AUTO_BUF struct buf line = BUF_INIT(4096);
	enum log_level level = lane_is_direct(lane) ? LOG_LEVEL_INFO : LOG_LEVEL_WARN;
	buf_addf(&line, "relay %s is held: ", lane->name);
	term_safe(&line, span_str(lane->state.reason));
	buf_adds(&line, "; tried again in ");
	term_duration(&line, lane->breaker.probe_every_ms);
	log_line(alert ? level : LOG_LEVEL_DEBUG, "%s", buf_str(&line));
}

void relay_failed(struct manager *m, struct lane *lane, const char *words,
		  const char *text) {
	struct moment now = clock_now();
	bool starts = !lane->state.held, direct = lane_is_direct(lane);
	set_reason(lane, words, text);
	lane->failed_ms = now.wall_ms;
	snprintf(lane->last_reply, sizeof(lane->last_reply), "%.*s",
		 (int)sizeof(lane->last_reply) - 1, text);
	snprintf(lane->failure, sizeof(lane->failure), "%.*s",
		 (int)sizeof(lane->failure) - 1, text[0] ? text : words);
	if (starts && !direct)
		set_name(lane->state.relay, sizeof(lane->state.relay), lane->relay);
	if (starts) {
		lane->state.held = true;
		lane->state.since = now;
	}
	bool alert = breaker_failure(&lane->breaker, now.boot_ms);
	if (!direct)
		save(m);
	tell_failure(lane, alert);
	if (starts && !direct)
		events_relay(m, lane);
	place_lane_failed(m, lane, starts);
	lane_touch(&m->lanes, lane);
	manager_tell(m);
	manager_kick(m);
}

static void tell_success(struct manager *m, struct lane *lane) {
	AUTO_BUF struct buf line = BUF_INIT(512);
	buf_addf(&line, "relay %s works again after ", lane->name);
	term_duration(&line, clock_elapsed_ms(&lane->state.since, &lane->state.until));
	log_info("%s", buf_str(&line));
	if (!lane_is_direct(lane))
		events_relay(m, lane);
	manager_tell(m);
}

void relay_succeeded(struct manager *m, struct lane *lane) {
	lane->restart_delay_ms = 0;
	lane->succeeded_ms = clock_wall_ms();
	if (lane->breaker.state == BREAKER_UP)
		return;
	breaker_success(&lane->breaker);
	if (lane->state.held) {
		lane->state.held = false;
		lane->state.until = clock_now();
		if (!lane_is_direct(lane))
			save(m);
		tell_success(m, lane);
		place_lane_works(m);
	}
	lane_touch(&m->lanes, lane);
	manager_kick(m);
}

/* How long it is not streamed to yet because replies were out of place. */
static int64_t out_of_step_ms(const struct lane *lane, const struct moment *now) {
	if (lane->state.out_of_step.boot_id == 0)
		return 0;
	int64_t left = STREAM_PAUSE_MS - clock_elapsed_ms(&lane->state.out_of_step, now);
	return left > 0 ? left : 0;
}

bool relay_may_stream(const struct lane *lane) {
	struct moment now = clock_now();
	return lane->config->stream == CONFIG_STREAM_AUTO && !relay_goes_alone(lane) &&
	       out_of_step_ms(lane, &now) == 0;
}

int64_t relay_slow_ms(const struct lane *lane, const struct moment *now, const char **ret_words) {
	int64_t alone = lane->alone_ms - now->boot_ms, unstreamed = out_of_step_ms(lane, now);
	if (lane->config->stream != CONFIG_STREAM_AUTO)
		unstreamed = 0;
	*ret_words = alone > 0 ? "gets one message at a time, since two connections broke with "
				 "several on the way"
			       : "is not streamed to, since its replies were out of place";
	return alone > 0 ? alone : unstreamed;
}

void relay_out_of_step(struct manager *m, struct lane *lane, const char *text) {
	AUTO_BUF struct buf line = BUF_INIT(4096);
	bool direct = lane_is_direct(lane);
	lane->state.out_of_step = clock_now();
	if (!direct)
		set_name(lane->state.relay, sizeof(lane->state.relay), lane->relay);
	if (!direct)
		save(m);
	buf_addf(&line, "relay %s is not streamed to for a day: ", lane->name);
	term_safe(&line, span_str(text));
	log_line(direct ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "%s", buf_str(&line));
}

bool relay_goes_alone(const struct lane *lane) {
	return clock_boot_ms() < lane->alone_ms;
}

void relay_broken(struct lane *lane, const char *text) {
	AUTO_BUF struct buf line = BUF_INIT(4096);
	int64_t now = clock_boot_ms();
	bool again = lane->broken_ms != 0 && now - lane->broken_ms < BROKEN_TWICE_MS;
	lane->broken_ms = now;
	if (!again || relay_goes_alone(lane))
		return;
	lane->alone_ms = now + STREAM_PAUSE_MS;
	buf_addf(&line, "relay %s is given one message at a time for a day, since two connections "
			"broke with several on the way: ", lane->name);
	term_safe(&line, span_str(text));
	log_warn("%s", buf_str(&line));
}

void relay_offers(struct manager *m, struct lane *lane, const char *host,
		  const char *mechanism) {
	if (lane_is_direct(lane))
		return;
	set_name(lane->state.relay, sizeof(lane->state.relay), lane->relay);
	offers_set(lane->state.offers, sizeof(lane->state.offers), span_str(host),
		   span_str(mechanism));
	save(m);
}

void relay_certificate(struct manager *m, struct lane *lane, const char *host, int64_t from_s,
		       int64_t until_s) {
	const struct validity v = { from_s, until_s };
	if (lane_is_direct(lane) ||
	    !validity_note(lane->state.certs, sizeof(lane->state.certs), span_str(host), &v,
			   clock_wall_ms() / 1000))
		return;
	set_name(lane->state.relay, sizeof(lane->state.relay), lane->relay);
	save(m);
	m->alerts.changed = true; /* the manager's next round looks */
	manager_kick(m);
}

int relay_trust(struct manager *m, const char *name, struct err *err) {
	struct lane *lane = lane_of_relay(&m->lanes, name);
	if (!lane || !lane->config)
		return err_set(err, ERR_MISSING, "there is no relay %s", name);
	lane->state.offers[0] = '\0';
	save(m);
	log_info("relay %s: what it has offered for logging in is forgotten", lane->name);
	breaker_probe_now(&lane->breaker, clock_boot_ms());
	lane->restart_at_ms = 0;
	lane_touch(&m->lanes, lane);
	manager_kick(m);
	return 0;
}

void relays_network_up(struct manager *m, const char *why) {
	int64_t now = clock_boot_ms();
	unsigned n = 0;
	for (size_t i = 0; i < m->lanes.end; i++) {
		struct lane *lane = m->lanes.at[i];
		if (!lane || !lane_is_held(lane) ||
		    span_starts(span_str(lane->state.reason), SPAN("login")))
			continue;
		breaker_probe_now(&lane->breaker, now);
		lane->restart_at_ms = 0;
		lane_touch(&m->lanes, lane);
		n++;
	}
	if (n == 0)
		return;
	log_info("%s: %u relays that are held are tried at once", why, n);
	manager_kick(m);
}

struct span relays_words(const struct lane *lane) {
	struct span reason = span_str(lane->state.reason);
	for (size_t i = 0; i + 1 < reason.len; i++)
		if (reason.p[i] == ':' && reason.p[i + 1] == ' ')
			return span_head(reason, i);
	return reason;
}

void relays_summary(struct manager *m, struct buf *out) {
	buf_addf(out, "%zu messages", m->messages.count);
	if (!m->lanes.at[0]->config)
		buf_adds(out,
			 "; nothing can be delivered: the configuration is not usable");
	for (size_t i = 0; i < m->lanes.end; i++) {
		const struct lane *lane = m->lanes.at[i];
		if (!lane || !lane->state.held || lane_is_direct(lane))
			continue;
		buf_addf(out, "; relay %s is held: ", lane->name);
		term_safe(out, span_str(lane->state.reason));
	}
}
