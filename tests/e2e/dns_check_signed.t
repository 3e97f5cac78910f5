#!/usr/bin/env python3
"""dns-check of signed, broken, expired and unsigned zones, as nsd serves them."""
import json
import os
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402
import names  # noqa: E402

names.need('nsd', 'ldns-keygen', 'ldns-signzone')
TOOL = BUILD + '/dns-check'

MAIL = '''
@ MX 10 mx1
@ MX 20 mx2
@ TXT "v=spf1 mx -all"
_dmarc TXT "v=DMARC1; p=reject"
mx1 A 192.0.2.1
mx2 A 192.0.2.2
_25._tcp.mx1 TLSA 3 1 1 %s
_25._tcp.mx1 TLSA 2 1 1 %s
bad A 192.0.2.66
''' % ('a' * 64, 'b' * 64)
zones = [names.Zone('good.lab', MAIL, 'good'), names.Zone('expired.lab', MAIL, 'expired'),
         names.Zone('plain.lab', MAIL), names.Zone('none.lab', '@ MX 0 .\n@ TXT "v=spf1 -all"\n', 'good')]
nsd = names.Nsd(*zones)


def check(domain, *args):
    r = subprocess.run([TOOL, '--domain', domain, '--resolver', nsd.server.replace(':', '@'),
                        '--trust-anchor', nsd.anchor, '--json', *args], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=120)
    try:
        return json.loads(r.stdout.decode())
    except ValueError:
        return {'findings': [], 'output': str(r)}


def of(answer, id_):
    return [f for f in answer['findings'] if f['id'] == id_]


def test_states():
    for domain, state in (('good.lab', 'secure'), ('expired.lab', 'bogus'), ('plain.lab', 'insecure'),
                          ('none.lab', 'secure')):
        answer = check(domain)
        ok(answer.get('dnssec') == state, '%s is %s' % (domain, state), answer)
        ok(answer.get('null_mx') is (domain == 'none.lab'), '%s: null MX or not' % domain, answer)


def test_dane():
    answer = check('good.lab')
    ok([f['subject'] for f in of(answer, 'dane.ok')] == ['mx1.good.lab'] and
       [f['subject'] for f in of(answer, 'dane.none')] == ['mx2.good.lab'] and of(answer, 'dane.partial'),
       'TLSA records of one host of two', answer)
    answer = check('plain.lab')
    ok(of(answer, 'dane.ignored') and not of(answer, 'dane.ok'),
       'TLSA records that nothing signs are not used', answer)


def test_bogus():
    answer = check('expired.lab')
    ok(of(answer, 'dnssec.bogus') and answer['verdict'] == 'fail' and not of(answer, 'mx.none') and
       not of(answer, 'spf.none'), 'what does not validate is not taken for missing', answer)


def test_unverified():
    r = subprocess.run([TOOL, 'good.lab', '--resolver', nsd.server, '--trust-anchor', 'none', '--json'],
                       stdout=subprocess.PIPE, timeout=120)
    answer = json.loads(r.stdout.decode())
    ok(answer['dnssec'] == 'unknown' and of(answer, 'dnssec.ad_untrusted') and
       not of(answer, 'dnssec.insecure') and not of(answer, 'dane.ignored') and of(answer, 'dane.unknown'),
       'without a trust anchor nothing is said of DNSSEC', answer)
    if not os.path.exists('/usr/share/dns/root.key'):
        skip('nor by a resolver that hands no signatures on', 'no root key of the system')
        return
    stripping = names.Unbound(nsd, 'stripping', strip=True)
    r = subprocess.run([TOOL, 'good.lab', '--resolver', stripping.server, '--json'],
                       stdout=subprocess.PIPE, timeout=120)
    stripping.stop()
    answer = json.loads(r.stdout.decode())
    found = of(answer, 'dnssec.ad_untrusted')
    ok(answer['dnssec'] == 'unknown' and found and found[0]['severity'] == 'notice' and
       'strips' in found[0]['text'], 'nor by a resolver that hands no signatures on', answer)


class Slow:
    """Hands questions on to a server, and each answer back a while later."""
    DELAY = 0.15

    def __init__(self, server):
        host, port = server.split(':')
        self.target = (host, int(port))
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(('127.0.0.1', 0))
        self.server = '127.0.0.1:%d' % self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            question, who = self.socket.recvfrom(4096)
            threading.Thread(target=self.hand_on, args=(question, who), daemon=True).start()

    def hand_on(self, question, who):
        begun = time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(20)
            try:
                s.sendto(question, self.target)
                answer = s.recv(65535)
            except OSError:
                return
        time.sleep(max(0, begun + self.DELAY - time.monotonic()))
        self.socket.sendto(answer, who)


def test_slow():
    slow = Slow(nsd.server)
    r = subprocess.run([TOOL, 'plain.lab', '--resolver', slow.server, '--trust-anchor', 'none', '--json',
                        '--timeout', '30', '--ip', '192.0.2.1'], stdout=subprocess.PIPE, timeout=120)
    chain = json.loads(r.stdout.decode())['chain']
    # Half a second is promised; one after the other would take twenty.
    ok(chain['questions'] > 60 and chain['slowest_ms'] >= 1000 * Slow.DELAY and
       chain['took_ms'] <= chain['length'] * chain['slowest_ms'] + 3000,
       'all of it takes as long as its longest chain', chain)


def test_chain():
    chain = check('good.lab').get('chain', {})
    ok(0 < chain.get('length', 99) <= 6 and chain['questions'] > 40, 'many questions, few rounds', chain)


try:
    test_states()
    test_dane()
    test_bogus()
    test_unverified()
    test_chain()
    test_slow()
finally:
    nsd.stop()
done()
