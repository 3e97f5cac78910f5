#ifndef NIGHTMAIL_NET_DNS_TABLE_H
#define NIGHTMAIL_NET_DNS_TABLE_H

/*
 * DNS from a table in memory: for tests, and to replay what was recorded. One line an answer
 * (or several with the same name and type, one a record):
 *
 *     NAME TYPE RDATA          example.org MX 10 mx1.example.org
 *                              example.org TXT "v=spf1 " "-all"
 *                              _25._tcp.mx1.example.org TLSA 3 1 1 <hex>
 *     NAME TYPE !STATUS        slow.example TXT !timeout (servfail, bogus, nxdomain, nodata)
 *     NAME CNAME NAME          followed for every type
 *     NAME TYPE secure RDATA   with the DNSSEC state `secure`; a !STATUS may have it too
 *     NAME TYPE ttl=60 RDATA   with a TTL
 *     NAME TYPE !bogus WORDS   a status with the words of `why`
 *     # a comment
 *
 * Names that the table does not know do not exist (NXDOMAIN); types that a known name does not
 * have, and names above a known one, are NODATA. Records are in the text form of zone files
 * (dns_rdata_parse()).
 */

#include "net/dns.h"

/* text is copied. ERR_SYNTAX names the line. */
struct dns *dns_table_open(struct span text, struct err *err);
/* Appends what `d` was told, as such lines (record). A chain of CNAMEs is written as one step. */
int dns_table_write(struct dns *d, struct buf *out);

#include "base/banned.h"

#endif
