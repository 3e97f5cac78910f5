/*
 * The decision, top down: the first rule that has something to say ends it. REQUIRETLS comes last
 * and only ever makes it stricter.
 */
#include "tlspolicy/decide.h"

#include <stdio.h>
#include <string.h>

const char *tlspolicy_level_name(enum tlspolicy_level level) {
	static const char *const name[] = {
		[TLSPOLICY_CLEAR] = "no TLS",
		[TLSPOLICY_MAY] = "TLS if it works",
		[TLSPOLICY_ENCRYPT] = "TLS without verification",
		[TLSPOLICY_VERIFY] = "verified TLS",
		[TLSPOLICY_DANE] = "TLS verified by DANE",
		[TLSPOLICY_PIN] = "TLS with a pinned key",
		[TLSPOLICY_WAIT] = "wait",
		[TLSPOLICY_REFUSE] = "not this host",
	};
	return name[level];
}

const char *tlspolicy_source_name(enum tlspolicy_source source) {
	static const char *const name[] = {
		[TLSPOLICY_BY_CONFIG] = "configuration",
		[TLSPOLICY_BY_DANE] = "DANE",
		[TLSPOLICY_BY_STS] = "MTA-STS",
		[TLSPOLICY_BY_DEFAULT] = "default",
		[TLSPOLICY_BY_MESSAGE] = "message",
	};
	return name[source];
}

static struct tlspolicy_decision decision(enum tlspolicy_level level,
					  enum tlspolicy_source source, const char *reason) {
	struct tlspolicy_decision d = { .level = level, .source = source };
	snprintf(d.reason, sizeof(d.reason), "%s", reason);
	return d;
}

static struct tlspolicy_decision by_dane(const struct dane_result *dane) {
	static const enum tlspolicy_level level[] = {
		[DANE_PENDING] = TLSPOLICY_WAIT,     [DANE_NONE] = TLSPOLICY_MAY,
		[DANE_RECORDS] = TLSPOLICY_DANE,     [DANE_UNUSABLE] = TLSPOLICY_ENCRYPT,
		[DANE_TEMPORARY] = TLSPOLICY_WAIT,   [DANE_NO_HOST] = TLSPOLICY_WAIT,
	};
	return decision(level[dane->status], TLSPOLICY_BY_DANE, dane->reason);
}

/* What MTA-STS says; level MAY: nothing. */
static struct tlspolicy_decision by_sts(const struct sts_policy *sts, struct span host) {
	char words[200];
	bool covered = sts_policy_covers(sts, host);
	snprintf(words, sizeof(words), "the MTA-STS policy (mode %s) %s %.*s",
		 sts_mode_name(sts->mode), covered ? "names" : "does not name",
		 (int)(host.len < 100 ? host.len : 100), host.p);
	if (sts->mode == STS_ENFORCE)
		return decision(covered ? TLSPOLICY_VERIFY : TLSPOLICY_REFUSE,
				TLSPOLICY_BY_STS, words);
	struct tlspolicy_decision d = decision(TLSPOLICY_MAY, TLSPOLICY_BY_STS, words);
	d.testing = sts->mode == STS_TESTING;
	return d;
}

/* What the destination publishes. */
static struct tlspolicy_decision by_destination(const struct tlspolicy_query *q) {
	struct tlspolicy_decision d;
	if (q->tls_optional && !q->requiretls && q->wish == TLSPOLICY_WISH_OPPORTUNISTIC)
		return decision(TLSPOLICY_MAY, TLSPOLICY_BY_MESSAGE,
				"the message asks for no TLS (TLS-Required: No, RFC 8689)");
	if (q->dane && q->dane->status != DANE_NONE)
		return by_dane(q->dane);
	if (q->wish == TLSPOLICY_WISH_DANE)
		return decision(TLSPOLICY_WAIT, TLSPOLICY_BY_CONFIG,
				q->dane ? q->dane->reason
					: "tls = dane, and the host was not found by DNSSEC");
	if (q->sts && q->sts->mode != STS_NONE) {
		d = by_sts(q->sts, q->host);
		if (d.level != TLSPOLICY_MAY || d.testing)
			return d;
	}
	return decision(TLSPOLICY_MAY, TLSPOLICY_BY_DEFAULT,
			"the destination publishes neither DANE nor MTA-STS");
}

static struct tlspolicy_decision by_wish(const struct tlspolicy_query *q) {
	switch (q->wish) {
	case TLSPOLICY_WISH_NONE:
		return decision(TLSPOLICY_CLEAR, TLSPOLICY_BY_CONFIG, "tls = none");
	case TLSPOLICY_WISH_VERIFY:
		return decision(TLSPOLICY_VERIFY, TLSPOLICY_BY_CONFIG,
				"the relay's configuration asks for verified TLS");
	case TLSPOLICY_WISH_PIN:
		return decision(TLSPOLICY_PIN, TLSPOLICY_BY_CONFIG,
				"the relay's configuration names the keys that it may have");
	case TLSPOLICY_WISH_OPPORTUNISTIC:
	case TLSPOLICY_WISH_DANE:
		break;
	}
	return by_destination(q);
}

/* True when it says who the server must be. */
static bool is_verified(enum tlspolicy_level level) {
	return level == TLSPOLICY_VERIFY || level == TLSPOLICY_DANE || level == TLSPOLICY_PIN;
}

bool tlspolicy_is_trusted(const struct tlspolicy_decision *d, bool by_mx, bool signed_name) {
	bool vouched = signed_name || !by_mx || d->source == TLSPOLICY_BY_DANE ||
		       (d->source == TLSPOLICY_BY_STS && !d->testing);
	return vouched && is_verified(d->level);
}

struct tlspolicy_decision tlspolicy_decide(const struct tlspolicy_query *q) {
	struct tlspolicy_decision d = by_wish(q);
	if (!q->requiretls || is_verified(d.level) || d.level == TLSPOLICY_WAIT ||
	    d.level == TLSPOLICY_REFUSE)
		return d;
	if (d.level == TLSPOLICY_CLEAR)
		return decision(TLSPOLICY_REFUSE, TLSPOLICY_BY_CONFIG,
				"the message requires TLS (RFC 8689), and tls = none");
	d.level = TLSPOLICY_VERIFY;
	snprintf(d.reason, sizeof(d.reason), "the message requires verified TLS (RFC 8689)");
	return d;
}
