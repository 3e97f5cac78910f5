#!/usr/bin/env python3
"""Parts of messages and parameters of fields against suites that other people wrote (read where
they are, skipped loudly where they are not)."""

import glob
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from urllib.parse import quote_from_bytes, unquote

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import done, eq, skip_missing  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SHARED = os.environ.get("NIGHTMAIL_SHARED", os.path.join(ROOT, "..", "shared"))
BUILD = os.environ.get("NIGHTMAIL_BUILD", os.path.join(ROOT, "build", "release"))
TOOL = os.path.join(BUILD, "tools", "mail_check")


def ask(mode, inputs):
    encoded = "".join((quote_from_bytes(i, safe="") or "%") + "\n" for i in inputs)
    out = subprocess.run([TOOL, mode], input=encoded.encode(), stdout=subprocess.PIPE, check=True)
    return out.stdout.decode().split("\n")[:-1]


def decoded(word):
    return "" if word == "%" else unquote(word)


# Counted apart: blanks between encoded words do not separate them (RFC 2047 section 6.2; in quotes
# such words may not stand at all); names with "*" and blanks are none (RFC 2231 section 7).
APART = ("=?iso-8859-1?B?4Q==?= =?utf-8?B?w6k=?=", "malicious/attempt;")


def check_params():
    path = os.path.join(SHARED, "conformance", "headers", "stalwart-content_type.json")
    if not os.path.exists(path):
        return skip_missing("parameters", path)
    with open(path, encoding="utf-8") as f:
        cases = json.load(f)
    apart = len(cases)
    cases = [c for c in cases if not any(a in c["header"] for a in APART)]
    apart -= len(cases)
    answers = ask("params", [c["header"].encode() for c in cases])
    for case, answer in zip(cases, answers):
        want = case["expected"]
        words = answer.split(" ")
        got_type = decoded(words[0])
        got = {decoded(n).lower(): decoded(v) for n, v in (w.split("=") for w in words[1:])}
        if want is None:
            want = {}
        want_type = (want.get("c_type") or "") + \
            ("/" + want["c_subtype"] if want.get("c_subtype") else "")
        attributes = {}
        for name, value in want.get("attributes") or []:
            if not name.endswith("-language"):  # of which nobody here wants to know
                attributes.setdefault(name.lower(), value)
        eq((got_type, got), (want_type.lower(), attributes), ascii(case["header"])[:90])
    print(f"# {apart} fields are counted apart")


def local(tag):
    return tag.rsplit("}", 1)[-1]


def content_type(header, default):
    for field in header or []:
        name, _, value = (field.text or "").strip().partition(":")
        if name.strip().lower() == "content-type":
            value = value.split(";")[0].split("(")[0].strip().lower()
            return value if "/" in value else default
    return default


def expected(node, depth, default="text/plain"):
    """The parts below a message or body-part of the suite's description."""
    kind = content_type(node.find("header"), default)
    parts = [(depth, kind)]
    for child in node:
        if local(child.tag) == "multipart":
            inner = "message/rfc822" if kind == "multipart/digest" else "text/plain"
            for part in child.findall("body-part"):
                parts += expected(part, depth + 1, inner)
        elif local(child.tag) == "message":
            parts += expected(child, depth + 1)
    return parts


def check_parts():
    path = os.path.join(SHARED, "conformance", "mime", "mime4j")
    names = sorted(glob.glob(os.path.join(path, "*.msg")))
    if not names:
        return skip_missing("parts", path)
    for name in names:
        with open(name, "rb") as f:
            message = f.read()
        tree = ET.parse(name[:-4] + "_decoded.xml").getroot()
        got = [p.split(":", 1) for p in ask("parts", [message])[0].split(" ")]
        eq([(int(d), decoded(t)) for d, t in got], expected(tree, 0), os.path.basename(name))


check_params()
check_parts()
done()
