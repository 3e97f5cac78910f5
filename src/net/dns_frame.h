#ifndef NIGHTMAIL_NET_DNS_FRAME_H
#define NIGHTMAIL_NET_DNS_FRAME_H

/*
 * Frames between nightmail-resolve and those that ask it, over SOCK_SEQPACKET (base/proc.h).
 * The first byte is the kind; numbers have the most significant byte first.
 *
 *     'Q'  questions: { id u32, type u16, length u8, name as checked text } ...
 *     'A'  one answer: id u32, status u8, secure u8, ttl u32, cnames u16, length u8, canonical
 *          text, length u16, why, count u16, { length u16, rdata } ...
 *     'R'  a resolver begins to read this channel: what an earlier one has read is lost
 */

#include "base/proc.h"
#include "net/dns_backend.h"

#define DNS_FRAME_QUESTIONS 'Q'
#define DNS_FRAME_ANSWER 'A'
#define DNS_FRAME_READY 'R'
#define DNS_FRAME_WHY_MAX 1024u
#define DNS_FRAME_RECORDS_MAX 1024u

struct dns_frame_question {
	uint32_t id;
	enum dns_type type;
	char name[256];
};

/* An answer; the strings and records point into the frame, or into this. */
struct dns_frame_answer {
	uint32_t id;
	struct dns_found found;
	char canonical[256], why[DNS_FRAME_WHY_MAX + 1];
	struct span record[DNS_FRAME_RECORDS_MAX];
};

/* Appends a question; an empty frame gets its kind first. */
int dns_frame_add_question(struct buf *frame, uint32_t id, const char *name,
			   enum dns_type type);
/* Takes one question off a frame behind its kind. False: the end, or not a question. The name
 * is checked. */
bool dns_frame_take_question(struct span *frame, struct dns_frame_question *ret);
/* Writes the frame. An answer that is too large for one becomes SERVFAIL. */
int dns_frame_write_answer(struct buf *frame, uint32_t id, const struct dns_found *found);
/* frame: behind its kind. False: not an answer. */
bool dns_frame_read_answer(struct span frame, struct dns_frame_answer *ret);

#include "base/banned.h"

#endif
