#!/usr/bin/env python3
"""A real OpenSMTPD as smarthost, which has no PIPELINING: mail arrives once, and a refused
recipient is refused alone. In clear text: Debian 12's does not complete a TLS handshake."""
import collections
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402
import peers  # noqa: E402
from peers import asked, ids  # noqa: E402

peers.need('opensmtpd', 'usr/sbin/smtpd')


class OpenSMTPD(peers.Smarthost):
    """Takes mail for r0 to r59@example.org and alice@home.example. The places of its folders below
    /var and /run are compiled in."""

    def __init__(self):
        self.port, self.box = free_port(), 'opensmtpd/box'
        user = peers.USERS['opensmtpd']
        for folder, owner, mode in (
                ('', 0, 0o755), ('/run', 0, 0o755), ('/spool', 0, 0o755), ('/lib', 0, 0o755),
                ('/lib/opensmtpd', 0, 0o755), ('/lib/opensmtpd/empty', 0, 0o755),
                ('/spool/smtpd', 0, 0o711), ('/box', user, 0o755)):
            os.makedirs(path('opensmtpd' + folder), exist_ok=True)
            os.chmod(path('opensmtpd' + folder), mode)
            os.chown(path('opensmtpd' + folder), owner, owner)
        known = ['alice@home.example'] + ['r%d@example.org' % n for n in range(60)]
        path('opensmtpd/known', ''.join(k + ' opensmtpd\n' for k in known), 0o644)
        conf = path('opensmtpd/conf', '''
table known file:%(home)s/known
smtp max-message-size 100K
listen on 127.0.0.1 port %(port)d hostname smarthost.example
action "box" maildir "%(home)s/box" virtual <known>
match from any for domain { "example.org", "home.example" } action "box"
''' % {'home': path('opensmtpd'), 'port': self.port}, 0o644)
        super().__init__('smtpd', peers.within(
            'smtpd', '-d', '-f', conf, peer='opensmtpd', binds=(
                (path('opensmtpd/spool'), '/var/spool'), (path('opensmtpd/lib'), '/var/lib'),
                (path('opensmtpd/run'), '/run'))))
        if not self.says('info: .*(starting|startup)'):
            raise RuntimeError('OpenSMTPD does not start: ' + self.words())


smtpd = OpenSMTPD()
relay = Relay(port=smtpd.port)


def trouble():
    return '%s\n%s' % (relay.tail(), '\n'.join(smtpd.words().splitlines()[-15:]))


def envelopes(subject, count):
    return collections.Counter((m['Return-Path'].strip('<>'), m['Delivered-To'])
                               for m in smtpd.about(subject, count))


def test_delivery():
    for n in range(50):
        relay.sendmail('-f', 'a%d@home.example' % n, 'r%d@example.org' % n,
                       text='Subject: many\n\n.\nx\n')
    ok(relay.empty(), 'the queue is empty in the end', trouble)
    eq(envelopes('many', 50), {('a%d@home.example' % n, 'r%d@example.org' % n): 1
                               for n in range(50)}, 'each arrives once with its own envelope')
    eq({m.get_content() for m in smtpd.mail()}, {'.\nx\n'}, 'and is whole')


def test_refused():
    one = relay.send('r1@example.org', 'nobody@example.org', 'r2@example.org', subject='refused')
    ok(until(lambda: len(relay.results(one)) >= 3), 'each recipient has a result', trouble)
    eq({f['to']: f['status'] for f in relay.results(one)},
       {'r1@example.org': 'sent', 'r2@example.org': 'sent', 'nobody@example.org': 'bounced'},
       'the refused one alone is returned')
    eq(envelopes('refused', 2), {('alice@home.example', 'r%d@example.org' % n): 1 for n in (1, 2)},
       'the others have it')


def test_probe():
    there = ['127.0.0.1:%d' % smtpd.port, '--no-tls']
    a = asked(*there, '-f', 'a@home.example', '-t', 'r1@example.org')
    eq(ids(a, 'fail'), [], 'smtp-probe: nothing is wrong')
    ok(a['servers'][0]['banner'].startswith('220 smarthost.example') and
       'ENHANCEDSTATUSCODES' in a['servers'][0]['ehlo'], 'smtp-probe: shows what it says',
       a['servers'][0])
    a = asked(*there, '-f', 'a@home.example', '-t', 'nobody@example.org')
    eq(ids(a, 'fail'), ['rcpt.rejected'], 'smtp-probe: a refused recipient is told')


test_delivery()
test_refused()
test_probe()
ok(relay.empty(), 'nothing is left in the queue', trouble)
eq(relay.files('dead'), [], 'and nothing was given up')
done()
