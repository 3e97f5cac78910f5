/* Lists that are alive and used by receivers, by what their operators publish of their codes. */

#include "check/dnsbl.h"

#define REFUSED                                                                          \
	{ 252, 252, DNSBL_REFUSED, "the name of the list is mistyped" },                 \
		{ 254, 254, DNSBL_REFUSED, "the question came by a public resolver" }, { \
		255, 255, DNSBL_REFUSED, "too many questions"                            \
	}

const struct dnsbl_zone dnsbl_zones[] = {
	{ "zen.spamhaus.org",
	  "https://check.spamhaus.org/",
	  true,
	  { { 2, 2, DNSBL_LISTED, "SBL: a source of spam" },
	    { 3, 3, DNSBL_LISTED, "CSS: a source of spam, seen automatically" },
	    { 4, 7, DNSBL_LISTED, "XBL: taken over, or an open proxy" },
	    { 9, 9, DNSBL_LISTED, "DROP: a network of criminals" },
	    { 10, 11, DNSBL_POLICY, "PBL: not meant to send mail directly" },
	    REFUSED } },
	{ "bl.spamcop.net",
	  "https://www.spamcop.net/bl.shtml",
	  false,
	  { { 2, 2, DNSBL_LISTED, "reported by receivers of spam" } } },
	{ "psbl.surriel.com",
	  "https://psbl.org/",
	  false,
	  { { 2, 2, DNSBL_LISTED, "sent to a spam trap" } } },
	{ "bl.mailspike.net",
	  "https://mailspike.io/ip_verify",
	  false,
	  { { 2, 2, DNSBL_LISTED, "spread spam lately" },
	    { 10, 12, DNSBL_LISTED, "bad reputation" },
	    { 13, 14, DNSBL_LISTED, "suspicious" } } },
	{ "dnsbl.dronebl.org",
	  "https://dronebl.org/lookup",
	  true,
	  { { 2, 255, DNSBL_LISTED, "a drone, proxy or attacker" } } },
	{ "b.barracudacentral.org",
	  "https://www.barracudacentral.org/rbl/removal-request",
	  false,
	  { { 2, 2, DNSBL_LISTED, "bad reputation" } } },
};
const size_t dnsbl_zone_count = sizeof(dnsbl_zones) / sizeof(dnsbl_zones[0]);
