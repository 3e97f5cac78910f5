/*
 * Domains in A-label form. In a file of its own, because it is the only part of mail/
 * that needs libidn2. The library accepts empty labels and says nothing about the length
 * of the whole, so the result is checked here again.
 */

#include "mail/addr.h"

#include <idn2.h>

#include "base/term.h"

static void free_idn(char **p) {
	idn2_free(*p);
}

static int refuse(struct err *err, struct span domain, const char *why) {
	AUTO_BUF struct buf shown = BUF_INIT(512);
	term_safe(&shown, span_head(domain, 100));
	return err_set(err, ERR_SYNTAX, "domain \"%s\" has no ASCII form: %s",
		       buf_str(&shown), why);
}

static bool labels_fit(struct span name) {
	struct span label;
	if (name.len > ADDR_DOMAIN_MAX)
		return false;
	while (span_take_until(&name, '.', &label))
		if (label.len == 0 || label.len > 63)
			return false;
	return name.len > 0 && name.len <= 63;
}

/* IDN2_USE_STD3_ASCII_RULES would silently drop underscores: never add it. */
int addr_domain_ascii(struct span domain, struct buf *out, struct err *err) {
	if (!addr_is_utf8(domain)) {
		if (buf_add(out, domain) != 0)
			return err_set(err, ERR_LIMIT, "domain name too long");
		return 0;
	}
	AUTO_BUF struct buf name = BUF_INIT(ADDR_MAX * 4);
	__attribute__((cleanup(free_idn))) char *ascii = NULL;
	if (span_find(domain, '\0') != domain.len || buf_add(&name, domain) != 0)
		return refuse(err, domain, "it is too long or has a NUL");
	int rc = idn2_to_ascii_8z(name.data, &ascii,
				  IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (rc != IDN2_OK)
		return refuse(err, domain, idn2_strerror(rc));
	if (!labels_fit(span_str(ascii)))
		return refuse(err, domain, "a label is empty or over 63 octets");
	if (buf_adds(out, ascii) != 0)
		return err_set(err, ERR_LIMIT, "domain name too long");
	return 0;
}
