#ifndef NIGHTMAIL_NET_DNS_MESSAGE_H
#define NIGHTMAIL_NET_DNS_MESSAGE_H

/* A response of DNS (RFC 1035 §4) as bytes, read for one question. */

#include "net/dns_backend.h"

#define DNS_MESSAGE_RECORDS_MAX 1024u

struct dns_message {
	unsigned rcode;
	char canonical[256];
	unsigned cnames;
	uint32_t ttl; /* the smallest of chain and records; without records, of the SOA */
	struct span record[DNS_MESSAGE_RECORDS_MAX];
	size_t count;
	struct buf rdata; /* behind the records */
};

/* name: checked (dns_name_parse). Names in the records are not compressed any more. False: not a
 * response, or cut. Release ret->rdata in both cases. */
bool dns_message_read(struct span packet, const char *name, enum dns_type type,
		      struct dns_message *ret);

#include "base/banned.h"

#endif
