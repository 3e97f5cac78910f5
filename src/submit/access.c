/*
 * The kernel is asked for the one socket by sock_diag(7). Where that is not open to us, its
 * table of sockets is read, which costs the more the larger the machine is. The table is text:
 * addresses as hexadecimal words in the machine's byte order, the state, the owner, the inode.
 * An owner is known only while a process has the socket open: without an inode the number
 * is 0, and means nobody.
 */

#include "submit/access.h"

#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

#include "base/auto.h"

#define TABLE_STEP 65536u
#define TABLE_MAX (64u << 20)

enum session_right access_right(const struct access_rules *rules,
				const struct inet_addr *client) {
	if (rules->trust_local && inet_is_loopback(client))
		return SESSION_MAY;
	for (size_t i = 0; i < rules->allow_count; i++)
		if (inet_net_has(&rules->allow[i], client))
			return SESSION_MAY;
	return rules->logins ? SESSION_AFTER_AUTH : SESSION_MAY_NOT;
}

static void add_end(struct buf *out, const struct inet_port *p, bool mapped) {
	uint8_t bytes[16] = { [10] = 0xff, [11] = 0xff };
	size_t len = p->addr.bits / 8u;
	if (mapped && len == 4)
		memcpy(bytes + 12, p->addr.byte, 4);
	else
		memcpy(bytes, p->addr.byte, sizeof(bytes));
	for (size_t i = 0; i < (mapped ? sizeof(bytes) : len); i += 4) {
		uint32_t word;
		memcpy(&word, bytes + i, sizeof(word));
		buf_addf(out, "%08X", (unsigned)word);
	}
	buf_addf(out, ":%04X", p->port);
}

/* "0A 00000000:00000000 00:00000000 00000000  1000 0 45678 ..." */
static bool take_owner(struct span in, uid_t *ret) {
	struct span words[7];
	uint64_t state, uid, inode;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!span_take_word(&in, &words[i]))
			return false;
	if (!span_take_hex(&words[0], 2, &state) || !span_uint(words[4], UINT32_MAX, &uid) ||
	    !span_uint(words[6], UINT64_MAX, &inode) || state == TCP_LISTEN || inode == 0)
		return false;
	*ret = (uid_t)uid;
	return true;
}

bool access_uid_in(struct span table, const struct inet_port *client,
		   const struct inet_port *us, bool mapped, uid_t *ret) {
	AUTO_BUF struct buf ends = BUF_INIT(200);
	struct span line, number;
	add_end(&ends, client, mapped);
	buf_addc(&ends, ' ');
	add_end(&ends, us, mapped);
	buf_addc(&ends, ' ');
	while (span_take_line(&table, &line)) {
		if (span_take_word(&line, &number) && span_take_char(&line, ' ') &&
		    span_take_lit_nocase(&line, buf_span(&ends)))
			return take_owner(line, ret);
	}
	return false;
}

/* Piece by piece, cut at line ends: a busy machine has many sockets. */
static bool look_into(const char *path, const struct inet_port *client,
		      const struct inet_port *us, bool mapped, uid_t *ret) {
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	AUTO_BUF struct buf text = BUF_INIT(4 * TABLE_STEP);
	size_t total = 0;
	while (fd >= 0 && total < TABLE_MAX) {
		char *room = buf_room(&text, TABLE_STEP);
		ssize_t n = room ? read(fd, room, TABLE_STEP) : -1;
		if (n <= 0)
			return false;
		buf_grew(&text, (size_t)n);
		total += (size_t)n;
		size_t whole = text.len;
		while (whole > 0 && text.data[whole - 1] != '\n')
			whole--;
		if (access_uid_in(span_head(buf_span(&text), whole), client, us, mapped, ret))
			return true;
		buf_consume(&text, whole);
	}
	return false;
}

struct question {
	struct nlmsghdr head;
	struct inet_diag_req_v2 body;
};

static struct question question_for(const struct inet_port *client,
				    const struct inet_port *us) {
	struct question q = {
		.head = { .nlmsg_len = sizeof(q),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST },
		.body = { .sdiag_family = client->addr.bits == 32 ? AF_INET : AF_INET6,
			  .sdiag_protocol = IPPROTO_TCP,
			  .idiag_states = ~0u },
	};
	struct inet_diag_sockid *id = &q.body.id;
	id->idiag_sport = htons(client->port);
	id->idiag_dport = htons(us->port);
	memcpy(id->idiag_src, client->addr.byte, client->addr.bits / 8u);
	memcpy(id->idiag_dst, us->addr.byte, us->addr.bits / 8u);
	id->idiag_cookie[0] = id->idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	return q;
}

/* Sends the question and receives what is said to it: its length, or -1. The socket is kept
 * for the next one, for as long as all goes well. */
static ssize_t talk(struct question *q, char *answer, size_t max) {
	static int fd = -1;
	static uint32_t count;
	struct nlmsghdr head;
	ssize_t n = -1;
	if (fd < 0)
		fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	q->head.nlmsg_seq = ++count;
	if (fd >= 0 && send(fd, q, sizeof(*q), 0) == (ssize_t)sizeof(*q))
		n = recv(fd, answer, max, 0);
	if (n >= NLMSG_HDRLEN) {
		memcpy(&head, answer, sizeof(head));
		if (head.nlmsg_seq == count)
			return n;
	}
	auto_close(&fd);
	fd = -1;
	return -1;
}

/* 1: *ret is set; 0: there is no such socket, or nobody has it open; -1: we cannot ask. */
static int ask_kernel(const struct inet_port *client, const struct inet_port *us, uid_t *ret) {
	struct question q = question_for(client, us);
	char answer[4096];
	struct nlmsghdr head;
	struct inet_diag_msg found;
	ssize_t n = talk(&q, answer, sizeof(answer));
	if (n < 0)
		return -1;
	memcpy(&head, answer, sizeof(head));
	struct nlmsgerr error;
	size_t body = (size_t)n - NLMSG_HDRLEN;
	if (head.nlmsg_type == NLMSG_ERROR && body >= sizeof(error)) {
		memcpy(&error, answer + NLMSG_HDRLEN, sizeof(error));
		return error.error == -ENOENT ? 0 : -1; /* no module, or not allowed */
	}
	if (head.nlmsg_type != SOCK_DIAG_BY_FAMILY || body < sizeof(found))
		return -1;
	memcpy(&found, answer + NLMSG_HDRLEN, sizeof(found));
	if (found.idiag_state == TCP_LISTEN || found.idiag_inode == 0 ||
	    found.id.idiag_dport != htons(us->port))
		return 0;
	*ret = found.idiag_uid;
	return 1;
}

bool access_uid(const struct inet_port *client, const struct inet_port *us, uid_t *ret) {
	if (!inet_is_loopback(&client->addr) || !inet_is_loopback(&us->addr))
		return false;
	int answer = ask_kernel(client, us, ret);
	if (answer >= 0)
		return answer > 0;
	return (client->addr.bits == 32 &&
		look_into("/proc/self/net/tcp", client, us, false, ret)) ||
	       look_into("/proc/self/net/tcp6", client, us, true, ret);
}
