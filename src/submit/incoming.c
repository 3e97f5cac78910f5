/*
 * Holding a message back until its envelope can be written before it: the header must be
 * whole, and a body that is short is looked through for 8-bit bytes first; for a longer one
 * 8BITMIME is asked for without looking.
 */

#include "submit/incoming.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/user.h"
#include "mail/addr.h"
#include "mail/fixup.h"
#include "mail/header.h"
#include "mail/longline.h"

#define FIRST_PIECE (256u << 10)
#define HOPS_MAX 100u /* RFC 5321 section 6.3 */
#define HELD_MAX (2 * HEADER_BLOCK_MAX)
#define STEP 65536u
#define HEADER_OUT_MAX (2 * HEADER_BLOCK_MAX + (64u << 10))

void incoming_init(struct incoming *m, const struct submit_host *host, struct way *way) {
	*m = (struct incoming){ .host = host, .way = way };
	buf_init(&m->held, HELD_MAX);
	incoming_clear(m);
}

/* A recipient's spans lie in one block, which its address begins. */
static void forget_recipients(struct incoming *m) {
	for (size_t i = 0; i < m->envelope.to_count; i++)
		free((char *)(uintptr_t)m->envelope.to[i].address.p);
	m->envelope.to_count = 0;
}

void incoming_release(struct incoming *m) {
	forget_recipients(m);
	free(m->envelope.to);
	buf_release(&m->held);
	*m = (struct incoming){ .host = NULL };
}

void incoming_clear(struct incoming *m) {
	forget_recipients(m);
	struct envelope_recipient *to = m->envelope.to;
	m->envelope = (struct envelope){ .uid = m->host->uid,
					 .origin = span_str(m->host->origin ? m->host->origin
									    : "local"),
					 .to = to };
	m->begun = m->failed = false;
	eol_init(&m->eol);
	buf_release(&m->held);
}

static int add_slot(struct incoming *m, struct err *err) {
	struct envelope *e = &m->envelope;
	if (e->to_count == ENVELOPE_RECIPIENTS_MAX)
		return err_set(err, ERR_LIMIT, "more than %u recipients",
			       ENVELOPE_RECIPIENTS_MAX);
	if (e->to_count < m->to_cap)
		return 0;
	size_t cap = m->to_cap ? m->to_cap * 2 : 16;
	void *grown = reallocarray(e->to, cap, sizeof(*e->to));
	if (!grown)
		return err_set(err, ERR_MEMORY, "out of memory");
	e->to = grown;
	m->to_cap = cap;
	return 0;
}

int incoming_recipient(struct incoming *m, const struct envelope_recipient *to,
		       struct err *err) {
	struct envelope *e = &m->envelope;
	if (add_slot(m, err) != 0)
		return -1;
	char *copy = malloc(to->address.len + to->orcpt.len + 1);
	if (!copy)
		return err_set(err, ERR_MEMORY, "out of memory");
	memcpy(copy, to->address.p, to->address.len);
	if (to->orcpt.len > 0)
		memcpy(copy + to->address.len, to->orcpt.p, to->orcpt.len);
	e->to[e->to_count++] = (struct envelope_recipient){
		.address = span_of(copy, to->address.len),
		.notify = to->notify,
		.orcpt = span_of(copy + to->address.len, to->orcpt.len),
	};
	e->smtputf8 |= addr_is_utf8(to->address);
	return 0;
}

int incoming_sender(struct incoming *m, const struct envelope *e, struct err *err) {
	if (e->from.len > sizeof(m->from) || e->envid.len > sizeof(m->envid))
		return err_set(err, ERR_LIMIT, "the sender is too long");
	struct envelope *own = &m->envelope;
	own->id = queue_id_new();
	own->created = clock_now();
	own->from = span_of(m->from, e->from.len);
	own->envid = span_of(m->envid, e->envid.len);
	if (e->from.len > 0)
		memcpy(m->from, e->from.p, e->from.len);
	if (e->envid.len > 0)
		memcpy(m->envid, e->envid.p, e->envid.len);
	own->ret = e->ret.len == 0                        ? SPAN("")
		   : span_eq_nocase(e->ret, SPAN("FULL")) ? SPAN("FULL")
							  : SPAN("HDRS");
	own->body_8bit = e->body_8bit;
	own->smtputf8 = e->smtputf8 || addr_is_utf8(e->from);
	own->requiretls = e->requiretls;
	return 0;
}

/* True when the header says who wrote it: then nobody need be asked. */
static bool is_signed(struct span block) {
	if (header_has(block, "Resent-To") || header_has(block, "Resent-Cc") ||
	    header_has(block, "Resent-Bcc"))
		return header_has(block, "Resent-From");
	return header_has(block, "From");
}

/* The address for a From that is missing, and the name that goes with it. */
static void find_author(const struct incoming *m, struct buf *address, struct buf *name) {
	const struct submit_host *h = m->host;
	struct user user;
	bool known = !h->client && user_by_uid(h->uid, &user);
	if (known)
		buf_adds(name, user.full_name);
	if (m->envelope.from.len > 0)
		buf_add(address, m->envelope.from);
	else if (h->from)
		buf_adds(address, h->from);
	else if (known)
		buf_addf(address, "%s@%s", user.name, h->domain);
	else if (!h->client)
		buf_addf(address, "uid%u@%s", (unsigned)h->uid, h->domain);
}

/* How the message wants to be treated. A client on the network does not choose the relay. */
static void grant(struct incoming *m, const struct mail_wishes *w) {
	struct envelope *e = &m->envelope;
	e->priority = w->priority;
	e->at_ms = w->at_ms;
	e->requiretls |= w->require_tls;
	e->tls_optional = !e->requiretls && wishes_tls_optional(w);
	snprintf(m->relay, sizeof(m->relay), "%s", m->host->client ? "" : w->relay);
	e->relay = span_str(m->relay);
}

static int fix_header(struct incoming *m, struct span block, struct buf *head,
		      struct err *err) {
	struct fixup_result seen = { .has_8bit = false }; /* also when it fails */
	struct fixup_recipients none = { .count = 0 };
	AUTO_BUF struct buf address = BUF_INIT(1024), name = BUF_INIT(1024);
	struct queue_id_text id = queue_id_text(&m->envelope.id);
	char received[512];
	if (m->host->client)
		snprintf(received, sizeof(received), "%s", m->host->who);
	else
		snprintf(received, sizeof(received), "uid %u", (unsigned)m->host->uid);
	if (!is_signed(block))
		find_author(m, &address, &name);
	struct fixup_params p = {
		.recipients_max = ENVELOPE_RECIPIENTS_MAX,
		.host = span_str(m->host->hostname),
		.received = way_is_traced(m->way) ? SPAN("") : span_str(received),
		.client = span_str(m->host->client),
		.protocol = span_str(m->host->protocol),
		.id = span_str(id.s),
		.from = buf_span(&address),
		.from_name = buf_span(&name),
		.wall_s = clock_wall_ms() / 1000,
	};
	int result = fixup_header(block, &p, &none, head, &seen, err);
	fixup_recipients_release(&none);
	if (result == 0 && seen.received > HOPS_MAX)
		return err_set(err, ERR_SYNTAX,
			       "%zu Received fields: the message goes round in a circle",
			       seen.received);
	m->envelope.body_8bit |= m->eol.has_8bit || seen.has_8bit;
	m->envelope.smtputf8 |= seen.has_8bit;
	if (result == 0)
		grant(m, &seen.wishes);
	return result;
}

/* Writes the envelope, the fixed header and what else is held. */
static int begin(struct incoming *m, size_t header_len, bool all, struct err *err) {
	AUTO_BUF struct buf head = BUF_INIT(HEADER_OUT_MAX);
	struct span block = span_head(buf_span(&m->held), header_len);
	struct span body = span_from(buf_span(&m->held), header_len);
	header_take_empty(&body);
	if (fix_header(m, block, &head, err) != 0)
		return -1;
	m->envelope.body_8bit |= !all;
	m->begun = true;
	if (all && !longline_any(buf_span(&head)) && !longline_any(body))
		way_has_short_lines(m->way);
	if (way_begin(m->way, &m->envelope, all ? head.len + body.len : 0, err) != 0 ||
	    way_write(m->way, buf_span(&head), err) != 0 ||
	    way_write(m->way, body, err) != 0)
		return -1;
	buf_reset(&m->held);
	return 0;
}

static int take(struct incoming *m, struct span bytes, struct err *err) {
	size_t header_len;
	if (eol_feed(&m->eol, bytes, &m->held, err) != 0)
		return -1;
	if (m->begun) {
		int result = way_write(m->way, buf_span(&m->held), err);
		buf_reset(&m->held);
		return result;
	}
	if (m->held.len < FIRST_PIECE)
		return 0;
	if (header_block_end(buf_span(&m->held), &header_len))
		return begin(m, header_len, false, err);
	if (m->held.len <= HEADER_BLOCK_MAX)
		return 0;
	return err_set(err, ERR_LIMIT, "the header is longer than %u bytes",
		       HEADER_BLOCK_MAX);
}

int incoming_add(struct incoming *m, struct span bytes, struct err *err) {
	while (bytes.len > 0 && !m->failed) {
		m->failed = take(m, span_head(bytes, STEP), err) != 0;
		bytes = span_from(bytes, STEP);
	}
	return m->failed ? -1 : 0;
}

int incoming_end(struct incoming *m, struct err *err) {
	if (eol_finish(&m->eol, &m->held) != 0)
		return err_set(err, ERR_MEMORY, "out of memory");
	if (m->begun)
		return way_write(m->way, buf_span(&m->held), err);
	return begin(m, header_block_len(buf_span(&m->held)), true, err);
}
