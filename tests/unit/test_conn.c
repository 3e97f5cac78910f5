/*
 * Streams over real sockets: connecting, words for failures, TLS with our own throw-away
 * certificates, big transfers in both directions through small buffers.
 */
#include "net/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/file.h"
#include "net/crypto.h"
#include "net/tls_cache.h"
#include "tap.h"

#define WAIT_MS 10000
#define BIG (4u << 20)

static char dir[] = "/tmp/nightmail-conn-XXXXXX";
static const char *path_of(const char *name) {
	static char path[4][100];
	static unsigned next;
	char *p = path[next++ % 4];

	snprintf(p, 100, "%s/%s", dir, name);
	return p;
}

/* A listening socket on a port of the kernel's choice; *ret_addr is where it listens. */
static int listener(struct net_addr *ret_addr) {
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	net_addr_parse(SPAN("127.0.0.1:0"), ret_addr, NULL);
	if (bind(fd, (struct sockaddr *)&ret_addr->sa, ret_addr->len) < 0 ||
	    listen(fd, 8) < 0)
		printf("Bail out! cannot listen: %s\n", strerror(errno));
	getsockname(fd, (struct sockaddr *)&ret_addr->sa, &ret_addr->len);
	return fd;
}

static void test_connect(void) {
	struct net_addrs addrs = { .count = 2 };
	struct net_addr peer, source;
	struct err err = ERR_INIT;
	int fd = listener(&addrs.at[1]), dead = listener(&addrs.at[0]);
	struct conn *c;

	close(dead);
	c = conn_open(&addrs, NULL, WAIT_MS, &peer, &err);
	ok(c && net_addr_port(&peer) == net_addr_port(&addrs.at[1]),
	   "the second address is taken when the first refuses");
	ok(c && !conn_tls_info(c), "a connection begins in clear");
	conn_free(c);

	net_addr_parse(SPAN("127.0.0.2:0"), &source, NULL);
	c = conn_open(&addrs, &source, WAIT_MS, &peer, &err);
	struct net_addr seen = { .len = sizeof(seen.sa) };
	AUTO_BUF struct buf text = BUF_INIT(64);
	if (c && getsockname(conn_fd(c), (struct sockaddr *)&seen.sa, &seen.len) == 0)
		net_addr_add(&text, &seen);
	is_str(buf_str(&text), "127.0.0.2", "the source address is used");
	conn_free(c);

	net_addr_parse(SPAN("[::1]:0"), &source, NULL);
	c = conn_open(&addrs, &source, WAIT_MS, &peer, &err);
	ok(!c && err.kind == ERR_SYSTEM && strstr(err.msg, "one is IPv4, the other IPv6"),
	   "a source address of the other family is an error of ours, in words");
	net_addr_parse(SPAN("192.0.2.1:0"), &source, NULL);
	c = conn_open(&addrs, &source, WAIT_MS, &peer, &err);
	ok(!c && strstr(err.msg, "not one of this machine's"),
	   "so is one that is not ours");
	close(fd);

	c = conn_open(&addrs, NULL, WAIT_MS, &peer, &err);
	ok(!c && err.kind == ERR_REMOTE, "no address answers: the other side's fault");
	is_str(err.msg, "127.0.0.1: connection refused; 127.0.0.1: connection refused",
	       "and the words name every address");
	addrs.count = 0;
	ok(!conn_open(&addrs, NULL, WAIT_MS, &peer, &err) &&
		   strstr(err.msg, "no address"),
	   "no address at all is an error");
}

/* A listener whose backlog is full answers no more: the way to a connect that hangs. */
static void test_connect_timeout(void) {
	struct net_addrs addrs = { .count = 1 };
	struct net_addr peer;
	struct err err = ERR_INIT;
	struct conn *held[8];
	int64_t before;
	int fd = listener(&addrs.at[0]), n = 0;

	listen(fd, 0);
	for (; n < 8; n++) {
		before = clock_boot_ms();
		held[n] = conn_open(&addrs, NULL, 200, &peer, &err);
		if (!held[n])
			break;
	}
	ok(n < 8 && err.kind == ERR_TIMEOUT && clock_boot_ms() - before >= 200,
	   "a connect without an answer times out");
	ok(strstr(err.msg, "127.0.0.1: no answer within ") != NULL, "and says so: %s",
	   err.msg);
	while (n-- > 0)
		conn_free(held[n]);
	close(fd);
}

static struct conn *adopt(int fd) {
	struct err err = ERR_INIT;
	struct conn *c = conn_adopt(fd, &err);

	if (!c)
		printf("Bail out! %s\n", err.msg);
	return c;
}

static void test_clear(void) {
	struct err err = ERR_INIT;
	char bytes[100];
	int ends[2];

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
	struct conn *a = adopt(ends[0]), *b = adopt(ends[1]);
	is_int(conn_read(a, bytes, sizeof(bytes), &err), 0, "nothing to read is 0");
	is_int(conn_wants(a), POLLIN, "and wants POLLIN");
	is_int(conn_write(a, SPAN("EHLO\r\n"), &err), 6, "a small write is taken whole");
	is_int(conn_read(b, bytes, sizeof(bytes), &err), 6, "and read");
	while (conn_write(a, span_of(dir, sizeof(dir)), &err) > 0)
		;
	is_int(conn_wants(a), POLLOUT, "a full socket wants POLLOUT");
	conn_free(b);
	ok(conn_write(a, SPAN("x"), &err) == -1 && err.kind == ERR_REMOTE,
	   "writing to a closed connection fails and does not kill us: %s", err.msg);
	conn_free(a);

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
	a = adopt(ends[0]);
	close(ends[1]);
	ok(conn_read(a, bytes, sizeof(bytes), &err) == -1 && err.kind == ERR_REMOTE,
	   "the end is an error");
	is_str(err.msg, "closed the connection", "in words");
	conn_free(a);
	conn_free(NULL);
}

/* Shared by all that begin while it is set, so that they know each other's tickets. */
static struct tls_server *with_tickets;

/* The far side of a TLS test, in a process of its own: echoes everything, then leaves. */
static void echo_server(int fd, size_t total) {
	struct err err = ERR_INIT;
	struct tls_server *t = with_tickets ? with_tickets
					    : tls_server_new(path_of("cert.pem"),
							     path_of("key.pem"), &err);
	struct conn *c = adopt(fd);
	AUTO_BUF struct buf held = BUF_INIT(BIG);
	size_t seen = 0;

	if (!t || conn_accept_tls(c, t, WAIT_MS, &err) < 0)
		_exit(1);
	while (seen < total || held.len > 0) {
		char bytes[5000];
		bool idle = true;
		ssize_t n = seen < total ? conn_read(c, bytes, sizeof(bytes), &err) : 0;

		if (n < 0)
			_exit(2);
		buf_addm(&held, bytes, (size_t)n);
		seen += (size_t)n;
		idle = n == 0;
		n = conn_write(c, buf_span(&held), &err);
		if (n < 0)
			_exit(3);
		buf_consume(&held, (size_t)n);
		struct pollfd p = {
			.fd = fd, .events = (short)(POLLIN | (held.len ? POLLOUT : 0))
		};
		if (idle && n == 0 && !conn_pending(c))
			poll(&p, 1, WAIT_MS);
	}
	conn_free(c);
	tls_server_free(t);
	_exit(0);
}

/* Connected TCP sockets with small buffers. */
static void tcp_pair(int ends[2]) {
	struct net_addr a;
	int small = 4096, fd = listener(&a);

	ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	if (connect(ends[0], (struct sockaddr *)&a.sa, a.len) < 0)
		printf("Bail out! cannot connect\n");
	ends[1] = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	close(fd);
}

static pid_t start_echo(int ret_end[1], size_t total) {
	int ends[2];
	pid_t pid;

	tcp_pair(ends);
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		echo_server(ends[1], total);
	}
	close(ends[1]);
	ret_end[0] = ends[0];
	return pid;
}

static int exit_of(pid_t pid) {
	int status = 0;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static unsigned char pattern(size_t i) {
	return (unsigned char)(i * 2654435761u >> 13);
}

/* Pumps BIG bytes through the echo; every poll waits for what TLS asks. */
static bool pump(struct conn *c) {
	unsigned char *out = malloc(BIG), *in = malloc(BIG);
	size_t sent = 0, got = 0;
	int64_t deadline = clock_boot_ms() + 6 * WAIT_MS;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < BIG; i++)
		out[i] = pattern(i);
	while (got < BIG && clock_boot_ms() < deadline) {
		/* A growing piece: after a write that did not fit, more may stand behind it. */
		size_t piece = BIG - sent < 70000 ? BIG - sent : 20000 + sent % 50000;
		ssize_t w = conn_write(c, span_of(out + sent, piece), &err);
		ssize_t r = conn_read(c, in + got, BIG - got, &err);

		if (w < 0 || r < 0)
			break;
		sent += (size_t)w;
		got += (size_t)r;
		if (w == 0 && r == 0 && !conn_pending(c)) {
			struct pollfd p = {
				.fd = conn_fd(c),
				.events = (short)(POLLIN | (sent < BIG ? POLLOUT : 0))
			};
			poll(&p, 1, WAIT_MS);
		}
	}
	bool same = got == BIG && memcmp(in, out, BIG) == 0;
	if (!same)
		printf("# sent %zu got %zu %s\n", sent, got, err.msg);
	free(out);
	free(in);
	return same;
}

static void test_tls(const struct tls_client *tls) {
	struct tls_policy policy = { .host = "mail.test.", .verify = true };
	struct err err = ERR_INIT;
	char bytes[10];
	int fd;
	pid_t pid = start_echo(&fd, BIG);
	struct conn *c = adopt(fd);

	ok(conn_start_tls(c, tls, &policy, WAIT_MS, &err) == 0,
	   "a good certificate is accepted %s", err.msg);
	const struct tls_info *info = conn_tls_info(c);
	ok(info && info->verified && !info->why_not[0],
	   "and verified, though the name had a dot");
	is_str(info ? info->version : "", "TLS1.3", "with TLS 1.3");
	ok(info && info->cipher[0], "the cipher is told: %s", info ? info->cipher : "");
	ok(info && llabs(info->not_after_s - clock_wall_ms() / 1000 - 30 * 86400) < 7200,
	   "the end of the certificate is told");
	ok(pump(c), "4 MiB go through in both directions at once, unchanged");
	ssize_t n = 0;
	for (int i = 0; i < 100 && n == 0; i++) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		n = conn_read(c, bytes, sizeof(bytes), &err);
		if (n == 0)
			poll(&p, 1, 100);
	}
	ok(n == -1 && err.kind == ERR_REMOTE &&
		   strcmp(err.msg, "closed the connection") == 0,
	   "the end of TLS is the end of the connection");
	is_int(exit_of(pid), 0, "and the server was content");
	conn_free(c);
}

static void test_tls_names(const struct tls_client *tls) {
	static const struct {
		const char *host;
		bool accepted;
	} cases[] = {
		{ "mail.test", true },      { "MAIL.test", true },
		{ "127.0.0.1", true },      { "::1", true },
		{ "other.test", false },    { "127.0.0.9", false },
		{ "sub.mail.test", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tls_policy policy = { .host = cases[i].host, .verify = true };
		struct err err = ERR_INIT;
		int fd;
		pid_t pid = start_echo(&fd, 0);
		struct conn *c = adopt(fd);
		int r = conn_start_tls(c, tls, &policy, WAIT_MS, &err);

		ok(cases[i].accepted
			   ? r == 0
			   : r == -1 && err.kind == ERR_DENIED && !conn_tls_info(c),
		   "as %s it is %s %s", cases[i].host,
		   cases[i].accepted ? "accepted" : "refused:", err.msg);
		conn_free(c);
		exit_of(pid);
	}
}

static void test_tls_failures(const struct tls_client *tls) {
	struct tls_policy policy = { .host = "other.test", .verify = false };
	struct err err = ERR_INIT;
	int fd, ends[2];
	pid_t pid = start_echo(&fd, 0);
	struct conn *c = adopt(fd);

	ok(conn_start_tls(c, tls, &policy, WAIT_MS, &err) == 0,
	   "unverified TLS is taken when told");
	const struct tls_info *info = conn_tls_info(c);
	is_str(info ? info->why_not : "",
	       "is for mail.test, 127.0.0.1 and ::1, not for other.test",
	       "with the reason noted");
	ok(info && !info->verified, "and not called verified");
	conn_free(c);
	exit_of(pid);

	policy = (struct tls_policy){ .host = "mail.test", .verify = true };
	tcp_pair(ends);
	(void)!write(ends[1], "220 mail.test ESMTP\r\n", 21);
	c = adopt(ends[0]);
	ok(conn_start_tls(c, tls, &policy, WAIT_MS, &err) == -1 &&
		   err.kind == ERR_REMOTE && strstr(err.msg, "does not speak TLS here"),
	   "a plain-text server is told from a TLS one: %s", err.msg);
	conn_free(c);
	close(ends[1]);

	tcp_pair(ends);
	c = adopt(ends[0]);
	int64_t before = clock_boot_ms();
	ok(conn_start_tls(c, tls, &policy, 300, &err) == -1 && err.kind == ERR_TIMEOUT &&
		   clock_boot_ms() - before >= 300,
	   "a silent server times out: %s", err.msg);
	conn_free(c);
	close(ends[1]);

	tcp_pair(ends);
	c = adopt(ends[0]);
	shutdown(ends[1], SHUT_WR);
	ok(conn_start_tls(c, tls, &policy, WAIT_MS, &err) == -1 &&
		   err.kind == ERR_REMOTE &&
		   strstr(err.msg, "closed the connection during the TLS handshake"),
	   "a server that hangs up is told: %s", err.msg);
	conn_free(c);
	close(ends[1]);
}

static void write_file(const char *name, const char *content) {
	AUTO_FD int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, content, strlen(content)) < 0)
		printf("Bail out! cannot write %s\n", name);
}

static void test_trust(void) {
	static const struct {
		const char *label, *content; /* NULL: no file */
		enum err_kind kind;
		const char *words;
	} cases[] = {
		{ "absent", NULL, ERR_SYSTEM, "No such file" },
		{ "empty", "", ERR_SYNTAX, "no certificate in it" },
		{ "text", "hello\n", ERR_SYNTAX, "no certificate in it" },
		{ "damaged",
		  "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		  ERR_SYNTAX, "bundle.pem: " },
	};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unlink(path_of("bundle.pem"));
		if (cases[i].content)
			write_file("bundle.pem", cases[i].content);
		struct tls_client *t = tls_client_new(path_of("bundle.pem"), &err);
		ok(!t && strstr(err.msg, cases[i].words) &&
			   strstr(err.msg, "bundle.pem") &&
			   (err.kind == cases[i].kind || err.kind == ERR_MISSING),
		   "a CA file that is %s is an error: %s", cases[i].label, err.msg);
		tls_client_free(t);
	}
	ok(!tls_client_new(path_of("key.pem"), &err) && err.kind == ERR_SYNTAX,
	   "a key is no CA file: %s", err.msg);
	ok(!tls_server_new(path_of("absent.pem"), path_of("key.pem"), &err) &&
		   strstr(err.msg, "absent.pem"),
	   "a server without a certificate is told: %s", err.msg);
	ok(!tls_server_new(path_of("ca.pem"), path_of("key.pem"), &err) &&
		   err.kind == ERR_SYNTAX,
	   "a key of another certificate is refused: %s", err.msg);
}

/* The certificate of a PEM file that has one, in DER. */
static void read_der(const char *name, struct buf *out) {
	AUTO_BUF struct buf pem = BUF_INIT(65536), text = BUF_INIT(65536);
	struct err err = ERR_INIT;
	file_read(AT_FDCWD, path_of(name), &pem, &err);
	struct span lines = buf_span(&pem), line;
	while (span_take_line(&lines, &line))
		if (!span_starts(line, SPAN("-----")))
			buf_add(&text, line);
	codec_base64_decode(out, buf_span(&text));
}

/* One handshake under a policy: what it ended with. */
static int shake(const struct tls_client *tls, const struct tls_policy *p,
		 struct tls_info *ret, struct err *err) {
	int fd;
	pid_t pid = start_echo(&fd, 0);
	struct conn *c = adopt(fd);
	int r = conn_start_tls(c, tls, p, WAIT_MS, err);
	*ret = (struct tls_info){ .version = "" };
	if (r == 0)
		*ret = *conn_tls_info(c);
	conn_free(c);
	exit_of(pid);
	return r;
}

#define HASH_OF(d) span_of((const char *)(d)->byte, CRYPTO_SHA256_SIZE)

static void test_dane(const struct tls_client *tls) {
	AUTO_BUF struct buf leaf = BUF_INIT(65536), ca = BUF_INIT(65536);
	struct crypto_digest leaf_hash, ca_hash;
	read_der("cert.pem", &leaf);
	read_der("ca.pem", &ca);
	crypto_sha256(buf_span(&leaf), &leaf_hash);
	crypto_sha256(buf_span(&ca), &ca_hash);
	struct span right = HASH_OF(&leaf_hash), wrong = SPAN("01234567890123456789012345678901");
	const struct dns_tlsa cert = { 3, 0, 1, right }, whole = { 3, 0, 0, buf_span(&leaf) },
			      other = { 3, 1, 1, wrong }, issuer = { 2, 0, 0, buf_span(&ca) },
			      pkix = { 1, 0, 1, right }, unknown = { 3, 0, 9, right },
			      cut = { 3, 0, 1, { right.p, 20 } },
			      absent = { 2, 0, 1, HASH_OF(&ca_hash) };
	const struct {
		const char *label, *host, *alias;
		struct dns_tlsa r[2];
		size_t n;
		int want;
		const char *method;
	} rows[] = {
		{ "3 0 1 of the certificate", "mail.test", NULL, { cert }, 1, 0, "dane-ee" },
		{ "3 0 0, whole", "mail.test", NULL, { whole }, 1, 0, "dane-ee" },
		{ "3 x x under another name: names do not matter", "other.test", NULL, { cert },
		  1, 0, "dane-ee" },
		{ "a rollover: the second record", "mail.test", NULL, { other, cert }, 2, 0,
		  "dane-ee" },
		{ "another key", "mail.test", NULL, { other }, 1, -1, "" },
		{ "2 0 0 of the issuer", "mail.test", NULL, { issuer }, 1, 0, "dane-ta" },
		{ "2 0 0 under another name", "other.test", NULL, { issuer }, 1, -1, "" },
		{ "2 0 0 under the next name", "other.test", "mail.test", { issuer }, 1, 0,
		  "dane-ta" },
		{ "2 0 1 of an issuer that is not sent", "mail.test", NULL, { absent }, 1, -1, "" },
		{ "usage 1 cannot be used", "other.test", NULL, { pkix }, 1, 0, "" },
		{ "nor an unknown matching type", "other.test", NULL, { unknown }, 1, 0, "" },
		{ "nor a digest that is cut", "other.test", NULL, { cut }, 1, 0, "" },
		{ "but beside it one that can counts", "mail.test", NULL, { pkix, other }, 2, -1,
		  "" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct tls_policy p = { .host = rows[i].host,
					      .verify = true,
					      .tlsa = rows[i].r,
					      .tlsa_count = rows[i].n,
					      .names = { rows[i].alias } };
		struct err err = ERR_INIT;
		struct tls_info info;
		is_int(shake(tls, &p, &info, &err), rows[i].want, "DANE: %s (%s)", rows[i].label,
		       rows[i].want ? err.msg : info.why_not);
		ok(strcmp(info.method, rows[i].method) == 0 &&
			   info.verified == (rows[i].method[0] != '\0'),
		   "DANE: %s: %s", rows[i].label, info.method);
	}
}

static void test_pins(const struct tls_client *tls) {
	struct tls_policy p = { .host = "other.test", .verify = true, .pins = 1 };
	struct err err = ERR_INIT;
	struct tls_info info;
	ok(shake(tls, &p, &info, &err) == -1 && err.kind == ERR_DENIED,
	   "a key that is not pinned is refused: %s", err.msg);
	const char *key = strstr(err.msg, "sha256:");
	AUTO_BUF struct buf bytes = BUF_INIT(TLS_HASH_SIZE);
	ok(key && codec_base64_decode(&bytes, span_str(key + strlen("sha256:"))) == 0 &&
		   bytes.len == TLS_HASH_SIZE,
	   "the words name the key");
	memcpy(p.pin[1], bytes.data, bytes.len);
	p.pins = 2;
	ok(shake(tls, &p, &info, &err) == 0 && info.verified &&
		   strcmp(info.method, "pin") == 0,
	   "the second of two pins is taken, whatever the name");
}

static void test_limits(const struct tls_client *tls) {
	struct tls_policy p = { .host = "mail.test", .verify = true, .min_version = 13 };
	struct err err = ERR_INIT;
	struct tls_info info;
	ok(shake(tls, &p, &info, &err) == 0 && strcmp(info.version, "TLS1.3") == 0,
	   "TLS 1.3 and nothing else works");
	p.min_version = 0;
	p.priority = "-VERS-TLS1.3";
	ok(shake(tls, &p, &info, &err) == 0 && strcmp(info.version, "TLS1.2") == 0,
	   "priorities of the administrator count");
	p.min_version = 13;
	ok(shake(tls, &p, &info, &err) == -1, "no version left is a failure: %s", err.msg);
	ok(tls_priority_check("-VERS-TLS1.3:%COMPAT", &err) == 0, "priorities are checked");
	ok(tls_priority_check("+NONSENSE", &err) == -1 && strstr(err.msg, "NONSENSE"),
	   "and refused in words: %s", err.msg);
	struct tls_client *own = tls_client_new(path_of("ca.pem"), &err);
	p = (struct tls_policy){ .host = "mail.test", .verify = true };
	ok(own && tls_client_use(own, path_of("cert.pem"), path_of("key.pem"), &err) == 0 &&
		   shake(own, &p, &info, &err) == 0 && info.verified,
	   "with a certificate of ours the server's is verified all the same");
	p.host = "other.test";
	ok(shake(own, &p, &info, &err) == -1 && err.kind == ERR_DENIED, "or refused: %s", err.msg);
	ok(tls_client_use(own, path_of("cert.pem"), path_of("none.pem"), &err) == -1 &&
		   strstr(err.msg, "none.pem"),
	   "a key of ours that cannot be read is named: %s", err.msg);
	tls_client_free(own);
}

static void test_binding(const struct tls_client *tls) {
	static const char *const only[] = { "-VERS-TLS1.3", NULL };
	for (size_t i = 0; i < 2; i++) {
		const struct tls_policy p = { .host = "mail.test",
					      .verify = true,
					      .priority = only[i] };
		AUTO_BUF struct buf unique = BUF_INIT(256), exporter = BUF_INIT(256);
		struct err err = ERR_INIT;
		int fd;
		pid_t pid = start_echo(&fd, 0);
		struct conn *c = adopt(fd);
		ok(conn_tls_binding(c, true, &exporter) != 0, "in clear there is no binding");
		conn_start_tls(c, tls, &p, WAIT_MS, &err);
		bool has_unique = conn_tls_binding(c, false, &unique) == 0;
		bool has_exporter = conn_tls_binding(c, true, &exporter) == 0;
		ok(has_unique == (i == 0) && has_exporter == (i == 1),
		   "%s", i ? "TLS 1.3 has tls-exporter" : "TLS 1.2 has tls-unique");
		ok(i ? exporter.len == 32 : unique.len >= 12, "of the right length");
		conn_free(c);
		exit_of(pid);
	}
}

/* One connection and an echo, with which tickets come. */
static int shake_and_talk(const struct tls_client *tls, const struct tls_policy *p,
			  struct tls_info *ret, struct err *err) {
	int fd;
	pid_t pid = start_echo(&fd, 1);
	struct conn *c = adopt(fd);
	int r = conn_start_tls(c, tls, p, WAIT_MS, err);
	char byte;
	*ret = (struct tls_info){ .version = "" };
	if (r == 0) {
		*ret = *conn_tls_info(c);
		conn_write(c, SPAN("x"), err);
		for (int i = 0; i < 100 && conn_read(c, &byte, 1, err) == 0; i++) {
			struct pollfd ready = { .fd = fd, .events = POLLIN };
			poll(&ready, 1, 100);
		}
	}
	conn_free(c);
	exit_of(pid);
	return r;
}

/* Puts the session that is kept for one policy where the other looks: what must never happen by
 * itself must still not be believed. */
static bool confuse(struct tls_cache *cache, const struct tls_policy *from,
		    const struct tls_policy *to, uint64_t serial) {
	AUTO_BUF struct buf session = BUF_INIT(65536);
	struct tls_cache_key a, b;
	if (!tls_cache_key(serial, from, &a) || !tls_cache_key(serial, to, &b) ||
	    !tls_cache_take(cache, &a, &session))
		return false;
	tls_cache_put(cache, &b, buf_span(&session));
	return true;
}

/* Which trust it is: that under which the cache has a session. */
static uint64_t serial_of(struct tls_cache *cache, const struct tls_policy *p) {
	for (uint64_t serial = 1; serial < 100; serial++) {
		AUTO_BUF struct buf session = BUF_INIT(65536);
		struct tls_cache_key k;
		if (tls_cache_key(serial, p, &k) && tls_cache_take(cache, &k, &session)) {
			tls_cache_put(cache, &k, buf_span(&session));
			return serial;
		}
	}
	return 0;
}

static void test_resumption_with(struct tls_client *tls, struct tls_cache *cache,
				 const char *priority, const char *version) {
	const struct tls_policy good = { .host = "mail.test",
					 .port = 25,
					 .verify = true,
					 .priority = priority };
	struct tls_policy changed = good;
	struct err err = ERR_INIT;
	struct tls_info info;
	ok(shake_and_talk(tls, &good, &info, &err) == 0 && !info.resumed &&
		   strcmp(info.version, version) == 0,
	   "%s: the first connection begins anew %s", version, err.msg);
	for (int i = 0; i < 2; i++)
		ok(shake_and_talk(tls, &good, &info, &err) == 0 && info.resumed &&
			   info.verified && strcmp(info.method, "pkix") == 0,
		   "%s: the next resumes, and is verified %s", version, err.msg);
	uint64_t serial = serial_of(cache, &good);
	changed.port = 26;
	ok(shake_and_talk(tls, &changed, &info, &err) == 0 && !info.resumed,
	   "%s: another port has no session", version);
	changed.port = 0;
	ok(shake_and_talk(tls, &changed, &info, &err) == 0 && !info.resumed,
	   "%s: nor has a policy without one", version);
	changed = good;
	changed.verify = false;
	ok(shake_and_talk(tls, &changed, &info, &err) == 0 && !info.resumed,
	   "%s: nor another policy", version);
	changed = good;
	changed.host = "other.test";
	ok(confuse(cache, &good, &changed, serial), "%s: a session under another name", version);
	ok(shake_and_talk(tls, &changed, &info, &err) == -1 && err.kind == ERR_DENIED &&
		   strstr(err.msg, "not for other.test"),
	   "%s: is refused: %s", version, err.msg);
	shake_and_talk(tls, &good, &info, &err);
	changed = good;
	changed.pins = 1;
	ok(confuse(cache, &good, &changed, serial), "%s: a session under a new pin", version);
	ok(shake_and_talk(tls, &changed, &info, &err) == -1 && err.kind == ERR_DENIED &&
		   strstr(err.msg, "not pinned"),
	   "%s: is refused: %s", version, err.msg);
	shake_and_talk(tls, &good, &info, &err);
	changed = good;
	changed.verify = false;
	confuse(cache, &good, &changed, serial);
	ok(shake_and_talk(tls, &changed, &info, &err) == 0 && info.resumed,
	   "%s: a session found in the wrong place would be resumed", version);
}

static void test_resumption(void) {
	struct err err = ERR_INIT;
	struct tls_client *tls = tls_client_new(path_of("ca.pem"), &err);
	struct tls_client *other = tls_client_new(path_of("ca.pem"), &err);
	struct tls_cache *cache = tls_cache_new();
	const struct tls_policy good = { .host = "mail.test", .port = 25, .verify = true };
	struct tls_info info;
	with_tickets = tls_server_new(path_of("cert.pem"), path_of("key.pem"), &err);
	if (!ok(tls && other && cache && with_tickets && tls_server_tickets(with_tickets, &err) == 0,
		"a server with tickets %s", err.msg))
		return;
	shake_and_talk(tls, &good, &info, &err);
	ok(shake_and_talk(tls, &good, &info, &err) == 0 && !info.resumed,
	   "without a cache nothing is resumed");
	tls_client_resume(tls, cache);
	tls_client_resume(other, cache);
	test_resumption_with(tls, cache, NULL, "TLS1.3");
	test_resumption_with(tls, cache, "-VERS-TLS1.3", "TLS1.2");
	shake_and_talk(tls, &good, &info, &err);
	ok(shake_and_talk(other, &good, &info, &err) == 0 && !info.resumed,
	   "other authorities, though of the same file, have other sessions");
	tls_server_free(with_tickets);
	with_tickets = tls_server_new(path_of("cert.pem"), path_of("key.pem"), &err);
	tls_server_tickets(with_tickets, &err);
	ok(shake_and_talk(tls, &good, &info, &err) == 0 && !info.resumed && info.verified,
	   "a server that forgot its tickets costs a whole handshake");
	tls_server_free(with_tickets);
	with_tickets = NULL;
	ok(shake_and_talk(tls, &good, &info, &err) == 0 && !info.resumed,
	   "and so does one that has none");
	tls_client_free(tls);
	tls_client_free(other);
	tls_cache_free(cache);
}

static void test_cache(void) {
	struct tls_cache *cache = tls_cache_new();
	struct tls_policy p = { .host = "a.test", .port = 25 };
	struct tls_cache_key k, first;
	AUTO_BUF struct buf out = BUF_INIT(65536);
	unsigned found = 0;
	p.host = "a.test";
	tls_cache_key(1, &p, &first);
	for (unsigned i = 0; i < 6; i++)
		tls_cache_put(cache, &first, SPAN("session"));
	while (tls_cache_take(cache, &first, &out))
		found++;
	is_int(found, 4, "a server has four sessions, each taken once");
	tls_cache_put(cache, &first, span_of(path_of("x"), 0));
	ok(!tls_cache_take(cache, &first, &out), "an empty one is none");
	tls_cache_put(cache, &first, SPAN("first"));
	for (unsigned i = 1; i <= 100; i++) {
		p.port = (uint16_t)(1000 + i);
		tls_cache_key(1, &p, &k);
		tls_cache_put(cache, &k, SPAN("later"));
	}
	ok(!tls_cache_take(cache, &first, &out), "the oldest go first");
	buf_reset(&out);
	ok(tls_cache_take(cache, &k, &out) && span_eq(buf_span(&out), SPAN("later")),
	   "the newest is there");
	tls_cache_put(cache, &k, SPAN("shared"));
	pid_t pid = fork();
	if (pid == 0)
		_exit(tls_cache_take(cache, &k, &out) ? 0 : 1);
	is_int(exit_of(pid), 0, "a child has it too");
	ok(!tls_cache_take(cache, &k, &out), "and took it");
	tls_cache_free(cache);
}

int main(void) {
	static const char *const names[] = { "mail.test", "127.0.0.1", "::1" };
	struct err err = ERR_INIT;
	struct stat st;

	signal(SIGPIPE, SIG_DFL);
	if (!mkdtemp(dir))
		return 99;
	AUTO_FD int dirfd = file_opendir(AT_FDCWD, dir);
	ok(tls_make_test_files(dirfd, names, 3, 30, &err) == 0,
	   "test certificates are made %s", err.msg);
	ok(fstatat(dirfd, "key.pem", &st, 0) == 0 && (st.st_mode & 0777) == 0600,
	   "the key is for its owner only");
	test_connect();
	test_connect_timeout();
	test_clear();
	struct tls_client *tls = tls_client_new(path_of("ca.pem"), &err);
	if (ok(tls != NULL, "the CA made by us is a usable trust %s", err.msg)) {
		test_tls(tls);
		test_tls_names(tls);
		test_tls_failures(tls);
		test_dane(tls);
		test_pins(tls);
		test_limits(tls);
		test_binding(tls);
	}
	tls_client_free(tls);
	test_cache();
	test_resumption();
	test_trust();
	if (fork() == 0)
		execlp("rm", "rm", "-rf", dir, (char *)NULL);
	return done_testing();
}
