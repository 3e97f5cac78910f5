/*
 * Reads one input a line, percent-encoded, and says what the mail parsers make of it:
 *
 *     mail_check address   "yes" or "no": an address of an envelope with a domain
 *     mail_check list      the addresses in the list of a field, encoded, or "no"
 *     mail_check params    the type and the parameters NAME=VALUE of a field's value, encoded
 *     mail_check parts     the parts of a message, DEPTH:TYPE each
 */

#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "mail/addr.h"
#include "mail/header.h"
#include "mail/param.h"
#include "mail/part.h"

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

/* Each name once, where it stands first. */
static void check_params(struct span input) {
	AUTO_BUF struct buf out = BUF_INIT(1 << 20), type = BUF_INIT(1 << 20);
	struct param_list list;
	param_parse(input, &type, &list);
	codec_percent_add(&out, buf_span(&type));
	for (size_t i = 0; i < list.count; i++) {
		AUTO_BUF struct buf value = BUF_INIT(1 << 20);
		size_t first = 0;
		while (!span_eq_nocase(list.item[first].name, list.item[i].name))
			first++;
		if (first < i || !param_find(&list, list.item[i].name, &value))
			continue;
		buf_addc(&out, ' ');
		codec_percent_add(&out, list.item[i].name);
		buf_addc(&out, '=');
		codec_percent_add(&out, buf_span(&value));
	}
	puts(buf_str(&out));
}

static int print_part(void *ctx, const struct part *p) {
	AUTO_BUF struct buf out = BUF_INIT(1 << 10);
	(void)ctx;
	codec_percent_add(&out, span_str(p->type));
	printf("%s%u:%s", p->depth ? " " : "", p->depth, buf_str(&out));
	return 0;
}

static void check_parts(struct span input) {
	part_walk(input, print_part, NULL, NULL);
	putchar('\n');
}

static const struct {
	const char *name;
	void (*check)(struct span input);
} modes[] = {
	{ "address", check_address },
	{ "list", check_list },
	{ "params", check_params },
	{ "parts", check_parts },
};

int main(int argc, char **argv) {
	static char line[1 << 20];
	size_t mode = 0, count = sizeof(modes) / sizeof(modes[0]);
	while (mode < count && (argc < 2 || strcmp(argv[1], modes[mode].name) != 0))
		mode++;
	while (mode < count && fgets(line, sizeof(line), stdin)) {
		AUTO_BUF struct buf input = BUF_INIT(sizeof(line));
		line[strcspn(line, "\n")] = '\0';
		if (codec_percent_decode(&input, span_str(line)) != 0)
			return 64;
		modes[mode].check(buf_span(&input));
	}
	return mode < count ? 0 : 64;
}
