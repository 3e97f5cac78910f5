#!/usr/bin/env python3
# send at a terminal: the editor, the question before a table goes out, the bar.
import os
import pty
import select
import signal
import stat
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from send_lib import *

PATIENCE = 60


def at_terminal(*args, editor=None, visual=None, answers=(), term="xterm"):
    """Runs send with a terminal of its own; answers: [(what is shown, what is typed)]. Returns
    the exit code and all that was shown."""
    env = {**os.environ, "TMPDIR": tmp, "TERM": term}
    if editor:
        env["EDITOR"] = editor
    if visual:
        env["VISUAL"] = visual
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execve(os.path.join(bin, "send"), ["send", "--config", conf, *args], env)
    shown, answers = b"", list(answers)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if not select.select([fd], [], [], 1)[0]:
            continue
        try:
            data = os.read(fd, 4096)
        except OSError:
            break
        if not data:
            break
        shown += data
        if answers and answers[0][0] in shown:
            os.write(fd, answers.pop(0)[1])
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.replace(b"\r\n", b"\n").decode()


def script(name, text):
    full = path(name, "#!/bin/sh\n" + text)
    os.chmod(full, 0o700)
    return full


def kept():
    return sorted(os.listdir(tmp))


def forget():
    empty()
    for name in kept():
        os.unlink(os.path.join(tmp, name))


tmp = path("tmp")
os.mkdir(tmp)
seen = path("seen")
write = script("write", 'ls -l "$1" >"%s.mode"\ncp "$1" "%s"\n'
               '{ printf "Grüße\\n\\n# a heading\\n\\n\\n"; cat "$1"; } >"$1.new"\ncat "$1.new" >"$1"\n'
               'rm "$1.new"\n' % (seen, seen))

code, shown = at_terminal("bob@y.example", "-s", "Subject of it", "-a", path("report.pdf", "x"),
                          editor=write)
eq(code, 0, "a text from the editor is queued")
ok("queued as " in shown, "and the terminal told so", shown)
m = only()
eq(list(m.iter_parts())[0].get_content(), "Grüße\n\n# a heading\n",
   "all that stands above the scissors, without the empty lines at its end")
eq(kept(), [], "no file is left")
with open(seen) as f:
    text = f.read()
for want in (">8", "# to bob@y.example", "# subject Subject of it", "# with report.pdf",
             "An empty text sends nothing"):
    ok(want in text, "the editor shows: " + want, text)
with open(seen + ".mode") as f:
    eq(f.read()[:10], "-rw-------", "the file is the person's alone")

forget()
code, shown = at_terminal("bob@y.example", editor="true")
ok((code, len(queue()), kept()) == (66, 0, []) and "the text is empty: nothing is sent" in shown,
   "an empty text sends nothing, and leaves nothing", "%s %s" % (code, shown))
forget()
code, shown = at_terminal("bob@y.example", editor=script("fails", write + ' "$1"\nexit 3\n'))
ok((code, len(queue()), len(kept())) == (66, 0, 1) and "exit status 3" in shown
   and os.path.join(tmp, kept()[0]) in shown, "when the editor fails nothing is sent and the text is kept", shown)
if kept():
    file = os.path.join(tmp, kept()[0])
    eq((stat.S_IMODE(os.stat(file).st_mode), open(file).read()[:5]), (0o600, "Grüße"), "as it was written")
forget()
configure("reserve = 1000G")
code, shown = at_terminal("bob@y.example", editor=write)
ok((code, len(kept())) == (75, 1) and "the text is kept in" in shown, "when it cannot be queued it is kept too", shown)
configure()
forget()
code, shown = at_terminal("bob@y.example", editor="false", visual=write)
eq((code, len(queue())), (0, 1), "VISUAL goes before EDITOR")
forget()
code, shown = at_terminal("bob@y.example", editor=write, visual="false", term="dumb")
eq((code, len(queue())), (0, 1), "but not on a dumb terminal")
forget()
code, shown = at_terminal("bob@y.example", editor=write + " --an-option")
eq((code, len(queue())), (66, 0), "an editor may have options: it is a command of the shell")
forget()
code, shown = at_terminal("bob@y.example", answers=[(b"Ctrl-D", b"typed\n\x04")])
eq((code, only().get_content()), (0, "typed\n"), "without an editor the text is typed")
forget()
code, shown = at_terminal("bob@y.example", "--html", path("p.html", "<p>x\n"), editor="false")
eq((code, only().get_content_type()), (0, "text/html"), "with --html no text is asked for")
forget()
r = send("bob@y.example", text="piped\n", env={**os.environ, "EDITOR": "false", "VISUAL": "false"})
eq((r.returncode, only().get_content()), (0, "piped\n"), "a pipe needs no editor")

# --- a table ---
data = path("rows.csv", "email\n" + "".join("u%d@y.example\n" % i for i in range(40)))
template = path("mail.txt", "To: {{email}}\nSubject: x\n\nHello {{email}}\n")
args = ["--template", template, "--data", data]


def begin():
    forget()
    if os.path.exists(data + ".results"):
        os.unlink(data + ".results")


for answer in (b"n\n", b"\n", b"\x04"):
    begin()
    code, shown = at_terminal(*args, answers=[(b"[y/N]", answer)])
    ok((code, len(queue())) == (0, 0) and "nothing was queued" in shown,
       "the answer %r queues nothing" % answer, shown)
begin()
code, shown = at_terminal(*args, answers=[(b"[y/N]", b"y\n")])
eq((code, len(queue())), (0, 40), "y queues all")
ok("queue 40 messages like this one? [y/N]" in shown and "  | Hello u0@y.example" in shown,
   "after the first was shown", shown)
ok("\r[" in shown and "] 40 of 40\n" in shown, "with a bar", shown)
ok("40 queued; results in" in shown, "and the sum", shown)
begin()
code, shown = at_terminal(*args, "--yes")
eq((code, len(queue()), "[y/N]" in shown), (0, 40, False), "--yes does not ask")
end()
