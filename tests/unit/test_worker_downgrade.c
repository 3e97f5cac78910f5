/* A real worker against servers without 8BITMIME or SMTPUTF8: what goes instead, and what cannot. */

#include "lib/delivery_checks.h"

#define PLAIN "PIPELINING\nSIZE 1000000\nENHANCEDSTATUSCODES"

static unsigned queue_8bit(struct delivery *d, const char *content) {
	struct envelope_recipient to = { .address = SPAN("bob@example.net") };
	struct envelope e = { .origin = SPAN("local"),
			      .from = SPAN("sender@example.org"),
			      .to = &to,
			      .to_count = 1,
			      .body_8bit = true,
			      .smtputf8 = true };
	return delivery_queue_envelope(d, &e, span_str(content));
}

/* What the server must have seen; NULL: the message fails with these words. */
struct row {
	const char *label, *extensions, *content, *want, *words;
};

static const struct row rows[] = {
	{ "a text becomes quoted-printable", PLAIN,
	  "Subject: x\r\n\r\ngr\xc3\xbc\xc3\x9f\x65\r\n.\r\n",
	  "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	  "Content-Transfer-Encoding: quoted-printable\r\n\r\ngr=C3=BC=C3=9Fe\r\n=2E\r\n.\r\n",
	  NULL },
	{ "not where the server takes it", ALL, "Subject: x\r\n\r\ngr\xc3\xbcn\r\n",
	  "Subject: x\r\n\r\ngr\xc3\xbcn\r\n.\r\n", NULL },
	{ "a text that is ASCII after all stays", PLAIN, "Subject: x\r\n\r\nplain\r\n",
	  "Subject: x\r\n\r\nplain\r\n.\r\n", NULL },
	{ "an encoding of 8bit is replaced", PLAIN,
	  "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	  "Content-Transfer-Encoding: 8bit\r\n\r\n\xc3\xbc\r\n",
	  "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	  "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n.\r\n",
	  NULL },
	{ "only the part that needs it", PLAIN,
	  "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
	  "pr\xc3\xa9\r\n--b\r\n\r\none = 1\r\n--b\r\n\r\n\xc3\xbc = 2\r\n--b--\r\n",
	  "boundary=b\r\n\r\npr\xc3\xa9\r\n--b\r\n\r\none = 1\r\n--b\r\n"
	  "Content-Type: text/plain; charset=utf-8\r\n"
	  "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC =3D 2\r\n--b--\r\n.\r\n",
	  NULL },
	{ "a message inside, whoever signed it", PLAIN,
	  "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n"
	  "DKIM-Signature: v=1\r\n\r\n\xc3\xbc\r\n",
	  "DKIM-Signature: v=1\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	  "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n.\r\n",
	  NULL },
	{ "a signed message cannot go", PLAIN, "DKIM-Signature: v=1\r\n\r\n\xc3\xbc\r\n",
	  NULL,
	  "5.6.3 127.0.0.1 does not offer 8BITMIME, and the message cannot be converted: there is "
	  "8-bit text in a message with a signature" },
	{ "a signed message of ASCII goes", PLAIN, "DKIM-Signature: v=1\r\n\r\nplain\r\n",
	  "DKIM-Signature: v=1\r\n\r\nplain\r\n.\r\n", NULL },
	{ "a signed part cannot go", PLAIN,
	  "MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n"
	  "--b\r\n\r\n\xc3\xbc\r\n--b--\r\n",
	  NULL, "5.6.3 127.0.0.1 does not offer 8BITMIME" },
	{ "text of the header becomes encoded words", PLAIN,
	  "Subject: Gr\xc3\xbc\xc3\x9f\x65\r\nFrom: \"M\xc3\xbcller, K.\" <a@example.org>,\r\n"
	  " b@example.org\r\nX-Raw: \xff\r\n\r\nplain\r\n",
	  "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\n"
	  "From: =?UTF-8?Q?M=C3=BCller=2C_K=2E?= <a@example.org>,\r\n\t<b@example.org>\r\n"
	  "X-Raw: \xff\r\n\r\nplain\r\n",
	  NULL },
	{ "a domain of the header becomes ASCII", PLAIN,
	  "To: x@b\xc3\xbc\x63her.example\r\n\r\nplain\r\n",
	  "To: <x@xn--bcher-kva.example>\r\n\r\nplain\r\n", NULL },
	{ "an address of the header that is not ASCII cannot go", PLAIN,
	  "To: x\xc3\xbc@example.net\r\n\r\nplain\r\n", NULL,
	  "5.6.7 127.0.0.1 does not offer SMTPUTF8, and the message cannot be converted: an "
	  "address in its To field" },
	{ "a header that is signed cannot go", PLAIN,
	  "DKIM-Signature: v=1\r\nSubject: \xc3\xbc\r\n\r\nplain\r\n", NULL,
	  "5.6.7 127.0.0.1 does not offer SMTPUTF8" },
	{ "with SMTPUTF8 it goes as it is", PLAIN "\n8BITMIME\nSMTPUTF8",
	  "Subject: \xc3\xbc\r\nDKIM-Signature: v=1\r\n\r\n\xc3\xbc\r\n",
	  "Subject: \xc3\xbc\r\nDKIM-Signature: v=1\r\n\r\n\xc3\xbc\r\n.\r\n", NULL },
	{ "header and body", PLAIN, "Subject: \xc3\xbc\r\n\r\n\xc3\xbc\r\n",
	  "Subject: =?UTF-8?Q?=C3=BC?=\r\nMIME-Version: 1.0\r\n"
	  "Content-Type: text/plain; charset=utf-8\r\n"
	  "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n.\r\n",
	  NULL },
	{ "streamed, with its size", "PIPELINING\nCHUNKING",
	  "Subject: \xc3\xbc\r\n\r\n\xc3\xbc\r\n",
	  "BDAT 144 LAST\r\nSubject: =?UTF-8?Q?=C3=BC?=\r\nMIME-Version: 1.0\r\n"
	  "Content-Type: text/plain; charset=utf-8\r\n"
	  "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n",
	  NULL },
};

static void one(const struct row *r) {
	struct delivery d;
	delivery_open(&d, r->extensions, NULL);
	d.params.stream = true;
	unsigned n = queue_8bit(&d, r->content);
	delivery_run(&d, n, 1, DELIVERY_ANSWERED, NULL, NULL);
	if (r->words) {
		is_state(&d, n, 0, RECIPIENT_FAILED, r->words, r->label);
		is_int(d.peer.seen->messages, 0, "%s: nothing was sent", r->label);
	} else {
		const char *flights = d.peer.seen->flights;
		bool seen = memmem(flights, d.peer.seen->flights_len, r->want,
				   strlen(r->want)) != NULL;
		ok(seen && delivery_gone(&d, n), "%s", r->label);
		if (!seen)
			printf("# %s\n", flights);
	}
	delivery_close(&d);
}

/* A file that is not what was accepted is not converted into one that looks sound. */
static void test_damaged(void) {
	struct delivery d;
	char path[4200];
	delivery_open(&d, PLAIN, NULL);
	unsigned n = queue_8bit(&d, "Subject: x\r\n\r\ngr\xc3\xbcn and more\r\n");
	struct queue_id id = delivery_id(n);
	snprintf(path, sizeof(path), "%s/queue/%s", d.dir, queue_id_text(&id).s);
	FILE *f = fopen(path, "r+");
	char bytes[4096];
	size_t len = f ? fread(bytes, 1, sizeof(bytes), f) : 0;
	char *at = memmem(bytes, len, "more", 4);
	if (at) {
		fseek(f, at - bytes, SEEK_SET);
		fputc('M', f);
	}
	if (f)
		fclose(f);
	delivery_run(&d, n, 1, DELIVERY_ANSWERED, NULL, NULL);
	ok(at && delivery_reported(&d, "skip #0 why=damaged"),
	   "damage is found all the same");
	is_int(d.peer.seen->messages, 0, "and nothing is delivered");
	delivery_close(&d);
}

int main(void) {
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		one(&rows[i]);
	test_damaged();
	return done_testing();
}
