/*
 * Questions that are answered with y or n, and lines that are typed: both take all keys as long as
 * they are open. A cursor in a line stands between characters of UTF-8, never inside one.
 */

#include "base/utf8.h"
#include "tui/app_state.h"

void app_ask(struct app *app, const char *question, app_answer_fn *fn, void *ctx) {
	buf_reset(&app->question);
	buf_adds(&app->question, question);
	app->answer = fn;
	app->answer_ctx = ctx;
	app->mode = APP_ASKING;
}

static void answer_key(struct app *app, int key) {
	app->mode = APP_KEYS;
	app->answer(app->answer_ctx, key == 'y' || key == 'Y');
}

void app_prompt(struct app *app, const char *label, struct span text, app_line_fn *fn,
		void *ctx) {
	struct app_typing *t = &app->typing;
	buf_reset(&t->label);
	buf_reset(&t->text);
	buf_reset(&t->before);
	buf_adds(&t->label, label);
	buf_add(&t->text, span_head(text, APP_LINE_MAX));
	buf_add(&t->before, span_head(text, APP_LINE_MAX));
	t->cursor = t->text.len;
	t->fn = fn;
	t->ctx = ctx;
	app->mode = APP_TYPING;
}

static void typing_end(struct app *app, bool given_up) {
	struct app_typing *t = &app->typing;
	struct app_line line = { .text = buf_span(given_up ? &t->before : &t->text),
				 .before = buf_span(&t->before),
				 .done = true,
				 .given_up = given_up };
	app->mode = APP_KEYS;
	t->fn(t->ctx, &line);
}

/* Replaces `drop` bytes before the cursor by others. */
static void typing_put(struct app_typing *t, size_t drop, struct span text) {
	AUTO_BUF struct buf rest = BUF_INIT(APP_LINE_MAX);
	buf_add(&rest, span_from(buf_span(&t->text), t->cursor));
	if (t->cursor - drop + text.len + rest.len > APP_LINE_MAX)
		return;
	if (t->text.len)
		buf_truncate(&t->text, t->cursor - drop);
	buf_add(&t->text, text);
	t->cursor = t->text.len;
	buf_add(&t->text, buf_span(&rest));
}

/* Bytes of the character before the cursor, and of the one at it; 0: there is none. */
static size_t before_cursor(const struct app_typing *t) {
	size_t n = t->cursor > 0;
	while (n && n < t->cursor && utf8_continues(t->text.data[t->cursor - n]))
		n++;
	return n;
}

static size_t at_cursor(const struct app_typing *t) {
	size_t n = t->cursor < t->text.len;
	while (n && t->cursor + n < t->text.len && utf8_continues(t->text.data[t->cursor + n]))
		n++;
	return n;
}

static size_t word_before(const struct app_typing *t) {
	size_t n = 0;
	while (n < t->cursor && t->text.data[t->cursor - n - 1] == ' ')
		n++;
	while (n < t->cursor && t->text.data[t->cursor - n - 1] != ' ')
		n++;
	return n;
}

static void add_utf8(struct buf *out, uint32_t cp) {
	if (cp < 0x80) {
		buf_addc(out, (char)cp);
		return;
	}
	unsigned more = cp < 0x800 ? 1 : cp < 0x10000 ? 2 : 3;
	static const unsigned char lead[] = { 0, 0xc0, 0xe0, 0xf0 };
	buf_addc(out, (char)(lead[more] | (cp >> (6 * more))));
	while (more-- > 0)
		buf_addc(out, (char)(0x80 | ((cp >> (6 * more)) & 0x3f)));
}

static void type_character(struct app_typing *t, int key) {
	AUTO_BUF struct buf c = BUF_INIT(8);
	if (key < ' ' || key > 0x10ffff)
		return;
	add_utf8(&c, (uint32_t)key);
	typing_put(t, 0, buf_span(&c));
}

static void edit_line(struct app_typing *t, int key) {
	switch (key) {
	case KEY_CODE_LEFT:
		t->cursor -= before_cursor(t);
		break;
	case KEY_CODE_RIGHT:
		t->cursor += at_cursor(t);
		break;
	case KEY_CODE_HOME:
	case 'A' & 31:
		t->cursor = 0;
		break;
	case KEY_CODE_END:
	case 'E' & 31:
		t->cursor = t->text.len;
		break;
	case KEY_CODE_BACKSPACE:
		typing_put(t, before_cursor(t), SPAN(""));
		break;
	case KEY_CODE_DELETE: {
		size_t n = at_cursor(t);
		t->cursor += n;
		typing_put(t, n, SPAN(""));
		break;
	}
	case 'U' & 31:
		typing_put(t, t->cursor, SPAN(""));
		break;
	case 'W' & 31:
		typing_put(t, word_before(t), SPAN(""));
		break;
	default:
		type_character(t, key);
	}
}

static void typing_key(struct app *app, int key) {
	struct app_typing *t = &app->typing;
	if (key == KEY_CODE_ENTER || key == KEY_CODE_ESCAPE) {
		typing_end(app, key == KEY_CODE_ESCAPE);
		return;
	}
	if (key == KEY_CODE_BACKSPACE && t->text.len == 0) {
		typing_end(app, true);
		return;
	}
	AUTO_BUF struct buf before = BUF_INIT(APP_LINE_MAX);
	buf_add(&before, buf_span(&t->text));
	edit_line(t, key);
	if (!span_eq(buf_span(&before), buf_span(&t->text))) {
		struct app_line line = { .text = buf_span(&t->text),
					 .before = buf_span(&t->before) };
		t->fn(t->ctx, &line);
	}
}

void app_typing_key(struct app *app, int key) {
	if (app->mode == APP_ASKING)
		answer_key(app, key);
	else
		typing_key(app, key);
}
