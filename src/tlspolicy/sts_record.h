#ifndef NIGHTMAIL_TLSPOLICY_STS_RECORD_H
#define NIGHTMAIL_TLSPOLICY_STS_RECORD_H

/* MTA-STS (RFC 8461): the TXT record that says that there is a policy, and the policy. Pure. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

#define STS_ID_MAX 32
#define STS_POLICY_MAX 65536u     /* bytes, section 3.3 */
#define STS_MAX_AGE_MAX 31557600u /* seconds, section 3.2 */

/* True when the text begins with "v=STSv1" and its field ends there: of these there must be
 * one (section 3.1). */
bool sts_is_record(struct span text);
/* Reads the id. ERR_SYNTAX. */
int sts_record_parse(struct span text, char ret_id[STS_ID_MAX + 1], struct err *err);

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };
const char *sts_mode_name(enum sts_mode mode);

struct sts_policy {
	enum sts_mode mode;
	uint32_t max_age_s;
	size_t mx_count;
	struct span text; /* the whole policy, for sts_policy_take_mx() */
};

/* Reads a policy of at most STS_POLICY_MAX bytes; of keys other than mx the first counts,
 * unknown ones are ignored (section 3.2). ERR_SYNTAX names the line. */
int sts_policy_parse(struct span text, struct sts_policy *ret, struct err *err);
/* Takes the next mx pattern; start with rest = policy->text. */
bool sts_policy_take_mx(struct span *rest, struct span *ret);
/* Section 4.1: "mx.example" is that host, "*.example" one label more. */
bool sts_mx_matches(struct span pattern, struct span host);
/* True when a pattern of the policy covers the host. */
bool sts_policy_covers(const struct sts_policy *p, struct span host);

#include "base/banned.h"

#endif
