/*
 * Reads one input a line, percent-encoded, and says what the mail parsers make of it:
 *
 *     mail_check address   "yes" or "no": an address of an envelope with a domain
 *     mail_check list      the addresses in the list of a field, encoded, or "no"
 */

#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "mail/addr.h"
#include "mail/header.h"

static int add_address(void *ctx, struct span address, struct span display_name) {
	(void)display_name;
	struct buf *out = ctx;
	if (out->len > 0)
		buf_addc(out, ' ');
	return codec_percent_add(out, address);
}

static void check_address(struct span input) {
	struct addr parts;
	puts(addr_parse(input, ADDR_SMTP, &parts, NULL) == 0 ? "yes" : "no");
}

static void check_list(struct span input) {
	AUTO_BUF struct buf out = BUF_INIT(1 << 20);
	struct header_field f;
	bool read = header_take(&input, &f) &&
		    addr_list(f.value, add_address, &out, NULL) == 0;
	puts(read ? buf_str(&out) : "no");
}

int main(int argc, char **argv) {
	static char line[1 << 16];
	bool is_list = argc > 1 && strcmp(argv[1], "list") == 0;
	while (fgets(line, sizeof(line), stdin)) {
		AUTO_BUF struct buf input = BUF_INIT(sizeof(line));
		line[strcspn(line, "\n")] = '\0';
		if (codec_percent_decode(&input, span_str(line)) != 0)
			return 64;
		if (is_list)
			check_list(buf_span(&input));
		else
			check_address(buf_span(&input));
	}
	return 0;
}
