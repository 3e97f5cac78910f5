#!/usr/bin/env python3
"""A real Exim as smarthost, with STARTTLS, PIPELINING and CHUNKING: what is streamed arrives once
each with its own envelope, and what Exim refuses in the middle of it is refused alone."""
import collections
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402
import peers  # noqa: E402
from peers import asked, ids  # noqa: E402

peers.need('exim', 'usr/sbin/exim4')
MESSAGES = 100 if SANITIZED else 200
LIMIT = 60000


class Exim(peers.Smarthost):
    """Refuses the sender stranger@, recipients no...@ and the subject "spam"; puts off busy...@
    until there is a file "quiet"."""

    def __init__(self):
        self.port, self.box = free_port(), 'exim/box'
        self.ca, cert, key = own_ca('localhost')
        user = peers.USERS['Debian-exim']
        for folder in ('exim', 'exim/spool', 'exim/log', 'exim/box'):
            os.makedirs(path(folder), mode=0o755)
            os.chown(path(folder), user, user)
        os.chown(key, user, user)
        conf = path('exim/conf', '''
            primary_hostname = smarthost.example
            spool_directory = %(home)s/spool
            log_file_path = %(home)s/log/%%slog
            log_selector = +pipelining +received_recipients +received_sender +subject
            keep_environment =
            local_interfaces = 127.0.0.1
            daemon_smtp_ports = %(port)d
            tls_advertise_hosts = *
            tls_certificate = %(cert)s
            tls_privatekey = %(key)s
            pipelining_advertise_hosts = *
            chunking_advertise_hosts = *
            message_size_limit = %(limit)d
            smtp_accept_queue_per_connection = 0
            deliver_drop_privilege = true
            acl_smtp_mail = mail
            acl_smtp_rcpt = rcpt
            acl_smtp_data = content
            begin acl
            mail:
              deny !encrypted = *
                   message = STARTTLS first
              deny senders = stranger@home.example
                   message = not from you
              accept
            rcpt:
              deny local_parts = ^no
                   message = nobody of this name
              defer local_parts = ^busy
                    condition = ${if !exists{%(home)s/quiet}}
                   message = come back later
              accept
            content:
              deny condition = ${if eq{$h_subject:}{spam}}
                   message = looks like advertising
              accept
            begin routers
            everybody:
              driver = accept
              transport = box
            begin transports
            box:
              driver = appendfile
              directory = %(home)s/box
              maildir_format
              return_path_add
              headers_add = Delivered-To: $local_part@$domain
            ''' % {'home': path('exim'), 'port': self.port, 'cert': cert, 'key': key,
                   'limit': LIMIT}, 0o644)
        super().__init__('exim-daemon', peers.within('exim4', '-C', conf, '-bdf', peer='exim'))
        if not until(lambda: 'daemon started' in self.words()):
            raise RuntimeError('Exim does not start: ' + self.words())

    def words(self):
        return read('exim/log/mainlog') + read('exim/log/paniclog') + read('exim-daemon.log')


exim = Exim()
relay = Relay(port=1, probe='1h', tls='starttls', ca=exim.ca, connections=1)


def trouble():
    return '%s\n%s' % (relay.tail(), '\n'.join(exim.words().splitlines()[-15:]))


def reload(**keys):
    relay.configure(port=exim.port, probe='200ms', **dict(
        {'tls': 'starttls', 'ca': exim.ca, 'connections': 1}, **keys))
    eq(relay.run('nightmail', 'reload').returncode, 0, 'reload')


def envelopes(subject, count):
    return collections.Counter((m['Return-Path'].strip('<>'), m['Delivered-To'])
                               for m in exim.about(subject, count))


def test_streamed():
    """Messages one behind the other; every tenth has something that Exim refuses."""
    want, refused, late = collections.Counter(), {}, []
    for n in range(MESSAGES):
        sender, to = 'a%d@home.example' % n, ['r%d@example.org' % n]
        subject, kept = 'stream', True
        if n % 10 == 3:
            to.insert(n % 2, 'no%d@example.org' % n)
        elif n % 40 == 5:
            sender, kept = 'stranger@home.example', False
        elif n % 40 == 15:
            subject, kept = 'spam', False
        elif n % 40 == 25:
            to, kept = ['no%d@example.org' % n, 'nor%d@example.org' % n], False
        relay.sendmail('-f', sender, '-N', 'never', *to, text='Subject: %s\n\n%d\n' % (subject, n))
        want.update((sender, t) for t in to if kept and t[:2] != 'no')
        refused.update((t, {'stranger@home.example': 'not from you'}.get(
            sender, 'nobody of this name' if t[:2] == 'no' else 'looks like advertising'))
            for t in to if not kept or t[:2] == 'no')
    reload()
    ok(relay.empty(2 * PATIENCE), 'streamed: the queue is empty in the end', trouble)
    got = envelopes('stream', sum(want.values()))
    eq((got - want, want - got), ({}, {}), 'streamed: each arrives once with its own envelope')
    said = {f['to']: f for f in map(fields, relay.words().splitlines())
            if f.get('status') == 'bounced' and 'to' in f}
    eq(sorted(said), sorted(refused), 'streamed: who was refused, and nobody else')
    eq([to for to in sorted(refused) if refused[to] not in str(said.get(to))], [],
       'streamed: each with the reply that it had')
    ok('possibly-twice' not in relay.words(), 'streamed: nothing is in doubt', trouble)
    lines = [x for x in exim.words().splitlines() if ' <= ' in x]
    ok(lines and all(' P=esmtps ' in x and ' K ' in x and ' L' in x for x in lines),
       'streamed: Exim saw TLS, CHUNKING and PIPELINING', trouble)


def test_put_off():
    one = relay.send('r@example.org', 'busy@example.org', subject='put off')
    ok(until(lambda: relay.results(one, 'deferred')), 'put off: one recipient is deferred', trouble)
    path('exim/quiet', '', 0o644)
    ok(relay.empty(), 'put off: and goes later', trouble)
    eq(envelopes('put off', 2), {('alice@home.example', 'r@example.org'): 1,
                                 ('alice@home.example', 'busy@example.org'): 1},
       'put off: everybody has it once')


def test_too_large():
    """Exim says its limit, so that it need not be asked."""
    large = relay.send('r@example.org', subject='large', body='0123456789\n' * 6000)
    ok(until(lambda: relay.results(large, 'bounced')), 'too large: it is returned', trouble)
    eq([f['dsn'] for f in relay.results(large)], ['5.3.4'], 'too large: with the status for that')
    text = '0123456789\n' * 4500
    relay.send('r@example.org', subject='fits', body=text)
    ok([m.get_content() for m in exim.about('fits')] == [text], 'what fits arrives whole', trouble)
    ok(relay.empty(), 'too large: nothing stays', trouble)


def test_off():
    reload(stream='off')
    before = len(exim.words())
    for n in range(20):
        relay.sendmail('-f', 'a@home.example', 'r%d@example.org' % n, text='Subject: off\n\nx\n')
    eq(envelopes('off', 20), {('a@home.example', 'r%d@example.org' % n): 1 for n in range(20)},
       'stream = off: each arrives once')
    lines = [x for x in exim.words()[before:].splitlines() if ' <= ' in x]
    eq([x for x in lines if ' K ' in x], [], 'stream = off: by DATA')
    ok(relay.empty(), 'stream = off: nothing stays', trouble)


def test_probe():
    there = ['127.0.0.1:%d' % exim.port, '--ca-file', exim.ca, '--verify-name', 'localhost']
    a = asked(*there, '--tls', '-f', 'a@home.example', '-t', 'r@example.org')
    eq((a['tls']['established'], a['tls']['verified'], ids(a, 'fail', 'warn')),
       (True, True, ['auth.none_after_tls']),
       'smtp-probe: TLS, verified; nobody can log in, and nothing else is wrong')
    ok({'PIPELINING', 'CHUNKING'} <= set(a['servers'][0]['ehlo_tls']),
       'smtp-probe: shows the extensions', a['servers'][0])
    a = asked(*there, '-f', 'a@home.example', '-t', 'no@example.org', '-t', 'r@example.org')
    eq(([r['reply'][:3] if isinstance(r, dict) else r for r in a['servers'][0]['rcpt']], asked.code),
       (['550', '250'], 2), 'smtp-probe: a refused recipient is told')
    a = asked(*there, '--injection')
    ok('tls.injection' in ids(a, 'ok'), 'smtp-probe: Exim forgets what came in clear', a['findings'])


test_streamed()
test_put_off()
test_too_large()
test_off()
test_probe()
eq(relay.files('dead'), [], 'nothing was given up')
done()
