#!/usr/bin/env python3
"""smtp-probe against a real Postfix with STARTTLS and SASL, and against our own listener."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402
import peers  # noqa: E402
from peers import asked, ids  # noqa: E402

peers.need()
dovecot = peers.Dovecot(alice='sesame')
postfix = peers.Postfix(dovecot.socket)
there = ['127.0.0.1:%d' % postfix.port, '--ca-file', postfix.ca, '--verify-name', 'localhost']

a = asked(*there, '--tls')
eq((a['tls']['established'], a['tls']['verified']), (True, True), 'Postfix: TLS, verified')
ok(any(line.startswith('AUTH') for line in a['servers'][0]['ehlo_tls']),
   'Postfix: the mechanisms under TLS are shown', a['servers'][0])
a = asked(*there, '--tls', '-au', 'alice', '-ap', '@' + path('good', 'sesame\n'))
ok(a['servers'][0]['auth'] and not ids(a, 'fail'), 'Postfix: the login works (%s)' %
   a['servers'][0]['auth'], a['findings'])
a = asked(*there, '--tls', '-au', 'alice', '-ap', '@' + path('bad', 'wrong\n'))
eq((ids(a, 'fail'), asked.code), (['auth.535'], 2), 'Postfix: a wrong password is told')
a = asked(*there, '-f', 'a@home.example', '-t', 'b@example.org', '-t', 'c d@')
ok(len(a['servers'][0]['rcpt']) == 2 and 'rcpt.rejected' in ids(a, 'fail'),
   'Postfix: a recipient that is no address is refused', a['servers'][0]['rcpt'])
a = asked(*there, '--injection')
ok('tls.injection' in ids(a, 'ok'), 'Postfix: forgets what came in clear', a['findings'])
a = asked('127.0.0.1:%d' % postfix.port, '--tlsc', '--timeout', '5')
ok('conn.wrong_mode' in ids(a, 'fail'), 'Postfix: the wrong mode is told', a['findings'])
before = len(postfix.about('by the probe', 0, 0))
path('mail', 'From: a@home.example\nTo: b@example.org\nSubject: by the probe\n\n.dot\n')
a = asked(*there, '--tls', '-au', 'alice', '-ap', '@' + path('good'), '-f', 'a@home.example', '-t',
          'b@example.org', '--send', path('mail'))
ok(a['servers'][0]['data'].startswith('250'), 'Postfix: --send sends', a['servers'][0])
got = postfix.about('by the probe')
eq([m.get_content() for m in got], ['.dot\n'], 'Postfix: and the message is whole')

port = free_port()
relay = Relay(port=postfix.port, tls='starttls', ca=postfix.ca,
              more='[listen]\ntcp = 127.0.0.1:%d\ntrust-local = yes' % port)
a = asked('127.0.0.1:%d' % port, '--no-tls')
ok(a['servers'][0]['banner'].startswith('220') and not ids(a, 'fail'), 'our listener: nothing is wrong',
   a['findings'])
a = asked('127.0.0.1:%d' % port, '--no-tls', '-f', 'a@home.example', '-t', 'b@example.org')
ok('rcpt.ok' in ids(a, 'ok'), 'our listener: takes mail of this machine', a['findings'])
eq(relay.queue(), [], 'our listener: and nothing was queued by asking')
done()
