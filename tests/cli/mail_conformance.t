#!/usr/bin/env python3
"""Addresses and address lists against suites that other people wrote (read where they are,
skipped loudly where they are not)."""

import json
import os
import subprocess
import sys
from urllib.parse import quote_from_bytes, unquote_to_bytes

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import done, ok, skip_missing  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SHARED = os.environ.get("NIGHTMAIL_SHARED", os.path.join(ROOT, "..", "shared"))
BUILD = os.environ.get("NIGHTMAIL_BUILD", os.path.join(ROOT, "build", "release"))
TOOL = os.path.join(BUILD, "tools", "mail_check")

# The suite looks names up in DNS; whether a domain exists is not the business of a grammar.
FINE = ("ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN", "ISEMAIL_RFC5321")


def ask(mode, inputs):
    encoded = "".join((quote_from_bytes(i, safe="") or "%") + "\n" for i in inputs)
    out = subprocess.run([TOOL, mode], input=encoded.encode(), stdout=subprocess.PIPE, check=True)
    return out.stdout.decode().split("\n")[:-1]


def load(path):
    path = os.path.join(SHARED, "conformance", path)
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    skip_missing(os.path.basename(path), path)
    return []


def control_bytes(text):
    """The suite writes control characters as their pictures (U+2400 and on)."""
    return "".join(chr(ord(c) - 0x2400) if 0x2400 <= ord(c) <= 0x241F else c for c in text)


def check_envelope():
    cases = load("smtp/isemail.json")
    answers = ask("address", [control_bytes(c["address"]).encode() for c in cases])
    for case, answer in zip(cases, answers):
        want = "yes" if case["category"] in FINE else "no"
        ok(answer == want, f"{case['diagnosis']}: {ascii(case['address'])[:70]} -> {want}")


def addresses(expected):
    for key, items in expected.items():
        for item in items:
            if key == "Group":
                yield from (a["address"] for a in item["addresses"])
            else:
                yield item["address"]


def is_canonical(address):
    """Items that are no mailbox (URIs of List- fields, a name alone) and obsolete forms
    that the suite keeps as written (RFC 5322 section 4.4 says their blanks and routes mean
    nothing) are no expectation about a mailbox."""
    return address and "@" in address[1:] and ":" not in address and " " not in address \
        and "?" not in address


def check_lists():
    cases = load("headers/stalwart-address.json")
    fitting = [c for c in cases if all(is_canonical(a) for a in addresses(c["expected"]))]
    answers = ask("list", [b"To: " + c["header"].encode() for c in fitting])
    for case, answer in zip(fitting, answers):
        got = [unquote_to_bytes(a).decode() for a in answer.split()]
        want = list(addresses(case["expected"]))
        ok(got == want, f"list {ascii(case['header'])[:70]}")
        if got != want:
            print(f"#   got {got}\n#  want {want}")
    if cases:
        print(f"# {len(cases) - len(fitting)} of {len(cases)} lists are counted apart:"
              " not mailboxes, or obsolete forms kept as written")


check_envelope()
check_lists()
done()
