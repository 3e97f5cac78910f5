/*
 * Asks DNS as the programs do. Questions come on stdin, "NAME TYPE" a line; an empty line (or
 * the end) asks what was noted, and prints an answer a line as JSON, then an empty line.
 * "forget" drops what is known.
 *
 *     dns_ask [--server S] [--anchor FILE] [--system-anchor FILE] [--deadline MS] [--iterate]
 *     dns_ask --channel FD [--deadline MS]                                nightmail-resolve
 *     dns_ask --table FILE                                                a table
 *     --write    at the end, a table of all answers
 *
 * What the resolver warns of comes last on stdout, behind "warning: ".
 */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "net/dns.h"
#include "net/dns_channel.h"
#include "net/dns_table.h"
#include "net/dns_unbound.h"

struct wish {
	struct dns_unbound_options unbound;
	const char *table;
	int channel;
	bool write;
};

static void print_answer(const struct dns_answer *a) {
	AUTO_BUF struct buf out = BUF_INIT(1u << 20), text = BUF_INIT(1u << 20);
	struct json j = json_into(&out);
	json_object(&j, NULL);
	json_str(&j, "name", span_str(a->name));
	json_str(&j, "type", span_str(dns_type_name(a->type)));
	json_str(&j, "status", span_str(dns_status_name(a->status)));
	json_bool(&j, "secure", a->secure);
	json_int(&j, "ttl", a->ttl);
	json_str(&j, "canonical", span_str(a->canonical));
	json_int(&j, "cnames", a->cnames);
	json_array(&j, "records");
	for (size_t i = 0; i < a->count; i++) {
		buf_reset(&text);
		dns_rdata_add(&text, a->type, a->record[i]);
		json_str(&j, NULL, buf_span(&text));
	}
	json_end(&j);
	json_str(&j, "why", span_str(a->why));
	json_int(&j, "round", a->round);
	json_int(&j, "took_ms", a->took_ms);
	json_end(&j);
	puts(buf_str(&out));
}

static struct dns *open_dns(const struct wish *w, struct err *err) {
	AUTO_BUF struct buf table = BUF_INIT(16u << 20);
	if (w->channel >= 0)
		return dns_channel_open(w->channel, w->unbound.deadline_ms, err);
	if (!w->table)
		return dns_unbound_open(&w->unbound, err);
	if (file_read(AT_FDCWD, w->table, &table, err) != 0)
		return NULL;
	return dns_table_open(buf_span(&table), err);
}

static bool take_options(int argc, char **argv, struct wish *w) {
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
		if (strcmp(name, "--write") == 0)
			w->write = true;
		else if (strcmp(name, "--iterate") == 0)
			w->unbound.iterate = true;
		else if (!value)
			return false;
		else if (strcmp(name, "--server") == 0)
			w->unbound.server = argv[++i];
		else if (strcmp(name, "--anchor") == 0)
			w->unbound.trust_anchor = argv[++i];
		else if (strcmp(name, "--system-anchor") == 0)
			w->unbound.system_anchor = argv[++i];
		else if (strcmp(name, "--deadline") == 0)
			w->unbound.deadline_ms = strtol(argv[++i], NULL, 10);
		else if (strcmp(name, "--channel") == 0)
			w->channel = (int)strtol(argv[++i], NULL, 10);
		else if (strcmp(name, "--table") == 0)
			w->table = argv[++i];
		else
			return false;
	}
	return true;
}

#define NOTED_MAX 10000

/* Asks and prints until stdin ends. */
static void serve(struct dns *d) {
	static const struct dns_answer *noted[NOTED_MAX];
	char line[1024];
	size_t count = 0;
	bool more = true;
	while (more) {
		struct span name, word, in;
		enum dns_type type;
		more = fgets(line, sizeof(line), stdin) != NULL;
		in = span_str(more ? line : "");
		in = span_trim(in);
		if (span_eq(in, SPAN("forget"))) {
			dns_forget(d);
		} else if (span_take_word(&in, &name) && span_take_word(&in, &word) &&
			   dns_type_parse(word, &type)) {
			if (count < NOTED_MAX)
				noted[count++] = dns_get(d, name, type);
		} else if (count > 0) {
			dns_run(d);
			for (size_t i = 0; i < count; i++)
				print_answer(noted[i]);
			count = 0;
			puts("");
			fflush(stdout);
		}
	}
}

int main(int argc, char **argv) {
	struct wish w = { .channel = -1 };
	struct err err = ERR_INIT;
	if (!take_options(argc, argv, &w)) {
		fputs("dns_ask: wrong options\n", stderr);
		return 64;
	}
	struct dns *d = open_dns(&w, &err);
	if (!d) {
		fprintf(stderr, "dns_ask: %s\n", err.msg);
		return 1;
	}
	serve(d);
	if (w.channel < 0 && !w.table && *dns_warning(d))
		printf("warning: %s\n", dns_warning(d));
	if (w.write) {
		AUTO_BUF struct buf out = BUF_INIT(16u << 20);
		dns_table_write(d, &out);
		fputs(buf_str(&out), stdout);
	}
	dns_close(d);
	return 0;
}
