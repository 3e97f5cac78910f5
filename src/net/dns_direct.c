/*
 * A datagram socket for each question, so that the kernel keeps the answers of others away; what
 * comes must have our number and repeat our question. Sent again when a part of the time is over,
 * and that part grows: one datagram that is lost says nothing about a server.
 */

#include "net/dns_direct.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "net/dns_message.h"

#define HEAD_BYTES 12u
#define EDNS_BYTES 1232u
#define PACKET_MAX 65535u
#define FLAG_CUT 0x02u           /* TC, in the third byte */
#define FLAG_AUTHORITATIVE 0x04u /* AA */

struct question {
	int fd; /* -1: answered, or not to be */
	struct inet_port server;
	char name[256];
	enum dns_type type;
	struct buf packet; /* as sent */
	size_t asked_len;  /* of name, type and class behind the head */
	int64_t asked_ms;
	unsigned sent; /* how many times */
	bool cut;
	struct dns_message *message;
	struct dns_direct_answer answer;
};

struct dns_direct {
	struct question at[DNS_DIRECT_MAX];
	size_t count;
};

struct dns_direct *dns_direct_new(void) {
	return calloc(1, sizeof(struct dns_direct));
}

/* --- bytes --- */

static void add_u16(struct buf *out, unsigned n) {
	buf_addc(out, (char)(n >> 8));
	buf_addc(out, (char)(n & 0xffu));
}

static int make_packet(struct question *q) {
	static const uint16_t counts[] = { 0 /* flags */, 1, 0, 0, 1 };
	uint16_t id;
	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return -1;
	buf_init(&q->packet, 512);
	add_u16(&q->packet, id);
	for (size_t i = 0; i < 5; i++)
		add_u16(&q->packet, counts[i]);
	dns_name_wire(&q->packet, q->name);
	add_u16(&q->packet, (unsigned)q->type);
	add_u16(&q->packet, 1);
	q->asked_len = q->packet.len - HEAD_BYTES;
	/* EDNS (RFC 6891): the root as name, type 41, our size, nothing else */
	buf_addc(&q->packet, 0);
	add_u16(&q->packet, 41);
	add_u16(&q->packet, EDNS_BYTES);
	for (size_t i = 0; i < 3; i++)
		add_u16(&q->packet, 0);
	return buf_failed(&q->packet) ? -1 : 0;
}

/* Whether it is an answer to this question. */
static bool is_ours(const struct question *q, struct span packet) {
	size_t len = HEAD_BYTES + q->asked_len;
	return packet.len >= len && memcmp(packet.p, buf_str(&q->packet), 2) == 0 &&
	       span_eq_nocase(span_of(packet.p + HEAD_BYTES, q->asked_len),
			      span_of(buf_str(&q->packet) + HEAD_BYTES, q->asked_len));
}

static void finish(struct question *q, enum dns_status status, const char *why) {
	q->answer.status = status;
	q->answer.why = why;
	q->answer.took_ms = clock_boot_ms() - q->asked_ms;
	if (q->fd >= 0)
		close(q->fd);
	q->fd = -1;
}

static const char *rcode_words(unsigned rcode) {
	static const char *const words[] = { "",         "FORMERR", "SERVFAIL",
					     "NXDOMAIN", "NOTIMP",  "REFUSED" };
	return rcode < sizeof(words) / sizeof(words[0]) ? words[rcode]
							: "an unknown rcode";
}

static void read_answer(struct question *q, struct span packet) {
	q->message = calloc(1, sizeof(*q->message));
	if (!q->message) {
		finish(q, DNS_TIMEOUT, "out of memory");
		return;
	}
	if (!dns_message_read(packet, q->name, q->type, q->message)) {
		finish(q, DNS_SERVFAIL, "an answer that cannot be read");
		return;
	}
	struct dns_message *m = q->message;
	q->answer.authoritative = (uint8_t)packet.p[2] & FLAG_AUTHORITATIVE;
	q->answer.record = m->record;
	q->answer.count = m->rcode == 0 ? m->count : 0;
	if (m->rcode == 3)
		finish(q, DNS_NXDOMAIN, rcode_words(3));
	else if (m->rcode != 0)
		finish(q, DNS_SERVFAIL, rcode_words(m->rcode));
	else
		finish(q, m->count > 0 ? DNS_FOUND : DNS_NODATA,
		       m->count > 0 ? "" : "no such record");
}

/* --- datagrams --- */

static void send_it(struct question *q) {
	q->sent++;
	if (send(q->fd, buf_str(&q->packet), q->packet.len, MSG_NOSIGNAL) < 0 &&
	    errno != EAGAIN && errno != EINTR)
		finish(q, DNS_TIMEOUT, "it cannot be reached");
}

static int open_socket(const struct question *q, int type) {
	struct sockaddr_storage sa;
	socklen_t len = inet_to_sockaddr(&q->server, &sa);
	int fd = socket(sa.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, len) != 0 &&
	    errno != EINPROGRESS) {
		close(fd);
		fd = -1;
	}
	return fd;
}

int dns_direct_ask(struct dns_direct *d, const struct inet_port *server, const char *name,
		   enum dns_type type) {
	if (d->count == DNS_DIRECT_MAX)
		return -1;
	struct question *q = &d->at[d->count++];
	*q = (struct question){ .fd = -1, .server = *server, .type = type };
	snprintf(q->name, sizeof(q->name), "%s", name);
	q->asked_ms = clock_boot_ms();
	q->answer.why = "";
	if (make_packet(q) != 0) {
		finish(q, DNS_TIMEOUT, "out of memory");
		return (int)d->count - 1;
	}
	q->fd = open_socket(q, SOCK_DGRAM);
	if (q->fd >= 0)
		send_it(q);
	else
		finish(q, DNS_TIMEOUT, "it cannot be reached");
	return (int)d->count - 1;
}

static void receive(struct question *q) {
	char bytes[4096];
	ssize_t n = recv(q->fd, bytes, sizeof(bytes), 0);
	struct span packet = span_of(bytes, n > 0 ? (size_t)n : 0);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		finish(q, DNS_TIMEOUT, "it cannot be reached");
	if (n <= 0 || !is_ours(q, packet))
		return;
	if (!((uint8_t)packet.p[2] & FLAG_CUT)) {
		read_answer(q, packet);
		return;
	}
	q->cut = true;
	close(q->fd);
	q->fd = -1;
}

/* --- a stream, for what does not fit --- */

static bool ready(int fd, short events, int64_t until_ms) {
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left = until_ms - clock_boot_ms();
	return left > 0 && poll(&p, 1, (int)left) == 1;
}

static bool write_all(int fd, struct span data, int64_t until_ms) {
	while (data.len > 0) {
		if (!ready(fd, POLLOUT, until_ms))
			return false;
		ssize_t n = send(fd, data.p, data.len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		data = span_from(data, n > 0 ? (size_t)n : 0);
	}
	return true;
}

static bool read_some(int fd, size_t want, struct buf *out, int64_t until_ms) {
	while (out->len < want) {
		char *room = buf_room(out, want - out->len);
		if (!room || !ready(fd, POLLIN, until_ms))
			return false;
		ssize_t n = recv(fd, room, want - out->len, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return false;
		buf_grew(out, n > 0 ? (size_t)n : 0);
	}
	return true;
}

static void ask_by_stream(struct question *q, int64_t until_ms) {
	AUTO_BUF struct buf out = BUF_INIT(1024), in = BUF_INIT(PACKET_MAX + 2);
	add_u16(&out, (unsigned)q->packet.len);
	buf_add(&out, buf_span(&q->packet));
	q->fd = open_socket(q, SOCK_STREAM);
	if (q->fd < 0 || !write_all(q->fd, buf_span(&out), until_ms) ||
	    !read_some(q->fd, 2, &in, until_ms)) {
		finish(q, DNS_TIMEOUT, "no answer by TCP");
		return;
	}
	size_t len = (size_t)(uint8_t)buf_str(&in)[0] << 8 | (uint8_t)buf_str(&in)[1];
	if (!read_some(q->fd, len + 2, &in, until_ms) ||
	    !is_ours(q, span_from(buf_span(&in), 2)))
		finish(q, DNS_TIMEOUT, "no answer by TCP");
	else
		read_answer(q, span_from(buf_span(&in), 2));
}

/* --- waiting --- */

/* When to send it once more: after a fifth and after the half of the time. */
static int64_t again_ms(const struct question *q, int64_t timeout_ms) {
	return q->sent == 1 ? timeout_ms / 5 : q->sent == 2 ? timeout_ms / 2 : timeout_ms;
}

/* The time begins when somebody waits; what came before that is taken first. */
static void begin(struct dns_direct *d) {
	int64_t now = clock_boot_ms();
	for (size_t i = 0; i < d->count; i++) {
		struct question *q = &d->at[i];
		if (q->fd >= 0)
			receive(q);
		if (q->fd >= 0)
			q->asked_ms = now;
	}
}

/* One look at all that is open; false: nothing is. */
static bool look(struct dns_direct *d, int64_t timeout_ms) {
	struct pollfd p[DNS_DIRECT_MAX];
	struct question *of[DNS_DIRECT_MAX];
	int64_t now = clock_boot_ms(), next = timeout_ms;
	nfds_t open = 0;
	for (size_t i = 0; i < d->count; i++) {
		struct question *q = &d->at[i];
		if (q->fd < 0)
			continue;
		if (now - q->asked_ms >= timeout_ms) {
			receive(q); /* it may have come while nobody looked */
			if (q->fd >= 0)
				finish(q, DNS_TIMEOUT, "no answer");
			continue;
		}
		if (now - q->asked_ms >= again_ms(q, timeout_ms))
			send_it(q);
		if (q->fd < 0)
			continue;
		int64_t left = q->asked_ms + again_ms(q, timeout_ms) - now;
		next = left < 0 ? 0 : left < next ? left : next;
		p[open] = (struct pollfd){ .fd = q->fd, .events = POLLIN };
		of[open++] = q;
	}
	if (open == 0)
		return false;
	if (poll(p, open, (int)next) > 0)
		for (nfds_t i = 0; i < open; i++)
			if (p[i].revents)
				receive(of[i]);
	return true;
}

void dns_direct_wait(struct dns_direct *d, int64_t timeout_ms) {
	begin(d);
	while (look(d, timeout_ms))
		;
	int64_t until_ms = clock_boot_ms() + timeout_ms;
	for (size_t i = 0; i < d->count; i++)
		if (d->at[i].cut && d->at[i].answer.status == DNS_PENDING)
			ask_by_stream(&d->at[i], until_ms);
}

const struct dns_direct_answer *dns_direct_answer(const struct dns_direct *d,
						  int number) {
	return &d->at[number].answer;
}

void dns_direct_free(struct dns_direct *d) {
	if (!d)
		return;
	for (size_t i = 0; i < d->count; i++) {
		struct question *q = &d->at[i];
		if (q->fd >= 0)
			close(q->fd);
		buf_release(&q->packet);
		if (q->message)
			buf_release(&q->message->rdata);
		free(q->message);
	}
	free(d);
}
