# For the tests of send that read a message back with Python's email package: TAP, a private
# instance in a folder of its own, what stands in its queue.
import email
import email.policy
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import done, eq, ok  # noqa: E402,F401

root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
bin = os.environ.get("NIGHTMAIL_BUILD", os.path.join(root, "build/release"))
if not os.access(os.path.join(bin, "send"), os.X_OK):
    print("Bail out! %s: no programs there" % bin)
    sys.exit(1)
for name in ("NIGHTMAIL_CONFIG", "NIGHTMAIL_FAULT", "VISUAL", "EDITOR"):
    os.environ.pop(name, None)
folder = tempfile.mkdtemp()
conf = os.path.join(folder, "nightmail.conf")


def configure(*lines):
    with open(conf, "w") as f:
        f.write("[relay default]\nhost = 127.0.0.1\nport = 1\ntls = none\n"
                "[identity]\ndomain = relay.example\n[queue]\ndir = spool\n")
        f.write("".join(line + "\n" for line in lines))


configure()


def end():
    shutil.rmtree(folder)
    done()


def path(name, content=None):
    full = os.path.join(folder, name)
    if content is not None:
        with open(os.fsencode(full) if isinstance(full, str) else full, "wb") as f:
            f.write(content.encode() if isinstance(content, str) else content)
    return full


def empty():
    shutil.rmtree(os.path.join(folder, "spool"), ignore_errors=True)


def send(*args, text=b"", env=None):
    return subprocess.run([os.path.join(bin, "send"), "--config", conf, *args],
                          input=text.encode() if isinstance(text, str) else text,
                          capture_output=True, cwd=folder, env=env)


def mailq(*args):
    return subprocess.run([os.path.join(bin, "mailq"), "--config", conf, *args],
                          capture_output=True, check=True).stdout


def queue():
    """The queued messages, oldest first, as mailq --json tells them."""
    if not os.path.isdir(os.path.join(folder, "spool")):
        return []
    lines = [json.loads(line) for line in mailq("--json").splitlines() if line]
    return sorted(lines, key=lambda m: m["id"])


def recipients(m):
    return [r["address"] for r in m["recipients"]]


def raw(m):
    """The message as bytes, with the line ends of the wire."""
    return mailq("show", m["id"], "--body").partition(b"\n\n")[2]


def defects(part):
    found = list(part.defects)
    for value in part.values():
        found += getattr(value, "defects", [])
    for child in part.iter_parts() if part.is_multipart() else []:
        found += defects(child)
    return found


def parse(data):
    return email.message_from_bytes(data, policy=email.policy.default)


def only():
    """The one queued message, parsed; a test fails when it is damaged."""
    messages = queue()
    if not ok(len(messages) == 1, "one message is queued", messages):
        return parse(b"")
    data = raw(messages[0])
    m = parse(data)
    ok(not defects(m), "which Python reads without a complaint", defects(m))
    lines = data.replace(b"\r\n", b"\n").split(b"\n")
    ok(max(map(len, lines)) <= 998, "in lines of at most 998 octets")
    return m


def shape(part):
    """The types, nested: ["multipart/mixed", ["text/plain"], ...]."""
    return [part.get_content_type()] + [shape(p) for p in part.iter_parts()] \
        if part.is_multipart() and part.get_content_maintype() == "multipart" \
        else part.get_content_type()
