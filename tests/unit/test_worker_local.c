/* Relays that are no server: what a maildir has when a part of it could not be written. As
 * somebody who is not root, who writes no maildirs. */

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/file.h"
#include "lib/delivery_checks.h"

#define SOMEBODY 65534u

static char host[] = "h.example", aliases_path[4200], box[4200], relay_host[4300];

static void open_with(struct delivery *d, const char *aliases) {
	struct err err = ERR_INIT;
	delivery_open(d, ALL, NULL);
	d->params.hostname = d->params.domain = host;
	snprintf(aliases_path, sizeof(aliases_path), "%s/aliases", d->dir);
	snprintf(box, sizeof(box), "%s/box", d->dir);
	snprintf(relay_host, sizeof(relay_host), "maildir:%s", box);
	d->params.aliases = aliases_path;
	d->params.relay.host[0] = relay_host;
	if (file_replace(AT_FDCWD, aliases_path, 0600, span_str(aliases), &err) != 0)
		ok(false, "aliases can be written: %s", err.msg);
}

/* How many files in new/ were delivered to that address. */
static unsigned kept_for(const char *address) {
	char path[9000], want[300];
	unsigned n = 0;
	snprintf(path, sizeof(path), "%s/new", box);
	snprintf(want, sizeof(want), "\nDelivered-To: %s\n", address);
	DIR *dir = opendir(path);
	for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
		AUTO_BUF struct buf text = BUF_INIT(1u << 16);
		snprintf(path, sizeof(path), "%s/new/%s", box, e->d_name);
		if (e->d_name[0] != '.' && file_read(AT_FDCWD, path, &text, NULL) == 0)
			n += strstr(buf_str(&text), want) != NULL;
	}
	if (dir)
		closedir(dir);
	return n;
}

/* A folder stands where the copy for that address is to be written: made or taken away. */
static void obstacle(struct delivery *d, unsigned n, const char *address, bool make) {
	struct queue_message m;
	char path[9000];
	if (!delivery_read(d, n, &m)) {
		ok(false, "the message is there");
		return;
	}
	snprintf(path, sizeof(path), "%s/tmp/%lld.%s_%08x.%s", box,
		 (long long)(m.env.created.wall_ms / 1000), queue_id_text(&m.env.id).s,
		 codec_crc32c(0, address, strlen(address)), host);
	queue_message_release(&m);
	if ((make ? mkdir(path, 0700) : rmdir(path)) != 0)
		ok(false, "%s", path);
}

static void test_alias(void) {
	struct delivery d;
	open_with(&d, "team: a@x.example, b@x.example\n");
	unsigned first = delivery_queue(&d, "c@x.example", NULL);
	delivery_run(&d, first, 1, DELIVERY_ANSWERED, NULL, NULL);
	is_int(kept_for("c@x.example"), 1, "a message is kept");
	unsigned n = delivery_queue(&d, "team,c@x.example", NULL);
	obstacle(&d, n, "b@x.example", true);
	delivery_run(&d, n, 1, DELIVERY_ANSWERED, NULL, NULL);
	is_int(kept_for("a@x.example"), 1, "one address of an alias can be written");
	is_int(kept_for("b@x.example"), 0, "the other cannot");
	ok(!delivery_gone(&d, n), "the message waits");
	is_state(&d, n, 0, RECIPIENT_DEFERRED, "4.3.0 cannot write into the maildir",
		 "the alias is not done, and it is known why");
	is_state(&d, n, 1, RECIPIENT_PENDING, "", "who stands behind it was not tried");
	is_flagged(&d, n, false, "there is no doubt about a copy");
	obstacle(&d, n, "b@x.example", false);
	delivery_run(&d, n, 1, DELIVERY_ANSWERED, NULL, NULL);
	ok(delivery_reported(&d, "done #1"), "it goes on where it stopped");
	is_int(kept_for("a@x.example"), 1, "the first has it once");
	is_int(kept_for("b@x.example"), 1, "the second, too");
	is_int(kept_for("c@x.example"), 2, "and who stands behind them");
	delivery_close(&d);
}

int main(void) {
	if (geteuid() == 0 && (setgid(SOMEBODY) != 0 || setuid(SOMEBODY) != 0)) {
		printf("1..0 # SKIP root cannot become somebody else here\n");
		return 0;
	}
	test_alias();
	return done_testing();
}
