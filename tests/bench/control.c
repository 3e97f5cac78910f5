/*
 * The control of the relay bench for TLS and BDAT: sends messages from memory as fast as the
 * server takes them, with no queue, no disk and no care. What a relay reaches of its rate is
 * what its own work costs. By DATA a message costs a round trip, its envelope behind the
 * content before it; by BDAT there are WINDOW messages in a round trip.
 *
 *     control PORT CONNECTIONS MESSAGES BYTES [tls] [bdat]
 *
 * Ends with status 1 when anything is not answered as it should be.
 */

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WINDOW 32
#define OUT_MAX (1u << 22)

struct session {
	int fd;
	gnutls_session_t tls; /* NULL in clear */
	char in[65536];
	size_t in_len;
	char *out;
	size_t out_len;
};

static _Noreturn void die(const char *what) {
	perror(what);
	_exit(1);
}

static void flush(struct session *s) {
	for (size_t at = 0; at < s->out_len;) {
		ssize_t n =
			s->tls ? gnutls_record_send(s->tls, s->out + at, s->out_len - at)
			       : send(s->fd, s->out + at, s->out_len - at, MSG_NOSIGNAL);
		if (n <= 0)
			die("send");
		at += (size_t)n;
	}
	s->out_len = 0;
}

static void say(struct session *s, const char *text, size_t len) {
	if (s->out_len + len > OUT_MAX)
		flush(s);
	memcpy(s->out + s->out_len, text, len);
	s->out_len += len;
}

static void fill(struct session *s) {
	char *at = s->in + s->in_len;
	size_t room = sizeof(s->in) - s->in_len;
	ssize_t n;
	do /* session tickets are no data */
		n = s->tls ? gnutls_record_recv(s->tls, at, room)
			   : recv(s->fd, at, room, 0);
	while (s->tls && n < 0 && !gnutls_error_is_fatal((int)n));
	if (n <= 0)
		die("closed");
	s->in_len += (size_t)n;
}

/* Waits for a whole reply of that class. */
static void want(struct session *s, char class) {
	for (;;) {
		char *end = memchr(s->in, '\n', s->in_len);
		if (!end) {
			fill(s);
			continue;
		}
		bool last = s->in[3] != '-', fits = s->in[0] == class;
		size_t len = (size_t)(end - s->in) + 1;
		s->in_len -= len;
		memmove(s->in, end + 1, s->in_len);
		if (!fits)
			die("refused");
		if (last)
			return;
	}
}

static void ask(struct session *s, const char *line, char class) {
	say(s, line, strlen(line));
	flush(s);
	want(s, class);
}

static void start_tls(struct session *s) {
	gnutls_certificate_credentials_t credentials;
	ask(s, "STARTTLS\r\n", '2');
	gnutls_certificate_allocate_credentials(&credentials);
	gnutls_init(&s->tls, GNUTLS_CLIENT);
	gnutls_set_default_priority(s->tls);
	gnutls_credentials_set(s->tls, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_transport_set_int(s->tls, s->fd);
	if (gnutls_handshake(s->tls) < 0)
		die("handshake");
	ask(s, "EHLO control\r\n", '2');
}

static void say_envelope(struct session *s, const char *last) {
	static const char envelope[] = "MAIL FROM:<bench@bench.local>\r\n"
				       "RCPT TO:<rcpt@example.com>\r\n";
	say(s, envelope, sizeof(envelope) - 1);
	say(s, last, strlen(last));
}

static size_t make(char *message, size_t bytes, unsigned id) {
	size_t len = (size_t)snprintf(message, 200,
				      "X-Bench-Id: %u\r\nSubject: x\r\n\r\n", id);
	while (len < bytes) {
		memcpy(message + len,
		       "0123456789012345678901234567890123456789012345678901234\r\n", 57);
		len += 57;
	}
	return len;
}

static void send_by_data(struct session *s, char *message, size_t bytes, unsigned first,
			 unsigned count) {
	say_envelope(s, "DATA\r\n");
	for (unsigned i = 0; i < count; i++) {
		flush(s);
		if (i > 0)
			want(s, '2');
		want(s, '2');
		want(s, '2');
		want(s, '3');
		say(s, message, make(message, bytes, first + i));
		say(s, ".\r\n", 3);
		if (i + 1 < count)
			say_envelope(s, "DATA\r\n");
	}
	flush(s);
	want(s, '2');
}

static void send_by_bdat(struct session *s, char *message, size_t bytes, unsigned first,
			 unsigned count) {
	char bdat[64];
	for (unsigned i = 0; i < count;) {
		unsigned n = count - i < WINDOW ? count - i : WINDOW;
		for (unsigned k = 0; k < n; k++) {
			size_t len = make(message, bytes, first + i + k);
			snprintf(bdat, sizeof(bdat), "BDAT %zu LAST\r\n", len);
			say(s, "RSET\r\n", 6);
			say_envelope(s, bdat);
			say(s, message, len);
		}
		flush(s);
		for (unsigned k = 0; k < 4 * n; k++)
			want(s, '2');
		i += n;
	}
}

static _Noreturn void connection(int port, unsigned first, unsigned count, size_t bytes,
				 bool tls, bool bdat) {
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port) };
	static struct session s;
	char *message = malloc(bytes + 400);
	int one = 1;
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s.out = malloc(OUT_MAX);
	s.fd = socket(AF_INET, SOCK_STREAM, 0);
	if (!message || !s.out || s.fd < 0 ||
	    connect(s.fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
		die("connect");
	setsockopt(s.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	want(&s, '2');
	ask(&s, "EHLO control\r\n", '2');
	if (tls)
		start_tls(&s);
	if (count > 0)
		(bdat ? send_by_bdat : send_by_data)(&s, message, bytes, first, count);
	ask(&s, "QUIT\r\n", '2');
	_exit(0);
}

int main(int argc, char **argv) {
	if (argc < 5)
		return 2;
	unsigned connections = (unsigned)atoi(argv[2]),
		 messages = (unsigned)atoi(argv[3]);
	bool tls = false, bdat = false;
	int failed = 0, status;
	for (int i = 5; i < argc; i++) {
		tls |= strcmp(argv[i], "tls") == 0;
		bdat |= strcmp(argv[i], "bdat") == 0;
	}
	for (unsigned i = 0; i < connections; i++) {
		unsigned first = messages * i / connections;
		if (fork() == 0)
			connection(atoi(argv[1]), first,
				   messages * (i + 1) / connections - first,
				   (size_t)atoi(argv[4]), tls, bdat);
	}
	while (wait(&status) > 0)
		failed |= status != 0;
	return failed;
}
