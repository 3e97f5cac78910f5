/* The dates of a certificate, as certtool(1) made it. */

#include "net/certdate.h"

#include "base/buf.h"
#include "tap.h"

/* Ed25519, from 2024-01-02 03:04:05 until 2051-06-07 08:09:10 UTC. */
static const char pem[] =
	"Subject: CN=x\n"
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBGjCBzaADAgECAhQ9aDE1VSu3oTIZVNsOBdET0we5zzAFBgMrZXAwDDEKMAgG\n"
	"A1UEAxMBeDAgFw0yNDAxMDIwMzA0MDVaGA8yMDUxMDYwNzA4MDkxMFowDDEKMAgG\n"
	"A1UEAxMBeDAqMAUGAytlcAMhAN+O0KLx2AooYOk1A3mm1zw6fIj+fzdf6vpeYHLS\n"
	"HBVXoz8wPTAMBgNVHRMBAf8EAjAAMA4GA1UdDwEB/wQEAwIHgDAdBgNVHQ4EFgQU\n"
	"1HK9aTf9qZwCFSeJJDAVI1Ic/+EwBQYDK2VwA0EAQw9f2FR4cW5nyt0KkhCRqSbA\n"
	"8j2l359hBJO/7z5AFIbloSrFkDvbvaXflwR9oaOPtUmqQMdi8p2xbv3xtXevCw==\n"
	"-----END CERTIFICATE-----\n";

int main(void) {
	struct err err = ERR_INIT;
	int64_t from = 0, until = 0;
	is_int(certdate_read(span_str(pem), &from, &until, &err), 0, "a certificate is read %s",
	       err.msg);
	is_int(from, 1704164645, "it is valid from then");
	is_int(until, 2569738150, "until then, beyond 2049");
	bool any = false;
	for (size_t i = 0; i < sizeof(pem) - 2; i++)
		any |= certdate_read(span_of(pem, i), &from, &until, NULL) == 0 &&
		       i + 3 < sizeof(pem) - 1;
	ok(!any, "one that is cut is none");
	AUTO_BUF struct buf bad = BUF_INIT(4096);
	unsigned read = 0;
	for (size_t i = 0; i + 1 < sizeof(pem); i++) {
		buf_reset(&bad);
		buf_adds(&bad, pem);
		bad.data[i] ^= 1;
		read += certdate_read(buf_span(&bad), &from, &until, NULL) == 0;
	}
	ok(read > 0, "a changed byte does no harm");
	return done_testing();
}
