#!/usr/bin/env python3
"""Dovecot's submission service as smarthost: it checks the login itself and passes everything on
to a server behind it, whose refusals, silence and death come through it to the relay."""
import collections
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402
import peers  # noqa: E402
from peers import asked, ids  # noqa: E402

peers.need('root', 'usr/lib/dovecot/submission')


class Submission(peers.Dovecot):
    """Port self.port with STARTTLS, self.tls_port with TLS from the first byte; what it takes goes
    to the port behind on 127.0.0.1."""

    def __init__(self, behind, more=''):
        self.port, self.tls_port = free_port(), free_port()
        self.ca, cert, key = own_ca('localhost')
        os.makedirs(path('boxes'), exist_ok=True)
        os.chmod(path('boxes'), 0o777)
        super().__init__('''
            protocols = submission
            hostname = submission.example
            mail_location = maildir:%(boxes)s/%%u
            ssl = required
            ssl_cert = <%(cert)s
            ssl_key = <%(key)s
            submission_relay_host = 127.0.0.1
            submission_relay_port = %(behind)d
            submission_relay_ssl = no
            service submission-login {
              inet_listener submission {
                address = 127.0.0.1
                port = %(port)d
              }
              inet_listener submissions {
                address = 127.0.0.1
                port = %(tls_port)d
                ssl = yes
              }
            }
            ''' % {'boxes': path('boxes'), 'cert': cert, 'key': key, 'behind': behind,
                   'port': self.port, 'tls_port': self.tls_port} + more, alice='sesame')


backend = Sink(name='backend')
dovecot = Submission(backend.port, 'login_trusted_networks = 127.0.0.0/8\n')
GOOD = path('good', 'sesame\n')
MECHANISMS = ('PLAIN', 'LOGIN', 'CRAM-MD5', 'SCRAM-SHA-1', 'SCRAM-SHA-256')
scenes = 0


def a_relay(**keys):
    global scenes
    scenes += 1
    return Relay('relay%d' % scenes, port=dovecot.port, **dict(
        {'tls': 'starttls', 'ca': dovecot.ca, 'login': 'alice', 'password': 'file:' + GOOD}, **keys))


def behind(*args):
    """The server behind Dovecot answers as args say, and what it had is forgotten."""
    global backend
    backend.stop()
    for name in os.listdir(backend.kept):
        os.unlink(os.path.join(backend.kept, name))
    backend = backend.again(*args)


def arrived():
    """How often each recipient got a message of this test, notices apart."""
    return collections.Counter(to['address'] for envelope, _ in backend.received()
                               for to in envelope['to'] if envelope['from'])


def flagged(relay):
    """Recipients of messages that the log calls possibly-twice."""
    return {f['to'] for f in map(fields, relay.words().splitlines())
            if f.get('possibly-twice') == 'yes' and 'to' in f}


def trouble(relay):
    return lambda: '%s\n%s' % (relay.tail(25), '\n'.join(
        line[:300] for line in dovecot.words().splitlines()[-10:]))


def all_gone(relay, expected, name):
    """Nothing is left, all of them came, and no more often than the log tells."""
    ok(relay.empty(), name + ': nothing stays', trouble(relay))
    got, doubted = arrived(), flagged(relay)
    eq(sorted(got), sorted(expected), name + ': everybody has it')
    eq([to for to in got if got[to] > 1 and to not in doubted], [], name +
       ': nobody has it twice, unless the log says so')
    eq(relay.files('dead'), [], name + ': nothing was given up')
    eq(relay.stop(), 0, name + ': the relay ends with status 0')


def test_logins():
    """Every mechanism, by STARTTLS and by TLS from the first byte: one relay for each."""
    cases = [(mechanism, tls) for mechanism in MECHANISMS for tls in ('starttls', 'implicit')]
    sections = ''
    for number, (mechanism, tls) in enumerate(cases):
        sections += '''
[relay r%d]
host = 127.0.0.1
port = %d
tls = %s
ca = %s
login = alice
password = file:%s
auth = %s
[route r%d]
recipient = *@r%d.example
relay = r%d
''' % (number, dovecot.port if tls == 'starttls' else dovecot.tls_port, tls, dovecot.ca, GOOD,
        mechanism, number, number, number)
    relay = a_relay(more=sections)
    sent = {(mechanism, tls): relay.send('bob@r%d.example' % number)
            for number, (mechanism, tls) in enumerate(cases)}
    ok(relay.empty(), 'logins: all is gone', trouble(relay))
    for (mechanism, tls), id in sent.items():
        eq([(f['status'], f.get('auth'), f.get('tls')) for f in relay.results(id)],
           [('sent', mechanism, 'TLS1.3')], 'logins: %s, %s' % (mechanism, tls))
    all_gone(relay, ['bob@r%d.example' % n for n in range(len(cases))], 'logins')


def test_wrong_password():
    bad = path('bad', 'open\n')
    behind()
    relay = a_relay(password='file:' + bad)
    id = relay.send('bob@example.org')
    relay.waits_because(id, '^waiting for relay default: login refused.*535', 'password: the relay is '
                        'held, and the words are told')
    eq(relay.message(id)['attempts'], 0, 'password: it is no attempt of the message')
    path('bad', 'sesame\n')
    all_gone(relay, ['bob@example.org'], 'password')


def test_burst():
    """Streamed through it, with refusals in between: each message keeps its own envelope."""
    behind('--reply', 'rcpt:no@example.org=550 5.1.1 nobody of this name',
           '--reply', 'rcpt:busy@example.org=450 4.2.1 come back,1')
    relay = a_relay(start=False)
    for n in range(30):
        to = ['r%d@example.org' % n] + ['no@example.org'] * (n % 5 == 2) + \
            ['busy@example.org'] * (n == 7)
        relay.sendmail('-f', 'a@home.example', *to, text='Subject: %d\n\nHello %d.\n' % (n, n))
    relay.start()
    ok(relay.empty(), 'burst: all is gone', trouble(relay))
    wrong = [e['to'] for e, text in backend.received() if e['from'] and 'busy@example.org' not in
             [t['address'] for t in e['to']] and
             'Hello %s.' % e['to'][0]['address'][1:-len('@example.org')] not in text]
    eq(wrong, [], 'burst: each has its own content')
    eq(len([e for e, _ in backend.received() if not e['from']]), 6, 'burst: each refusal is told to '
       'the sender, once')
    all_gone(relay, ['r%d@example.org' % n for n in range(30)] + ['busy@example.org'], 'burst')


def test_refusals():
    """What the server behind says comes through, and means the same."""
    for stage, code, to, left in (
            ('rcpt', '550 5.1.1 nobody', 'bounced', 0), ('content', '554 5.6.0 spam', 'bounced', 0),
            ('mail', '550 5.7.1 not from you', 'bounced', 0),
            ('rcpt', '452 4.2.2 full', 'deferred', 1), ('content', '451 4.3.0 later', 'deferred', 1),
            ('mail', '451 4.3.0 later', 'deferred', 1)):
        behind('--reply', '%s%s=%s%s' % (stage, '' if stage == 'content' else ':bad@example.org'
                                         if stage == 'rcpt' else ':a@home.example', code,
                                         ',1' * left))
        relay = a_relay(retry='1s 1s')
        name = 'refusals: %s at %s' % (code[:3], stage)
        id = relay.send('bad@example.org', sender='a@home.example')
        ok(relay.empty() and until(lambda: relay.results(id, to) or relay.files('dead')), name +
           ': it has its fate', trouble(relay))
        if left:
            all_gone(relay, ['bad@example.org'], name)
            continue
        eq([f['reply'][:9] for f in relay.results(id, 'bounced')], [code[:9]],
           name + ': in the words of the server behind')
        eq(dict(arrived()), {}, name + ': nobody has it')
        relay.stop()


def test_death():
    """The server behind goes away in the middle, at each stage. What it took before its answer was
    lost, Dovecot says was not taken: that it comes twice then is not ours to know."""
    for stage in ('greeting', 'ehlo', 'mail', 'rcpt', 'data', 'content', 'dot'):
        behind('--close-at', stage + ',1')
        relay = a_relay(retry='1s 1s')
        ids = [relay.send('%s%d@example.org' % (stage, n)) for n in range(3)]
        name = 'death at ' + stage
        if stage == 'dot':
            ok(relay.empty(), name + ': nothing stays', trouble(relay))
            got = arrived()
            eq(sorted(got), ['dot%d@example.org' % n for n in range(3)], name + ': everybody has it')
            ok(sum(got.values()) <= 4 + len(flagged(relay)), name + ': and one of them twice', got)
            eq(relay.stop(), 0, name + ': the relay ends with status 0')
        else:
            all_gone(relay, ['%s%d@example.org' % (stage, n) for n in range(3)], name)
    relay = a_relay()
    backend.stop()
    id = relay.send('later@example.org')
    relay.waits_because(id, '^waiting for relay default: .*4[0-9][0-9] ', 'nobody behind: the relay is '
                        'held, and Dovecot\'s words are told')
    eq(relay.message(id)['attempts'], 0, 'nobody behind: it is no attempt of the message')
    behind()
    all_gone(relay, ['later@example.org'], 'nobody behind')


def test_slow():
    """The server behind thinks, while the relay has sent the next command long ago. Dovecot 2.3 dies
    of that now and then, with mail on the way: it must not go on so."""
    for stream in ('auto', 'off'):
        behind('--delay', '60')
        relay = a_relay(stream=stream, start=False, retry='1s 1s')
        for n in range(12):
            relay.sendmail('-f', 'a@home.example', 's%d@example.org' % n)
        relay.start()
        name = 'slow, stream = ' + stream
        ok(relay.empty(), name + ': all is gone', trouble(relay))
        got = arrived()
        ok(sum(got.values()) <= 12 + 4, name + ': at most two windows of two messages in doubt', got)
        if sum(got.values()) > 12 + 2:
            ok('one message at a time' in relay.words(), name + ': then one at a time', trouble(relay))
        all_gone(relay, ['s%d@example.org' % n for n in range(12)], name)


def test_probe():
    tls = ['--ca-file', dovecot.ca, '--verify-name', 'localhost']
    login = ['-au', 'alice', '-ap', '@' + GOOD, '-f', 'a@home.example', '-t', 'bob@example.org']
    behind('--reply', 'rcpt:no@example.org=550 5.1.1 nobody of this name')
    for how, port in (('--tls', dovecot.port), ('--tlsc', dovecot.tls_port)):
        a = asked('127.0.0.1:%d' % port, how, *tls, *login)
        eq((a['tls']['verified'], a['servers'][0]['auth'], ids(a, 'fail'), asked.code),
           (True, 'SCRAM-SHA-256', [], 1 if how == '--tls' else 0),
           'smtp-probe %s: logged in, and the recipient is taken' % how)
        ok('rcpt.ok' in ids(a, 'ok'), 'smtp-probe %s: which it says' % how, a['findings'])
        lines = a['servers'][0]['ehlo_tls']
        ok('BURL imap' in lines and 'CHUNKING' in lines and
           any(line.startswith('XCLIENT') for line in lines + a['servers'][0]['ehlo']), 'smtp-probe %s: what is offered is shown' % how,
           lines)
    a = asked('127.0.0.1:%d' % dovecot.port, '--tls', *tls, *login, '-t', 'no@example.org')
    eq(ids(a, 'fail'), ['rcpt.rejected'], 'smtp-probe: a refusal from behind is told')
    ok('nobody of this name' in str(a['findings']), 'smtp-probe: in its own words', a['findings'])
    for mechanism in MECHANISMS:
        a = asked('127.0.0.1:%d' % dovecot.tls_port, '--tlsc', *tls, '--auth=' + mechanism, *login[:4])
        eq(a['servers'][0]['auth'], mechanism, 'smtp-probe: --auth=' + mechanism)
    a = asked('127.0.0.1:%d' % dovecot.tls_port, '--tlsc', *tls, '-au', 'alice', '-ap',
              '@' + path('wrong', 'wrong\n'))
    eq((ids(a, 'fail'), asked.code), (['auth.535'], 2), 'smtp-probe: a wrong password is told')
    a = asked('127.0.0.1:%d' % dovecot.port, '--tlsc', '--timeout', '5', *tls)
    ok('conn.wrong_mode' in ids(a, 'fail'), 'smtp-probe: STARTTLS asked for TLS', a['findings'])
    a = asked('127.0.0.1:%d' % dovecot.tls_port, '--tls', '--timeout', '2', *tls)
    ok('conn.wrong_mode' in ids(a, 'fail'), 'smtp-probe: TLS asked for STARTTLS', a['findings'])
    a = asked('127.0.0.1:%d' % dovecot.port, '--injection', *tls)
    ok('tls.injection' in ids(a, 'ok'), 'smtp-probe: it forgets what came in clear', a['findings'])
    a = asked('127.0.0.1:%d' % dovecot.port, '--tls', *tls, '-f', 'a@home.example', '-t',
              'bob@example.org')
    ok(ids(a, 'fail') == ['mail.rejected'] and '530' in str(a['findings']),
       'smtp-probe: without a login the sender is refused', a['findings'])
    backend.stop()
    a = asked('127.0.0.1:%d' % dovecot.port, '--tls', *tls, *login)
    ok(asked.code and 'relay server' in str(a['findings']),
       'smtp-probe: that nobody is behind is told', a['findings'])
    behind()


test_logins()
test_wrong_password()
test_burst()
test_refusals()
test_death()
test_slow()
test_probe()
done()
