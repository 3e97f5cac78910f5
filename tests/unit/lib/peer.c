/* See peer.h. One connection after another; children die with the test. */

#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUFFER_MAX (4u << 20)
#define IDLE_MS 100 /* a rule for "idle" speaks after so long a silence */

struct session {
	struct peer_seen *seen;
	const char *extensions;
	const struct peer_rule *rules;
	int fd;
	bool closing, in_data, in_auth, done_anything;
	bool in_chunk, chunk_last, chunk_refused;
	size_t chunk_left, chunk_bytes;
	char *in;
	size_t in_len;
	char out[65536];
	size_t out_len;
	char from[512], to[PEER_TEXT_MAX / 4];
};

static void append(char *to, size_t *len, size_t max, const char *p, size_t n) {
	if (n > max - 1 - *len)
		n = max - 1 - *len;
	memcpy(to + *len, p, n);
	*len += n;
	to[*len] = '\0';
}

static void say(struct session *s, const char *text) {
	append(s->out, &s->out_len, sizeof(s->out), text, strlen(text));
	append(s->out, &s->out_len, sizeof(s->out), "\r\n", 2);
}

static const struct peer_rule *find_rule(struct session *s, const char *stage,
					 const char *command) {
	for (unsigned i = 0; s->rules && s->rules[i].stage; i++) {
		const struct peer_rule *r = &s->rules[i];
		if (strcmp(r->stage, stage) != 0 ||
		    (r->match && !strstr(command, r->match)) ||
		    (r->times > 0 && s->seen->used[i] >= r->times))
			continue;
		s->seen->used[i]++;
		return r;
	}
	return NULL;
}

/* Answers by a rule, else with the usual reply. True when that was the usual one, or a 2xx
 * or 3xx. */
static bool answer(struct session *s, const char *stage, const char *command,
		   const char *usual) {
	const struct peer_rule *r = find_rule(s, stage, command);
	if (!r) {
		say(s, usual);
		return true;
	}
	if (!r->reply) {
		s->closing = true;
		return false;
	}
	if (strcmp(r->reply, PEER_LOSES) == 0)
		return true;
	if (strcmp(r->reply, PEER_REPEATS) == 0) {
		say(s, usual);
		say(s, usual);
		return true;
	}
	if (r->reply[0])
		say(s, r->reply);
	if (strncmp(r->reply, "421", 3) == 0)
		s->closing = true;
	return r->reply[0] == '2' || r->reply[0] == '3';
}

static void say_ehlo(struct session *s, const char *line) {
	const char *e = s->extensions;
	char reply[2048] = "250-peer";
	size_t len = strlen(reply);
	while (e && *e) {
		size_t n = strcspn(e, "\n");
		append(reply, &len, sizeof(reply), "\r\n250-", 6);
		append(reply, &len, sizeof(reply), e, n);
		e += n + (e[n] == '\n');
	}
	char *last = reply;
	for (char *p = strstr(reply, "\r\n"); p; p = strstr(p + 1, "\r\n"))
		last = p + 2;
	last[3] = ' ';
	answer(s, "ehlo", line, reply);
}

static void remember_message(struct session *s, size_t bytes) {
	char line[64];
	struct peer_seen *seen = s->seen;
	append(seen->accepted, &seen->accepted_len, PEER_TEXT_MAX, s->from,
	       strlen(s->from));
	append(seen->accepted, &seen->accepted_len, PEER_TEXT_MAX, " ", 1);
	append(seen->accepted, &seen->accepted_len, PEER_TEXT_MAX, s->to, strlen(s->to));
	snprintf(line, sizeof(line), " %zu\n", bytes);
	append(seen->accepted, &seen->accepted_len, PEER_TEXT_MAX, line, strlen(line));
	seen->messages++;
}

static void add_recipient(struct session *s, const char *line) {
	size_t len = strlen(s->to);
	if (len > 0)
		append(s->to, &len, sizeof(s->to), ",", 1);
	const char *path = strchr(line, '<');
	append(s->to, &len, sizeof(s->to), path ? path : "",
	       path ? strcspn(path, ">") + 1 : 0);
}

static void on_auth(struct session *s, const char *line) {
	if (s->in_auth) {
		s->in_auth = false;
		s->seen->auth_tries++;
		answer(s, "auth", line, "235 2.7.0 welcome");
		return;
	}
	s->in_auth = true;
	say(s, "334 PDEyM0BwZWVyPg==");
}

/* A chunk that was refused is swallowed, except by a server that does not know BDAT. */
static void on_bdat(struct session *s, const char *line) {
	const struct peer_rule *r = find_rule(s, "bdat", line);
	if (r) {
		s->closing = !r->reply;
		if (r->reply)
			say(s, r->reply);
		return;
	}
	s->in_chunk = true;
	s->chunk_left = strtoul(line + 5, NULL, 10);
	s->chunk_bytes = s->chunk_left;
	s->chunk_last = strstr(line, " LAST") != NULL;
	s->chunk_refused = !s->to[0];
	if (s->chunk_refused)
		say(s, s->from[0] ? "554 5.5.1 no valid recipients" : "503 5.5.1 MAIL first");
}

static void forget_envelope(struct session *s) {
	s->to[0] = s->from[0] = '\0';
}

/* As it ends with DATA: in_data is over, too. */
static void take_message(struct session *s, size_t bytes) {
	s->in_data = false;
	s->done_anything = true;
	/* What the reply's fate is must not change what was taken. */
	if (answer(s, "dot", s->from, "250 2.0.0 taken") ||
	    (s->closing && s->out_len == 0))
		remember_message(s, bytes);
}

/* Takes a chunk; false: more is needed. */
static bool take_chunk(struct session *s) {
	size_t n = s->in_len < s->chunk_left ? s->in_len : s->chunk_left;
	const struct peer_rule *cut = find_rule(s, "content", s->in);
	if (cut) {
		s->closing = true;
		return false;
	}
	s->chunk_left -= n;
	memmove(s->in, s->in + n, s->in_len - n + 1);
	s->in_len -= n;
	if (s->chunk_left > 0)
		return false;
	s->in_chunk = false;
	if (!s->chunk_refused && s->chunk_last) {
		take_message(s, s->chunk_bytes);
		forget_envelope(s);
	} else if (!s->chunk_refused) {
		say(s, "250 2.0.0 more");
	}
	return true;
}

static void on_line(struct session *s, const char *line) {
	if (s->in_auth || strncasecmp(line, "AUTH", 4) == 0) {
		on_auth(s, line);
	} else if (strncasecmp(line, "EHLO", 4) == 0) {
		say_ehlo(s, line);
	} else if (strncasecmp(line, "HELO", 4) == 0) {
		answer(s, "ehlo", line, "250 peer");
	} else if (strncasecmp(line, "MAIL", 4) == 0) {
		s->to[0] = '\0';
		const char *path = strchr(line, '<');
		snprintf(s->from, sizeof(s->from), "%.*s",
			 path ? (int)strcspn(path, ">") + 1 : 0, path ? path : "");
		answer(s, "mail", line, "250 2.1.0 sender ok");
	} else if (strncasecmp(line, "RCPT", 4) == 0) {
		if (answer(s, "rcpt", line, "250 2.1.5 recipient ok"))
			add_recipient(s, line);
	} else if (strncasecmp(line, "DATA", 4) == 0) {
		if (!s->to[0])
			say(s, "554 5.5.1 no valid recipients");
		else if (answer(s, "data", line, "354 go ahead"))
			s->in_data = true;
	} else if (strncasecmp(line, "QUIT", 4) == 0) {
		s->seen->quits++;
		answer(s, "quit", line, "221 2.0.0 bye");
		s->closing = true;
	} else if (strncasecmp(line, "BDAT", 4) == 0) {
		on_bdat(s, line);
	} else if (strncasecmp(line, "RSET", 4) == 0) {
		forget_envelope(s);
		answer(s, "rset", line, "250 2.0.0 reset");
	} else {
		answer(s, "unknown", line, "250 2.0.0 ok");
	}
}

/* Takes content up to the final dot; false: more is needed. */
static bool take_data(struct session *s) {
	const struct peer_rule *cut = s->in_len > 0 ? find_rule(s, "content", s->in)
						    : NULL;
	if (cut) {
		s->closing = true;
		return false;
	}
	char *end = s->in_len >= 3 && memcmp(s->in, ".\r\n", 3) == 0
			    ? s->in
			    : memmem(s->in, s->in_len, "\r\n.\r\n", 5);
	if (!end)
		return false;
	size_t bytes = end == s->in ? 0 : (size_t)(end - s->in) + 2;
	size_t whole = bytes + 3;
	take_message(s, bytes);
	memmove(s->in, s->in + whole, s->in_len - whole + 1);
	s->in_len -= whole;
	return true;
}

static void work(struct session *s) {
	while (!s->closing && (s->in_len > 0 || (s->in_chunk && s->chunk_left == 0))) {
		if (s->in_chunk) {
			if (!take_chunk(s))
				return;
			continue;
		}
		if (s->in_data) {
			if (!take_data(s))
				return;
			continue;
		}
		char *end = memmem(s->in, s->in_len, "\r\n", 2);
		if (!end)
			return;
		*end = '\0';
		on_line(s, s->in);
		size_t n = (size_t)(end - s->in) + 2;
		memmove(s->in, s->in + n, s->in_len - n + 1);
		s->in_len -= n;
	}
}

static bool flush(struct session *s) {
	size_t at = 0;
	while (at < s->out_len) {
		ssize_t n = send(s->fd, s->out + at, s->out_len - at, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	s->out_len = 0;
	return true;
}

static bool receive(struct session *s) {
	struct pollfd fd = { .fd = s->fd, .events = POLLIN };
	if (s->done_anything && poll(&fd, 1, IDLE_MS) == 0 && find_rule(s, "idle", "")) {
		say(s, "421 4.4.2 idle for too long");
		s->closing = true;
		return true;
	}
	ssize_t n = recv(s->fd, s->in + s->in_len, BUFFER_MAX - 1 - s->in_len, 0);
	if (n <= 0)
		return false;
	append(s->seen->flights, &s->seen->flights_len, PEER_TEXT_MAX, s->in + s->in_len,
	       (size_t)n);
	append(s->seen->flights, &s->seen->flights_len, PEER_TEXT_MAX, "|", 1);
	s->in_len += (size_t)n;
	s->in[s->in_len] = '\0';
	return true;
}

static void serve(struct session *s) {
	s->closing = s->in_data = s->in_auth = s->done_anything = s->in_chunk = false;
	s->in_len = s->out_len = 0;
	s->to[0] = s->from[0] = '\0';
	s->seen->connections++;
	answer(s, "greeting", "", "220 peer ESMTP");
	while (flush(s) && !s->closing && receive(s))
		work(s);
	shutdown(s->fd, SHUT_WR);
	close(s->fd);
}

static _Noreturn void run(int listener, struct session *s) {
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	s->in = malloc(BUFFER_MAX);
	while (s->in && (s->fd = accept(listener, NULL, NULL)) >= 0)
		serve(s);
	_exit(1);
}

static int bind_local(uint16_t *ret_port) {
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) != 0) {
		perror("peer");
		exit(1);
	}
	*ret_port = ntohs(sa.sin_port);
	return fd;
}

struct peer peer_start(const char *extensions, const struct peer_rule *rules) {
	static struct session session;
	struct peer p = { .pid = -1 };
	int listener = bind_local(&p.port);
	p.seen = mmap(NULL, sizeof(*p.seen), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p.seen == MAP_FAILED || listen(listener, 16) != 0) {
		perror("peer");
		exit(1);
	}
	session.seen = p.seen;
	session.extensions = extensions;
	session.rules = rules;
	fflush(stdout);
	p.pid = fork();
	if (p.pid == 0)
		run(listener, &session);
	close(listener);
	return p;
}

void peer_stop(struct peer *p) {
	if (p->pid <= 0)
		return;
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	p->pid = -1;
}

void peer_release(struct peer *p) {
	peer_stop(p);
	munmap(p->seen, sizeof(*p->seen));
	p->seen = NULL;
}

/* Bound for as long as the test runs, so that no other test is given it, and never listened on. */
uint16_t peer_closed_port(void) {
	uint16_t port;
	(void)bind_local(&port);
	return port;
}
