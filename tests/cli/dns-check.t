#!/usr/bin/env python3
"""dns-check DOMAIN over tables of DNS: which findings which records give, how they look, and
what programs and monitoring read of them. The mistakes that other checkers are known for each
have their case."""

import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.environ.get("NIGHTMAIL_BUILD", os.path.join(ROOT, "build", "release"))
TOOL = os.path.join(BUILD, "dns-check")
DIR = tempfile.TemporaryDirectory(prefix="dns-check.")

tests = 0
failed = 0


def ok(passed, name, note=""):
    global tests, failed
    tests += 1
    failed += not passed
    print(f"{'ok' if passed else 'not ok'} {tests} - {name.replace('#', '.')}")
    if note and not passed:
        print("\n".join("# " + line for line in str(note).splitlines()))


def write(name, text):
    path = os.path.join(DIR.name, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def run(*args, stdin=""):
    env = dict(os.environ, NO_COLOR="1", TZ="UTC")
    p = subprocess.run([TOOL, *args], input=stdin.encode(), capture_output=True, timeout=120,
                       env=env, check=False)
    return p.returncode, p.stdout.decode("utf-8", "replace"), p.stderr.decode("utf-8", "replace")


zones = 0


def check(zone, *args, domain="example.org"):
    global zones
    zones += 1
    path = write(f"zone{zones}", zone)
    status, out, err = run(domain, "--replay", path, "--json", *args)
    try:
        return json.loads(out), status
    except ValueError:
        return {"findings": [], "output": out + err}, status


def ids(answer, severity=None):
    return [f["id"] for f in answer["findings"] if severity in (None, f["severity"])]


GOOD = """
example.org SOA ns1.example.org hostmaster.example.org 1 3600 600 86400 60
example.org NS ns1.example.org
example.org NS ns2.example.net
example.org MX 10 mx1.example.org
example.org MX 20 mx2.example.org
mx1.example.org A 192.0.2.25
mx1.example.org AAAA 2001:db8::25
mx2.example.org A 192.0.2.26
25.2.0.192.in-addr.arpa PTR mx1.example.org
26.2.0.192.in-addr.arpa PTR mx2.example.org
5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR mx1.example.org
example.org TXT "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all"
_dmarc.example.org TXT "v=DMARC1; p=reject; np=reject; rua=mailto:d@example.org"
_smtp._tls.example.org TXT "v=TLSRPTv1; rua=mailto:tls@example.org"
s1._domainkey.example.org TXT "%KEY%"
"""


def keys():
    """An RSA key of each size that matters, and what is published for it."""
    made = {}
    for bits in (512, 1024, 2048, 4096):
        pem = os.path.join(DIR.name, f"rsa{bits}.pem")
        subprocess.run(["openssl", "genrsa", "-out", pem, str(bits)], check=True,
                       capture_output=True)
        der = subprocess.run(["openssl", "rsa", "-in", pem, "-pubout", "-outform", "PEM"], check=True,
                             capture_output=True).stdout.decode()
        text = "".join(line for line in der.splitlines() if "-----" not in line)
        made[bits] = (pem, "v=DKIM1; k=rsa; p=" + text)
    return made


KEYS = keys()


def txt(text):
    return '" "'.join(text[i:i + 200] for i in range(0, len(text), 200))


GOOD = GOOD.replace("%KEY%", txt(KEYS[2048][1]))


def without(zone, *names):
    return "\n".join(line for line in zone.splitlines()
                     if not any(line.startswith(n) for n in names)) + "\n"


# --- a domain with nothing to mend ---

answer, status = check(GOOD, "--ip", "192.0.2.25", "--selector", "s1", "--key", KEYS[2048][0])
ok(status == 0 and answer.get("verdict") == "ok" and not ids(answer, "fail") + ids(answer, "warn"),
   "a good domain has no warning, and exit 0", answer)
ok({"mx.ok", "ptr.ok", "spf.ok", "spf.ip_ok", "dkim.ok", "dkim.key_match", "dmarc.ok",
    "tlsrpt.ok"} <= set(ids(answer, "ok")), "and says what is right", ids(answer, "ok"))
ok(answer.get("dnssec") == "insecure" and answer.get("null_mx") is False and
   answer.get("mx") == ["mx1.example.org", "mx2.example.org"] and
   answer.get("dmarc_policy") == "reject" and
   answer.get("org_domain") == {"rfc9989": "example.org", "rfc7489": "example.org"} and answer.get("ip") ==
   [{"ip": "192.0.2.25", "spf": "pass", "term": "ip4:192.0.2.0/24"}], "the facts are in the JSON",
   answer)
ok(answer.get("mta_sts") == {"status": "none", "mode": None}, "a domain without MTA-STS has none")
chain = answer.get("chain", {})
ok(0 < chain.get("length", 99) <= 5 and chain["questions"] > 40,
   "all of it takes few rounds of questions", chain)

# --- one change of it at a time ---

SPF = "example.org TXT"
DMARC = "_dmarc.example.org TXT"


def with_spf(record, more=""):
    return without(GOOD, SPF) + f'{SPF} "{record}"\n{more}'


def with_dmarc(record, more=""):
    return without(GOOD, DMARC) + f'{DMARC} "{record}"\n{more}'


LONG = "".join(f"include:i{i}.example.net " for i in range(11))
LONG_ZONE = "".join(f'i{i}.example.net TXT "v=spf1 ip4:192.0.2.{i}"\n' for i in range(11))
MANY_MX = "".join(f"big.example.net MX 10 h{i}.example.net\nh{i}.example.net A 192.0.2.1\n"
                  for i in range(11))

CASES = [
    # what, zone, arguments, findings that must be there, severity, findings that must not
    ("no MX and no address", without(GOOD, "example.org MX"), [], ["mx.none"], "fail", ["mx.ok"]),
    ("an address instead of an MX", without(GOOD, "example.org MX") + "example.org A 192.0.2.25\n",
     [], ["mx.implicit"], "warn", []),
    ("a null MX beside others", GOOD + "example.org MX 0 .\n", [], ["mx.null_mixed"], "fail", []),
    ("an MX that is an alias", GOOD + "example.org MX 30 www.example.org\n"
     "www.example.org CNAME mx1.example.org\n", [], ["mx.target_cname"], "warn", []),
    ("an MX that is an address", GOOD + "example.org MX 30 192.0.2.7\n", [],
     ["mx.target_literal"], "fail", []),
    ("an MX without address beside others", GOOD + "example.org MX 30 gone.example.org\n", [],
     ["mx.target_nx"], "warn", []),
    ("an MX in a domain that anybody may register", GOOD + "example.org MX 30 mx.gone.test\n", [],
     ["mx.dangling"], "fail", []),
    ("an MX that is not there in a domain that is", GOOD + "example.org MX 30 gone.example.org\n",
     [], ["mx.target_nx"], "warn", ["mx.dangling"]),
    ("the proof of an owner as an MX", GOOD + "example.org MX 32767 ms41.msv1.invalid\n", [],
     ["mx.msv1_invalid"], "notice", ["mx.target_nx", "mx.dangling"]),
    ("nothing but that", without(GOOD, "example.org MX") + "example.org MX 1 ms41.msv1.invalid\n",
     [], ["mx.target_nx"], "fail", []),
    ("an MX of one label", GOOD + "example.org MX 30 mail\nmail A 192.0.2.25\n", [],
     ["mx.dotless"], "warn", []),
    ("the same MX twice", GOOD + "example.org MX 30 mx2.example.org\n", [], ["mx.dup"], "notice",
     []),
    ("one MX host", without(GOOD, "example.org MX 20"), [], ["mx.one_host"], "info", []),
    ("no IPv6", without(GOOD, "mx1.example.org AAAA"), [], ["mx.no_ipv6"], "info", []),
    ("a domain that is an alias", "example.org CNAME www.example.net\nwww.example.net A 192.0.2.1\n",
     [], ["mx.apex_cname"], "fail", []),
    ("a null MX of another preference", "example.org MX 7 .\n", [], ["mx.null_pref"], "notice", []),
    ("an address of two names", GOOD + "25.2.0.192.in-addr.arpa PTR mail.example.org\n"
     "mail.example.org A 192.0.2.25\n", [], ["ptr.multiple"], "notice", []),
    ("another greeting", GOOD, ["--ip", "192.0.2.25", "--helo", "out.example.org"], ["ptr.not_helo"],
     "notice", []),
    ("an alias to nowhere where the policy is", GOOD + '_mta-sts.example.org TXT "v=STSv1; id=1"\n'
     "mta-sts.example.org CNAME pages.gone.test\n", [], ["alias.dangling"], "fail", []),
    ("one to a domain that somebody has", without(GOOD, "_smtp._tls") + "_smtp._tls.example.org CNAME gone.example.org\n",
     [], ["alias.dangling"], "warn", []),
    ("an MX inside", GOOD + "example.org MX 30 in.example.org\nin.example.org A 10.1.1.1\n", [],
     ["mx.target_private"], "fail", []),
    ("an MX that DNS does not tell", GOOD + "example.org MX 30 slow.example.org\n"
     "slow.example.org A !timeout\nslow.example.org AAAA !timeout\n", [], ["mx.unknown"],
     "unknown", ["mx.target_nx"]),
    ("an address without name", without(GOOD, "25.2.0.192"), ["--ip", "192.0.2.25"],
     ["ptr.none"], "fail", []),
    ("the same of an MX host", without(GOOD, "25.2.0.192"), [], ["ptr.none"], "warn", []),
    ("a name that does not lead back", GOOD.replace("PTR mx2.example.org", "PTR mx1.example.org"),
     ["--ip", "192.0.2.26"], ["ptr.no_fcrdns"], "fail", []),
    ("a name made from the address", GOOD + "8.2.0.192.in-addr.arpa PTR 192-0-2-8.dyn.example.net\n"
     "192-0-2-8.dyn.example.net A 192.0.2.8\n", ["--ip", "192.0.2.8"], ["ptr.generic"], "warn", []),
    ("DNS that does not tell the name", without(GOOD, "25.2.0.192") +
     "25.2.0.192.in-addr.arpa PTR !servfail\n", ["--ip", "192.0.2.25"], ["ptr.unknown"],
     "unknown", ["ptr.none"]),

    ("no SPF", without(GOOD, SPF), [], ["spf.none"], "fail", []),
    ("two SPF records", GOOD + f'{SPF} "v=spf1 +all"\n', [], ["spf.multiple"], "fail", []),
    ("an SPF record with an error at its end", with_spf("v=spf1 ip4:192.0.2.25 -all moo"), [],
     ["spf.syntax"], "fail", []),
    ("eleven lookups", with_spf(f"v=spf1 {LONG}-all", LONG_ZONE), [], ["spf.lookups"], "fail", []),
    ("three names without records", with_spf("v=spf1 a:x.example.net a:y.example.net "
                                             "a:z.example.net -all"), [], ["spf.void"], "fail", []),
    ("more than ten MX hosts in SPF", with_spf("v=spf1 mx:big.example.net -all", MANY_MX), [],
     ["spf.mx_gt10"], "fail", []),
    ("ptr", with_spf("v=spf1 ptr -all"), [], ["spf.ptr"], "warn", []),
    ("+all in an include", with_spf("v=spf1 include:i.example.net -all",
                                    'i.example.net TXT "v=spf1 +all"\n'), [], ["spf.plus_all"],
     "fail", []),
    ("a huge network", with_spf("v=spf1 ip4:0.0.0.0/1 ip4:128.0.0.0/1 -all"), [],
     ["spf.plus_all"], "fail", []),
    ("?all", with_spf("v=spf1 ip4:192.0.2.25 ?all"), [], ["spf.neutral_all"], "warn", []),
    ("no all", with_spf("v=spf1 ip4:192.0.2.25"), [], ["spf.no_all"], "warn", []),
    ("redirect beside all", with_spf("v=spf1 ip4:192.0.2.25 -all redirect=x.example.net"), [],
     ["spf.redirect_with_all"], "notice", ["spf.include_none"]),
    ("a term behind all", with_spf("v=spf1 -all ip4:192.0.2.25"), [], ["spf.after_all"], "notice",
     []),
    ("an include without record", with_spf("v=spf1 include:i.example.net -all",
                                           "i.example.net A 192.0.2.1\n"), [],
     ["spf.include_none"], "fail", []),
    ("an include of a domain that anybody may register",
     with_spf("v=spf1 include:_spf.gone.test -all"), [], ["spf.dangling"], "fail", []),
    ("an include that leads back", with_spf("v=spf1 include:i.example.net -all",
                                            'i.example.net TXT "v=spf1 include:example.org"\n'), [],
     ["spf.loop"], "fail", []),
    ("an include that DNS does not tell", with_spf("v=spf1 include:i.example.net -all",
                                                   "i.example.net TXT !timeout\n"), [],
     ["spf.unknown"], "unknown", ["spf.include_none"]),
    ("SPF behind a blank", without(GOOD, SPF) + f'{SPF} " v=spf1 -all"\n', [],
     ["spf.leading_space"], "notice", ["spf.ok"]),
    ("and it does not count", without(GOOD, SPF) + f'{SPF} " v=spf1 -all"\n', [], ["spf.none"],
     "fail", ["spf.ok"]),
    ("two strings of SPF without a blank between", without(GOOD, SPF) +
     f'{SPF} "v=spf1 ip4:192.0.2.25" "ip6:2001:db8::/32 -all"\n', [], ["spf.quoted_split"],
     "notice", ["spf.ok"]),
    ("quotes inside of SPF", with_spf('v=spf1 ip4:192.0.2.0/24 \\" \\"-all'), [],
     ["spf.quoted_split"], "notice", []),
    ("SPF in strings that are cut anywhere", without(GOOD, SPF) +
     f'{SPF} "v=spf1 ip4:192.0." "2.0/24 ~al" "l"\n', [], ["spf.ok"], "ok", ["spf.quoted_split"]),
    ("a record of type SPF", GOOD + "example.org TYPE99 \\# 12 0B763D73706631202D616C6C\n", [],
     ["spf.type99"], "info", []),
    ("Sender ID", GOOD + f'{SPF} "spf2.0/pra -all"\n', [], ["spf.senderid"], "info", ["spf.multiple"]),
    ("-all", GOOD, [], ["spf.hardfail"], "info", []),
    ("macros", with_spf("v=spf1 exists:%{i}.l.example.net ~all"), [], ["spf.macro"], "info",
     ["spf.void"]),
    ("eight lookups", with_spf("v=spf1 " + 8 * "a:mx1.example.org " + "~all"), [], ["spf.lookups"],
     "notice", []),
    ("nine lookups", with_spf("v=spf1 " + 9 * "a:mx1.example.org " + "~all"), [], ["spf.lookups"],
     "warn", []),
    ("a long record", without(GOOD, SPF) + f'{SPF} "v=spf1 {"ip4:192.0.2.1 " * 16}" '
     f'"{"ip4:192.0.2.1 " * 16}~all"\n', [], ["spf.record_gt450"], "notice", ["spf.record_gt512"]),
    ("a long answer", GOOD + f'{SPF} "{"x" * 250}"\n{SPF} "{"y" * 250}"\n', [],
     ["spf.record_gt512"], "notice", ["spf.record_gt450"]),
    ("an a: of a domain that anybody may register", with_spf("v=spf1 a:mail.gone.test ~all"), [],
     ["spf.dangling"], "fail", []),
    ("an include that is an alias for such a domain",
     with_spf("v=spf1 include:spf.example.org ~all", "spf.example.org CNAME spf.gone.test\n"), [],
     ["spf.dangling"], "fail", ["spf.include_none"]),
    ("an a: of a name that is not there in a domain that is",
     with_spf("v=spf1 a:gone.example.org ~all"), [], ["spf.ok"], "ok", ["spf.dangling"]),
    ("an address that is not covered", GOOD, ["--ip", "198.51.100.1"], ["spf.ip_not_covered"],
     "fail", []),

    ("a selector without key", GOOD, ["--selector", "s2-old"], ["dkim.selector_missing"], "fail",
     []),
    ("an alias to nowhere", GOOD + "s2._domainkey.example.org CNAME gone.example.net\n",
     ["--selector", "s2"], ["dkim.cname_dangling"], "fail", []),
    ("two keys under one selector", GOOD + 's1._domainkey.example.org TXT "v=DKIM1; p="\n',
     ["--selector", "s1"], ["dkim.multiple_txt"], "fail", []),
    ("a key that is cut", GOOD + 's2._domainkey.example.org TXT "v=DKIM1; p=MIGf"\n',
     ["--selector", "s2"], ["dkim.syntax"], "fail", []),
    ("a revoked key", GOOD + 's2._domainkey.example.org TXT "v=DKIM1; p="\n',
     ["--selector", "s2"], ["dkim.revoked"], "fail", []),
    ("a key of 1024 bits", GOOD + f's2._domainkey.example.org TXT "{txt(KEYS[1024][1])}"\n',
     ["--selector", "s2"], ["dkim.rsa_1024"], "warn", []),
    ("a key of 512 bits", GOOD + f's2._domainkey.example.org TXT "{txt(KEYS[512][1])}"\n',
     ["--selector", "s2"], ["dkim.rsa_lt1024"], "fail", []),
    ("a key of 4096 bits", GOOD + f's2._domainkey.example.org TXT "{txt(KEYS[4096][1])}"\n',
     ["--selector", "s2"], ["dkim.rsa_gt2048"], "info", ["dkim.rsa_1024"]),
    ("an alias to nowhere of a usual selector", GOOD +
     "google._domainkey.example.org CNAME gone.example.net\n", [], ["dkim.cname_dangling"], "fail",
     []),
    ("a key that is a test",
     GOOD + f's2._domainkey.example.org TXT "{txt(KEYS[2048][1] + "; t=y")}"\n',
     ["--selector", "s2"], ["dkim.testing"], "warn", []),
    ("a key that is not for mail",
     GOOD + f's2._domainkey.example.org TXT "{txt(KEYS[2048][1] + "; s=tlsrpt")}"\n',
     ["--selector", "s2"], ["dkim.s_not_email"], "fail", []),
    ("a key for SHA-1 alone",
     GOOD + f's2._domainkey.example.org TXT "{txt(KEYS[2048][1] + "; h=sha1")}"\n',
     ["--selector", "s2"], ["dkim.sha1_only"], "fail", []),
    ("another private key", GOOD, ["--selector", "s1", "--key", KEYS[1024][0]],
     ["dkim.key_mismatch"], "fail", ["dkim.key_match"]),
    ("a private key that is not there", GOOD, ["--selector", "s1", "--key", "/nonexistent"],
     ["dkim.key_file"], "unknown", ["dkim.key_mismatch"]),
    ("no name below _domainkey", without(GOOD, "s1._domainkey"), [], ["dkim.none_published"],
     "warn", []),
    ("keys with unknown selectors", GOOD.replace("s1._domainkey", "x9z._domainkey"), [],
     ["dkim.unseen"], "notice", ["dkim.none_published"]),
    ("a wildcard where keys are", GOOD.replace("s1._domainkey", "no-such-selector-x7._domainkey"), [],
     ["dkim.unseen"], "unknown", []),
    ("an Ed25519 key alone", without(GOOD, "s1._domainkey") +
     's1._domainkey.example.org TXT "v=DKIM1; k=ed25519; '
     'p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="\n', [], ["dkim.ed25519_only"], "warn", []),

    ("no DMARC", without(GOOD, DMARC), [], ["dmarc.none"], "fail", []),
    ("two DMARC records", GOOD + f'{DMARC} "v=DMARC1; p=none"\n', [], ["dmarc.multiple"], "fail",
     ["dmarc.none"]),
    ("DMARC at the domain", without(GOOD, DMARC) + f'{SPF} "v=DMARC1; p=reject"\n', [],
     ["dmarc.wrong_place"], "fail", []),
    ("DMARC with the domain appended twice", without(GOOD, DMARC) +
     '_dmarc.example.org.example.org TXT "v=DMARC1; p=reject"\n', [], ["dmarc.wrong_place"], "fail",
     []),
    ("a version in small letters", with_dmarc("v=dmarc1; p=reject"), [], ["dmarc.case_v"], "fail",
     []),
    ("p=none", with_dmarc("v=DMARC1; p=none; rua=mailto:d@example.org"), [], ["dmarc.p_none"],
     "warn", []),
    ("a test", with_dmarc("v=DMARC1; p=reject; t=y; rua=mailto:d@example.org"), [],
     ["dmarc.t_y"], "warn", []),
    ("weaker subdomains", with_dmarc("v=DMARC1; p=reject; sp=none; rua=mailto:d@example.org"), [],
     ["dmarc.sp_weaker", "dmarc.np_absent"], "notice", []),
    ("tags that are gone",
     with_dmarc("v=DMARC1; p=reject; pct=50; rf=afrf; ri=3600; rua=mailto:d@example.org"), [],
     ["dmarc.pct", "dmarc.rf", "dmarc.ri"], "notice", []),
    ("a size behind the address", with_dmarc("v=DMARC1; p=reject; rua=mailto:d@example.org!10m"), [],
     ["dmarc.rua_size"], "notice", []),
    ("how it was found", GOOD, [], ["dmarc.tree"], "info", []),
    ("no reports", with_dmarc("v=DMARC1; p=reject"), [], ["dmarc.no_rua"], "notice", []),
    ("reports to others who did not agree",
     with_dmarc("v=DMARC1; p=reject; rua=mailto:d@reports.example.net",
                "reports.example.net MX 10 mx1.example.org\n"), [], ["dmarc.rua_unauthorised"],
     "warn", []),
    ("reports to a domain without mail", with_dmarc("v=DMARC1; p=reject; rua=mailto:d@sub.example.org",
                                                    "sub.example.org TXT x\n"), [],
     ["dmarc.rua_no_mx"], "fail", ["dmarc.rua_unauthorised"]),
    ("a bad tag", with_dmarc("v=DMARC1; p=reject; adkim=x; rua=mailto:d@example.org"), [],
     ["dmarc.syntax"], "warn", []),
    ("p= not in its place", with_dmarc("v=DMARC1; rua=mailto:d@example.org; p=reject"), [],
     ["dmarc.p_not_second"], "notice", ["dmarc.syntax"]),
    ("DNS that does not tell", without(GOOD, DMARC) + f"{DMARC} !timeout\n", [],
     ["dmarc.unknown"], "unknown", ["dmarc.none"]),
    ("another organisational domain by the tree walk",
     with_dmarc("v=DMARC1; p=reject; np=reject; rua=mailto:d@example.org",
                '_dmarc.org TXT "v=DMARC1; p=none"\n'), [], ["dmarc.psl_differs"], "warn", []),

    ("a bad MTA-STS record", GOOD + '_mta-sts.example.org TXT "v=STSv1; id=a_b"\n', [],
     ["sts.record_bad"], "fail", []),
    ("two MTA-STS records", GOOD + '_mta-sts.example.org TXT "v=STSv1; id=1"\n'
     '_mta-sts.example.org TXT "v=STSv1; id=2"\n', [], ["sts.multiple"], "fail", []),
    ("a bad TLS-RPT record", without(GOOD, "_smtp._tls") +
     '_smtp._tls.example.org TXT "v=TLSRPTv1; rua=ftp://x"\n', [], ["tlsrpt.bad"], "warn", []),
    ("TLSA records in a zone that is not signed",
     GOOD + "_25._tcp.mx1.example.org TLSA 3 1 1 " + 64 * "a" + "\n", [], ["dane.ignored"], "warn",
     []),
    ("a bogus zone", without(GOOD, "example.org MX") + "example.org MX !bogus expired\n", [],
     ["dnssec.bogus", ], "fail", ["mx.none"]),
    ("BIMI without a policy", with_dmarc("v=DMARC1; p=none; rua=mailto:d@example.org",
                                         'default._bimi.example.org TXT "v=BIMI1; '
                                         'l=https://example.org/l.svg"\n'), [], ["bimi.no_policy"],
     "warn", ["bimi.ok"]),
    ("BIMI and CAA that DNS does not tell", GOOD + "default._bimi.example.org TXT !timeout\n"
     "example.org CAA !servfail\n", [], ["bimi.unknown", "caa.unknown"], "unknown",
     ["bimi.none", "caa.none"]),
    ("BIMI with a policy", GOOD + 'default._bimi.example.org TXT "v=BIMI1; '
     'l=https://example.org/l.svg"\n', [], ["bimi.ok"], "ok", ["bimi.no_policy"]),
]

for what, zone, args, want, severity, never in CASES:
    answer, status = check(zone, *args)
    got = ids(answer, severity)
    bad = [i for i in never if i in ids(answer)]
    ok(all(i in got for i in want) and not bad, f"{what}: {' '.join(want)} ({severity})",
       f"got {got}, all {ids(answer)} {answer.get('output', '')}")
    worst = answer.get("verdict")
    ok(status == {"ok": 0, "warn": 1, "fail": 2, "unknown": 3}.get(worst) ==
       answer.get("exit_code"), f"{what}: the exit code follows the verdict", f"{status} {worst}")

# --- where it is wrong ---

answer, _ = check(with_spf("v=spf1 ip4:192.0.2.25 ip4:1.2.3 -all"))
lines = [f["evidence"].split("\n") for f in answer["findings"] if f["id"] == "spf.syntax"][0]
ok(len(lines) == 2 and lines[0][lines[1].index("^"):].startswith("ip4:1.2.3"),
   "a caret shows what of SPF cannot be read", lines)
answer, _ = check(with_spf("v=spf1 include:i.example.net -all",
                           f'i.example.net TXT "v=spf1 {"ip4:192.0.2.1 " * 12}mooo {"ip4:192.0.2.1 " * 2}"\n'))
found = [f for f in answer["findings"] if f["id"] == "spf.syntax"]
lines = found[0]["evidence"].split("\n") if found else []
ok(len(lines) == 3 and found[0]["subject"] == "i.example.net" and len(lines[1]) < 70 and
   lines[1][lines[2].index("^"):].startswith("mooo"), "in a long one that is included too", answer)

# --- what mends it ---

def fixes(zone, *args):
    answer, _ = check(zone, *args)
    return {f["id"]: f["fix"] for f in answer["findings"] if f["fix"]}


got = fixes(with_spf("v=spf1 ip4:192.0.2.0/24 include:_spf.gone.test ptr -all"), "--ip", "198.51.100.1",
            "--ip", "192.0.2.25", "--ip", "2001:db8::7")
want = 'example.org. TXT "v=spf1 ip4:198.51.100.1 ip6:2001:db8::7 ip4:192.0.2.0/24 -all"'
ok({got.get(i) for i in ("spf.dangling", "spf.ptr", "spf.ip_not_covered")} == {want},
   "one SPF record mends all that is wrong with it", got)
got = fixes(without(GOOD, SPF), "--ip", "198.51.100.1")
ok(got.get("spf.none") == 'example.org. TXT "v=spf1 ip4:198.51.100.1 ~all"', "a first SPF record", got)
got = fixes(without(GOOD, SPF) + f'{SPF} "v=spf1 ip4:192.0.2.25" "ip6:2001:db8::/32 -all"\n')
ok({got.get("spf.quoted_split"), got.get("spf.syntax")} ==
   {'example.org. TXT "v=spf1 ip4:192.0.2.25 ip6:2001:db8::/32 -all"'},
   "the record as it was meant, where a blank is lost", got)
got = fixes(without(GOOD, SPF) + f'{SPF} " v=spf1 ip4:192.0.2.25 -all"\n')
ok(got.get("spf.none") == 'example.org. TXT "v=spf1 ip4:192.0.2.25 -all"',
   "or where one stands before it", got)
KEY = KEYS[2048][1]
for what, bad in (("a backslash", KEY.replace("; ", "\\; ")), ("quotes", '"' + KEY + '"'),
                  ("no semicolon", KEY.replace("; p=", " p=")),
                  ("line breaks", KEY.replace("p=MII", "p=MII\r\n"))):
    data = "".join(c if " " <= c <= "~" and c not in '"\\' else f"\\{ord(c):03d}" for c in bad)
    zone = "\n".join(line for line in GOOD.splitlines() if "_domainkey" not in line) + "\n"
    cut = [data[i:i + 180] for i in range(0, len(data), 180)]
    while any(re.search(r"\\\d{0,2}$", part) for part in cut[:-1]):
        cut = [data[:185]] + [data[i:i + 175] for i in range(185, len(data), 175)]
        break
    answer, _ = check(zone + 's1._domainkey.example.org TXT ' + " ".join(f'"{p}"' for p in cut) + "\n",
                      "--selector", "s1")
    fix = [f["fix"] for f in answer["findings"] if f["id"] == "dkim.syntax"]
    same = fix and fix[0] and re.sub(r"\s", "", fix[0].replace('" "', "")) == \
        re.sub(r"\s", "", f's1._domainkey.example.org. TXT "{KEY}"')
    ok(same or (what == "line breaks" and "dkim.ok" in ids(answer)),
       f"a key with {what} is mended", [f for f in answer["findings"] if f["id"].startswith("dkim")])
got = fixes(with_dmarc("v=DMARC1;p=none;sp=none; rua=mailto:d@example.org"))
ok(got.get("dmarc.p_none") == '_dmarc.example.org. TXT "v=DMARC1; p=quarantine; rua=mailto:d@example.org"',
   "a stricter DMARC record keeps the rest", got)
got = fixes(GOOD, "--selector", "s1", "--key", KEYS[1024][0])
ok(re.sub(r'^TXT|" "|"', "", got.get("dkim.key_mismatch", "")) ==
   "s1._domainkey.example.org. TXT " + KEYS[1024][1].replace("v=DKIM1; k=rsa; ", "v=DKIM1; k=rsa; "),
   "the record that belongs to the private key", got)

# --- DANE in a signed zone ---

signed = "\n".join(re.sub(r"^(\S*example\.org|\S*arpa) (\S+) ", r"\1 \2 secure ", line)
                   for line in GOOD.splitlines()) + "\n"
answer, _ = check(signed + "_25._tcp.mx1.example.org TLSA secure 3 1 1 " + 64 * "a" + "\n")
ok(answer.get("dnssec") == "secure" and {"dane.ok", "dane.rollover", "dane.partial"} <=
   set(ids(answer)), "one of two hosts with one TLSA record: ok, rollover and partial", ids(answer))
answer, _ = check(signed + "_25._tcp.mx1.example.org TLSA secure 1 1 1 " + 64 * "a" + "\n" +
                  "_25._tcp.mx2.example.org TLSA !bogus no proof\n")
ok("dane.unusable" in ids(answer, "warn") and "dane.bogus" in ids(answer, "fail"),
   "records that nobody can use, and a denial that does not validate", ids(answer))

answer, _ = check(signed + "_25._tcp.mx2.example.org A !bogus no proof\n")
ok([f["subject"] for f in answer["findings"] if f["id"] == "dane.bogus"] == ["mx2.example.org"],
   "a name server that cannot deny names below _tcp is found by another question", ids(answer))

# --- domains without mail ---

PARKED = """
example.org SOA ns1.example.org hostmaster.example.org 1 3600 600 86400 60
example.org MX 0 .
example.org TXT "v=spf1 -all"
_dmarc.example.org TXT "v=DMARC1; p=reject; np=reject; rua=mailto:d@example.net"
example.org._report._dmarc.example.net TXT "v=DMARC1"
example.net MX 10 mx.example.net
"""
answer, status = check(PARKED)
ok(status == 0 and answer.get("null_mx") is True and "parked.ok" in ids(answer, "ok"),
   "a domain that says that it has no mail is seen to be parked", answer)
answer, status = check(GOOD, "--parked")
ok(status == 1 and {"parked.mx", "parked.spf"} <= set(ids(answer, "warn")),
   "one that should be, and has mail, is told how", ids(answer))
answer, _ = check(PARKED.replace("p=reject; np=reject", "p=none"), "--parked")
fixes = [f["fix"] for f in answer["findings"] if f["id"].startswith(("dmarc.", "parked.")) and f["fix"]]
ok(len(fixes) == 1 and "p=reject" in fixes[0], "and of two policies only the one that it should have",
   fixes)

# --- blocklists ---

HEALTHY = "2.0.0.127.zen.spamhaus.org A 127.0.0.2\n2.0.0.127.bl.spamcop.net A 127.0.0.2\n"
for code, want, severity in (("127.0.0.2", "bl.listed", "fail"), ("127.0.0.3", "bl.listed", "fail"),
                             ("127.0.0.4", "bl.listed", "fail"), ("127.0.0.10", "bl.policy", "fail"),
                             ("127.0.0.11", "bl.policy", "fail"),
                             ("127.255.255.254", "bl.refused", "unknown"),
                             ("203.0.113.1", "bl.not127", "unknown")):
    answer, _ = check(GOOD + HEALTHY + f"25.2.0.192.zen.spamhaus.org A {code}\n",
                      "--ip", "192.0.2.25")
    ok(want in ids(answer, severity), f"an answer {code}: {want} ({severity})",
       [f for f in answer["findings"] if f["id"].startswith("bl.")])
answer, _ = check(GOOD + HEALTHY + "25.2.0.192.zen.spamhaus.org A 127.0.0.10\n")
ok("bl.policy" in ids(answer, "info"), "a policy entry of an MX host is no failure", ids(answer))
answer, _ = check(GOOD + HEALTHY, "--ip", "192.0.2.25")
ok("bl.clean" in ids(answer, "ok"), "an address on no list that answers is clean", ids(answer))
for zone, want in (("", "bl.zone_dead"), ("2.0.0.127.zen.spamhaus.org A 127.255.255.254\n", "bl.refused"),
                   (HEALTHY + "1.0.0.127.zen.spamhaus.org A 127.0.0.2\n", "bl.zone_dead"),
                   ("2.0.0.127.zen.spamhaus.org A !timeout\n", "bl.refused")):
    answer, _ = check(GOOD + zone + "25.2.0.192.zen.spamhaus.org A 127.0.0.2\n", "--ip", "192.0.2.25")
    ok(want in ids(answer) and "bl.listed" not in ids(answer),
       f"a list that fails its own test is not believed: {want}",
       [f for f in answer["findings"] if f["id"].startswith("bl.")])

DOMAINS = ("dbltest.com.dbl.spamhaus.org A 127.0.1.2\ntest.surbl.org.multi.surbl.org A 127.0.0.254\n"
           "test.uribl.com.multi.uribl.com A 127.0.0.14\n")
for zone, code, want, severity in (("dbl.spamhaus.org", "127.0.1.2", "bl.listed", "fail"),
                                   ("dbl.spamhaus.org", "127.0.1.104", "bl.listed", "fail"),
                                   ("dbl.spamhaus.org", "127.0.1.255", "bl.refused", "unknown"),
                                   ("dbl.spamhaus.org", "127.255.255.254", "bl.refused", "unknown"),
                                   ("multi.surbl.org", "127.0.0.72", "bl.listed", "fail"),
                                   ("multi.surbl.org", "127.0.0.1", "bl.refused", "unknown"),
                                   ("multi.uribl.com", "127.0.0.2", "bl.listed", "fail")):
    answer, _ = check(GOOD + DOMAINS + f"example.org.{zone} A {code}\n")
    ok(any(f["id"] == want and f["severity"] == severity and f["subject"] == "example.org" and
           f["text"].startswith(zone) for f in answer["findings"]),
       f"the domain on a list of domains, {zone} {code}: {want} ({severity})",
       [f for f in answer["findings"] if f["id"].startswith("bl.")])
answer, _ = check(GOOD + DOMAINS)
ok(any(f["id"] == "bl.clean" and f["subject"] == "example.org" and "none of 3" in f["text"]
       for f in answer["findings"]), "a domain on none of them is clean", ids(answer))
answer, _ = check(GOOD + DOMAINS + "example.org.dbl.spamhaus.org A 127.0.1.2\n", domain="www.example.org")
ok(any(f["id"] == "bl.listed" and f["subject"] == "example.org" for f in answer["findings"]),
   "the organisation's domain is asked about too", ids(answer))
answer, _ = check(GOOD + DOMAINS + "invalid.multi.uribl.com A 127.0.0.2\n"
                  "example.org.multi.uribl.com A 127.0.0.2\n")
ok("bl.zone_dead" in ids(answer, "info") and "bl.listed" not in ids(answer),
   "a list that lists every domain is not believed", ids(answer))

# --- what other checkers get wrong ---

answer, _ = check(with_spf("v=spf1 a:h.example.net/24 -all", "h.example.net A 192.0.2.200\n"),
                  "--ip", "192.0.2.25")
ok("spf.ip_ok" in ids(answer), "the prefix of a:HOST/24 counts", ids(answer))
answer, _ = check(with_spf("v=spf1 " + 6 * "include:i.example.net " + "-all",
                           'i.example.net TXT "v=spf1 a:x.example.net"\nx.example.net A 192.0.2.1\n'))
ok(answer.get("spf", {}).get("lookups") == 12 and "spf.lookups" in ids(answer, "fail"),
   "an include that stands there six times costs six times", answer.get("spf"))
answer, _ = check(with_spf("v=spf1 a:h.example.net +a a/24 a:mx.example.net mx -all",
                           "h.example.net A 192.0.2.1\nmx.example.net A 192.0.2.1\n"
                           "example.org A 192.0.2.1\n"))
ok(answer.get("spf", {}).get("lookups") == 5, "a:HOST, +a and a/24 are lookups, a:mx.HOST is one",
   answer.get("spf"))
status, out, _ = run("--spf-eval", "--ip", "192.0.2.1", "--mail-from", "a@example.org", "--helo",
                     "h.example.net", "--json", "--replay", write("void", """
example.org TXT "v=spf1 a:a.example.net a:b.example.net a:c.example.net +all"
"""))
ok(json.loads(out)["result"] == "permerror" and json.loads(out)["void_lookups"] == 3,
   "there is a limit of void lookups", out)
status, out, _ = run("--spf-eval", "--ip", "192.0.2.1", "--mail-from", "a@example.org", "--helo",
                     "h.example.net", "--json", "--replay", write("servfail", """
example.org TXT "v=spf1 include:i.example.net +all"
i.example.net TXT !servfail
"""))
ok(json.loads(out)["result"] == "temperror" and status == 3,
   "SERVFAIL inside of an include is no answer of no", out)
EXPLAIN = """
example.org TXT "v=spf1 -all exp=e.example.org"
e.example.org TXT "%{p} %{S} %{L}"
1.2.0.192.in-addr.arpa PTR real.example.net
1.2.0.192.in-addr.arpa PTR forged.example.org
real.example.net A 192.0.2.1
forged.example.org A 192.0.2.2
"""
status, out, _ = run("--spf-eval", "--ip", "192.0.2.1", "--mail-from", "a&b@example.org", "--helo",
                     "h.example.net", "--json", "--replay", write("explain", EXPLAIN))
ok(json.loads(out)["explanation"] == "real.example.net a%26b%40example.org a%26b",
   "%{p} is a validated name, and capital letters are escaped", out)
status, out, _ = run("--spf-eval", "--ip", "192.0.2.9", "--mail-from", "a@example.org", "--helo",
                     "h.example.net", "--json", "--replay", write("explain", EXPLAIN))
ok(json.loads(out)["explanation"].startswith("unknown "), "or unknown", out)
status, out, _ = run("--spf-eval", "--ip", "192.0.2.1", "--mail-from", "a@example.org", "--helo",
                     "h.example.net", "--json", "--replay", write("mx", MANY_MX + """
example.org TXT "v=spf1 mx:big.example.net -all"
h0.example.net A 192.0.2.1
"""))
ok(json.loads(out)["result"] == "permerror",
   "eleven MX hosts are an error, even if the first of them matches", out)
status, out, _ = run("--spf-eval", "--ip", "192.0.2.77", "--mail-from", "a@example.org", "--helo",
                     "h.example.net", "--json", "--replay", write("mx", MANY_MX + """
example.org TXT "v=spf1 mx:big.example.net -all"
"""))
ok(json.loads(out)["result"] == "permerror", "eleven MX hosts that do not match are an error", out)
for tag, aligned in (("adkim=s", False), ("adkim=r", True), ("aspf=s", True)):
    status, out, _ = run("--dmarc-eval", "--header-from", "mail.example.org", "--dkim-pass",
                         "example.org", "--json", "--replay",
                         write("strict", f'_dmarc.example.org TXT "v=DMARC1; p=reject; {tag}"\n'))
    ok(json.loads(out)["dkim_aligned"] is aligned, f"{tag}: a parent domain is "
       f"{'aligned' if aligned else 'not aligned'}", out)
for tag, aligned in (("aspf=s", False), ("aspf=r", True), ("adkim=s", True)):
    status, out, _ = run("--dmarc-eval", "--header-from", "mail.example.org", "--spf-pass",
                         "example.org", "--json", "--replay",
                         write("strict", f'_dmarc.example.org TXT "v=DMARC1; p=reject; {tag}"\n'))
    ok(json.loads(out)["spf_aligned"] is aligned and json.loads(out)["result"] == ("pass" if aligned else "fail"),
       f"{tag}: SPF of a parent domain is {'aligned' if aligned else 'not aligned'}", out)
answer, _ = check(GOOD, "--selector", "s-1.x_y")
ok(any(f["id"] == "dkim.selector_missing" and f["subject"] == "s-1.x_y._domainkey.example.org"
       for f in answer["findings"]), "the name that was asked is told, hyphens and all", ids(answer))
for record in ("v=STSv1; id=1; new=tag",):
    status, out, _ = run("--lint", "mta-sts-record", "--json", stdin=record)
    ok(json.loads(out)["valid"], "unknown fields of MTA-STS are ignored", out)
status, out, _ = run("--lint", "mta-sts-policy", "--json",
                     stdin="version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 604800\nnew: x\n")
ok(json.loads(out)["valid"] and status == 0, "and unknown keys of the policy", out)

V4ONLY = """
example.org TXT "v=spf1 mx ip6:2001:db8::1 -all"
example.org MX 1 a.example.org
example.org MX 2 b.example.org
example.org MX 3 c.example.org
a.example.org A 192.0.2.1
b.example.org A 192.0.2.2
c.example.org A 192.0.2.3
"""
answer, _ = check(V4ONLY, "--ip", "2001:db8::1")
ok("spf.void_v4only" in ids(answer, "warn") and "spf.ip_not_covered" not in ids(answer),
   "void lookups of one family only: both counts are told", ids(answer))
status, out, _ = run("--spf-eval", "--ip", "2001:db8::1", "--mail-from", "a@example.org", "--helo",
                     "h.example.net", "--json", "--replay", write("v4only", V4ONLY))
got = json.loads(out)
ok((got["result"], got["result_lenient"], got["void_lookups"], got["void_lookups_lenient"]) ==
   ("permerror", "pass", 3, 0), "by --spf-eval as well", out)

# --- the daemon's configuration ---

spool = os.path.join(DIR.name, "spool")
os.makedirs(spool, exist_ok=True)
os.chmod(KEYS[2048][0], 0o600)
config = write("nightmail.conf", f"""
[identity]
domain = example.org
helo = out.example.org
[queue]
dir = {spool}
[relay default]
host = smtp.example.net
tls = none
[dkim example.org]
selector = s1
key = {KEYS[2048][0]}
""")
status, out, err = run("--from-config", "--config", config, "--json", "--ip", "192.0.2.25",
                       "--replay", write("configured", GOOD))
try:
    answer = json.loads(out)
except ValueError:
    answer = {"findings": []}
ok(answer.get("domain") == "example.org" and "dkim.key_match" in ids(answer, "ok"),
   "--from-config knows the domain, its selector and its key", out + err)
ok("ptr.not_helo" in ids(answer, "notice"), "and how the server greets", ids(answer))
status, out, err = run("--from-config", "--config", config, "--json", "--ip", "192.0.2.25",
                       "--replay", write("configured", without(GOOD, "25.2.0.192")))
ok("ptr.none" in ids(json.loads(out), "notice"),
   "behind a relay an address without name is no failure", out + err)
status, out, err = run("--from-config", "--config", config, "--json", "--ip", "192.0.2.25", "--replay",
                       write("configured", GOOD + HEALTHY + "25.2.0.192.zen.spamhaus.org A 127.0.0.10\n"))
ok("bl.policy" in ids(json.loads(out), "n/a"), "and a policy entry of a list does not apply", out + err)

# --- how it looks ---

_, text, _ = run("example.org", "--ip", "198.51.100.1", "--replay", write("text", GOOD))
lines = text.splitlines()
ok(lines[-1].startswith("FAIL  ") and re.search(r"\b\d+ fail", lines[-1]),
   "the verdict stands at the end", text)
ok("Fix first:" in text and 'example.org. TXT "v=spf1 ip4:198.51.100.1 ip4:192.0.2.0/24' in text,
   "after the line that mends what is worst", text)
ok(all(len(line) <= 80 for line in lines if ">" not in line and " TXT " not in line),
   "lines are folded at 80 columns", text)
ok("v=spf1 ip4:192.0.2.0/24" in text, "the SPF record is shown", text)
status, text, _ = run("example.org", "--plain", "--replay", write("text", GOOD))
ok(all(len(line.split("\t")) == 4 for line in text.splitlines()), "--plain has four columns", text)
status, text, _ = run("example.org", "--nagios", "--ip", "198.51.100.1", "--replay", write("text", GOOD))
ok(re.match(r"CRITICAL - example\.org: \d+ fail.* \| fail=\d+ warn=\d+ unknown=\d+ time=\d+\.\d{3}s\n",
            text) and status == 2, "--nagios begins with a state and has performance data", text)
evil = "\\027]0;owned\\007\\027[31m" + "\u202e".encode().decode("latin-1")
evil = "".join(c if " " <= c <= "~" else f"\\{ord(c):03d}" for c in evil)
for how in ([], ["--plain"], ["--nagios"], ["--verbose"], ["--json"]):
    _, text, _ = run("example.org", *how, "--ip", "192.0.2.25", "--replay", write(
        "evil", without(GOOD, SPF) + f'{SPF} "v=spf1 a:{evil} -all"\n{DMARC} "v=DMARC1; p={evil}"\n'
        f'25.2.0.192.zen.spamhaus.org TXT "{evil}"\n25.2.0.192.zen.spamhaus.org A 127.0.0.2\n' + HEALTHY))
    ok("\x1b" not in text and "\x07" not in text and "\u202e" not in text,
       f"bytes of strangers do not reach the terminal {' '.join(how)}", repr(text))

# --- explanations ---

status, text, _ = run("--explain", "all")
known = text.split()
ok(status == 0 and len(known) > 80 and known == sorted(set(known)), "--explain all lists the findings", text)
used = set()
heads = "|".join(sorted({k.split(".")[0] for k in known}))
for folder in ("check", "cli"):
    folder = os.path.join(ROOT, "src", folder)
    for name in os.listdir(folder):
        if name.endswith(".c") and not name.startswith("finding_"):
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                used |= set(re.findall(rf'"((?:{heads})\.[a-z0-9_]+)"', f.read()))
ok(used <= set(known), "every finding that is made can be explained", sorted(used - set(known)))
ok(set(known) <= used, "and every one that is explained is made", sorted(set(known) - used))
first_of = {i.split(".")[0]: i for i in reversed(known)}
blank = [i for i in first_of.values() if re.match(r"\S+ \(\)", run("--explain", i)[1])]
ok(len(first_of) > 15 and not blank, "every finding has a heading", blank)
status, text, _ = run("--explain", "spf.lookups")
ok(status == 0 and "RFC 7208 section 4.6.4" in text and "do:" in text, "an explanation", text)
status, text, err = run("--explain", "spf.lockups")
ok(status == 64 and "spf.lookups" in err, "a mistyped one suggests another", err)

# --- expected records ---

zone = write("zone", GOOD)
want = write("want", """
; what should be there
example.org.  3600 IN MX 10 mx1.example.org.
@ MX 20 MX2.example.org.
mx1.example.org A 192.0.2.25
_dmarc.example.org. TXT ( "v=DMARC1; p=reject; " ; in two strings (
	"np=reject; rua=mailto:d@example.org" )
s1._domainkey.example.org. 3600 IN TXT ( "%s" )
""" % txt(KEYS[2048][1]))
status, text, err = run("example.org", "--expect", want, "--replay", zone)
ok(status == 0, "records that are as expected, in other words and strings", text + err)
status, text, _ = run("example.org", "--json", "--replay", zone, "--expect",
                      write("drift", "example.org MX 10 mx1.example.org\nmx9.example.org A 192.0.2.9\n"))
answer = json.loads(text)
ok(status == 2 and ids(answer, "fail") == ["expect.extra", "expect.missing"] and
   answer["findings"][1]["fix"] == "mx9.example.org. A 192.0.2.9",
   "drift is a failure, with the line that is missing", text)
status, text, _ = run("example.org", "--replay", write("silent", GOOD + "slow.example.org A !timeout\n"),
                      "--expect", write("slow", "slow.example.org A 192.0.2.9\n"))
ok(status == 3, "what DNS does not tell is not known", text)
status, text, err = run("example.org", "--replay", zone, "--expect", write("bad", "\n\nnonsense\n"))
ok(status == 64 and "line 3" in err, "a line that is no record is named", err)
status, text, _ = run("example.org", "--replay", zone, "--wait=1", "--expect",
                      write("never", "gone.example.org A 192.0.2.9\n"))
ok(status == 2, "--wait ends when its time is over", text)

# --- the records ---

records = write("records", """example.org MX 20 mx2.example.org
example.org MX 10 mx1.example.org
example.org TXT "some-verification=1"
example.org TXT "v=spf1 a:www.example.org -all"
mx1.example.org A 192.0.2.25
mx2.example.org A !timeout
www.example.org A 192.0.2.80
s1._domainkey.example.org TXT "v=DKIM1; p=\\"x"
""")
status, text, _ = run("example.org", "--json", "--zone", "--replay", records)
found = [(r["name"], r["type"], r["value"], r["why"]) for r in json.loads(text)["records"]]
ok([f[2] for f in found if f[1] == "MX"] == ["10 mx1.example.org", "20 mx2.example.org"] and
   [f[2:] for f in found if f[:2] == ("example.org", "TXT")] == [('"v=spf1 a:www.example.org -all"', None)],
   "the records that are about mail, in order", found)
ok(("mx1.example.org", "A", "192.0.2.25", None) in found and
   not any(f[0] == "www.example.org" or "no-such" in f[0] for f in found),
   "addresses of the MX hosts alone", found)
ok(any(f[:3] == ("mx2.example.org", "A", None) and f[3] for f in found), "what was not answered", found)
ok(("_mta-sts.example.org", "TXT", None, None) in found, "and what is not there", found)
status, text, _ = run("example.org", "--plain", "--zone", "--replay", records)
lines = text.splitlines()
ok('record\texample.org\tTXT\t"v=spf1 a:www.example.org -all"' in lines and
   "record\tmx2.example.org\tA\t?" in lines and "record\t_mta-sts.example.org\tTXT\t-" in lines,
   "a line each", text)
ok("\nrecord\t" not in run("example.org", "--plain", "--replay", records)[1], "on request alone")
status, text, _ = run("example.org", "--zone", "--replay", records)
zone_lines = "\n".join(l for l in text.splitlines() if re.match(r"  [a-z0-9._-]+\. [A-Z]+ ", l) and " TXT " not in l)
status, text, _ = run("example.org", "--replay", records, "--expect", write("again", zone_lines))
ok(status == 0 and "192.0.2.25" in zone_lines, "for people as --expect reads them", zone_lines + text)

# --- recording ---

record = os.path.join(DIR.name, "record")
_, first, _ = run("example.org", "--plain", "--ip", "192.0.2.25", "--replay", zone, "--record", record)
_, second, _ = run("example.org", "--plain", "--ip", "192.0.2.25", "--replay", record)
ok(first and first == second, "what was recorded gives the same findings", second)

p = subprocess.run([os.path.join(BUILD, "nightmail"), "dns", "example.org", "--plain", "--replay", zone],
                   capture_output=True, check=False)
ok(p.stdout.decode() == run("example.org", "--plain", "--replay", zone)[1] != "",
   "nightmail dns is dns-check", p.stderr)

# --- misuse ---

for args, words in (([], "which domain"), (["a..b"], "not the name of a domain"),
                    (["example.org", "--ip", "1.2.3"], "not an IP address"),
                    (["example.org", "@nonsense"], "not the address of a resolver"),
                    (["example.org", "--key", "x"], "--selector"),
                    (["example.org", "--wait"], "--expect"),
                    (["--spf-eval", "--ip", "1.2.3.4"], "--mail-from"),
                    (["--dmarc-eval"], "--header-from"), (["--lint"], "needs a value"),
                    (["--mta-sts", "example.org", "--expect", "x"], "--expect"), (["--lint", "x"], "mta-sts-policy"),
                    (["example.org", "--timeout", "0"], "seconds"),
                    (["example.org", "--authoritative", "@127.0.0.1"], "contradicts @127.0.0.1"),
                    (["example.org", "--parkd"], "did you mean --parked?"), (["--frob"], "option --frob\n")):
    status, _, err = run(*args)
    ok(status == 64 and words in err, f"usage: {' '.join(args) or 'nothing'}", err)

print(f"1..{tests}")
sys.exit(1 if failed else 0)
