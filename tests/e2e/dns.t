#!/usr/bin/env python3
"""DNS by libunbound as the tools use it: what DNSSEC says, deadlines, parallel questions, names that
the library would answer by itself; record and replay. Real nsd and unbound."""
import json
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402
import names  # noqa: E402

names.need('nsd', 'unbound', 'ldns-keygen', 'ldns-signzone')
ASK = BUILD + '/tools/dns_ask'
if not os.access(ASK, os.X_OK):
    skip_all('%s is not built' % ASK)


def ask(questions, *options, code=0):
    """Answers by (name, type), and what came behind them."""
    r = subprocess.run([ASK, *options], input=('\n'.join(questions) + '\n').encode(),
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    if r.returncode != code or r.stderr and code == 0:
        ok(False, 'dns_ask exits %d and says nothing on stderr' % code, r)
    lines = r.stdout.decode().split('\n')
    found = {}
    for line in lines:
        if line.startswith('{'):
            a = json.loads(line)
            found[a['name'] + ' ' + a['type']] = a
    ask.rest = '\n'.join(l for l in lines if l and not l.startswith('{'))
    ask.errors = r.stderr.decode()
    return found


RECORDS = '''
@ MX 10 mx1
@ MX 20 mx2
@ TXT "v=spf1 " "mx -all"
@ CAA 0 issue "ca.example"
mx1 A 192.0.2.1
mx1 AAAA 2001:db8::1
mx2 A 192.0.2.2
bad A 192.0.2.66
ptr PTR mx2
www CNAME mx1
far CNAME www
_25._tcp.mx1 TLSA 3 1 1 aabbcc
_submission._tcp SRV 0 1 587 mx1
sub DS 12345 13 2 0011223344556677889900112233445566778899001122334455667788990011
'''
good = names.Zone('good.lab', RECORDS, 'good')
broken = names.Zone('broken.lab', RECORDS, 'broken')
expired = names.Zone('expired.lab', RECORDS, 'expired')
plain = names.Zone('plain.lab', RECORDS)
nsd = names.Nsd(good, broken, expired, plain)
BY_NSD = ['--server', nsd.server, '--anchor', nsd.anchor]


def shape(a):
    return '%s%s %d' % ('secure ' if a['secure'] else '', a['status'], len(a['records']))


EXPECTED = [  # question, status and number of records, end of its chain, length of it
    ('good.lab MX', 'secure found 2', 'good.lab', 0),
    ('good.lab TXT', 'secure found 1', 'good.lab', 0),
    ('good.lab SOA', 'secure found 1', 'good.lab', 0),
    ('good.lab NS', 'secure found 1', 'good.lab', 0),
    ('good.lab CAA', 'secure found 1', 'good.lab', 0),
    ('good.lab DNSKEY', 'secure found 2', 'good.lab', 0),
    ('sub.good.lab DS', 'secure found 1', 'sub.good.lab', 0),
    ('mx1.good.lab A', 'secure found 1', 'mx1.good.lab', 0),
    ('mx1.good.lab AAAA', 'secure found 1', 'mx1.good.lab', 0),
    ('_25._tcp.mx1.good.lab TLSA', 'secure found 1', '_25._tcp.mx1.good.lab', 0),
    ('_submission._tcp.good.lab SRV', 'secure found 1', '_submission._tcp.good.lab', 0),
    ('ptr.good.lab PTR', 'secure found 1', 'ptr.good.lab', 0),
    ('www.good.lab A', 'secure found 1', 'mx1.good.lab', 1),
    ('far.good.lab AAAA', 'secure found 1', 'mx1.good.lab', 2),
    ('far.good.lab CNAME', 'secure found 1', 'far.good.lab', 0),
    ('mx1.good.lab TXT', 'secure no such record 0', 'mx1.good.lab', 0),
    ('none.good.lab A', 'secure NXDOMAIN 0', 'none.good.lab', 0),
    ('mx1.broken.lab A', 'secure found 1', 'mx1.broken.lab', 0),
    ('bad.broken.lab A', 'bogus 0', None, 0),
    ('expired.lab MX', 'bogus 0', None, 0),
    ('none.expired.lab MX', 'bogus 0', None, 0),
    ('plain.lab MX', 'found 2', 'plain.lab', 0),
    ('far.plain.lab A', 'found 1', 'mx1.plain.lab', 2),
    ('none.plain.lab A', 'NXDOMAIN 0', 'none.plain.lab', 0),
]


def check(found, which):
    for question, want, canonical, cnames in EXPECTED:
        a = found.get(question)
        if not ok(a and shape(a) == want, '%s: %s is %s' % (which, question, want), a):
            continue
        if canonical:
            ok(a['canonical'] == canonical and a['cnames'] == cnames,
               '%s: at the end of %d CNAMEs' % (which, cnames), a)


def test_dnssec():
    found = ask([q for q, *_ in EXPECTED], '--write', *BY_NSD)
    recorded = ask.rest
    check(found, 'nsd')
    eq(found['good.lab TXT']['records'], ['"v=spf1 " "mx -all"'], 'rdata arrives as it is')
    eq(sorted(found['good.lab MX']['records']), ['10 mx1.good.lab', '20 mx2.good.lab'],
       'names in it are not compressed')
    ok(0 < found['good.lab MX']['ttl'] <= 300, 'the TTL is told', found['good.lab MX'])
    ok(0 < found['none.plain.lab A']['ttl'] <= 30, 'and the one of what is not there',
       found['none.plain.lab A'])
    ok('bogus' in found['bad.broken.lab A']['why'] or
       'validation' in found['bad.broken.lab A']['why'],
       'a broken signature has its reason', found['bad.broken.lab A'])
    ok('expired' in found['expired.lab MX']['why'], 'so has an expired one', found['expired.lab MX'])

    replayed = ask([q for q, *_ in EXPECTED], '--table', path('recorded', recorded + '\n'))
    for question, want, _, _ in EXPECTED:
        a, b = found[question], replayed[question]
        ok(shape(b) == want and sorted(a['records']) == sorted(b['records']) and
           all(a[k] == b[k] for k in ('canonical', 'secure', 'why')) and
           (a['status'] != 'found' or a['ttl'] == b['ttl']),
           'replayed: %s is %s' % (question, want), '%s\n%s' % (a, b))


def test_no_anchor():
    found = ask(['good.lab MX', 'bad.broken.lab A'], '--server', nsd.server, '--anchor', 'none')
    eq([shape(a) for a in found.values()], ['found 2', 'found 1'], 'without an anchor nothing is checked')
    for text, words in (('/nowhere', 'No such file'), (path('junk', 'junk\n'), 'no keys')):
        ask(['good.lab MX'], '--server', nsd.server, '--anchor', text, code=1)
        ok(words in ask.errors, 'a trust anchor that cannot be used is said at the start: ' + words,
           ask.errors)
    ask(['good.lab MX'], '--server', 'localhost', code=1)
    ok('not the address of a name server' in ask.errors, 'a server is an address', ask.errors)


def test_server_texts():
    for text in ('@127.0.0.1:%d', '127.0.0.1@%d', '@127.0.0.1@%d'):
        a = ask(['plain.lab MX'], '--server', text % nsd.port, '--anchor', 'none')
        eq(shape(a['plain.lab MX']), 'found 2', 'a server as ' + text)


def test_forwarder():
    unbound = names.Unbound(nsd)
    found = ask([q for q, *_ in EXPECTED], '--server', unbound.server, '--anchor', nsd.anchor)
    check(found, 'unbound')
    unbound.stop()
    strips = names.Unbound(nsd, 'strips', strip=True)
    found = ask(['good.lab MX'], '--server', strips.server, '--anchor', nsd.anchor)
    eq(shape(found['good.lab MX']), 'secure found 2',
       'a forwarder that does not validate passes signatures on')
    strips.stop()


def test_traps():
    """A server that knows no DNSSEC, with names that the library knows better."""
    zones = ['a.test', 'a.invalid', 'a.onion', 'x.home.arpa', '1.0.0.10.in-addr.arpa',
             '1.1.168.192.in-addr.arpa', '1.0.16.172.in-addr.arpa', '2.0.0.127.in-addr.arpa',
             'localhost', 'a.localhost', 'a.example']
    server = names.Dict(dict({z: [['A', '192.0.2.7']] for z in zones},
                             **{'slow.example': [['TIMEOUT']], 'fails.example': [['SERVFAIL']],
                                'l1.example': [['CNAME', 'l2.example']],
                                'l2.example': [['CNAME', 'l1.example']],
                                'nx.example': [['CNAME', 'gone.example']],
                                'big.example': [['TXT', 'x' * 5000]]}))
    found = ask([z + ' A' for z in zones], '--server', server.server, '--anchor', 'none')
    for z in zones:
        eq(shape(found[z + ' A']), 'found 1', '%s is asked of the server' % z)
    begun = time.monotonic()
    found = ask(['slow.example A', 'a.example A', 'fails.example A', 'l1.example A', 'nx.example A',
                 'big.example TXT', 'a..b A'],
                '--server', server.server, '--anchor', 'none', '--deadline', '3000')
    took = time.monotonic() - begun
    eq({q: shape(a) for q, a in found.items()},
       {'slow.example A': 'timeout 0', 'a.example A': 'found 1', 'fails.example A': 'SERVFAIL 0',
        'l1.example A': 'SERVFAIL 0', 'nx.example A': 'NXDOMAIN 0', 'big.example TXT': 'found 1',
        'a..b A': 'bad name 0'}, 'every kind of failure is told apart')
    eq(found['slow.example A']['why'], 'no answer in 3 s', 'the deadline is named')
    ok(2.9 < took < 3 + PATIENCE / 3, 'and kept', took)
    ok(found['a.example A']['took_ms'] < 2900, 'nobody waits for the slow one', found['a.example A'])
    eq(found['nx.example A']['canonical'], 'gone.example', 'the chain to what is not there is told')


def test_silence():
    silent = names.Silent()
    questions = ['n%d.example A' % i for i in range(300)]
    begun = time.monotonic()
    found = ask(questions, '--server', silent.server, '--anchor', 'none', '--deadline', '1000')
    took = time.monotonic() - begun
    eq({shape(a) for a in found.values()}, {'timeout 0'}, 'a silent server: 300 time-outs')
    eq(len(found), 300, 'for 300 questions')
    ok(took < 1 + PATIENCE / 3, 'in the time of one', took)
    ok(silent.asked() > 0, 'and it was asked', silent.count)


def test_system_anchor():
    """Validation that nobody asked for by name ends where signatures are stripped, and only there."""
    root = names.Zone('', 'fine.lab A 192.0.2.5\nbad.lab A 192.0.2.66\n', 'broken', ('bad.lab', 'A'))
    signed = names.Nsd(root, name='root')
    found = ask(['fine.lab A', 'bad.lab A', '', 'fine.lab AAAA'], '--server', signed.server,
                '--system-anchor', signed.anchor)
    eq([shape(a) for a in found.values()],
       ['secure found 1', 'bogus 0', 'secure no such record 0'],
       'a forged record is forged, where the keys of the root are there')
    eq(ask.rest, '', 'which needs no warning')
    ignorant = names.Dict({'fine.lab': [['A', '192.0.2.5']]}, name='ignorant')
    found = ask(['fine.lab A', 'none.lab A', '', 'fine.lab MX'], '--server', ignorant.server,
                '--system-anchor', signed.anchor)
    eq([shape(a) for a in found.values()], ['found 1', 'NXDOMAIN 0', 'no such record 0'],
       'a server that knows no signatures is believed, but nothing is secure')
    ok('strips the signatures' in ask.rest, 'and that is said', ask.rest)
    found = ask(['fine.lab A'], '--server', ignorant.server, '--anchor', signed.anchor)
    eq(shape(found['fine.lab A']), 'bogus 0', 'with an anchor that was chosen it is not believed')
    ignorant.stop()
    signed.stop()


test_dnssec()
test_system_anchor()
test_no_anchor()
test_server_texts()
test_forwarder()
test_traps()
test_silence()
done()
