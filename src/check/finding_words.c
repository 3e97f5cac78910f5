/*
 * What each finding means, and what to do about it: what --explain tells. Sorted by id.
 */

#include <string.h>

#include "base/suggest.h"
#include "check/finding.h"

static const struct finding_kind kinds[] = {
	{ "auth.535", "The server refused this login. Nothing was sent.",
	  "Check user and password; many providers want an application password or "
	  "OAuth 2.0 instead of the account's own password.",
	  "RFC 4954" },
	{ "auth.before_tls",
	  "The server offers, before TLS, mechanisms that show the password to "
	  "everybody on the way.",
	  "Offer AUTH under TLS only.", "RFC 4954 section 4" },
	{ "auth.changed", "The message passed when it came and fails now.",
	  "Look for what changed it: a list, a gateway, the mailbox's server.", "" },
	{ "auth.fail",
	  "Authentication fails: the message was changed on its way, or is not "
	  "from where it says.",
	  "", "" },
	{ "auth.none_after_tls",
	  "A submission server that lets nobody log in takes no mail.",
	  "Look whether this is the right port, and whether logins are enabled for "
	  "it.",
	  "RFC 6409 section 4.3" },
	{ "auth.ok", "The login succeeded.", "", "" },
	{ "auth.unaligned",
	  "What passes does not belong to the author's domain, so it says "
	  "nothing of the author.",
	  "Sign with d= of the From domain, or send from it with SPF.",
	  "RFC 7489 section 3.1" },
	{ "auth.unbelieved", "A result that anybody may have written.",
	  "Name your servers with --trust.", "RFC 8601 section 5" },
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
	{ "bimi.bad", "The BIMI record cannot be used.", "Correct it.", "" },
	{ "bimi.declined", "The domain declines BIMI.", "", "" },
	{ "bimi.no_policy",
	  "BIMI needs a DMARC policy of quarantine or reject, for subdomains as "
	  "well, and not in test mode.",
	  "Make the DMARC policy stricter first.", "" },
	{ "bimi.none", "There is no BIMI record. It is optional.", "", "" },
	{ "bimi.ok", "There is a BIMI record.", "", "" },
	{ "bimi.unknown",
	  "DNS did not answer about BIMI.",
	  "Ask again.",
	  "" },
	{ "bl.clean", "The address stands on none of the lists that answered.", "", "" },
	{ "bl.listed",
	  "The address stands on a blocklist; receivers that use it refuse its "
	  "mail.",
	  "Find out why, end it, then ask for removal at the place shown.", "RFC 5782" },
	{ "bl.not127",
	  "The answer does not come from the list: the resolver rewrites answers.",
	  "Ask through another resolver (@SERVER).", "RFC 5782 section 2.1" },
	{ "bl.policy",
	  "The address belongs to a network whose owner says that no mail comes "
	  "from it directly.",
	  "Send through a smarthost, or have the owner remove the address from the "
	  "list.",
	  "RFC 5782" },
	{ "bl.refused",
	  "The list refuses to answer, mostly because the question came by a public "
	  "resolver.",
	  "Ask through a resolver of your own (@SERVER).", "" },
	{ "bl.zone_dead", "The list fails its test entry, so its answers mean nothing.",
	  "", "RFC 5782 section 5" },
	{ "caa.none",
	  "There is no CAA record: every certificate authority may issue for the "
	  "domain.",
	  "", "RFC 8659" },
	{ "caa.set", "CAA records name who may issue certificates.", "", "RFC 8659" },
	{ "caa.unknown",
	  "DNS did not answer about CAA records; certificate authorities that get no answer issue nothing.",
	  "Ask again.",
	  "RFC 8659 section 4" },
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
	{ "dane.bad",
	  "A TLSA record has a digest of the wrong length, or numbers that mean "
	  "nothing.",
	  "Publish it again.", "RFC 6698 section 2.1" },
	{ "dane.bogus",
	  "DNSSEC validation fails for the TLSA records: senders with DANE put all "
	  "mail off.",
	  "Repair the signatures of the zone, or how the name server denies names.",
	  "RFC 7672 section 2.1" },
	{ "dane.ignored",
	  "TLSA records stand in a zone that is not signed, so nobody uses them.",
	  "Sign the zone, or remove the records.", "RFC 7672 section 2.2" },
	{ "dane.insecure",
	  "The host is not in a signed zone, so DANE cannot be used for it.",
	  "Sign the zone, or use MTA-STS.", "RFC 7672 section 2.2" },
	{ "dane.mismatch",
	  "The server's certificate matches none of the TLSA records that are "
	  "published for it. Senders that use DANE put its mail off.",
	  "Publish a record for the certificate that is in use, or install the one "
	  "that is published.",
	  "RFC 7672 section 2.2" },
	{ "dane.none", "The zone is signed, but the host has no TLSA record.",
	  "Publish one: 3 1 1 with the hash of the host's public key.",
	  "RFC 7672 section 3.1" },
	{ "dane.ok", "The host has TLSA records that senders can use.", "", "RFC 7672" },
	{ "dane.partial",
	  "Some MX hosts have TLSA records and others have none, which are open to "
	  "attack.",
	  "Publish TLSA records for all of them.", "RFC 7672 section 2.2" },
	{ "dane.rollover",
	  "There is one TLSA record: when the key changes, mail waits until DNS has "
	  "followed.",
	  "Publish the record of the next key (or a 2 1 1 of the issuer) beside it.",
	  "RFC 7671 section 8.1" },
	{ "dane.unknown",
	  "DNS did not answer about TLSA records: senders with DANE put the mail "
	  "off.",
	  "Ask again.", "RFC 7672 section 2.1" },
	{ "dane.unusable",
	  "None of the TLSA records can be used for mail; senders then take any "
	  "certificate.",
	  "Publish 3 1 1 or 2 1 1 records.", "RFC 7672 section 3.1" },
	{ "data.ok", "The message was taken.", "", "" },
	{ "data.rejected", "The message was refused after its content.",
	  "Read what the server says.", "RFC 5321 section 3.3" },
	{ "date.bad", "The Date cannot be read.", "", "RFC 5322 section 3.3" },
	{ "date.future", "The Date is later than the arrival.", "Set the sender's clock.",
	  "" },
	{ "date.none", "There is no Date.", "", "RFC 5322 section 3.6" },
	{ "date.old", "The Date is long before the arrival.", "", "" },
	{ "dkim.cname_dangling",
	  "The selector is an alias for a name that does not exist. Whoever gets "
	  "that name can sign for the domain.",
	  "Remove the alias, or publish the key where it leads.", "" },
	{ "dkim.ed25519_only",
	  "All keys are Ed25519 keys, which many receivers cannot verify yet.",
	  "Sign with an RSA key as well.", "RFC 8463" },
	{ "dkim.key_file", "The private key cannot be read, so it was not compared.",
	  "Give a readable file in PEM.", "" },
	{ "dkim.key_match", "The published key belongs to the private key.", "",
	  "RFC 6376 section 3.6" },
	{ "dkim.key_mismatch",
	  "The published key does not belong to the private key: all signatures "
	  "made with it fail.",
	  "Publish the record that belongs to the private key, or sign with the "
	  "right one.",
	  "RFC 6376 section 3.6" },
	{ "dkim.multiple_txt",
	  "There are several key records under one selector; verifiers take any of "
	  "them, or none.",
	  "Keep one; a new key gets a new selector.", "RFC 6376 section 3.6.2.2" },
	{ "dkim.none_published",
	  "There is no name below _domainkey, so no key can be published there.",
	  "Publish the key of your signer: nightmail dkim record shows it.",
	  "RFC 6376 section 3.6.2" },
	{ "dkim.ok", "The key is published and usable.", "", "RFC 6376 section 3.6" },
	{ "dkim.revoked",
	  "The key is revoked (p= is empty): signatures that name it do not pass.",
	  "Sign with another selector.", "RFC 6376 section 3.6.1" },
	{ "dkim.rsa_1024",
	  "An RSA key of less than 2048 bits can be broken by those who care "
	  "enough.",
	  "Make a key of 2048 bits under a new selector.", "RFC 8301 section 3.2" },
	{ "dkim.rsa_weak", "An RSA key of less than 1024 bits is not accepted.",
	  "Make a key of 2048 bits: nightmail dkim keygen.", "RFC 8301 section 3.2" },
	{ "dkim.s_not_email", "The key says that it is not for mail (s=).",
	  "Remove s=, or let it name email.", "RFC 6376 section 3.6.1" },
	{ "dkim.selector_missing",
	  "No key is published under this selector: signatures that name it do not "
	  "pass.",
	  "Publish the key under the name shown; compare it letter by letter.",
	  "RFC 6376 section 3.6.2" },
	{ "dkim.sha1_only", "The key allows SHA-1 alone, which no verifier accepts.",
	  "Remove h=, or let it name sha256.", "RFC 8301 section 3.1" },
	{ "dkim.syntax", "What is published there cannot be read as a key.",
	  "Publish the record again, in one piece, without quotes or backslashes of "
	  "its own.",
	  "RFC 6376 section 3.6.1" },
	{ "dkim.testing",
	  "The key says that it is a test (t=y): receivers may treat signed mail "
	  "like unsigned mail.",
	  "Remove t=y when the tests are over.", "RFC 6376 section 3.6.1" },
	{ "dkim.unknown", "DNS did not answer about the key.", "Ask again.", "" },
	{ "dkim.unseen",
	  "Keys are found by their selectors only, and none was given or guessed.",
	  "Name it: --selector. It is s= in the DKIM-Signature of a message.",
	  "RFC 6376 section 3.1" },
	{ "dmarc.case_v",
	  "The version must be written DMARC1, in capital letters; otherwise this "
	  "is no DMARC record.",
	  "Write v=DMARC1.", "RFC 9989 section 4.8" },
	{ "dmarc.multiple", "There are several DMARC records, which counts as none.",
	  "Keep one.", "RFC 9989 section 4.10" },
	{ "dmarc.no_rua", "Nobody gets reports, so nobody sees what fails.",
	  "Add rua=mailto: with an address.", "RFC 9990" },
	{ "dmarc.none",
	  "There is no DMARC record: receivers do as they like with forged mail, "
	  "and large ones refuse bulk mail of such domains.",
	  "Publish one at _dmarc; p=none with rua= to begin with.",
	  "RFC 9989 section 4.7" },
	{ "dmarc.np_absent",
	  "Names that do not exist follow the policy of subdomains; np=reject would "
	  "stop forgers who invent names.",
	  "Add np=reject.", "RFC 9989 section 4.7" },
	{ "dmarc.obsolete",
	  "A tag of the old DMARC is gone; receivers of RFC 7489 may still honour "
	  "it.",
	  "Remove it.", "RFC 9989 appendix C" },
	{ "dmarc.ok", "There is a DMARC record that asks receivers to act.", "",
	  "RFC 9989" },
	{ "dmarc.p_none",
	  "The policy is none: mail that fails is delivered, only reports are sent.",
	  "When the reports show that your own mail passes, go to quarantine, then "
	  "reject.",
	  "RFC 9989 section 4.7" },
	{ "dmarc.p_not_second", "Receivers of RFC 7489 want p= right behind v=.",
	  "Move it there.", "RFC 7489 section 6.4" },
	{ "dmarc.psl_differs",
	  "The tree walk of RFC 9989 and the public suffix list of RFC 7489 find "
	  "different organisational domains: receivers will differ in what is "
	  "aligned.",
	  "Publish a DMARC record at the organisational domain, with psd=n where it "
	  "must end.",
	  "RFC 9989 section 4.10" },
	{ "dmarc.rua_no_mx", "The address for reports cannot receive mail.",
	  "Name an address that does.", "RFC 9990 section 4" },
	{ "dmarc.rua_size", "A size limit behind ! is ignored since RFC 9990.",
	  "Remove it.", "RFC 9990" },
	{ "dmarc.rua_unauthorised",
	  "Reports go to another organisation that has not agreed to take them, so "
	  "they are not sent.",
	  "The receiver of the reports must publish the record shown.",
	  "RFC 9990 section 4" },
	{ "dmarc.sp_weaker",
	  "Subdomains have a weaker policy than the domain itself, and are what "
	  "forgers then use.",
	  "Remove sp=, or make it as strict as p=.", "RFC 9989 section 4.7" },
	{ "dmarc.syntax",
	  "The record is not as its grammar wants it; receivers differ in what they "
	  "make of it.",
	  "Correct the tag that is shown.", "RFC 9989 section 4.8" },
	{ "dmarc.t_y",
	  "The record is in test mode (t=y): receivers apply a policy one step "
	  "lower than it says.",
	  "Remove t=y when the tests are over.", "RFC 9989 section 4.7" },
	{ "dmarc.tree",
	  "Where the record was found, and what the organisational domain is.", "",
	  "RFC 9989 section 4.10" },
	{ "dmarc.unknown", "DNS did not answer about the DMARC record.", "Ask again.",
	  "" },
	{ "dmarc.wrong_place", "A DMARC record stands where nobody looks for it.",
	  "Move it to _dmarc.DOMAIN; some forms of providers append the domain "
	  "themselves.",
	  "RFC 9989 section 4.7" },
	{ "dnssec.bogus",
	  "DNSSEC validation fails: validating resolvers see no such domain, and "
	  "mail to and from it waits.",
	  "Repair the signatures or the DS record at once.", "RFC 4035 section 4.3" },
	{ "dnssec.insecure",
	  "The zone is not signed: answers can be forged, and DANE is not possible.",
	  "Sign the zone and have its DS record published.", "RFC 4035 section 4.3" },
	{ "dnssec.secure", "The zone is signed, and the signatures are valid.", "",
	  "RFC 4035" },
	{ "dnssec.unknown", "DNS did not answer, so the state of DNSSEC is not known.",
	  "Ask again.", "" },
	{ "dup.header", "A field that may stand once stands several times.",
	  "Find the program that adds it; receivers refuse such mail.",
	  "RFC 5322 section 3.6" },
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
	{ "expect.extra",
	  "DNS has a record beside those that were expected under this name and "
	  "type.",
	  "Remove it, or expect it.", "" },
	{ "expect.missing", "A record that was expected is not in DNS.", "Publish it.",
	  "" },
	{ "expect.ok", "DNS has what was expected.", "", "" },
	{ "expect.unknown", "DNS did not answer about a record that was expected.",
	  "Ask again.", "" },
	{ "from.none", "There is no author.", "", "RFC 5322 section 3.6" },
	{ "hop.cleartext",
	  "The message crossed public networks where everybody could read it.",
	  "Offer STARTTLS at that server, and use it.", "" },
	{ "hop.delay", "The message waited before this server had it.",
	  "Look at the queue of the server before it.", "" },
	{ "hop.loop", "The same server had the message twice.",
	  "Look for forwarding that leads back.", "RFC 5321 section 6.3" },
	{ "hop.many", "The message went through many servers.", "",
	  "RFC 5321 section 6.3" },
	{ "hop.no_time", "A Received field has no date.", "", "" },
	{ "hop.none", "The message has no Received field.", "", "" },
	{ "hop.private_first", "The message began in a private network.", "", "" },
	{ "hop.skew", "Clocks of servers differ; such a hop adds nothing to the total.",
	  "Let both servers set their clocks by NTP.", "" },
	{ "mail.rejected", "The server refused the sender.",
	  "Read what the server says; dns-check shows what it may think of the "
	  "sender's domain.",
	  "RFC 5321 section 3.3" },
	{ "mx.apex_cname",
	  "The domain itself is an alias (CNAME). It then cannot have an MX, a TXT "
	  "or NS record of its own.",
	  "Replace the CNAME by address records.", "RFC 1034 section 3.6.2" },
	{ "mx.dotless",
	  "An MX names a host of one label. In most zone files that is a forgotten "
	  "domain or dot.",
	  "Write the whole name, with a dot at its end.", "" },
	{ "mx.dup",
	  "The same host stands in several MX records. That does no harm and no "
	  "good.",
	  "Keep one of them.", "" },
	{ "mx.implicit",
	  "Without an MX record mail goes to the address of the domain itself. That "
	  "is often a web server.",
	  "Publish an MX record that names the mail host.", "RFC 5321 section 5.1" },
	{ "mx.no_ipv6", "No MX host has an IPv6 address.", "", "" },
	{ "mx.none",
	  "The domain has neither an MX record nor an address: nobody can send mail "
	  "to it, and some receivers refuse mail from it.",
	  "Publish an MX record, or a null MX when the domain takes no mail.",
	  "RFC 5321 section 5.1" },
	{ "mx.null",
	  "The domain says that it takes no mail (null MX). Senders give up at "
	  "once.",
	  "", "RFC 7505" },
	{ "mx.null_mixed",
	  "A null MX stands beside other MX records, which contradicts itself; "
	  "senders choose for themselves.",
	  "Keep one of the two.", "RFC 7505 section 3" },
	{ "mx.null_pref", "The preference of a null MX is 0 by convention.", "",
	  "RFC 7505 section 3" },
	{ "mx.ok", "Mail for the domain finds its hosts, and the hosts have addresses.",
	  "", "" },
	{ "mx.one_host",
	  "There is one MX host. Senders wait and try again for days when it is "
	  "down.",
	  "", "" },
	{ "mx.target_cname",
	  "An MX names a host that is an alias. Some servers refuse to follow it.",
	  "Name the host to which the alias leads.", "RFC 2181 section 10.3" },
	{ "mx.target_literal",
	  "An MX must name a host; an IP address there is looked up as a name and "
	  "is not found.",
	  "Give the address a name and let the MX name it.", "RFC 1035 section 3.3.9" },
	{ "mx.target_nx",
	  "The host that an MX names has no address, so nothing can be delivered to "
	  "it.",
	  "Publish its A or AAAA record, or remove the MX.", "RFC 5321 section 5.1" },
	{ "mx.target_private",
	  "The host of an MX has an address that is not reachable from the "
	  "internet.",
	  "Publish its public address, or remove the MX.", "RFC 6890" },
	{ "mx.unknown",
	  "DNS did not answer about the MX records or their hosts, so nothing "
	  "follows.",
	  "Ask again; if it stays, look at the name servers of the domain.", "" },
	{ "ns.one",
	  "All name servers of the domain are one host: when it is away, so is the "
	  "domain's mail.",
	  "Have a second name server in another network.", "RFC 2182 section 5" },
	{ "parked.dmarc",
	  "A domain that sends no mail should ask receivers to reject what claims "
	  "to come from it.",
	  "Publish \"v=DMARC1; p=reject\".", "RFC 9989" },
	{ "parked.mx", "A domain without mail should say so with a null MX.",
	  "Publish the null MX.", "RFC 7505" },
	{ "parked.ok", "The domain says that it neither sends nor takes mail.", "", "" },
	{ "parked.spf",
	  "A domain that sends no mail should say so: \"v=spf1 -all\" alone.",
	  "Publish that record.", "RFC 7208 section 10.1" },
	{ "policy.sender", "What a sender of mail would ask of this connection, and why.",
	  "", "" },
	{ "ptr.generic",
	  "The name looks as if made from the address by the network's owner, as "
	  "dial-up hosts have it. Filters distrust such names.",
	  "Have the PTR record set to a name of your own.", "" },
	{ "ptr.multiple",
	  "The address has several names; receivers look at one of them, and nobody "
	  "knows at which.",
	  "Keep one PTR record.", "" },
	{ "ptr.no_fcrdns",
	  "The name of the address does not lead back to the address, so it counts "
	  "as forged.",
	  "Publish the address under that name, or set the PTR record to a name "
	  "that has it.",
	  "RFC 1912 section 2.1" },
	{ "ptr.none",
	  "The address has no name (PTR record). Large receivers refuse mail from "
	  "such an address.",
	  "Ask whoever owns the address to set its PTR record to the name the "
	  "server greets with.",
	  "RFC 1912 section 2.1" },
	{ "ptr.not_helo", "The server greets with another name than its address has.",
	  "Make them equal; it is what filters expect.", "" },
	{ "ptr.ok", "The address has a name, and the name has that address.", "", "" },
	{ "ptr.unknown", "DNS did not answer about the name of the address.",
	  "Ask again.", "" },
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
	{ "spam.marked", "A filter took the message for spam.",
	  "Ask whoever runs the filter which rule it was.", "" },
	{ "spf.after_all", "A term stands behind all and is never reached.",
	  "Move it before all, or remove it.", "RFC 7208 section 5.1" },
	{ "spf.dangling",
	  "The record includes a domain that nobody has registered. Whoever "
	  "registers it may send for this domain.",
	  "Remove the include at once.", "RFC 7208 section 11.5" },
	{ "spf.hardfail",
	  "The record ends with -all: some receivers refuse forwarded mail by that "
	  "alone, before they look at DKIM.",
	  "", "RFC 7208 section 8.4" },
	{ "spf.include_none",
	  "An include names a domain without an SPF record, which makes the whole "
	  "evaluation an error.",
	  "Remove the include.", "RFC 7208 section 5.2" },
	{ "spf.ip_not_covered", "Mail from this address does not pass SPF.",
	  "Add the address to the record, or send from another one.",
	  "RFC 7208 section 2.6" },
	{ "spf.ip_ok", "Mail from this address passes SPF.", "", "RFC 7208 section 2.6" },
	{ "spf.leading_space",
	  "A record that looks like SPF does not begin with v=spf1 and a space, so "
	  "it is none.",
	  "Remove what stands before v=spf1.", "RFC 7208 section 4.5" },
	{ "spf.long", "The answer with the record does not fit into a small DNS packet.",
	  "Shorten the record.", "RFC 7208 section 3.4" },
	{ "spf.lookups",
	  "Evaluating the record may need more terms that ask DNS than the ten that "
	  "are allowed. Then the result is an error, and it depends on the sender's "
	  "address who sees it.",
	  "Remove includes that are not used; replace a and mx by ip4 and ip6.",
	  "RFC 7208 section 4.6.4" },
	{ "spf.loop",
	  "A record includes itself, directly or by others; the evaluation ends in "
	  "an error.",
	  "Remove the include that leads back.", "RFC 7208 section 4.6.4" },
	{ "spf.macro",
	  "A term depends on the sender or the address of each message; give --ip "
	  "to see what becomes of it.",
	  "", "RFC 7208 section 7" },
	{ "spf.multiple",
	  "There are several SPF records, which counts as an error: as if there "
	  "were none, or worse.",
	  "Join them into one.", "RFC 7208 section 4.5" },
	{ "spf.mx_gt10",
	  "An mx term meets more than ten hosts, which counts as an error.",
	  "Replace it by ip4 and ip6.", "RFC 7208 section 4.6.4" },
	{ "spf.neutral_all",
	  "The record ends with ?all, which says nothing about anybody else.",
	  "End it with ~all or -all.", "RFC 7208 section 5.1" },
	{ "spf.no_all",
	  "The record ends without all and without redirect: everybody else is "
	  "neutral.",
	  "End it with ~all or -all.", "RFC 7208 section 4.7" },
	{ "spf.none",
	  "There is no SPF record: receivers cannot tell who may send for the "
	  "domain.",
	  "Publish one; \"v=spf1 -all\" when the domain sends no mail.",
	  "RFC 7208 section 3" },
	{ "spf.ok", "There is one SPF record, and it can be evaluated.", "", "RFC 7208" },
	{ "spf.plus_all", "The record lets (nearly) everybody send for the domain.",
	  "End it with ~all or -all, and name smaller networks.",
	  "RFC 7208 section 5.1" },
	{ "spf.ptr",
	  "The mechanism ptr is slow and unreliable, and some receivers ignore it.",
	  "Replace it by a, ip4 or ip6.", "RFC 7208 section 5.5" },
	{ "spf.redirect_with_all",
	  "The redirect is never followed, because the record has an all.",
	  "Remove one of them.", "RFC 7208 section 6.1" },
	{ "spf.senderid",
	  "There is a record of Sender ID (spf2.0), which nobody reads any more.",
	  "Remove it.", "RFC 6686" },
	{ "spf.syntax",
	  "The record cannot be read, so every evaluation ends in an error.",
	  "Correct the term that is shown.", "RFC 7208 section 4.6" },
	{ "spf.tree",
	  "What the record makes receivers ask, term by term; the number is what "
	  "each term costs with all below it.",
	  "", "RFC 7208 section 4.6.4" },
	{ "spf.unknown",
	  "DNS did not answer, so nothing can be said about SPF; receivers would "
	  "put the mail off.",
	  "Ask again.", "RFC 7208 section 2.6.6" },
	{ "spf.void",
	  "More than two of the names that the record asks for do not exist. "
	  "Receivers end that with an error.",
	  "Remove the terms whose names have no records.", "RFC 7208 section 4.6.4" },
	{ "spf.void_v4only",
	  "Mail by IPv6 meets more than two hosts that have IPv4 addresses only. "
	  "Receivers that count literally end that with an error.",
	  "Name networks by ip4 and ip6 instead of hosts.", "RFC 7208 section 4.6.4" },
	{ "spoof.display",
	  "The name of the author shows another address than the author's.", "", "" },
	{ "spoof.message_id",
	  "The Message-ID is of another organisation: common with senders of "
	  "bulk mail.",
	  "", "" },
	{ "spoof.reply_to", "Answers go to another organisation than the author's.", "",
	  "" },
	{ "spoof.return_path",
	  "Bounces go to another organisation than the author's: common with "
	  "senders of bulk mail.",
	  "", "" },
	{ "sts.max_age",
	  "Senders forget the policy within a day, so an attacker need not wait "
	  "long.",
	  "Let max_age be some weeks (604800 to 31557600).", "RFC 8461 section 3.2" },
	{ "sts.mode_none", "The policy says none: the domain is leaving MTA-STS.", "",
	  "RFC 8461 section 8.3" },
	{ "sts.multiple", "There are several MTA-STS records, which counts as none.",
	  "Keep one.", "RFC 8461 section 3.1" },
	{ "sts.mx_extra", "The policy has an mx line that covers no MX host.",
	  "Remove it when it is not needed any more.", "RFC 8461 section 4.1" },
	{ "sts.mx_uncovered",
	  "An MX host stands in no mx line of the policy: senders refuse to deliver "
	  "to it in mode enforce.",
	  "Add an mx line for it, then change the id of the record.",
	  "RFC 8461 section 4.1" },
	{ "sts.no_tls",
	  "The MTA-STS policy asks for verified TLS, and the server offers none: "
	  "senders put its mail off.",
	  "Offer STARTTLS with a certificate that is valid for the name.",
	  "RFC 8461 section 5" },
	{ "sts.none",
	  "There is no MTA-STS record: senders use TLS only if nobody interferes.",
	  "Publish a policy and its record, or use DANE.", "RFC 8461 section 3.1" },
	{ "sts.ok",
	  "MTA-STS makes senders that know it use TLS with a verified certificate.", "",
	  "RFC 8461" },
	{ "sts.policy_bad", "The policy cannot be read.",
	  "Correct the line that is shown.", "RFC 8461 section 3.2" },
	{ "sts.policy_fetch",
	  "The policy could not be fetched over HTTPS, so senders see none (or keep "
	  "an old one).",
	  "Serve it at https://mta-sts.DOMAIN/.well-known/mta-sts.txt as "
	  "text/plain, with a valid certificate for that name and without redirect.",
	  "RFC 8461 section 3.3" },
	{ "sts.record_bad",
	  "The MTA-STS record cannot be read, so senders see no policy.",
	  "Correct the record.", "RFC 8461 section 3.1" },
	{ "sts.testing",
	  "The policy is in mode testing: senders report failures and deliver all "
	  "the same.",
	  "Go to mode enforce when the reports are clean.", "RFC 8461 section 5" },
	{ "sts.unknown", "It could not be found out whether there is an MTA-STS policy.",
	  "Ask again.", "" },
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
	{ "tlsrpt.bad", "The TLS-RPT record cannot be read.", "Correct the record.",
	  "RFC 8460 section 3" },
	{ "tlsrpt.multiple", "There are several TLS-RPT records, which counts as none.",
	  "Keep one.", "RFC 8460 section 3" },
	{ "tlsrpt.none",
	  "There is no TLS-RPT record: nobody tells you when TLS to your servers "
	  "fails.",
	  "Publish one at _smtp._tls.", "RFC 8460 section 3" },
	{ "tlsrpt.ok", "Senders report how TLS went.", "", "RFC 8460" },
	{ "tlsrpt.unknown", "DNS did not answer about TLS-RPT.", "Ask again.", "" },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct {
	const char *prefix;
	const char *name;
} areas[] = {
	{ "mx", "MX" },          { "ns", "NS" },          { "ptr", "PTR" },
	{ "spf", "SPF" },        { "dkim", "DKIM" },      { "dmarc", "DMARC" },
	{ "sts", "MTA-STS" },    { "tlsrpt", "TLS-RPT" }, { "dane", "DANE" },
	{ "dnssec", "DNSSEC" },  { "bimi", "BIMI" },      { "caa", "CAA" },
	{ "bl", "DNSBL" },       { "parked", "parked" },  { "expect", "expected" },
	{ "auth", "sender" },    { "conn", "connect" },   { "banner", "greeting" },
	{ "ehlo", "EHLO" },      { "tls", "TLS" },        { "policy", "policy" },
	{ "mail", "MAIL" },      { "rcpt", "RCPT" },      { "data", "DATA" },
	{ "relay", "relaying" }, { "size", "size" },      { "date", "date" },
	{ "dup", "header" },     { "from", "header" },    { "hop", "way" },
	{ "spam", "filter" },    { "spoof", "hint" },
};

const struct finding_kind *finding_kind(struct span id) {
	for (size_t i = 0; i < KINDS; i++)
		if (span_eq(id, span_str(kinds[i].id)))
			return &kinds[i];
	return NULL;
}

const char *finding_area(const char *id) {
	struct span prefix = span_head(span_str(id), span_find(span_str(id), '.'));
	for (size_t i = 0; i < sizeof(areas) / sizeof(areas[0]); i++)
		if (span_eq(prefix, span_str(areas[i].prefix)))
			return areas[i].name;
	return "";
}

void finding_list(FILE *out) {
	for (size_t i = 0; i < KINDS; i++)
		fprintf(out, "%s\n", kinds[i].id);
}

const char *finding_nearest(struct span id) {
	struct suggest s = { .word = id };
	for (size_t i = 0; i < KINDS; i++)
		suggest_try(&s, kinds[i].id);
	return s.best;
}
