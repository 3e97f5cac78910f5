#!/usr/bin/env python3
# send: texts, HTML, pictures and attached files, read back by Python's email package.
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from send_lib import *

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def queued(*args, text="text\n", name):
    empty()
    r = send("bob@y.example", *args, text=text)
    eq((r.returncode, r.stderr), (0, b""), name)
    return only()


def content(part):
    return part.get_payload(decode=True).replace(b"\r\n", b"\n")


# --- what stands where ---
html = path("page.html", '<p>hi <img src="cid:logo.png">\n')
png = path("logo.png", PNG)
pdf = path("report.pdf", b"%PDF-1.4\n\x00\xff")
shapes = [
    ("a text alone", [], "text\n", "text/plain"),
    ("text and HTML", ["--html", html], "text\n",
     ["multipart/alternative", "text/plain", "text/html"]),
    ("HTML without a text", ["--html", html], "", "text/html"),
    ("HTML on standard input", ["--html", "-"], "<p>hi\n", "text/html"),
    ("HTML with a picture", ["--html", html, "--inline", png], "",
     ["multipart/related", "text/html", "image/png"]),
    ("text, and HTML with a picture", ["--html", html, "--inline", png], "text\n",
     ["multipart/alternative", "text/plain", ["multipart/related", "text/html", "image/png"]]),
    ("a text and a file", ["-a", pdf], "text\n",
     ["multipart/mixed", "text/plain", "application/pdf"]),
    ("a file alone", ["-a", pdf], "", ["multipart/mixed", "application/pdf"]),
    ("HTML and a file", ["--html", html, "-a", pdf], "",
     ["multipart/mixed", "text/html", "application/pdf"]),
    ("HTML with a picture, and a file", ["--html", html, "-a", pdf, "--inline", png], "",
     ["multipart/mixed", ["multipart/related", "text/html", "image/png"], "application/pdf"]),
    ("text, HTML and two files", ["-a", pdf, "--html", html, "--attach", png], "text\n",
     ["multipart/mixed", ["multipart/alternative", "text/plain", "text/html"],
      "application/pdf", "image/png"]),
    ("everything", ["-a", pdf, "--html", html, "--inline", png, "-a", pdf], "text\n",
     ["multipart/mixed",
      ["multipart/alternative", "text/plain", ["multipart/related", "text/html", "image/png"]],
      "application/pdf", "application/pdf"]),
]
for name, args, text, want in shapes:
    m = queued(*args, text=text, name=name)
    eq(shape(m), want, name + ": the parts")
    for part in m.walk():
        kind = part.get_content_type()
        if kind == "text/plain":
            eq(content(part), text.encode(), name + ": the text")
        elif kind == "text/html":
            eq(content(part), text.encode() if "-" in args else open(html, "rb").read(),
               name + ": the HTML")
        elif kind == "image/png":
            eq(part.get_payload(decode=True), PNG, name + ": the picture")
        elif kind == "application/pdf":
            eq((part.get_filename(), part.get_content_disposition(), part.get_payload(decode=True)),
               ("report.pdf", "attachment", open(pdf, "rb").read()), name + ": the file")
m = queued("--html", html, "--inline", png, text="", name="an inline picture")
picture = list(m.iter_parts())[1]
eq((picture["content-id"], picture.get_content_disposition()), ("<logo.png>", "inline"),
   "is called as the HTML calls it")
eq(m.get_param("type"), "text/html", "and related tells its root's type")

# --- a text: how it travels ---
texts = [
    ("ASCII", b"plain\n", "us-ascii", "7bit"),
    ("UTF-8", "Grüße\n".encode(), "utf-8", "8bit"),
    ("no text", b"", "us-ascii", "7bit"),
    ("no line end", b"plain", "us-ascii", "7bit"),
    ("CRLF", b"one\r\ntwo\r\n", "us-ascii", "7bit"),
    ("a lone dot and From", b".\nFrom me\n..\n", "us-ascii", "7bit"),
    ("a long line", b"x" * 5000 + b"\n", "us-ascii", "quoted-printable"),
    ("a long line of German", ("Größe und Gewicht " * 200).encode(), "utf-8", "quoted-printable"),
    ("a long line of Japanese", ("日本語" * 1000 + "\nzwei\n").encode(), "utf-8", "base64"),
    ("Latin-1", b"caf\xe9 au lait, s'il vous pla\xeet\n", "unknown-8bit", "8bit"),
]
for name, text, charset, encoding in texts:
    m = queued(text=text, name="text: " + name)
    eq((m.get_content_charset(), m["content-transfer-encoding"]), (charset, encoding),
       name + ": what is said of it")
    want = text.replace(b"\r\n", b"\n")
    got = content(m)
    eq(got.rstrip(b"\n"), want.rstrip(b"\n"), name + ": comes back")
    m = queued("-a", pdf, text=text, name="text beside a file: " + name)
    parts = list(m.iter_parts())
    if text:
        eq((content(parts[0]), parts[0].get_content_charset()), (want, charset),
           name + ": the very same, and its charset")
        ok(parts[0]["content-transfer-encoding"] in ("7bit", "quoted-printable", "base64"),
           name + ": as ASCII, since other parts follow")

# --- files: the same bytes come back, whatever they are ---
files = [
    ("empty.txt", b"", "text/plain", None),
    ("ascii.txt", b"one\ntwo\n", "text/plain", "7bit"),
    ("no-newline.txt", b"one\ntwo", "text/plain", "7bit"),
    ("crlf.txt", b"one\r\ntwo\r\n", "text/plain", "base64"),
    ("cr.txt", b"one\rtwo\r", "text/plain", "base64"),
    ("mixed.csv", b"a,b\r\n1,2\n", "text/csv", "base64"),
    ("german.md", ("Grüße aus dem Süden " * 20 + "\n").encode(), "text/markdown",
     "quoted-printable"),
    ("japanese.txt", ("日本語\n" * 50).encode(), "text/plain", "base64"),
    ("long.diff", b"+" * 3000 + b"\n", "text/x-diff", "quoted-printable"),
    ("latin.txt", b"caf\xe9\n", "text/plain", None),
    ("nul.txt", b"a\0b\n", "application/octet-stream", "base64"),
    ("dots.log", b".\n..\nFrom x\n--=_1_x\n", "text/plain", "7bit"),
    ("trailing.txt", b"blanks   \n\ttab\t\n\n\n", "text/plain", "7bit"),
    ("data.json", b'{"a":1}', "application/json", "base64"),
    ("unknown.qqq", b"\x00\x01\x02", "application/octet-stream", "base64"),
    ("Makefile", b"all:\n\ttrue\n", "text/plain", "7bit"),
    ("random.bin", os.urandom(100001), "application/octet-stream", "base64"),
    ("piece.bin", os.urandom(57 * 4096), "application/octet-stream", "base64"),
    ("piece1.bin", os.urandom(57 * 4096 + 1), "application/octet-stream", "base64"),
    ("big.txt", ("zwölf Boxkämpfer jagen Viktor\n" * 40000).encode(), "text/plain", "base64"),
    ("big.bin", os.urandom(3000000), "application/octet-stream", "base64"),
    ("UPPER.PDF", b"%PDF", "application/pdf", "base64"),
    ("archive.tar.gz", b"\x1f\x8b\x00", "application/gzip", "base64"),
    ("mail.eml", b"Subject: x\n\nbody\n", "message/rfc822", "7bit"),
    ("mail8.eml", "Subject: x\n\nGrüße\n".encode(), "application/octet-stream", "base64"),
]
for name, data, kind, encoding in files:
    m = queued("-a", path(name, data), name="file: " + name)
    part = list(m.iter_parts())[-1]
    eq((part.get_content_type(), part.get_filename()), (kind, name), name + ": its type and name")
    if encoding:
        eq(part["content-transfer-encoding"], encoding, name + ": its encoding")
    if kind == "message/rfc822":
        eq(part.get_content()["subject"], "x", name + ": is a message inside")
        continue
    got = part.get_payload(decode=True)
    if encoding != "base64":
        got = got.replace(b"\r\n", b"\n")
    eq(got, data, name + ": the very same bytes")
    if kind.startswith("text/"):
        charset = "us-ascii" if data.isascii() else \
            "unknown-8bit" if b"\xe9\n" in data else "utf-8"
        eq(part.get_content_charset(), charset, name + ": its charset")

# --- names of files ---
names = [
    "plain.txt", "two words.txt", 'quo"te.txt', "back\\slash.txt", "semi;colon.txt",
    "per%cent.txt", "Übergröße naïve.pdf", "日本語の長い名前" * 6 + ".txt", "😀.png",
    "x" * 200 + ".txt", "apo's*.txt", "=?utf-8?q?x?=.txt", "-dash.txt", "a\\b\"c.txt",
]
for name in names:
    m = queued("--attach=" + path(name, "x\n"), name="a name: " + name)
    part = list(m.iter_parts())[-1]
    eq(part.get_filename(), name, "comes back")
m = queued("-a", path("line\nend\x1b[31m.txt", "x\n"), name="a name with control characters")
eq(list(m.iter_parts())[-1].get_filename(), "line_end_[31m.txt", "gets them replaced")
os.makedirs(os.fsencode(folder), exist_ok=True)
odd = os.path.join(os.fsencode(folder), b"caf\xe9.txt")
with open(odd, "wb") as f:
    f.write(b"x\n")
m = queued("-a", odd, name="a name that is not UTF-8")
eq(list(m.iter_parts())[-1].get_filename(), "caf_.txt", "gets that byte replaced")

# --- header fields ---
m = queued("-s", "Ünïcödé " * 60, "--from", "Größe <me@relay.example>", "--cc",
           '"Doe, J." <d@y.example>', "--header", "X-Long: " + "word " * 300,
           "--unsubscribe", "https://x.example/u?id=1&x=%20", "--unsubscribe",
           "mailto:leave@x.example?subject=bye", "-a", pdf, name="long and foreign fields")
eq(m["subject"], ("Ünïcödé " * 60).strip(), "the subject")
eq([(a.display_name, a.addr_spec) for a in m["from"].addresses], [("Größe", "me@relay.example")],
   "From")
eq(m["x-long"].split(), ["word"] * 300, "a long field")
eq("".join(m["list-unsubscribe"].split()),
   "<https://x.example/u?id=1&x=%20>,<mailto:leave@x.example?subject=bye>", "List-Unsubscribe")
eq(m["list-unsubscribe-post"], "List-Unsubscribe=One-Click", "RFC 8058: by one click")
m = queued("--unsubscribe", "mailto:leave@x.example", name="to leave by mail alone")
eq((m["list-unsubscribe"], m["list-unsubscribe-post"]), ("<mailto:leave@x.example>", None),
   "is no click")
empty()
send("bob@y.example", "root", "--receipt", text="x")
spool = os.path.join(folder, "spool/queue")
with open(os.path.join(spool, os.listdir(spool)[0]), "rb") as f:
    head = f.read().partition(b"\n\n")[0]
eq([line.split(b"notify=")[-1] for line in head.splitlines() if line.startswith(b"to ")],
   [b"SUCCESS,FAILURE,DELAY"] * 2, "--receipt asks for a report of every recipient")

# --- a big file does not have to fit into memory ---
big = path("huge.bin")
with open(big, "wb") as f:
    f.truncate(30 << 20)
empty()
if not os.environ.get("ASAN_OPTIONS") or "san" not in bin:
    import resource
    limit = 24 << 20
    r = subprocess.run([os.path.join(bin, "send"), "--config", conf, "bob@y.example", "-a", big],
                       input=b"x\n", capture_output=True,
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
    eq((r.returncode, r.stderr), (0, b""), "30 MB are attached with 24 MB of memory")
    eq(list(only().iter_parts())[1].get_payload(decode=True), bytes(30 << 20), "and are whole")

# --- a pipe can be attached ---
empty()
r = subprocess.run(["bash", "-c", '"$0" --config "$1" bob@y.example -a <(head -c 700000 /dev/zero) '
                    "</dev/null", os.path.join(bin, "send"), conf], capture_output=True)
eq((r.returncode, r.stderr), (0, b""), "a pipe is attached")
eq(list(only().iter_parts())[-1].get_payload(decode=True), bytes(700000), "and is whole")

# --- what is refused, with nothing queued ---
refused = [
    ("a file that is not there", ["-a", "nowhere.pdf"], 66, b"nowhere.pdf: cannot be read"),
    ("a folder", ["-a", folder], 64, b"a folder, not a file"),
    ("--inline without --html", ["--inline", png], 64, b"--html"),
    ("two pictures of one name", ["--html", html, "--inline", png, "--inline", png], 64,
     b"same Content-ID"),
    ("HTML that is not there", ["--html", "nowhere.html"], 66, b"nowhere.html: cannot be read"),
    ("an address that is no URL", ["--unsubscribe", "http://x.example/u"], 64, b"https://"),
    ("a URL with a blank", ["--unsubscribe", "https://x.example/a b"], 64, b"%XX"),
    ("a URL with a line end", ["--unsubscribe", "https://x.example/\nBcc: a@b"], 64, b"%XX"),
    ("a URL that ends its bracket", ["--unsubscribe", "https://x.example/>,<https://y/"], 64,
     b"%XX"),
    ("-t with -a", ["-t", "-a", pdf], 64, b"send -t < MESSAGE"),
    ("-t with --html", ["-t", "--html", html], 64, b"send -t < MESSAGE"),
    ("-t with --header", ["-t", "--header", "X: y"], 64, b"send -t < MESSAGE"),
]
for name, args, code, words in refused:
    empty()
    r = send("bob@y.example", *args, text="x\n")
    ok((r.returncode, len(queue())) == (code, 0) and words in r.stderr, name,
       "%d %s" % (r.returncode, r.stderr.decode()))
empty()
r = send("bob@y.example", "--html", path("nul.html", b"a\0b"), text="x")
eq((r.returncode, len(queue())), (65, 0), "HTML with a NUL is 65")
configure("size-limit = 1M")
r = send("bob@y.example", "-a", big, text="x")
eq((r.returncode, len(queue())), (65, 0), "files over the size limit are 65")
r = send("bob@y.example", "-a", big, "--dry-run", text="x")
eq(r.returncode, 65, "of which --dry-run warns")
configure()

# --- --dry-run ---
empty()
r = send("bob@y.example", "Zoë <zoe@y.example>", "-s", "Tëst", "--html", html, "--inline", png,
         "-a", pdf, "--json", "--dry-run", text="Grüße\n")
eq((r.returncode, r.stderr, len(queue())), (0, b"", 0), "--dry-run queues nothing")
d = json.loads(r.stdout)
eq(d["recipients"], ["bob@y.example", "zoe@y.example"], "--json tells the recipients")
eq(d["text"], "Grüße\n", "the text")
eq(parse(d["header"].encode())["subject"], "Tëst", "the header")
eq([(p["depth"], p["type"].split(";")[0], p["name"]) for p in d["parts"]],
   [(0, "multipart/mixed", None), (1, "multipart/alternative", None), (2, "text/plain", None),
    (2, "multipart/related", None), (3, "text/html", None), (3, "image/png", "logo.png"),
    (1, "application/pdf", "report.pdf")], "the parts")
eq(d["route"]["relay"]["name"], "default", "and the relay, as nightmail explain does")
send("bob@y.example", "-s", "x", "-a", pdf, text="Grüße\n")
send("bob@y.example", "-s", "x", "-a", pdf, "--json", "--dry-run", text="Grüße\n")
size = json.loads(send("bob@y.example", "-s", "x", "-a", pdf, "--json", "--dry-run",
                       text="Grüße\n").stdout)["size"]
eq(size, queue()[0]["size"], "the size is that of the queued message")
r = send("bob@y.example", "-s", "x", "--dry-run", text="one\n\x1b[31mtwo\n")
for want in (b"  to   bob@y.example\n", b"  Subject: x\n", b"text/plain; charset=us-ascii, 7bit",
             b"  | one\n", b"relay    default"):
    ok(want in r.stdout, "in words: " + want.decode().strip(), r.stdout.decode())
ok(b"\x1b" not in r.stdout, "and no byte that a terminal would act on")
r = send("-t", "--dry-run", "--json", text="To: a@y.example\nBcc: b@y.example\nSubject: s\n\nhi\n")
d = json.loads(r.stdout)
eq((sorted(d["recipients"]), "Bcc" in d["header"]), (["a@y.example", "b@y.example"], False),
   "--dry-run of a whole message")
r = send("bob@y.example", "--dry-run", "--config", path("broken.conf", "[queue]\ndir = spool\n[relay x]\n"), text="x")
eq(r.returncode, 0, "with a broken configuration mail is still queued, and shown")
ways = path("ways.conf", "[queue]\ndir = spool\n[relay default]\nhost = 127.0.0.1\n"
            "[relay office]\nhost = 127.0.0.2\n")
r = send("bob@y.example", "--dry-run", "--config", ways, "--relay", "office", "--require-tls", text="x\n")
ok(b"relay    office: its sender asked for it" in r.stdout and b"the message requires TLS" in r.stdout,
   "the way is that of the relay and the TLS that were asked for", r.stdout.decode() + r.stderr.decode())
r = send("-t", "--dry-run", "--config", ways, text="To: a@y.example\nTLS-Required: No\n\nhi\n")
ok(b"TLS-Required: No: changes nothing" in r.stdout, "and of a field that asks for none",
   r.stdout.decode() + r.stderr.decode())
end()
