#!/usr/bin/env python3
"""dns-check against servers on the loopback: a name server, and web servers with a CA of their
own that hand out MTA-STS policies in ways that a sender must refuse."""

import http.server
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.environ.get("NIGHTMAIL_BUILD", os.path.join(ROOT, "build", "release"))
TOOL = os.path.join(BUILD, "dns-check")
DIR = tempfile.TemporaryDirectory(prefix="dns_check.")

tests = 0
failed = 0


def ok(passed, name, note=""):
    global tests, failed
    tests += 1
    failed += not passed
    print(f"{'ok' if passed else 'not ok'} {tests} - {name.replace('#', '.')}")
    if note and not passed:
        print("\n".join("# " + line for line in str(note).splitlines()))


def path(name):
    return os.path.join(DIR.name, name)


def write(name, text):
    with open(path(name), "w", encoding="utf-8") as f:
        f.write(text)
    return path(name)


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=DIR.name)


def certificate(name, host, days=30, ca="ca"):
    """NAME.pem with its key, signed by the CA in CA.pem."""
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
            f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={host}")
    write(f"{name}.ext", f"subjectAltName=DNS:{host}\nextendedKeyUsage=serverAuth\n")
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key",
            "-CAcreateserial", "-days", str(days), "-extfile", f"{name}.ext", "-out", f"{name}.pem")


def certificates():
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA", "-days", "30")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", "other.key", "-out", "other.pem", "-subj", "/CN=Other CA", "-days", "30")
    certificate("good", "mta-sts.example.org")
    certificate("wrong", "www.example.org")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", "named.key", "-out", "named.pem", "-subj", "/C=US/O=Let's Encrypt/CN=R99",
            "-days", "30")
    certificate("by_name", "mta-sts.example.org", ca="named")
    certificate("soon", "mta-sts.example.org", 9)
    certificate("now", "mta-sts.example.org", 2)


POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mx1.example.org\r\nmax_age: 604800\r\n"


class Web(http.server.BaseHTTPRequestHandler):
    """Answers as `how` of its server says."""
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        pass

    def answer(self, status, type_, body, **more):
        self.send_response(status)
        if type_:
            self.send_header("Content-Type", type_)
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        if "Transfer_Encoding" not in more and "Connection" not in more:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass
        self.close_connection = True

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Host")))
        how, policy = self.server.how, POLICY.encode()
        if how == "testing":
            policy = policy.replace(b"enforce", b"testing")
        if how == "changed":
            policy += b"mx: mx9.example.org\r\n"
        if how == "chunked":
            body = b"".join(b"%x\r\n%s\r\n" % (len(policy[i:i + 7]), policy[i:i + 7])
                            for i in range(0, len(policy), 7)) + b"0\r\n\r\n"
            self.answer(200, "text/plain; charset=utf-8", body, Transfer_Encoding="chunked")
        elif how == "until the end":
            self.answer(200, "Text/Plain", policy, Connection="close")
        elif how == "redirect":
            self.answer(301, "text/plain", policy, Location="https://www.example.org/\x1b[31m")
        elif how == "status":
            self.answer(203, "text/plain", policy)
        elif how == "missing":
            self.answer(404, "text/plain", b"no")
        elif how == "type":
            self.answer(200, "text/html", policy)
        elif how == "no type":
            self.answer(200, None, policy)
        elif how == "long":
            self.answer(200, "text/plain", policy + b"x: " + b"y" * 65536 + b"\r\n")
        elif how == "endless":
            self.answer(200, "text/plain", policy + b"x" * 4000000, Connection="close")
        elif how == "cut":
            self.answer(200, "text/plain", policy[:-5], Connection="close", Content_Length="500")
        elif how == "bad":
            self.answer(200, "text/plain", b"version: STSv1\nmode: maybe\n")
        else:
            self.answer(200, "text/plain", policy)


def serve(cert):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path(f"{cert}.pem"), path(f"{cert}.key"))

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            pass

        def finish_request(self, request, client_address):
            with context.wrap_socket(request, server_side=True) as tls:
                super().finish_request(tls, client_address)

    server = Server(("127.0.0.1", 0), Web)
    server.how, server.asked = "good", []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def run(*args):
    p = subprocess.run([TOOL, *args, "--json"], capture_output=True, timeout=120, check=False)
    text = p.stdout.decode() + p.stderr.decode()
    try:
        return json.loads(p.stdout), p.returncode, text
    except ValueError:
        return {}, p.returncode, text


ZONE = """
example.org MX 10 mx1.example.org
mx1.example.org A 192.0.2.1
_mta-sts.example.org TXT "v=STSv1; id=20260101"
"""
certificates()
zone = write("zone", ZONE)
good, wrong = serve("good"), serve("wrong")


def fetch(server, how="good", ca="ca.pem", table=zone):
    server.how = how
    return run("--mta-sts", "example.org", "--replay", table, "--mta-sts-connect",
               f"127.0.0.1:{server.server_port}", "--ca-file", path(ca))


answer, status, text = fetch(good)
ok(answer.get("mta_sts") == {"status": "valid", "mode": "enforce"} and status == 0,
   "a policy is fetched", text)
ok(good.asked == [("/.well-known/mta-sts.txt", "mta-sts.example.org")], "from its place", good.asked)
for how in ("chunked", "until the end"):
    answer, status, text = fetch(good, how)
    ok(answer.get("mta_sts", {}).get("status") == "valid" and status == 0, f"as well when it comes {how}",
       text)
for how, words in (("redirect", "redirect (301)"), ("status", "status 203"), ("missing", "status 404"),
                   ("type", "text/html"), ("no type", "missing"), ("long", "too long"),
                   ("endless", "64 KiB"), ("cut", "cut"), ("bad", "mode")):
    answer, status, text = fetch(good, how)
    ok(answer.get("mta_sts") == {"status": "invalid", "mode": None} and status == 2 and words in text,
       f"refused: {how}", text)
    ok("\x1b" not in text, "and told safely", repr(text))
answer, status, text = fetch(wrong)
ok(answer.get("mta_sts", {}).get("status") == "invalid" and "not for mta-sts.example.org" in text,
   "a certificate for another name is refused", text)
ok(not wrong.asked, "before anything is asked", wrong.asked)
answer, status, text = fetch(good, ca="other.pem")
ok(answer.get("mta_sts", {}).get("status") == "invalid" and status == 2,
   "one of an unknown authority is refused", text)
answer, status, text = fetch(good, table=write("none", "example.org MX 10 mx1.example.org\n"))
ok(answer.get("mta_sts") == {"status": "none", "mode": None} and status == 1,
   "without a record there is no policy", text)
answer, status, text = fetch(good, table=write("slow", "_mta-sts.example.org TXT !timeout\n"))
ok(answer.get("mta_sts", {}).get("status") is None and status == 3, "what DNS does not tell is not known",
   text)
answer, status, text = fetch(good, table=write(
    "uncovered", ZONE + "example.org MX 20 mx2.example.org\nmx2.example.org A 192.0.2.2\n"))
ok(answer.get("mta_sts", {}).get("status") == "valid" and
   any(f["id"] == "sts.mx_uncovered" and f["subject"] == "mx2.example.org" and f["severity"] == "fail"
       for f in answer.get("findings", [])), "an MX host that the policy does not cover is told", text)

for name, severity, code in (("soon", "warn", 1), ("now", "fail", 2)):
    server = serve(name)
    answer, status, text = fetch(server)
    told = [f["severity"] for f in answer.get("findings", []) if f["id"] == "sts.cert_expires"]
    ok(told == [severity] and answer["exit_code"] == code and answer["mta_sts"]["status"] == "valid",
       f"a certificate that ends {name}", text)
    server.shutdown()
    server.server_close()
answer, status, text = fetch(good)
ok("sts.cert_expires" not in text, "and one that does not", text)

# How long it is tested already, by the date in the id.
for id_, severity in (("20200131", "warn"), ("20200131T120000", "warn"), ("abc", "notice"),
                      ("20209931", "notice"), ("20990101", "notice")):
    answer, status, text = fetch(good, "testing", table=write("testing", ZONE.replace("20260101", id_)))
    ok([f["severity"] for f in answer.get("findings", []) if f["id"] == "sts.testing"] == [severity],
       f"mode testing with the id {id_}: {severity}", text)

# What was seen before.
state = path("state")
write("state", "mta-sts other.example 7 00\n")


def remember(how, id_="20260101"):
    good.how = how
    return run("--mta-sts", "example.org", "--replay", write("again", ZONE.replace("20260101", id_)),
               "--mta-sts-connect", f"127.0.0.1:{good.server_port}", "--ca-file", path("ca.pem"),
               "--state", state)


for how, id_, found, what in (("good", "20260101", False, "seen for the first time"),
                              ("good", "20260101", False, "the same again"),
                              ("changed", "20260101", True, "another policy under the same id"),
                              ("changed", "20260101", True, "which is told until there is another id"),
                              ("changed", "20260102", False, "and then no more"),
                              ("good", "20260103", False, "nor when both change")):
    answer, status, text = remember(how, id_)
    ids = [(f["id"], f["severity"]) for f in answer.get("findings", [])]
    ok((("sts.id_unchanged", "fail") in ids) is found and answer.get("mta_sts", {}).get("status") == "valid",
       f"the policy: {what}", text)
with open(state, encoding="ascii") as f:
    lines = f.read().splitlines()
ok(lines[0] == "mta-sts other.example 7 00" and len(lines) == 2 and
   lines[1].startswith("mta-sts example.org 20260103 "), "what was seen of other domains is kept", lines)
answer, status, text = run("--mta-sts", "example.org", "--replay", zone, "--state", DIR.name)
ok(status == 66 and "--state" in text, "a file of what was seen that cannot be read", text)

# CAA and the authority that issued the certificate in use.
by_name = serve("by_name")
for caa, found in (('example.org CAA 0 issue "pki.goog"\n', True),
                   ('mta-sts.example.org CAA 0 issue "pki.goog"\n', True),
                   ('example.org CAA 0 issue "letsencrypt.org; validationmethods=dns-01"\n', False),
                   ('example.org CAA 0 issue "pki.goog"\nexample.org CAA 0 issue "letsencrypt.org"\n', False),
                   ('example.org CAA 0 iodef "mailto:a@example.org"\n', False), ("", False)):
    answer, status, text = run("example.org", "--replay", write("caa", ZONE + caa), "--mta-sts-connect",
                               f"127.0.0.1:{by_name.server_port}", "--ca-file", path("named.pem"))
    got = [f for f in answer.get("findings", []) if f["id"] == "caa.forbids_current_issuer"]
    ok(bool(got) is found and (not got or (got[0]["severity"] == "warn" and
                                           'CAA 0 issue "letsencrypt.org"' in got[0]["fix"])),
       f"CAA {caa.strip() or 'none'}: the certificate in use {'is forbidden' if found else 'may be'}", text)
by_name.shutdown()
by_name.server_close()

# Nobody listens where the policy should be.
closed = good.server_port
good.shutdown()
good.server_close()
answer, status, text = run("--mta-sts", "example.org", "--replay", zone, "--mta-sts-connect",
                           f"127.0.0.1:{closed}", "--ca-file", path("ca.pem"))
ok(status == 2 and "refused" in text, "a server that is not there", text)
wrong.shutdown()
wrong.server_close()

print(f"1..{tests}")
sys.exit(1 if failed else 0)
