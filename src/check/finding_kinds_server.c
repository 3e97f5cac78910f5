/*
 * What each finding means, and what to do about it, where it is about a connection to a server. Sorted by id.
 */

#include "check/finding_kinds.h"

const struct finding_kind finding_kinds_server[] = {
	{ "banner.no_fqdn", "The greeting should begin with the full name of the server.",
	  "Set the server's host name.", "RFC 5321 section 4.3.1" },
	{ "banner.none", "A connection was made, and nobody spoke SMTP on it.",
	  "Look whether this is the right port, and what listens there.",
	  "RFC 5321 section 3.1" },
	{ "banner.not220",
	  "The server refuses to talk before anything was asked: 421 means later, "
	  "554 mostly that this address is not wanted.",
	  "For 554 look up the address in blocklists (dns-check --ip); for 421 "
	  "wait.",
	  "RFC 5321 section 3.1" },
	{ "banner.slow",
	  "The greeting came late: a greet delay against spammers, or a server that "
	  "looks something up and gets no answer.",
	  "On the server, look at its reverse look-ups and blocklists.",
	  "RFC 5321 section 4.5.3.2.1" },
	{ "conn.dns",
	  "The name of the server, or the MX records of the domain, cannot be "
	  "looked up.",
	  "Ask dns-check what is wrong with the domain's DNS.", "" },
	{ "conn.lost",
	  "The connection ended, or an answer did not come, in the middle of the "
	  "session.",
	  "Try again; -v shows how far it came.", "" },
	{ "conn.no_address",
	  "The server's name has no address of the kind that was asked for.",
	  "Publish A or AAAA records, or leave -4 and -6 away.", "RFC 5321 section 5.1" },
	{ "conn.null_mx", "The domain says that it takes no mail at all.", "",
	  "RFC 7505" },
	{ "conn.port25_blocked",
	  "No server answered at port 25. Most providers of access and of servers "
	  "block it on the way out.",
	  "Send through a smarthost at port 587 or 465, or have the provider open "
	  "port 25.",
	  "" },
	{ "conn.refused", "The machine is there, and nothing listens at this port.",
	  "Start the server, or ask another port.", "" },
	{ "conn.slow", "All of it took longer than the threshold.",
	  "-v shows where the time went.", "" },
	{ "conn.timeout",
	  "Nothing answered at all: a firewall, a dead machine or a broken route. "
	  "It says nothing about the server.",
	  "Try from another network.", "" },
	{ "conn.unreachable", "No connection can be made to this address.",
	  "Look at routes, firewalls and the address.", "" },
	{ "conn.v6_broken",
	  "The server has an IPv6 address that does not answer, while its IPv4 "
	  "address does. Senders wait for it.",
	  "Repair IPv6, or remove the AAAA record.", "RFC 5321 section 5.1" },
	{ "conn.wrong_mode",
	  "The port speaks another way of TLS than was asked for: from the first "
	  "byte, or by STARTTLS.",
	  "Use the mode that the port speaks: 465 from the first byte (--tlsc), 25 "
	  "and 587 by STARTTLS.",
	  "RFC 8314 section 3.3" },
	{ "data.ok", "The message was taken.", "", "" },
	{ "data.rejected", "The message was refused after its content.",
	  "Read what the server says.", "RFC 5321 section 3.3" },
	{ "ehlo.helo_only",
	  "The server knows only HELO, so no extension can be used: no TLS, no "
	  "login, no sizes.",
	  "Somebody in between may have cut EHLO off: look for a firewall that "
	  "inspects SMTP.",
	  "RFC 5321 section 3.2" },
	{ "ehlo.our_name",
	  "The name that we give in EHLO is no full host name; many servers refuse "
	  "that.",
	  "Set the host name of this machine, helo = in [identity], or --helo.",
	  "RFC 5321 section 4.1.1.1" },
	{ "ehlo.rejected", "The server refused EHLO.",
	  "Look at the name that was given (--helo).", "RFC 5321 section 4.1.1.1" },
	{ "mail.rejected", "The server refused the sender.",
	  "Read what the server says; dns-check shows what it may think of the "
	  "sender's domain.",
	  "RFC 5321 section 3.3" },
	{ "policy.sender", "What a sender of mail would ask of this connection, and why.",
	  "", "" },
	{ "rcpt.catchall",
	  "Whether an address that nobody has is taken: then the server refuses "
	  "late, or takes everything.",
	  "Refuse unknown recipients at RCPT.", "RFC 5321 section 3.3" },
	{ "rcpt.greylisted",
	  "The server puts strangers off for a while. A sender that comes again "
	  "gets through: nothing is wrong.",
	  "Wait, and try again.", "RFC 6647" },
	{ "rcpt.ok", "The recipient was taken.", "", "" },
	{ "rcpt.rejected", "The server refused the recipient.",
	  "Read what the server says.", "RFC 5321 section 3.3" },
	{ "relay.open",
	  "Whether the server passes on mail of strangers to strangers. One that "
	  "does is abused within hours.",
	  "Let only known networks and logins relay.", "RFC 5321 section 7.9" },
	{ "size.small", "The server takes only small messages.", "Raise its limit.",
	  "RFC 1870" },
	{ "tls.chain_incomplete",
	  "The server does not send an intermediate certificate, so its own cannot "
	  "be verified by those who do not know it.",
	  "Install the full chain.", "RFC 5246 section 7.4.2" },
	{ "tls.expired", "The certificate, or one above it, has expired.", "Renew it.",
	  "RFC 5280 section 4.1.2.5" },
	{ "tls.expires_soon", "The certificate expires soon.",
	  "Renew it, and look why that did not happen by itself.", "" },
	{ "tls.handshake", "STARTTLS was answered, and then TLS could not be agreed on.",
	  "Look at the versions and the certificate of the server.",
	  "RFC 3207 section 4.1" },
	{ "tls.injection",
	  "Does the server answer under TLS what came in clear before? Then "
	  "somebody in between can put commands into other people's sessions.",
	  "Update the server.", "RFC 3207 section 4.2" },
	{ "tls.name_mismatch",
	  "The certificate is for another name than the one asked for.",
	  "Get a certificate for this name, or use the name that is in it.", "RFC 6125" },
	{ "tls.not_offered", "The server offers no TLS: mail and passwords go in clear.",
	  "Enable STARTTLS.", "RFC 3207" },
	{ "tls.not_yet", "The certificate is not valid yet.",
	  "Look at the clocks of both machines.", "RFC 5280 section 4.1.2.5" },
	{ "tls.offered_refused", "STARTTLS is offered and then refused.",
	  "Look at the server's log; its certificate or key may not be readable.",
	  "RFC 3207 section 4" },
	{ "tls.ok", "TLS works, and the certificate is verified.", "", "" },
	{ "tls.self_signed",
	  "The certificate is signed by itself: nobody vouches for it.",
	  "Get one from an authority, pin its key (pin =), or publish TLSA records.",
	  "" },
	{ "tls.untrusted", "Nobody whom this machine trusts has signed the certificate.",
	  "Name the authority (ca =, --ca-file), or get a certificate from a known "
	  "one.",
	  "" },
	{ "tls.weak_key", "The key of the certificate is too short.",
	  "Make a new one: RSA with 2048 bits, or ECDSA.", "RFC 9325 section 4.5" },
};
const size_t finding_kinds_server_count = sizeof(finding_kinds_server) / sizeof(finding_kinds_server[0]);
