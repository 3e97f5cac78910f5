/*
 * The control of the listener's bench: what a server can reach here that does nothing but
 * answer and store. Processes that were started beforehand accept a client each, take any
 * command for a good one, and store a message as the disk's own bench does: a file, its
 * fsync, its name, the fsync of the directory. No address is looked at, no header written, no
 * user asked for, nothing logged, nobody told. What is above its rate no server with a process
 * for each client can reach on this machine; what a listener is below it, it spends itself.
 *
 *     bare PORT DIR
 *
 * Ends with SIGTERM.
 */

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROCESSES 20
#define END "\r\n.\r\n"

struct client {
	int fd;
	size_t len;
	char in[1 << 20];
};

static int dir;

static _Noreturn void die(const char *what) {
	perror(what);
	_exit(1);
}

static void say(const struct client *c, const char *line) {
	if (write(c->fd, line, strlen(line)) < 0)
		die("write");
}

static bool fill(struct client *c) {
	ssize_t n = read(c->fd, c->in + c->len, sizeof(c->in) - c->len);
	c->len += n > 0 ? (size_t)n : 0;
	return n > 0;
}

static void take(struct client *c, size_t n) {
	c->len -= n;
	memmove(c->in, c->in + n, c->len);
}

static void store(const char *p, size_t len) {
	static unsigned count;
	char temporary[40], name[40];
	snprintf(temporary, sizeof(temporary), "t%d.%u", (int)getpid(), count);
	snprintf(name, sizeof(name), "m%d.%u", (int)getpid(), count++);
	int fd = openat(dir, temporary, O_CREAT | O_EXCL | O_WRONLY, 0600);
	if (fd < 0 || write(fd, p, len) != (ssize_t)len || fsync(fd) != 0 || close(fd) != 0 ||
	    renameat(dir, temporary, dir, name) != 0 || fsync(dir) != 0)
		die("store");
}

static bool take_message(struct client *c) {
	char *end;
	while ((end = memmem(c->in, c->len, END, strlen(END))) == NULL)
		if (!fill(c))
			return false;
	store(c->in, (size_t)(end - c->in) + 2);
	take(c, (size_t)(end - c->in) + strlen(END));
	say(c, "250 2.0.0 queued as 0123456789ABCDEF\r\n");
	return true;
}

static bool take_command(struct client *c) {
	char *end;
	while ((end = memchr(c->in, '\n', c->len)) == NULL)
		if (!fill(c))
			return false;
	char kind = c->in[0];
	take(c, (size_t)(end - c->in) + 1);
	switch (kind) {
	case 'E':
		say(c, "250-bare\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n"
		       "250-SMTPUTF8\r\n250-DSN\r\n250-CHUNKING\r\n250 ENHANCEDSTATUSCODES\r\n");
		return true;
	case 'D':
		say(c, "354 end with a dot on a line of its own\r\n");
		return take_message(c);
	case 'Q':
		say(c, "221 2.0.0 bye\r\n");
		return false;
	default:
		say(c, "250 2.1.0 ok\r\n");
		return true;
	}
}

static _Noreturn void serve_all(int listening) {
	static struct client c;
	int on = 1;
	for (;;) {
		c.fd = accept(listening, NULL, NULL);
		if (c.fd < 0)
			die("accept");
		c.len = 0;
		setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		say(&c, "220 bare ESMTP\r\n");
		while (take_command(&c))
			;
		close(c.fd);
	}
}

int main(int argc, char **argv) {
	if (argc != 3)
		return 2;
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)atoi(argv[1])),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listening = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listening, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(listening, 512) != 0)
		die("listen");
	for (int i = 0; i < PROCESSES; i++)
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			dir = open(argv[2], O_RDONLY | O_DIRECTORY);
			if (dir < 0)
				die(argv[2]);
			serve_all(listening);
		}
	pause();
	return 0;
}
