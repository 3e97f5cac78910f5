/*
 * --dry-run: the envelope, the header as it would be accepted, the parts, the text, and the way,
 * which `nightmail explain` knows.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/json.h"
#include "base/term.h"
#include "cli/cli.h"
#include "cli/send.h"
#include "mail/attime.h"
#include "mail/header.h"

#define HEADER_MAX (32u << 20)
#define ROUTE_MAX (4u << 20)
#define ROUTE_RECIPIENTS 100u /* whose way is asked for */
#define TEXT_LINES 20u
#define PARTS_MAX (4u << 20)

struct dry {
	struct send_call *c;
	struct span text;
	struct buf header; /* wire form */
	struct buf parts;  /* lines, or a JSON array */
	struct json json;  /* writes parts */
	struct submission_preview p;
};

/* --- the parts --- */

static void add_part_words(struct buf *out, const struct send_part *part) {
	buf_addf(out, "%*s", (int)(2 + 2 * part->depth), "");
	term_safe(out, part->type);
	if (part->name.len > 0) {
		buf_adds(out, " \"");
		term_safe(out, part->name);
		buf_addc(out, '"');
	}
	if (part->encoding)
		buf_addf(out, ", %s, %llu bytes", part->encoding,
			 (unsigned long long)part->octets);
	buf_addc(out, '\n');
}

static void add_part_json(struct json *j, const struct send_part *part) {
	json_object(j, NULL);
	json_int(j, "depth", part->depth);
	json_str(j, "type", part->type);
	json_str_or_null(j, "name", part->name.len > 0 ? part->name : span_of(NULL, 0));
	json_str_or_null(j, "encoding", span_str(part->encoding));
	if (part->encoding)
		json_int(j, "size", (int64_t)part->octets);
	else
		json_null(j, "size");
	json_end(j);
}

static void add_part(void *ctx, const struct send_part *part) {
	struct dry *d = ctx;
	if (d->c->json)
		add_part_json(&d->json, part);
	else
		add_part_words(&d->parts, part);
}

static void add_field_value(struct buf *out, struct span header, const char *name,
			    const char *otherwise) {
	struct header_field f;
	if (header_find(header, name, &f))
		header_unfold(f.value, out);
	else
		buf_adds(out, otherwise);
}

/* A message that send_content.c did not make is told by its own fields. */
static void add_whole(struct dry *d) {
	AUTO_BUF struct buf type = BUF_INIT(HEADER_MAX), encoding = BUF_INIT(HEADER_MAX);
	struct span header = buf_span(&d->header);
	add_field_value(&type, header, "Content-Type", "text/plain");
	add_field_value(&encoding, header, "Content-Transfer-Encoding", "7bit");
	struct send_part part = { .type = buf_span(&type),
				  .encoding = buf_str(&encoding),
				  .octets = d->text.p ? d->text.len
						      : d->p.octets - d->header.len };
	add_part(d, &part);
}

/* --- the way --- */

/* In a child: becomes `nightmail explain`, which writes to that descriptor. */
static void ask_route(const struct dry *d, int out) {
	const struct fixup_recipients *to = &d->c->s.to;
	size_t count = to->count < ROUTE_RECIPIENTS ? to->count : ROUTE_RECIPIENTS;
	if (dup2(out, STDOUT_FILENO) >= 0)
		cli_exec_explain(send_program, d->c->config,
				 d->c->json ? CLI_EXPLAIN_JSON : CLI_EXPLAIN_WORDS,
				 &d->p.wishes, d->p.from, to->address, count);
	_exit(EX_OSERR);
}

/* Appends what `nightmail explain` prints; its exit code says what the lines say. */
static void read_route(const struct dry *d, struct buf *out) {
	int fds[2];
	ssize_t n = 1;
	if (pipe2(fds, O_CLOEXEC) != 0)
		return;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		ask_route(d, fds[1]);
	close(fds[1]);
	while (pid > 0 && n != 0) {
		char *room = buf_room(out, 4096);
		n = room ? read(fds[0], room, 4096) : 0;
		if (n < 0 && errno != EINTR)
			break;
		buf_grew(out, n > 0 ? (size_t)n : 0);
	}
	close(fds[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* --- words --- */

static void print_lines(struct span text, const char *indent, size_t most) {
	struct span line;
	for (size_t i = 0; span_take_line(&text, &line); i++) {
		if (i == most) {
			printf("%s...\n", indent);
			return;
		}
		fputs(indent, stdout);
		term_print(stdout, line);
		putchar('\n');
	}
}

static void print_wishes(const struct mail_wishes *w) {
	AUTO_BUF struct buf at = BUF_INIT(64);
	if (w->at_ms > 0) {
		attime_add(&at, w->at_ms);
		printf("  not before %s\n", buf_str(&at));
	}
	if (w->priority != PRIORITY_NORMAL)
		printf("  priority %s\n", priority_name(w->priority));
	if (w->relay[0])
		printf("  by relay %s\n", w->relay);
	if (w->require_tls)
		puts("  over verified TLS alone");
}

static void print_envelope(const struct dry *d) {
	const struct submission *s = &d->c->s;
	fputs("envelope\n  from ", stdout);
	term_print(stdout, d->p.from[0] ? span_str(d->p.from) : SPAN("<>"));
	for (size_t i = 0; i < s->to.count; i++) {
		fputs("\n  to   ", stdout);
		term_print(stdout, span_str(s->to.address[i]));
	}
	printf("\n  size %llu bytes%s%s%s\n", (unsigned long long)d->p.octets,
	       d->p.body_8bit ? ", 8BITMIME" : "", d->p.smtputf8 ? ", SMTPUTF8" : "",
	       s->notify ? ", with a receipt" : "");
	print_wishes(&d->p.wishes);
}

static void print_words(const struct dry *d, const struct buf *route) {
	size_t len = header_block_len(buf_span(&d->header));
	struct span rest = buf_span(route), line;
	print_envelope(d);
	puts("header");
	print_lines(span_head(buf_span(&d->header), len), "  ", SIZE_MAX);
	printf("parts\n%s", buf_str(&d->parts));
	if (d->text.len > 0) {
		puts("text");
		print_lines(d->text, "  | ", TEXT_LINES);
	}
	puts("way");
	while (span_take_line(&rest, &line)) /* these lines are safe already */
		printf("  %.*s\n", (int)line.len, line.p);
	if (d->c->s.to.count > ROUTE_RECIPIENTS)
		printf("  (the first %u recipients)\n", ROUTE_RECIPIENTS);
}

/* --- JSON --- */

static void print_json(const struct dry *d, const struct buf *route) {
	AUTO_BUF struct buf out = BUF_INIT(SIZE_MAX / 8);
	struct json j = json_into(&out);
	const struct submission *s = &d->c->s;
	json_object(&j, NULL);
	json_str(&j, "from", span_str(d->p.from));
	json_array(&j, "recipients");
	for (size_t i = 0; i < s->to.count; i++)
		json_str(&j, NULL, span_str(s->to.address[i]));
	json_end(&j);
	json_int(&j, "size", (int64_t)d->p.octets);
	json_bool(&j, "body_8bit", d->p.body_8bit);
	json_bool(&j, "smtputf8", d->p.smtputf8);
	json_str(&j, "priority", span_str(priority_name(d->p.wishes.priority)));
	if (d->p.wishes.at_ms > 0)
		json_int(&j, "at", d->p.wishes.at_ms / 1000);
	else
		json_null(&j, "at");
	json_str_or_null(&j, "relay",
			 d->p.wishes.relay[0] ? span_str(d->p.wishes.relay) : span_of(NULL, 0));
	json_bool(&j, "require_tls", d->p.wishes.require_tls);
	json_str(&j, "header",
		 span_head(buf_span(&d->header), header_block_len(buf_span(&d->header))));
	json_raw(&j, "parts", buf_span(&d->parts));
	json_str_or_null(&j, "text", d->text);
	json_raw(&j, "route", route->len > 0 ? span_trim(buf_span(route)) : SPAN("null"));
	json_end(&j);
	puts(buf_str(&out));
}

static int show(struct dry *d) {
	AUTO_BUF struct buf route = BUF_INIT(ROUTE_MAX);
	struct err err = ERR_INIT;
	int status = submission_preview(&d->c->s, STDIN_FILENO, &d->p, &err);
	if (status != EX_OK)
		return cli_fail(send_program, status, "%s", err.msg);
	if (!d->c->s.source.read)
		add_whole(d);
	read_route(d, &route);
	if (d->c->json)
		json_end(&d->json);
	if (d->c->json)
		print_json(d, &route);
	else
		print_words(d, &route);
	return EX_OK;
}

int send_dry_run(struct send_call *c, struct span text) {
	struct dry d = { .c = c, .text = text, .p.header = &d.header };
	buf_init(&d.header, HEADER_MAX);
	buf_init(&d.parts, PARTS_MAX);
	d.json = json_into(&d.parts);
	if (c->json)
		json_array(&d.json, NULL);
	c->content.seen = add_part;
	c->content.seen_ctx = &d;
	int status = show(&d);
	c->content.seen = NULL;
	buf_release(&d.header);
	buf_release(&d.parts);
	return status;
}
