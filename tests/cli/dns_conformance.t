#!/usr/bin/env python3
"""dns-check against suites that other people wrote (read where they are, skipped loudly where
they are not): SPF, DMARC, organisational domains, policy records. All cases are replayed from
a table of DNS; a sample of them is asked of a server on the loopback as well."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import done, ok, skip_missing  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SHARED = os.environ.get("NIGHTMAIL_SHARED", os.path.join(ROOT, "..", "shared"))
BUILD = os.environ.get("NIGHTMAIL_BUILD", os.path.join(ROOT, "build", "release"))
TOOL = os.path.join(BUILD, "dns-check")
TYPES = ("A", "AAAA", "MX", "TXT", "PTR", "NS")


def path_of(name):
    path = os.path.join(SHARED, "conformance", name)
    if os.path.exists(path):
        return path
    skip_missing(name, path)
    return None


def load(name):
    path = path_of(name)
    if not path:
        return []
    with open(path, encoding="utf-8") as f:
        return json.load(f)


# --- zones of the suites as tables of net/dns_table.h ---

def name_of(text):
    out = ""
    for byte in text.encode():
        c = chr(byte)
        out += c if re.match(r"[A-Za-z0-9._-]", c) else f"\\{byte:03d}"
    return out or "."


def string_of(text):
    return '"' + "".join(chr(b) if 0x20 <= b < 0x7F and chr(b) not in '"\\' else f"\\{b:03d}"
                         for b in text.encode()) + '"'


def strings_of(value):
    parts = value if isinstance(value, list) else [value]
    out = []
    for part in parts:
        raw = part.encode()
        out += [raw[i:i + 255].decode("latin-1") for i in range(0, len(raw), 255)] or [""]
    return " ".join('"' + "".join(
        c if " " <= c < "\x7f" and c not in '"\\' else f"\\{ord(c):03d}" for c in part) + '"'
        for part in out)


def fits(name):
    labels = name.rstrip(".").split(".")
    return all(0 < len(x.encode()) < 64 for x in labels)


def table_of(zone):
    lines = []
    for owner, records in zone.items():
        if not fits(owner):
            continue
        name = name_of(owner.rstrip("."))
        had = set()
        for record in records:
            kind = record[0]
            if kind in ("TIMEOUT", "SERVFAIL"):
                for one in record[1:] or [t for t in TYPES if t not in had]:
                    if one in TYPES:
                        lines.append(f"{name} {one} !{kind.lower()}")
            elif kind == "TXT" and record[1] != []:
                lines.append(f"{name} TXT {strings_of(record[1])}")
            elif kind == "MX":
                lines.append(f"{name} MX {record[1]} {name_of(record[2].rstrip('.'))}")
            elif kind in ("PTR", "CNAME", "NS"):
                lines.append(f"{name} {kind} {name_of(record[1].rstrip('.'))}")
            elif kind in ("A", "AAAA"):
                lines.append(f"{name} {kind} {record[1]}")
            had.add(kind)
    return "\n".join(lines) + "\n"


class Tables:
    """Tables as files, one for each zone."""

    def __init__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="dns_conformance.")
        self.known = {}

    def file(self, zone):
        text = table_of(zone)
        if text not in self.known:
            path = os.path.join(self.dir.name, f"{len(self.known)}.dns")
            with open(path, "w", encoding="ascii") as f:
                f.write(text)
            self.known[text] = path
        return self.known[text]


tables = Tables()


def run(args, stdin=b""):
    p = subprocess.run([TOOL] + args + ["--json"], input=stdin, capture_output=True,
                       timeout=120, check=False)
    try:
        return json.loads(p.stdout.decode()), p.returncode
    except ValueError:
        return {"output": p.stdout.decode("latin-1") + p.stderr.decode("latin-1")}, p.returncode


def run_all(jobs):
    """jobs: (arguments, stdin); in parallel, the answers in their order."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda j: run(*j), jobs))


# --- SPF ---

EXPLANATIONS = {None, "DEFAULT"}  # DEFAULT: a text of the receiver's own, so none of the domain


def spf_args(case):
    return ["--spf-eval", "--ip", case["ip"], "--mail-from", case["mail_from"], "--helo",
            case["helo"]]


def spf_verdict(case, answer):
    if answer.get("result") not in case["accept"]:
        return False
    if answer["result"] != "fail" or case["explanation"] is None:
        return True
    if case["explanation"] == "DEFAULT":
        return answer["explanation"] is None
    return answer["explanation"] == case["explanation"]


def check_spf():
    scenarios = load("spf/rfc7208-tests.json")
    cases = [(s, c) for s in scenarios for c in s["tests"]]
    answers = run_all([(spf_args(c) + ["--replay", tables.file(s["zone"])], b"")
                       for s, c in cases])
    for (scenario, case), (answer, _) in zip(cases, answers):
        ok(spf_verdict(case, answer),
               f"SPF {scenario['scenario']}: {case['name']} (RFC 7208 section {case['spec']})",
               f"want {case['accept']} {case['explanation']}, got {answer}")
    return scenarios


def check_served(scenarios):
    """The same answers from a server, by the resolver of the program."""
    path = path_of("dnsd.py")
    if not path or not scenarios:
        return
    spec = importlib.util.spec_from_file_location("dnsd", path)
    dnsd = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(dnsd)
    wanted = ("MX mechanism syntax", "Macro expansion rules", "Processing limits")
    for scenario in scenarios:
        if scenario["scenario"] not in wanted:
            continue
        zone = {n: r for n, r in scenario["zone"].items() if fits(n)}
        server = dnsd.Server(zone, timeout_as="servfail")
        # Resolvers hand records out in any order, which limits must not depend on.
        limits = scenario["scenario"] == "Processing limits"
        sample = scenario["tests"] if limits else scenario["tests"][::5]
        answers = run_all([(spf_args(c) + ["--resolver", f"127.0.0.1@{server.port}"], b"")
                           for c in sample])
        server.close()
        for case, (answer, _) in zip(sample, answers):
            ok(spf_verdict(case, answer), f"SPF by a server: {case['name']}",
                   f"want {case['accept']} {case['explanation']}, got {answer}")


# --- DMARC ---

def check_dmarc():
    cases = load("dmarc/mailauth-dmarc-vectors.json")
    jobs = []
    for case in cases:
        froms = case["header_from"]
        args = ["--dmarc-eval", "--replay", tables.file(case["zone"])]
        for one in froms if isinstance(froms, list) else [froms]:
            args += ["--header-from", one]
        for one in case["dkim_pass_domains"]:
            args += ["--dkim-pass", one]
        for one in case["spf_pass_domains"]:
            args += ["--spf-pass", one]
        jobs.append((args, b""))
    for case, (answer, _) in zip(cases, run_all(jobs)):
        want = case["expect"] or {"result": "none", "policy": None}
        got = {key: answer.get(key) for key in want}
        ok(got == want, f"DMARC {case['name'].split(' / ', 1)[1]}", f"want {want}, got {answer}")


# --- organisational domains ---

def check_org():
    path = path_of("dmarc/test_psl.txt")
    if not path:
        return
    with open(path, encoding="utf-8") as f:
        cases = re.findall(r"^checkPublicSuffix\('([^']*)', (?:'([^']*)'|null)\)", f.read(), re.M)
    for (name, want), (answer, _) in zip(
            cases, run_all([(["--org-domain", name], b"") for name, _ in cases])):
        ok(answer == {"org_domain": want or None},
               f"the organisational domain of {ascii(name)} is {ascii(want) if want else 'none'}",
               f"got {answer}")


# --- policy records ---

def check_records():
    cases = load("records/mox-records.json")
    answers = run_all([(["--lint", c["kind"]], c["input"].encode()) for c in cases])
    for case, (answer, code) in zip(cases, answers):
        ok(answer.get("valid") is case["valid"] and code == (0 if case["valid"] else 2),
               f"{case['kind']} {ascii(case['input'])[:70]} is "
               f"{'valid' if case['valid'] else 'not valid'}", f"got {answer}")


check_served(check_spf())
check_dmarc()
check_org()
check_records()
done()
