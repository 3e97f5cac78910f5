/*
 * Configuration files: items of the lexer stand in order and inside the text; complaints are
 * one safe line each; and valid settings, written out as they are shown, load again as the
 * same settings.
 */

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "config/source.h"

#define TEXT_MAX (1 << 22)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct span text, struct span part) {
	if (part.len && (part.p < text.p || part.p + part.len > text.p + text.len))
		abort();
}

static void check_lexer(struct span text) {
	struct ini in = ini_over(text);
	struct ini_item item;
	unsigned line = 0;
	while (ini_next(&in, &item) != INI_END) {
		bool wrong = item.kind == INI_ERROR || item.kind == INI_BAD_SECTION;
		if (item.line <= line || item.column == 0 ||
		    wrong != (item.words != NULL))
			abort();
		if (!wrong && item.word.len == 0)
			abort();
		line = item.line;
		check_inside(text, item.word);
		check_inside(text, item.name);
		check_inside(text, item.value);
	}
}

static int load(int fd, struct span text, struct settings *s, struct buf *errors) {
	char path[64];
	struct config_env env = {
		.system_dir = "/nowhere",
		.hostname = "mx.example.org",
		.uid = 1,
		.asked = true,
	};
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text.p, text.len, 0) != (ssize_t)text.len)
		abort();
	return config_load_env(path, &env, s, errors);
}

static void check_lines(struct span text) {
	struct span line;
	while (span_take_line(&text, &line)) {
		if (line.len == 0)
			abort();
		for (size_t i = 0; i < line.len; i++)
			if ((unsigned char)line.p[i] < 0x20 || line.p[i] == 0x7f)
				abort();
	}
}

/* One value as a line of a file; sections repeat only where the value's section changes. */
struct writer {
	struct buf text;
	const char *section, *name;
};

static void write_value(void *ctx, const struct config_shown *v) {
	struct writer *w = ctx;
	if (v->section[0] && (v->section != w->section || v->name != w->name))
		buf_addf(&w->text, "[%s %s]\n", v->section, v->name ? v->name : "");
	w->section = v->section;
	w->name = v->name;
	if (v->value.len == 0)
		return;
	buf_addf(&w->text, "%s = ", v->key);
	for (size_t i = 0; i < v->value.len; i++)
		buf_addf(&w->text, "%c%s", v->value.p[i],
			 v->value.p[i] == '%' ? "%" : "");
	buf_addc(&w->text, '\n');
}

static void check_again(int fd, const struct settings *s) {
	struct settings again;
	AUTO_BUF struct buf errors = BUF_INIT(TEXT_MAX);
	struct writer first = { .text = BUF_INIT(TEXT_MAX) };
	struct writer second = { .text = BUF_INIT(TEXT_MAX) };
	config_each(s, write_value, &first);
	if (load(fd, buf_span(&first.text), &again, &errors) != 0) {
		fprintf(stderr, "%s\n%s", buf_str(&first.text), buf_str(&errors));
		abort();
	}
	config_each(&again, write_value, &second);
	if (!span_eq(buf_span(&first.text), buf_span(&second.text)))
		abort();
	config_release(&again);
	buf_release(&first.text);
	buf_release(&second.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static int fd = -1;
	struct settings s;
	AUTO_BUF struct buf errors = BUF_INIT(TEXT_MAX);
	AUTO_BUF struct buf out = BUF_INIT(TEXT_MAX);
	if (fd < 0)
		fd = memfd_create("nightmail.conf", MFD_CLOEXEC);
	check_lexer(span_of(data, size));
	int r = load(fd, span_of(data, size), &s, &errors);
	if ((r == 0) != (errors.len == 0) || (r == 0 && !config_usable(&s)))
		abort();
	check_lines(buf_span(&errors));
	config_show(&s, &out);
	config_warnings(&s, &out);
	check_lines(buf_span(&out));
	if (r == 0)
		check_again(fd, &s);
	config_release(&s);
	return 0;
}
