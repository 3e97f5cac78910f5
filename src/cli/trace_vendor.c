/*
 * Fields of spam filters. Most are lists of NAME:VALUE; or NAME=VALUE; a few are one value. What
 * the makers say of a value stands in `values`; anything else of a part that is listed is shown
 * as it is.
 */

#include "cli/trace_vendor.h"

#include "mail/header.h"

#define NOTES_MAX 200u

enum form { WHOLE, PARTS }; /* of a field: one value, or parts that ";" or " " separate */

static const struct {
	const char *field, *vendor;
	enum form form;
} fields[] = {
	{ "X-Forefront-Antispam-Report", "Microsoft", PARTS },
	{ "X-Forefront-Antispam-Report-Untrusted", "Microsoft", PARTS },
	{ "X-Microsoft-Antispam", "Microsoft", PARTS },
	{ "X-MS-Exchange-Organization-SCL", "Microsoft", WHOLE },
	{ "X-MS-Exchange-Organization-PCL", "Microsoft", WHOLE },
	{ "X-MS-Exchange-Organization-AuthAs", "Microsoft", WHOLE },
	{ "X-Spam-Flag", "SpamAssassin", WHOLE },
	{ "X-Spam-Status", "SpamAssassin", PARTS },
	{ "X-Spam-Level", "SpamAssassin", WHOLE },
	{ "X-Spam-Score", "SpamAssassin", WHOLE },
	{ "X-Spamd-Bar", "rspamd", WHOLE },
	{ "X-Spamd-Result", "rspamd", WHOLE },
	{ "X-Rspamd-Action", "rspamd", WHOLE },
	{ "X-Rspamd-Score", "rspamd", WHOLE },
	{ "X-Proofpoint-Spam-Details", "Proofpoint", PARTS },
	{ "X-Proofpoint-Virus-Version", "Proofpoint", PARTS },
	{ "X-Mimecast-Spam-Score", "Mimecast", WHOLE },
	{ "X-Mimecast-Bulk-Signature", "Mimecast", WHOLE },
	{ "X-IronPort-Anti-Spam-Result", "Cisco", WHOLE },
	{ "X-IronPort-AV", "Cisco", WHOLE },
	{ "X-IronPort-Anti-Spam-Filtered", "Cisco", WHOLE },
	{ "X-Barracuda-Spam-Score", "Barracuda", WHOLE },
	{ "X-Barracuda-Spam-Status", "Barracuda", PARTS },
	{ "X-Gm-Spam", "Gmail", WHOLE },
	{ "X-Gm-Phishy", "Gmail", WHOLE },
	{ "X-Virus-Scanned", "virus scanner", WHOLE },
	{ "X-Virus-Status", "ClamAV", WHOLE },
	{ "X-Bogosity", "bogofilter", PARTS },
	{ "X-DSPAM-Result", "DSPAM", WHOLE },
	{ "X-CMAE-Score", "Cloudmark", WHOLE },
	{ "X-CMAE-Analysis", "Cloudmark", PARTS },
	{ "X-VR-SCORE", "Vade", WHOLE },
	{ "X-VR-STATUS", "Vade", WHOLE },
	{ "X-Ovh-Spam-Status", "OVH", WHOLE },
	{ "X-UI-Filterresults", "1&1", PARTS },
	{ "X-GND-Status", "Gandi", WHOLE },
	{ "X-YandexFilter", "Yandex", WHOLE },
	{ "X-SmarterMail-TotalSpamWeight", "SmarterMail", WHOLE },
};

/* part: of a PARTS field, "" of a WHOLE one. value: "*" is any. */
static const struct {
	const char *vendor, *part, *value, *means;
	bool spam;
} values[] = {
	{ "Microsoft", "SCL", "-1",
	  "not filtered: a safe sender, an allow list, or within the organisation",
	  false },
	{ "Microsoft", "SCL", "0", "not spam", false },
	{ "Microsoft", "SCL", "1", "not spam", false },
	{ "Microsoft", "SCL", "5", "spam: goes to Junk", true },
	{ "Microsoft", "SCL", "6", "spam: goes to Junk", true },
	{ "Microsoft", "SCL", "8", "spam, with high confidence", true },
	{ "Microsoft", "SCL", "9", "spam, with high confidence", true },
	{ "Microsoft", "BCL", "*",
	  "complaints about bulk mail of this sender, from 0 to 9; 7 and more is filtered",
	  false },
	{ "Microsoft", "PCL", "*",
	  "how much it looks like phishing, from 1 to 8; 4 and more is suspicious",
	  false },
	{ "Microsoft", "SFV", "NSPM", "filtered, and not spam", false },
	{ "Microsoft", "SFV", "SPM", "the filter says spam", true },
	{ "Microsoft", "SFV", "SKB", "a block list of senders or domains", true },
	{ "Microsoft", "SFV", "SKS", "a mail flow rule said spam before the filter",
	  true },
	{ "Microsoft", "SFV", "SKN",
	  "a rule or allow list said not spam before the filter", false },
	{ "Microsoft", "SFV", "SKI", "within the organisation: not filtered", false },
	{ "Microsoft", "SFV", "SKA", "the sender is on an allow list", false },
	{ "Microsoft", "SFV", "SKQ", "released from quarantine", false },
	{ "Microsoft", "SFV", "SFE", "on the recipient's list of safe senders", false },
	{ "Microsoft", "SFV", "BLK", "on the recipient's list of blocked senders", true },
	{ "Microsoft", "CAT", "NONE", "no category", false },
	{ "Microsoft", "CAT", "SPM", "spam", true },
	{ "Microsoft", "CAT", "HSPM", "spam, with high confidence", true },
	{ "Microsoft", "CAT", "PHSH", "phishing", true },
	{ "Microsoft", "CAT", "HPHSH", "phishing, with high confidence", true },
	{ "Microsoft", "CAT", "HPHISH", "phishing, with high confidence", true },
	{ "Microsoft", "CAT", "SPOOF", "the sender is forged", true },
	{ "Microsoft", "CAT", "BULK", "bulk mail", true },
	{ "Microsoft", "CAT", "MALW", "malware", true },
	{ "Microsoft", "CAT", "DIMP", "pretends to be of a domain of yours", true },
	{ "Microsoft", "CAT", "UIMP", "pretends to be a person of yours", true },
	{ "Microsoft", "CAT", "BIMP", "pretends to be a brand", true },
	{ "Microsoft", "CAT", "INTOS", "within the organisation, and phishing", true },
	{ "Microsoft", "CAT", "AMP", "malware", true },
	{ "Microsoft", "CIP", "*", "the address that connected", false },
	{ "Microsoft", "CTRY", "*", "its country", false },
	{ "Microsoft", "LANG", "*", "language of the text", false },
	{ "Microsoft", "IPV", "CAL", "the address is on an allow list", false },
	{ "Microsoft", "IPV", "NLI", "the address is on no list", false },
	{ "Microsoft", "H", "*", "HELO of the peer", false },
	{ "Microsoft", "PTR", "*", "name of the address", false },
	{ "Microsoft", "SRV", "BULK", "bulk mail by the count of complaints", true },
	{ "Microsoft", "", "*", "", false },
	{ "SpamAssassin", "score", "*", "points; `required` and more is spam", false },
	{ "SpamAssassin", "required", "*", "points that make it spam", false },
	{ "SpamAssassin", "tests", "*", "rules that hit", false },
	{ "SpamAssassin", "", "YES", "spam", true },
	{ "SpamAssassin", "", "NO", "not spam", false },
	{ "SpamAssassin", "", "*", "points, more is worse", false },
	{ "rspamd", "", "reject", "was to be refused", true },
	{ "rspamd", "", "add header", "probably spam", true },
	{ "rspamd", "", "rewrite subject", "probably spam", true },
	{ "rspamd", "", "no action", "not spam", false },
	{ "rspamd", "", "*", "points, more is worse", false },
	{ "Proofpoint", "rule", "notspam", "not spam", false },
	{ "Proofpoint", "rule", "*", "the rule that decided", false },
	{ "Proofpoint", "score", "*", "0 to 100, more is worse", false },
	{ "Proofpoint", "spamscore", "*", "0 to 100, more is worse", false },
	{ "Proofpoint", "phishscore", "*", "0 to 100, more is worse", false },
	{ "Proofpoint", "malwarescore", "*", "0 to 100, more is worse", false },
	{ "Proofpoint", "vendor", "*", "engine", false },
	{ "Mimecast", "", "*", "points, more is worse", false },
	{ "Cisco", "", "true", "went through the filter", false },
	{ "Cisco", "", "*", "the filter's own notes", false },
	{ "Barracuda", "", "*", "points, more is worse", false },
	{ "Barracuda", "SCORE", "*", "points, more is worse", false },
	{ "Gmail", "", "1", "marked", true },
	{ "Gmail", "", "0", "not marked", false },
	{ "ClamAV", "", "Clean", "no virus was found", false },
	{ "ClamAV", "", "Infected", "a virus was found", true },
	{ "virus scanner", "", "*", "a scanner saw it; it says nothing of the result",
	  false },
	{ "bogofilter", "spamicity", "*", "0 to 1, more is worse", false },
	{ "DSPAM", "", "Spam", "spam", true },
	{ "DSPAM", "", "Innocent", "not spam", false },
	{ "Cloudmark", "", "*", "0 to 100, more is worse", false },
	{ "Vade", "", "SPAM", "spam", true },
	{ "Vade", "", "OK", "not spam", false },
	{ "Vade", "", "*", "points, more is worse", false },
	{ "Gandi", "", "SPAM", "spam", true },
	{ "Gandi", "", "LEGIT", "not spam", false },
	{ "Yandex", "", "*", "the filter's own notes", false },
	{ "SmarterMail", "", "*", "points, more is worse", false },
};

/* True for a listed part or value; fills what is known. */
static bool look_up(struct trace_vendor_note *n) {
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (strcmp(values[i].vendor, n->vendor) != 0 ||
		    !span_eq_nocase(n->part, span_str(values[i].part)))
			continue;
		if (strcmp(values[i].value, "*") != 0 &&
		    !span_eq_nocase(n->value, span_str(values[i].value)))
			continue;
		n->means = values[i].means[0] ? values[i].means : NULL;
		n->spam = values[i].spam;
		return true;
	}
	return false;
}

/* Some part of this vendor has that name: then a value nobody explained is worth showing. */
static bool knows_part(const struct trace_vendor_note *n) {
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (strcmp(values[i].vendor, n->vendor) == 0 &&
		    span_eq_nocase(n->part, span_str(values[i].part)))
			return true;
	return false;
}

struct walk {
	trace_vendor_fn *fn;
	void *ctx;
	unsigned count;
};

static void tell(struct walk *w, struct trace_vendor_note *n) {
	if (n->value.len == 0 || w->count == NOTES_MAX || (!look_up(n) && !knows_part(n)))
		return;
	w->count++;
	w->fn(w->ctx, n);
}

static void tell_parts(struct walk *w, struct trace_vendor_note *n, struct span value) {
	struct span rest = value;
	bool first = true;
	while (rest.len > 0) {
		size_t k = 0;
		while (rest.len && strchr("; \t\r\n,", rest.p[0]))
			rest = span_from(rest, 1);
		while (k < rest.len && !strchr("; \t\r\n,", rest.p[k]))
			k++;
		struct span item = span_head(rest, k);
		rest = span_from(rest, k);
		size_t mark = 0;
		while (mark < item.len && item.p[mark] != ':' && item.p[mark] != '=')
			mark++;
		n->part = mark < item.len ? span_head(item, mark) : SPAN("");
		n->value = mark < item.len ? span_from(item, mark + 1) : item;
		n->means = NULL;
		n->spam = false;
		if (mark < item.len || first) /* "Yes, score=..." */
			tell(w, n);
		first = false;
	}
}

static void tell_whole(struct walk *w, struct trace_vendor_note *n, struct span value) {
	n->value = span_trim(value);
	n->value = span_head(n->value, span_find(n->value, ';'));
	tell(w, n);
}

void trace_vendor_each(struct span header, trace_vendor_fn *fn, void *ctx) {
	struct walk w = { fn, ctx, 0 };
	struct header_field f;
	header_take_mbox(&header);
	while (header_take(&header, &f)) {
		for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
			struct trace_vendor_note n = { .vendor = fields[i].vendor,
						       .field = f.name };
			if (!span_eq_nocase(f.name, span_str(fields[i].field)))
				continue;
			if (fields[i].form == PARTS)
				tell_parts(&w, &n, f.value);
			else
				tell_whole(&w, &n, f.value);
			break;
		}
	}
}
