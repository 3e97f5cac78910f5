/*
 * One TCP stream, in clear or under TLS. Everything is non-blocking; only conn_open() and the
 * two handshakes wait, each against one deadline on boot time that no trickle of bytes can
 * push out. A call that could do nothing leaves in `wants` what poll has to look for.
 */
#include "net/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/term.h"

struct conn {
	int fd;
	short wants;
	struct tls_session *tls; /* NULL in clear */
};

/* Waits for events until the deadline. 1: ready, 0: too late, -1: errno. */
static int wait_for(int fd, short events, int64_t deadline_ms) {
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		int64_t left = deadline_ms - clock_boot_ms();
		int n = poll(&p, 1, left < 0 ? 0 : left > 60000 ? 60000 : (int)left);

		if (n > 0)
			return 1;
		if (n < 0 && errno != EINTR)
			return -1;
		if (n == 0 && left <= 60000)
			return 0;
	}
}

static void set_nodelay(int fd) {
	int on = 1;

	/* Commands are small and wait for answers; fails harmlessly on a Unix socket. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static struct conn *conn_new(int fd) {
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->fd = fd;
	c->wants = POLLIN;
	set_nodelay(fd);
	return c;
}

/* The result of a connect: 0, or an errno value (ETIMEDOUT after our own deadline too). */
static int connect_one(int fd, const struct net_addr *a, int64_t timeout_ms) {
	int64_t deadline = clock_boot_ms() + timeout_ms;
	socklen_t len = sizeof(int);
	int so_error = 0, r;

	if (connect(fd, (const struct sockaddr *)&a->sa, a->len) == 0)
		return 0;
	if (errno != EINPROGRESS && errno != EINTR)
		return errno;
	r = wait_for(fd, POLLOUT, deadline);
	if (r < 0)
		return errno;
	if (r == 0)
		return ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &so_error, &len) < 0)
		return errno;
	return so_error;
}

static bool is_timeout(int error) {
	return error == ETIMEDOUT;
}

/* Errors that come from our side: no descriptor, no memory, an address that is not ours. */
static bool is_local(int error) {
	return error == EMFILE || error == ENFILE || error == ENOMEM ||
	       error == ENOBUFS || error == EADDRNOTAVAIL || error == EACCES ||
	       error == EPERM;
}

/* Opens, binds and connects. Returns the socket, or -1 with *ret_errno (0 with *ret_words). */
static int try_address(const struct net_addr *a, const struct net_addr *source,
		       int64_t timeout_ms, int *ret_errno, const char **ret_words) {
	AUTO_FD int fd = -1;

	*ret_words = NULL;
	*ret_errno = EADDRNOTAVAIL;
	if (source && source->sa.ss_family != a->sa.ss_family) {
		*ret_words = "cannot be reached from the configured source address "
			     "(one is IPv4, the other IPv6)";
		return -1;
	}
	fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		*ret_errno = errno;
		return -1;
	}
	if (source && bind(fd, (const struct sockaddr *)&source->sa, source->len) < 0) {
		*ret_errno = errno;
		*ret_words =
			errno == EADDRNOTAVAIL
				? "the configured source address is not one of this machine's"
				: "cannot use the configured source address";
		return -1;
	}
	*ret_errno = connect_one(fd, a, timeout_ms);
	return *ret_errno == 0 ? take_fd(&fd) : -1;
}

/* Adds "192.0.2.1: connection refused" behind what is there. */
static void add_failure(struct buf *words, const struct net_addr *a, int error,
			const char *own, int64_t timeout_ms) {
	if (words->len > 0)
		buf_adds(words, "; ");
	net_addr_add(words, a);
	buf_adds(words, ": ");
	if (own) {
		buf_adds(words, own);
	} else if (is_timeout(error)) {
		buf_adds(words, "no answer within ");
		term_duration(words, timeout_ms);
	} else if (error == ECONNREFUSED) {
		buf_adds(words, "connection refused");
	} else if (error == ENETUNREACH) {
		buf_adds(words, "network unreachable");
	} else if (error == EHOSTUNREACH) {
		buf_adds(words, "no route to host");
	} else {
		buf_adds(words, strerror(error));
	}
}

struct conn *conn_open(const struct net_addrs *addrs, const struct net_addr *source,
		       int64_t timeout_ms, struct net_addr *ret_peer, struct err *err) {
	AUTO_BUF struct buf words = BUF_INIT(4096);
	bool timed_out = false, refused = false;

	for (size_t i = 0; i < addrs->count; i++) {
		const struct net_addr *a = &addrs->at[i];
		const char *own;
		int error, fd = try_address(a, source, timeout_ms, &error, &own);
		struct conn *c;

		if (fd < 0) {
			add_failure(&words, a, error, own, timeout_ms);
			timed_out = timed_out || is_timeout(error);
			refused = refused || (!is_timeout(error) && !is_local(error));
			continue;
		}
		c = conn_new(fd);
		if (!c) {
			close(fd);
			err_set(err, ERR_MEMORY, "out of memory");
			return NULL;
		}
		*ret_peer = *a;
		return c;
	}
	if (addrs->count == 0)
		buf_adds(&words, "no address to connect to");
	err_set(err,
		refused     ? ERR_REMOTE
		: timed_out ? ERR_TIMEOUT
			    : ERR_SYSTEM,
		"%s", buf_str(&words));
	return NULL;
}

static int read_sources(const char *text, struct net_addrs *ret, struct err *err) {
	struct span rest = span_str(text), word;
	ret->count = 0;
	while (ret->count < NET_ADDRS_MAX && span_take_word(&rest, &word)) {
		struct net_addrs one;
		char address[64];
		snprintf(address, sizeof(address), "%.*s", (int)word.len, word.p);
		if (net_lookup(address, 0, &one, err) != 0)
			return -1;
		ret->at[ret->count++] = one.at[0];
	}
	return 0;
}

struct conn *conn_open_from(const struct net_addrs *addrs, const char *sources,
			    int64_t timeout_ms, struct net_addr *ret_peer, struct err *err) {
	AUTO_BUF struct buf words = BUF_INIT(4096);
	struct net_addrs from;
	if (read_sources(sources, &from, err) != 0)
		return NULL;
	if (from.count < 2)
		return conn_open(addrs, from.count > 0 ? &from.at[0] : NULL, timeout_ms, ret_peer,
				 err);
	for (size_t i = 0; i < addrs->count; i++) {
		const struct net_addrs one = { .at = { addrs->at[i] }, .count = 1 };
		size_t k = 0;
		while (k + 1 < from.count &&
		       from.at[k].sa.ss_family != one.at[0].sa.ss_family)
			k++;
		struct conn *c = conn_open(&one, &from.at[k], timeout_ms, ret_peer, err);
		if (c)
			return c;
		buf_addf(&words, "%s%s", words.len > 0 ? "; " : "", err->msg);
	}
	err_set(err, addrs->count > 0 ? err->kind : ERR_SYSTEM, "%s",
		words.len > 0 ? buf_str(&words) : "no address to connect to");
	return NULL;
}

struct conn *conn_adopt(int fd, struct err *err) {
	int flags = fcntl(fd, F_GETFL);
	struct conn *c;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		err_sys(err, "cannot make the socket non-blocking");
		close(fd);
		return NULL;
	}
	c = conn_new(fd);
	if (!c) {
		close(fd);
		err_set(err, ERR_MEMORY, "out of memory");
	}
	return c;
}

void conn_free(struct conn *c) {
	if (!c)
		return;
	tls_session_free(c->tls, true);
	close(c->fd);
	free(c);
}

/* Drives a handshake to its end or the deadline; takes the session over in both cases. */
static int shake_hands(struct conn *c, struct tls_session *s, int64_t timeout_ms,
		       struct err *err) {
	int64_t deadline = clock_boot_ms() + timeout_ms;
	int r;

	if (!s)
		return -1;
	c->tls = s;
	while ((r = tls_session_handshake(s, err)) == 0) {
		int ready = wait_for(c->fd, tls_session_wants(s), deadline);

		if (ready < 0)
			return err_sys(err, "cannot wait for the TLS handshake");
		if (ready == 0) {
			AUTO_BUF struct buf span = BUF_INIT(64);

			term_duration(&span, timeout_ms);
			return err_set(err, ERR_TIMEOUT,
				       "the TLS handshake was not done within %s",
				       buf_str(&span));
		}
	}
	return r < 0 ? -1 : 0;
}

int conn_start_tls(struct conn *c, const struct tls_client *tls,
		   const struct tls_policy *policy, int64_t timeout_ms, struct err *err) {
	return shake_hands(c, tls_session_client(tls, policy, c->fd, err), timeout_ms,
			   err);
}

int conn_accept_tls(struct conn *c, const struct tls_server *tls, int64_t timeout_ms,
		    struct err *err) {
	return shake_hands(c, tls_session_server(tls, c->fd, err), timeout_ms, err);
}

static ssize_t socket_failed(struct conn *c, short wanted, struct err *err) {
	if (errno == EAGAIN) {
		c->wants = wanted;
		return 0;
	}
	if (errno == EPIPE)
		return err_set(err, ERR_REMOTE, "closed the connection");
	if (errno == ECONNRESET)
		return err_set(err, ERR_REMOTE, "connection reset by peer");
	if (errno == ETIMEDOUT)
		return err_set(err, ERR_REMOTE,
			       "the connection broke: no acknowledgement came back");
	return err_set(err, ERR_REMOTE, "the connection broke: %s", strerror(errno));
}

ssize_t conn_read(struct conn *c, void *p, size_t len, struct err *err) {
	ssize_t n;

	if (c->tls)
		return tls_session_read(c->tls, p, len, err);
	do
		n = recv(c->fd, p, len, 0);
	while (n < 0 && errno == EINTR);
	if (n == 0 && len > 0)
		return err_set(err, ERR_REMOTE, "closed the connection");
	return n < 0 ? socket_failed(c, POLLIN, err) : n;
}

ssize_t conn_write(struct conn *c, struct span data, struct err *err) {
	ssize_t n;

	if (c->tls)
		return tls_session_write(c->tls, data, err);
	do
		n = send(c->fd, data.p, data.len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? socket_failed(c, POLLOUT, err) : n;
}

int conn_fd(const struct conn *c) {
	return c->fd;
}

short conn_wants(const struct conn *c) {
	return c->tls ? tls_session_wants(c->tls) : c->wants;
}

bool conn_pending(const struct conn *c) {
	return c->tls && tls_session_pending(c->tls);
}

const struct tls_info *conn_tls_info(const struct conn *c) {
	return c->tls ? tls_session_info(c->tls) : NULL;
}

enum tls_fault conn_tls_fault(const struct conn *c) {
	return c->tls ? tls_session_fault(c->tls) : TLS_FAULT_HANDSHAKE;
}

bool conn_tls_check(const struct conn *c, const struct tls_policy *p,
		    char ret_method[TLS_METHOD_SIZE], struct buf *why) {
	ret_method[0] = '\0';
	return c->tls && tls_session_check(c->tls, p, ret_method, why);
}

size_t conn_tls_chain(const struct conn *c, struct span *ret, size_t max) {
	return c->tls ? tls_session_chain(c->tls, ret, max) : 0;
}

int conn_tls_binding(const struct conn *c, bool exporter, struct buf *out) {
	return c->tls ? tls_session_binding(c->tls, exporter, out) : -1;
}
