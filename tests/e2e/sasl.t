#!/usr/bin/env python3
"""Every login mechanism against a real Dovecot behind Postfix; a wrong password costs one attempt
an interval and no mail."""
import os
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402
import peers  # noqa: E402

peers.need()
PASSWORD = 'sésame, öffne dich'
dovecot = peers.Dovecot(alice=PASSWORD)
postfix = peers.Postfix(dovecot.socket)
secret = path('password', PASSWORD + '\n')
keys = {'port': postfix.port, 'tls': 'starttls', 'ca': postfix.ca, 'login': 'alice',
        'password': 'file:' + secret}
relay = Relay(**keys)


def trouble():
    return '%s\n%s\n%s' % (relay.tail(), '\n'.join(postfix.words().splitlines()[-15:]),
                           '\n'.join(dovecot.words().splitlines()[-5:]))


def test_mechanism(mechanism):
    relay.configure(auth=mechanism, **keys)
    eq(relay.run('nightmail', 'reload').returncode, 0, mechanism + ': reload')
    subject = 'login by ' + mechanism
    id = relay.send('bob@example.org', subject=subject)
    ok(postfix.about(subject), mechanism + ': the mail arrives', trouble)
    ok(re.search(r'sasl_method=%s, sasl_username=alice' % re.escape(mechanism), postfix.words()),
       mechanism + ': Postfix saw this mechanism', trouble)
    ok(until(lambda: relay.results(id, 'sent')), mechanism + ': the log tells', relay.tail)


def test_best_one():
    relay.configure(**keys)
    relay.run('nightmail', 'reload')
    relay.send('bob@example.org', subject='best')
    ok(postfix.about('best'), 'without auth =: the mail arrives', trouble)
    used = re.findall(r'sasl_method=([A-Z0-9-]+)', postfix.words())
    eq(used[-1:], ['SCRAM-SHA-256'], 'without auth =: the strongest mechanism is taken')


def test_wrong_password():
    relay.configure(**dict(keys, probe='2s'))
    path('password', 'wrong\n')
    relay.run('nightmail', 'reload')
    before = postfix.words().count('authentication failed')
    ids = [relay.send('bob@example.org', subject='password') for _ in range(5)]
    relay.waits_because(ids[-1], r'^waiting for relay default: login refused: .*535 5\.7\.8.*; next try ',
                        'a wrong password: mailq tells that the login was refused')
    time.sleep(6)
    tried = postfix.words().count('authentication failed') - before
    ok(1 <= tried <= 5, 'a wrong password: one attempt an interval', '%d attempts' % tried)
    eq({m['attempts'] for m in relay.queue()}, {0}, 'a wrong password: no attempt of any message')
    eq([m['state'] for m in relay.queue()], ['deferred'] * 5, 'a wrong password: no bounce')
    path('password', PASSWORD + '\n')
    eq(len(postfix.about('password', 5)), 5, 'the right password: all of it leaves by itself')


def test_changed_on_the_server():
    """The account itself is changed, as when a password expires."""
    dovecot.accounts(alice='another')
    relay.run('nightmail', 'reload')  # an open connection would go on
    id = relay.send('bob@example.org', subject='expired')
    relay.waits_because(id, r'login refused', 'an expired password: mailq tells')
    dovecot.accounts(alice=PASSWORD)
    ok(postfix.about('expired'), 'the account works again: it leaves by itself', trouble)


for each in ('PLAIN', 'LOGIN', 'CRAM-MD5', 'SCRAM-SHA-1', 'SCRAM-SHA-256'):
    test_mechanism(each)
test_best_one()
test_wrong_password()
test_changed_on_the_server()
relay.is_empty('nothing is left in the queue')
eq(relay.files('dead'), [], 'nothing was given up')
ok(not any(p in relay.words() for p in (PASSWORD, 'wrong"', 'another')), 'no password in the log')
done()
