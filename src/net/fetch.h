#ifndef NIGHTMAIL_NET_FETCH_H
#define NIGHTMAIL_NET_FETCH_H

/* What nightmail-fetch does: one HTTP request, by libcurl. */

#include "net/http.h"

/* Looks the host up and gets ready: afterwards no name is asked for and no file opened but the
 * authorities'. 0, or -1 with the answer filled. */
struct fetch;
struct fetch *fetch_prepare(const struct http_request *r, struct http_answer *ret);
/* Sends it and waits; fills the answer. */
void fetch_perform(struct fetch *f, struct http_answer *ret);
void fetch_free(struct fetch *f);

#endif
