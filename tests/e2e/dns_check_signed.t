#!/usr/bin/env python3
"""dns-check of signed, broken, expired and unsigned zones, as nsd serves them."""
import json
import os
import subprocess
import sys

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


def test_chain():
    chain = check('good.lab').get('chain', {})
    ok(0 < chain.get('length', 99) <= 6 and chain['questions'] > 40, 'many questions, few rounds', chain)


try:
    test_states()
    test_dane()
    test_bogus()
    test_chain()
finally:
    nsd.stop()
done()
