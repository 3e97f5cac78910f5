/* A name server that loses questions is asked again, in the time there is. */

#include "net/dns_direct.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define TIME_MS 1400
#define TRIES 10

/* Says "no such name" when a question comes from one port for the third time. */
static void serve(int fd) {
	in_port_t port = 0;
	for (unsigned n = 0;;) {
		char bytes[512];
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		ssize_t got = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &len);
		n = from.sin_port == port ? n + 1 : 1;
		port = from.sin_port;
		if (got < 12 || n < 3)
			continue;
		bytes[2] = (char)0x84; /* an answer, with authority */
		bytes[3] = 3;
		sendto(fd, bytes, (size_t)got, 0, (struct sockaddr *)&from, len);
	}
}

static enum dns_status ask(const struct inet_port *at, bool *ret_authoritative) {
	struct dns_direct *d = dns_direct_new();
	int number = d ? dns_direct_ask(d, at, "example.org", DNS_MX) : -1;
	if (number < 0)
		abort();
	dns_direct_wait(d, TIME_MS);
	enum dns_status status = dns_direct_answer(d, number)->status;
	*ret_authoritative = dns_direct_answer(d, number)->authoritative;
	dns_direct_free(d);
	return status;
}

int main(void) {
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	struct inet_port at;
	bool authoritative = false;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&in, len) != 0 ||
	    getsockname(fd, (struct sockaddr *)&in, &len) != 0 ||
	    !inet_addr_parse(SPAN("127.0.0.1"), &at.addr))
		return 1;
	at.port = ntohs(in.sin_port);
	pid_t pid = fork();
	if (pid == 0)
		serve(fd);
	enum dns_status status = DNS_TIMEOUT;
	/* on a slow machine the answer may come too late: but not each time */
	for (int i = 0; i < TRIES && status == DNS_TIMEOUT; i++)
		status = ask(&at, &authoritative);
	is_int(status, DNS_NXDOMAIN, "an answer to the third question is heard");
	ok(authoritative, "and that it has authority");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return done_testing();
}
