/*
 * nightmail-fetch: one HTTP request for the daemon, in a process that has nothing to lose. The
 * request comes on standard input (or, with --socket, on descriptor 3), the answer goes out
 * the same way; net/http.h says how. By hand:
 *
 *     printf 'method GET\nurl https://example.org/\ntimeout 9000\nmax 65536\nbody 0\n' |
 *         nightmail-fetch
 */

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/sandbox.h"
#include "cli/cli.h"
#include "net/fetch.h"

#define PROGRAM "nightmail-fetch"
#define SOCKET_FD 3
#define BYTES_MAX (HTTP_BODY_MAX + (128u << 10))

static int usage(void) {
	puts("usage: nightmail-fetch [--socket] < REQUEST\n"
	     "\n"
	     "Does one HTTP request for nightmaild(8); nightmail-fetch(8) says how it is\n"
	     "written. Exits with 0 when there was an answer, whatever its status is.\n"
	     "\n"
	     "  --socket    request and answer by descriptor 3\n"
	     "  --no-sandbox  give nothing up\n"
	     "  --help, --version");
	return EX_OK;
}

/* 1: whole. */
static int read_request(int fd, struct buf *in, struct http_request *ret,
			struct err *err) {
	char piece[16384];
	for (;;) {
		ssize_t n = read(fd, piece, sizeof(piece));
		if (n < 0)
			return err_sys(err, "cannot read the request");
		if (n == 0)
			return err_set(err, ERR_SYNTAX, "the request is not whole");
		if (buf_add(in, span_of(piece, (size_t)n)) != 0)
			return err_set(err, ERR_LIMIT, "the request is too long");
		int r = http_request_parse(buf_span(in), ret, err);
		if (r != 0)
			return r;
	}
}

static int answer(int fd, const struct http_answer *a) {
	AUTO_BUF struct buf out = BUF_INIT(BYTES_MAX);
	if (http_answer_write(&out, a) != 0)
		return EX_SOFTWARE;
	for (size_t at = 0; at < out.len;) {
		ssize_t n = write(fd, buf_str(&out) + at, out.len - at);
		if (n < 0)
			return EX_IOERR;
		at += (size_t)n;
	}
	return a->status ? EX_OK : EX_UNAVAILABLE;
}

/* It meets strangers: nothing on disk may be changed, no program started. */
static void confine(struct http_answer *a) {
	struct err err = ERR_INIT;
	struct sandbox *s = sandbox_new(NULL, 0, SANDBOX_CONNECT, NULL, &err);
	if (!s || sandbox_enter(s, &err) != 0)
		a->error = err;
	sandbox_free(s);
}

static int serve(int in_fd, int out_fd, bool sandbox) {
	AUTO_BUF struct buf in = BUF_INIT(BYTES_MAX);
	struct http_request r = { .timeout_ms = 0 };
	struct http_answer a = { .status = 0 };
	struct fetch *f = NULL;
	proc_harden();
	if (read_request(in_fd, &in, &r, &a.error) == 1) {
		alarm((unsigned)(r.timeout_ms / 1000) +
		      2); /* a name service that hangs */
		f = fetch_prepare(&r, &a);
	}
	if (f && sandbox)
		confine(&a);
	if (f && a.error.kind == ERR_NONE)
		fetch_perform(f, &a);
	int status = answer(out_fd, &a);
	fetch_free(f);
	http_request_release(&r);
	return status;
}

int main(int argc, char **argv) {
	bool socket = false, sandbox = true;
	proc_start();
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0)
			return usage();
		if (strcmp(argv[i], "--version") == 0) {
			cli_version(PROGRAM);
			return EX_OK;
		}
		if (strcmp(argv[i], "--socket") == 0)
			socket = true;
		else if (strcmp(argv[i], "--no-sandbox") == 0)
			sandbox = false;
		else
			return cli_usage(PROGRAM, "unknown argument: %s", argv[i]);
	}
	return serve(socket ? SOCKET_FD : STDIN_FILENO,
		     socket ? SOCKET_FD : STDOUT_FILENO, sandbox);
}
