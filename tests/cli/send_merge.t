#!/usr/bin/env python3
# send --template: one message a row, what a row may not do, and going on after a break.
import csv
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from send_lib import *

TEMPLATE = """From: News <news@relay.example>
To: {{name}} <{{email}}>
Subject: Hello {{name}}
X-Row: {{id}}

Dear {{name}}, \\{{this}} stays.
{{text}}
"""
template = path("mail.txt", TEMPLATE)


def results(data):
    with open(data + ".results", newline="") as f:
        return list(csv.DictReader(f))


def forget(data):
    empty()
    if os.path.exists(data + ".results"):
        os.unlink(data + ".results")


def merge(data, *args, template=template, env=None):
    return send("--template", template, "--data", data, *args, env=env)


def messages():
    return [parse(raw(m)) for m in queue()]


# --- the rows of all formats give the same messages ---
rows = [
    ("1", "Doe, John", "john@y.example", 'says "hi", twice'),
    ("2", "Zoë Müller", "zoe@y.example", "two\nlines"),
    ("3", "bob@evil.example", "bob@y.example", ""),
    ("4", "plain", '"a b"@y.example', "日本語 {{name}}"),
]
fields = ("id", "name", "email", "text")


def write_csv(separator=",", end="\r\n", bom=""):
    def cell(text):
        return '"%s"' % text.replace('"', '""') if any(c in text for c in ',;\t"\n ') else text
    return bom + "".join(separator.join(map(cell, row)) + end for row in [fields, *rows])


objects = [dict(zip(fields, row)) for row in rows]
for o in objects:
    o["id"] = int(o["id"])
formats = [
    ("CSV", "rows.csv", write_csv()),
    ("CSV with LF, and none at its end", "lf.csv", write_csv(end="\n")[:-1]),
    ("CSV with CR", "cr.csv", write_csv(end="\r")),
    ("CSV with a BOM", "bom.csv", write_csv(bom="\ufeff")),
    ("CSV with semicolons", "semi.csv", write_csv(";")),
    ("CSV with tabs", "tab.tsv", write_csv("\t")),
    ("CSV with empty lines", "empty.csv", "\n" + write_csv(end="\n\n")),
    ("a JSON array", "rows.json", json.dumps(objects)),
    ("JSON with everything escaped", "pretty.json", json.dumps(objects, indent=2)),
    ("JSON in UTF-8", "utf8.json", json.dumps(objects, ensure_ascii=False)),
    ("JSON lines", "rows.jsonl", "".join(json.dumps(o) + "\n" for o in objects)),
    ("JSON without a name that says so", "rows.data", json.dumps(objects)),
]
for name, file, content in formats:
    data = path(file, content)
    forget(data)
    r = merge(data)
    eq((r.returncode, r.stdout, r.stderr), (0, b"", b""), name + ": queued in silence")
    got = messages()
    eq([recipients(m) for m in queue()], [[row[2]] for row in rows], name + ": recipients")
    ok(not [d for m in got for d in defects(m)], name + ": read without a complaint")
    eq([[(a.display_name, a.addr_spec) for a in m["to"].addresses] for m in got],
       [[(row[1], row[2])] for row in rows], name + ": To has one address a row")
    eq([m["subject"] for m in got], ["Hello " + row[1] for row in rows], name + ": subjects")
    eq([m["x-row"] for m in got], ["1", "2", "3", "4"], name + ": fields")
    eq([m.get_content() for m in got],
       ["Dear %s, {{this}} stays.\n%s\n" % (row[1], row[3]) for row in rows], name + ": texts")
    eq([(x["row"], x["recipient"], x["status"]) for x in results(data)],
       [(row[0], row[2], "queued") for row in rows], name + ": results")
    eq([x["id"] for x in results(data)], [m["id"] for m in queue()], name + ": and the IDs")
eq([m["from"] for m in queue()], ["news@relay.example"] * 4, "From is the envelope's sender too")

# --- going on ---
data = path("rows.csv", write_csv())
r = merge(data, "-v")
ok(r.returncode == 0 and len(queue()) == 4 and b"4 of 4 rows have a result" in r.stderr,
   "a second run queues nothing, and says so", r.stderr)
with open(data + ".results") as f:
    lines = f.read().splitlines(True)
with open(data + ".results", "w") as f:
    f.writelines(lines[:2] + [lines[3], lines[4][:10]])
empty()
r = merge(data, "-v")
eq((r.returncode, [recipients(m) for m in queue()]),
   (0, [["zoe@y.example"], ['"a b"@y.example']]), "rows without a whole line are queued")
eq(sorted(x["row"] for x in results(data)), ["1", "2", "3", "4"], "then all have one")
path("rows.csv", write_csv().replace("john@", "jane@"))
empty()
r = merge(data)
ok((r.returncode, len(queue())) == (65, 0) and b"the table was changed" in r.stderr,
   "a table that says something else now is refused", r.stderr)
path("rows.csv", write_csv())
with open(data + ".results", "a") as f:
    f.write("9,x@y.example,X,queued\n")
r = merge(data)
ok(r.returncode == 65 and b"is not a result of this table" in r.stderr,
   "and results that are of another one", r.stderr)

# --- a crash at any moment ---
done = set()
for n in range(1, 200):
    forget(data)
    r = merge(data, env={**os.environ, "NIGHTMAIL_FAULT": "%d:exit:send" % n})
    if r.returncode == 0:
        break
    before = len(queue())
    r = merge(data)
    got = [x for m in queue() for x in recipients(m)]
    twice = len(got) - len(set(got))
    if r.returncode != 0 or set(got) != {row[2] for row in rows} or twice > 1 or \
            [x["row"] for x in results(data)] != ["1", "2", "3", "4"]:
        ok(False, "a crash at call %d" % n, "%s %s %s" % (r, got, results(data)))
        break
    done.add(twice)
ok(n > 20 and r.returncode == 0, "after a crash at any of %d calls every row is queued once" % n)
eq(done, {0, 1}, "or, when it falls between queueing and result, twice")
for what in ("EIO", "ENOSPC", "short"):
    bad = []
    for n in range(1, 60):
        forget(data)
        r = merge(data, env={**os.environ, "NIGHTMAIL_FAULT": "%d:%s:send" % (n, what)})
        r2 = merge(data)
        got = [x for m in queue() for x in recipients(m)]
        if r2.returncode != 0 or set(got) != {row[2] for row in rows} or len(got) > 5:
            bad.append((n, r.returncode, r.stderr, r2.stderr, got))
    ok(not bad, "with %s at any call the next run mends it" % what, bad)

# --- what stops everything before anything is sent ---
head = "id,name,email,text\n"
good = "1,a,a@y.example,x\n"
wrong = [
    ("a field that is not there", "To: {{email}}\n\n{{nmae}}\n", head + good, 'no field "nmae"; did you mean "name"?'),
    ("in the subject", "To: {{email}}\nSubject: {{x}}\n\n", head + good, 'no field "x"'),
    ("braces without an end", "To: {{email}}\n\nline\n{{name\n", head + good, "line 2: {{"),
    ("the last row's address", TEMPLATE, head + good * 50 + "51,b,b@@y.example,x\n", "row 51: "),
    ("an empty address", "To: {{email}}\n\n", head + good + "2,b,,x\n", "row 2: no recipient"),
    ("two addresses in one field", "To: {{email}}\n\n", head + '1,a,"a@y.example, b@y.example",x\n',
     "row 1: "),
    ("a line end in a name", TEMPLATE, head + '1,"a\nBcc: z@y.example",a@y.example,x\n', "row 1: "),
    ("a line end in the subject", "To: {{email}}\nSubject: {{name}}\n\n",
     head + '1,"a\nBcc: z@y.example",a@y.example,x\n', "row 1: Subject"),
    ("a line end in a field", "To: {{email}}\nX-A: {{name}}\n\n",
     head + '1,"a\nBcc: z@y.example",a@y.example,x\n', "row 1: "),
    ("a row with too few fields", TEMPLATE, head + good + "2,b\n", "line 3: 2 fields, the first line has 4"),
    ("a quote that is not closed", TEMPLATE, head + '1,"a,a@y.example,x\n', "line 2: the quote"),
    ("a quote inside a field", TEMPLATE, head + '1,a"b,a@y.example,x\n', "line 2: a quote"),
    ("Latin-1", TEMPLATE, (head + good).encode() + b"2,Zo\xeb,b@y.example,x\n", "line 3 is not UTF-8"),
    ("UTF-16", TEMPLATE, (head + good).encode("utf-16-le"), "NUL"),
    ("no rows", TEMPLATE, head, "no rows"),
    ("an empty table", TEMPLATE, "", "no first line"),
    ("a template without a header", "\nHello\n", head + good, "no header"),
    ("a template of another type", "To: {{email}}\nContent-Type: multipart/mixed\n\n", head + good,
     "text/plain or text/html"),
    ("no recipient in the template", "Subject: x\n\n", head + good, "no recipient"),
    ("a Resent field", "To: {{email}}\nResent-To: b@y.example\n\n", head + good, "Resent"),
]
for name, text, table, words in wrong:
    data = path("wrong.csv", table)
    forget(data)
    r = merge(data, template=path("wrong.txt", text))
    ok((r.returncode, len(queue()), os.path.exists(data + ".results")) == (65, 0, False)
       and words.encode() in r.stderr, name, "%d %s" % (r.returncode, r.stderr.decode()))
for name, table, words in [
    ("an object as a value", '[{"email":{"a":1}}]', "line 1: a value is an object"),
    ("no comma between objects", '[{"email":"a@y.example"}\n{"email":"b@y.example"}]', "line 2: no comma"),
    ("a comma at the end", '[{"email":"a@y.example"},]', "no object where"),
    ("an array that is not closed", '[{"email":"a@y.example"}', "not closed"),
    ("a lone surrogate", r'{"email":"\ud800"}', "escape"),
    ("a control character", '{"email":"a\nb"}', "control character"),
    ("something behind it", '[{"email":"a@y.example"}] x', "behind the array"),
    ("an array of texts", '["a@y.example"]', "no object"),
]:
    data = path("wrong.json", table)
    forget(data)
    r = merge(data, template=path("wrong.txt", "To: {{email}}\n\nx\n"))
    ok((r.returncode, len(queue())) == (65, 0) and words.encode() in r.stderr, "JSON: " + name,
       "%d %s" % (r.returncode, r.stderr.decode()))
data = path("wrong.csv", head + "1,b,b@@y,x\n" * 40)
forget(data)
r = merge(data)
eq((r.returncode, len(r.stderr.splitlines())), (65, 12), "of many wrong rows ten are told, and how many more there are")

# --- a value is fit for where it stands ---
data = path("fit.csv", 'email,name,raw\no\'brien+x@y.example,"<b>&""\'</b>",<i>x</i>\n')
forget(data)
r = merge(data, "--html", path("fit.html", '<p title="{{name}}">{{name}}{{{raw}}}\n'),
          "--unsubscribe", "https://x.example/u?e={{email}}", "--header", "X-Name: {{name}}",
          "-a", path("a.bin", os.urandom(100)), "--reply-to", "r@relay.example",
          template=path("fit.txt", "\ufeffTo: {{email}}\n\n{{name}}\n"))
eq((r.returncode, r.stderr), (0, b""), "a template with HTML, a file and a way out")
m = only()
eq(shape(m), ["multipart/mixed", ["multipart/alternative", "text/plain", "text/html"],
              "application/octet-stream"], "its parts")
eq(m.get_body(("plain",)).get_content(), '<b>&"\'</b>\n', "the text has the value as it is")
eq(m.get_body(("html",)).get_content(),
   '<p title="&lt;b&gt;&amp;&quot;&#39;&lt;/b&gt;">&lt;b&gt;&amp;&quot;&#39;&lt;/b&gt;<i>x</i>\n',
   "the HTML escaped, and {{{raw}}} not")
eq(m["list-unsubscribe"], "<https://x.example/u?e=o%27brien%2Bx%40y.example>", "the URL encoded")
eq((m["x-name"], m["reply-to"]), ('<b>&"\'</b>', "r@relay.example"), "the fields of options")
data = path("lists.csv", 'email,cc,who\na@y.example,,"x@y.example, Y <z@y.example>"\n')
forget(data)
r = merge(data, template=path("lists.txt", 'To: "{{email}}" <{{email}}>\nCc: {{cc}}\nBcc: {{{who}}}\n'
                              "Content-Type: text/html; charset=utf-8\n\n<p>{{who}}\n"))
eq((r.returncode, sorted(recipients(queue()[0]))), (0, ["a@y.example", "x@y.example", "z@y.example"]),
   "an empty Cc is none, {{{raw}}} may be a list")
m = only()
eq((m["to"], m["cc"], m["bcc"], m.get_content_type(), m.get_content()),
   ('"a@y.example" <a@y.example>', None, None, "text/html", "<p>x@y.example, Y &lt;z@y.example&gt;\n"),
   "no Bcc shows, and a template may be HTML itself")
data = path("from.csv", "email,me\na@y.example,one@relay.example\nb@y.example,two@relay.example\n")
forget(data)
merge(data, template=path("from.txt", "To: {{email}}\nFrom: {{me}}\n\nx\n"))
eq([m["from"] for m in queue()], ["one@relay.example", "two@relay.example"],
   "each row may have a sender of its own")
forget(data)
attached = os.urandom(300000)
merge(data, "-a", path("a.bin", attached), template=path("from.txt", "To: {{email}}\nFrom: {{me}}\n\nx\n"))
eq([list(m.iter_parts())[1].get_payload(decode=True) == attached for m in messages()], [True, True],
   "a file goes whole with every row")
forget(data)
merge(data, "-f", "bounce@relay.example", template=path("from.txt", "To: {{email}}\nFrom: {{me}}\n\nx\n"))
eq(([m["from"] for m in queue()], [m["from"] for m in messages()]),
   (["bounce@relay.example"] * 2, ["one@relay.example", "two@relay.example"]), "-f goes before it")

# --- words, JSON, --dry-run ---
data = path("rows.csv", write_csv())
forget(data)
r = merge(data, "--json")
eq([(o["row"], o["recipients"], o["status"]) for o in map(json.loads, r.stdout.splitlines())],
   [(n, 1, "queued") for n in range(1, 5)], "--json tells every row")
forget(data)
r = merge(data, "-v")
ok(b"row 4: queued as " in r.stdout and b"4 queued; results in" in r.stdout, "so does -v", r.stdout)
forget(data)
r = merge(data, "--dry-run")
ok((r.returncode, len(queue()), os.path.exists(data + ".results")) == (0, 0, False)
   and b"john@y.example" in r.stdout and b"4 messages in all" in r.stdout,
   "--dry-run shows the first and queues nothing", r.stdout.decode() + r.stderr.decode())

# --- a file that is not of our making ---
forget(data)
foreign = path("foreign", "no line end")
with open(data + ".results", "w") as f:
    f.write("no line end")
r = merge(data)
ok((r.returncode, len(queue()), open(data + ".results").read()) == (65, 0, "no line end"),
   "a file with the name of the results that is none is left as it is", r.stderr)
forget(data)
os.symlink(foreign, data + ".results")
r = merge(data)
ok((r.returncode, len(queue()), open(foreign).read()) == (73, 0, "no line end"),
   "and so is what a link of that name leads to", r.stderr)
os.unlink(data + ".results")

# --- one run at a time; a queue that says no ---
import fcntl
forget(data)
with open(data + ".results", "w") as f:
    fcntl.flock(f, fcntl.LOCK_EX)
    r = merge(data)
    ok((r.returncode, len(queue())) == (75, 0) and b"another run" in r.stderr, "one run at a time", r.stderr)
forget(data)
configure("reserve = 1000G")
r = merge(data)
eq((r.returncode, results(data)), (75, []), "a queue without room stops it with 75, and no row has a result")
configure("size-limit = 1K")
big = path("big.csv", "id,name,email,text\n1,a,a@y.example,x\n2,b,b@y.example," + "y" * 5000 + "\n3,c,c@y.example,x\n")
forget(big)
r = merge(big)
eq((r.returncode, [x["status"].split(":")[0] for x in results(big)]), (65, ["queued", "refused", "queued"]),
   "a row that can never be accepted has that as its result, and the others go")
configure()

# --- usage ---
for name, args in [
    ("--template alone", ["--template", template]),
    ("--data alone", ["--data", data]),
    ("a recipient beside a template", ["x@y.example", "--template", template, "--data", data]),
    ("-s beside a template", ["-s", "x", "--template", template, "--data", data]),
    ("-t with a template", ["-t", "--template", template, "--data", data]),
    ("a pipe that every row would have to read", ["--template", template, "--data", data, "-a", "/dev/stdin"]),
]:
    empty()
    r = send(*args, text=b"x")
    ok((r.returncode, len(queue())) == (64, 0) and b"send " in r.stderr, name, r.stderr)
r = merge(path("nowhere.csv"))
eq(r.returncode, 66, "a table that is not there is 66")
end()
