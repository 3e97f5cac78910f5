/*
 * Aliases and the rewriting of headers. The first byte chooses rules, then comes an aliases
 * file, a NUL, and a header. Whatever the file says, lookups end; whatever the header says,
 * its fields stay as many and as named, those without addresses keep their bytes, and only
 * CR LF with a blank behind it may be new.
 */

#include "mail/rewrite.h"

#include <stdlib.h>

#include "mail/addr.h"
#include "mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool held) {
	if (!held)
		abort();
}

static int include(void *ctx, struct span path, struct buf *out, struct err *err) {
	(void)ctx;
	if (path.len > 5)
		return err_set(err, ERR_MISSING, "not there");
	return buf_adds(out, "a@x.org, b\n|c\n");
}

static bool has_addresses(struct span name) {
	static const char *const names[] = {
		"From",      "Sender",      "Reply-To",      "To",
		"Cc",        "Resent-From", "Resent-Sender", "Resent-Reply-To",
		"Resent-To", "Resent-Cc"
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_eq_nocase(name, span_str(names[i])))
			return true;
	return false;
}

static void check_header(const struct rewrite_rules *r, struct span block) {
	AUTO_BUF struct buf out = BUF_INIT(1 << 20);
	block = span_head(block, header_block_len(block));
	int changed = rewrite_header(r, block, &out);
	need(changed >= 0 && (changed == 1 || out.len == 0));
	if (!changed)
		return;
	struct span before = block, after = buf_span(&out);
	struct header_field a, b;
	header_take_mbox(&before);
	header_take_mbox(&after);
	while (header_take(&before, &a)) {
		need(header_take(&after, &b) && span_eq(a.name, b.name));
		need(has_addresses(a.name) || span_eq(a.raw, b.raw));
	}
	need(after.len == before.len);
}

static void check_names(const struct rewrite_rules *r, const struct aliases *a) {
	for (size_t i = 0; i < a->count; i++) {
		const struct aliases_entry *e = &a->entry[i];
		struct span name = span_str(a->text.data + e->name);
		struct fixup_recipients to = { .count = 0 };
		struct err err = ERR_INIT;
		need(aliases_find(a, name) == e);
		for (size_t k = 0; !aliases_fault(a, e) && k < e->count; k++) {
			struct addr parts;
			need(addr_parse(aliases_target(a, e, k), ADDR_SUBMITTED, &parts,
					NULL) == 0);
		}
		if (i < 20 && rewrite_recipient(r, name, &to, &err) != REWRITE_DONE)
			need(err.msg[0] != '\0');
		fixup_recipients_release(&to);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct rewrite_rules r = { .host = SPAN("h.example"),
				   .domain = SPAN("h.example") };
	struct span in = span_of(data, size), text;
	struct aliases a;
	AUTO_BUF struct buf complaints = BUF_INIT(1 << 20);
	if (size == 0 || size > 8000)
		return 0;
	if (data[0] & 1)
		r.root = SPAN("root@x.org");
	if (data[0] & 2)
		r.from = SPAN("from@x.org");
	if (data[0] & 4)
		r.masquerade = SPAN("a.example *.b.example");
	if (data[0] & 8)
		r.domain = SPAN("x.org");
	in = span_from(in, 1);
	if (!span_take_until(&in, '\0', &text))
		return 0;
	if (aliases_parse(text, "f", include, NULL, &a, &complaints, NULL) != 0)
		return 0;
	r.aliases = &a;
	check_names(&r, &a);
	check_header(&r, in);
	aliases_release(&a);
	return 0;
}
