#!/usr/bin/env python3
"""Logging in: bound to the TLS channel under TLS 1.2 and 1.3; by a client certificate; a server that
offers weaker mechanisms than before; a wrong password and a revoked token for a week."""
import json
import os
import socketserver
import ssl
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
os.environ['DBUS_SESSION_BUS_ADDRESS'] = 'unix:path=/nonexistent'  # nobody's keyring
from system import *  # noqa: E402
from tokens import Tokens  # noqa: E402

PASSWORD = 'sésame, öffne dich'
ca, cert, key = own_ca('localhost')
login = path('login', PASSWORD + '\n')
AUTH = ('--auth', 'alice:' + login, '--require-auth', '--cert', cert, '--key', key)
KEYS = {'host': 'localhost', 'login': 'alice', 'password': 'file:' + login, 'ca': ca}


def used(relay):
    """What the first relay logged in by."""
    r = relay.run('nightmail', 'status', '--json')
    return json.loads(r.stdout.splitlines()[0])['relays'][0]['auth']


def test_plus():
    sink = Sink(*AUTH, name='plus-sink')
    for version, off in (('1.3', '-VERS-TLS1.2'), ('1.2', '-VERS-TLS1.3')):
        for hash in ('256', '1'):
            name = 'plus-%s-%s' % (version, hash)
            relay = Relay(name, port=sink.port, tls='starttls', priority_string=off,
                          auth='SCRAM-SHA-%s-PLUS' % hash, **KEYS)
            before = len(sink.received())
            relay.send('bob@example.org')
            sink.got(before + 1, 'SCRAM-SHA-%s-PLUS under TLS %s' % (hash, version))
            eq(used(relay), 'SCRAM-SHA-%s-PLUS' % hash, 'it was that one')
            relay.stop()
    relay = Relay('best', port=sink.port, tls='starttls', **KEYS)
    before = len(sink.received())
    relay.send('bob@example.org')
    sink.got(before + 1, 'without auth =')
    eq(used(relay), 'SCRAM-SHA-256-PLUS', 'the best one is taken')
    relay.stop()
    sink.stop()


def test_downgrade():
    """Without TLS the same server has nothing that ends in -PLUS."""
    sink = Sink(*AUTH, name='down-sink')
    relay = Relay('down', port=sink.port, tls='starttls', **KEYS)
    relay.send('bob@example.org', subject='strong')
    sink.got(1, 'a server offers SCRAM-SHA-256-PLUS')
    relay.stop()
    relay.configure(port=sink.port, tls='none', auth_downgrade='hold', **KEYS)
    relay.start()
    id = relay.send('bob@example.org', subject='weak')
    relay.waits_because(id, r'offered SCRAM-SHA-256-PLUS before, and now SCRAM-SHA-256 .*nightmail '
                        r'relay trust default', 'it offers less after a restart: hold holds')
    relay.configure(port=sink.port, tls='none', auth_downgrade='warn', **KEYS)
    relay.run('nightmail', 'reload')
    sink.got(2, 'warn goes on')
    ok(relay.says('offered SCRAM-SHA-256-PLUS before'), 'and warns', relay.tail)
    relay.configure(port=sink.port, tls='none', auth_downgrade='hold', probe='1h', **KEYS)
    relay.run('nightmail', 'reload')
    id = relay.send('bob@example.org', subject='trusted')
    relay.waits_because(id, 'auth-downgrade = hold', 'it is not forgotten by that')
    r = relay.run('nightmail', 'relay', 'trust', 'other')
    ok(r.returncode != 0 and b'no relay other' in r.stderr, 'trust names a relay that is there', r)
    eq(relay.run('nightmail', 'relay', 'trust', 'default').returncode, 0, 'nightmail relay trust')
    sink.got(3, 'then it is tried at once, and goes')
    relay.stop()
    sink.stop()


class Certified(socketserver.ThreadingTCPServer):
    """SMTP under TLS that lets in by certificate alone."""
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        self.names, self.mail = [], []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.context.load_verify_locations(ca)
        self.context.verify_mode = ssl.CERT_REQUIRED
        super().__init__(('127.0.0.1', 0), self.Handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            try:
                self.talk(self.server.context.wrap_socket(self.request, server_side=True))
            except (OSError, ValueError):
                pass

        def talk(self, s):
            f, inside = s.makefile('rb'), False

            def say(text):
                s.sendall(text.encode() + b'\r\n')

            say('220 certified')
            for line in f:
                word = line.decode().strip()
                if word.startswith('EHLO'):
                    say('250-certified\r\n250 AUTH EXTERNAL')
                elif word.startswith('AUTH'):
                    inside = word in ('AUTH EXTERNAL =', 'AUTH EXTERNAL YWxpY2U=')
                    self.server.names.append((word, s.getpeercert()['subject'][0][0][1]))
                    say('235 2.7.0 ok' if inside else '535 5.7.8 no')
                elif word.startswith('DATA'):
                    say('354 go')
                    while f.readline() not in (b'.\r\n', b''):
                        pass
                    self.server.mail.append(1)
                    say('250 ok')
                elif word.startswith('QUIT'):
                    return say('221 bye')
                else:
                    say('250 ok' if inside else '530 5.7.0 log in')


def test_external():
    server = Certified()
    folder = os.path.dirname(ca)
    template = path('client.tmpl', 'cn = "machine.example"\nsigning_key\ntls_www_client\n'
                    'expiration_days = 30\n')
    own_key, own_cert = path('client.key'), path('client.pem')
    for args in (['-p', '--ecc', '--outfile', own_key],
                 ['-c', '--load-privkey', own_key, '--load-ca-privkey', folder + '/ca.key',
                  '--load-ca-certificate', ca, '--template', template, '--outfile', own_cert]):
        subprocess.run(['certtool', '--no-text'] + args, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    relay = Relay('external', host='localhost', port=server.port, tls='implicit', ca=ca,
                  auth='EXTERNAL', cert='%s %s' % (own_cert, own_key))
    relay.send('bob@example.org')
    ok(until(lambda: server.mail), 'EXTERNAL: the mail goes by the certificate alone', relay.tail)
    eq(server.names[-1:], [('AUTH EXTERNAL =', 'machine.example')], 'it was ours')
    relay.stop()
    server.shutdown()


def week(name, tries, trouble, right, **keys):
    """A daemon that is started anew on each of eight days, with the same trouble on all of them.
    Its configuration has a try an hour: one at each start, and no other."""
    alerts = path(name + '.alerts', '')
    more = '[notify]\ncommand = cat >>%s\n' % alerts
    relay = Relay(name, probe='1h', more=more, **keys)
    id = relay.send('bob@example.org', subject='patience')
    relay.waits_because(id, trouble, name + ': it is held')
    counts, before = [], tries()
    for day in range(1, 9):
        relay.again(day)
        until(lambda: tries() > before)
        relay.waits_because(id, trouble, '%s: day %d, it still waits' % (name, day))
        counts.append(tries() - before)
        before = tries()
    eq(counts, [1] * 8, name + ': one try an interval')
    eq(relay.files(), [id], name + ': no bounce, and nothing was given up')
    eq(relay.message(id)['attempts'], 0, name + ': no attempt counts against the message')
    told = [e for e in map(json.loads, read(name + '.alerts').splitlines())]
    days = sum(e['kind'] == 'relay-held' for e in told)
    ok(1 <= days <= 9, name + ': an alert a day at most', told)
    right(relay)
    relay.is_empty(name + ': when it is right it leaves by itself')
    relay.stop()


def wrong_password():
    sink = Sink(*AUTH, name='week-sink')
    wrong = path('wrong', 'wrong\n')

    def right(relay):
        path('wrong', PASSWORD + '\n')
        relay.again(9)

    week('password', lambda: len([e for e in sink.events('auth') if e['code'] == 535]), 'login refused', right,
         port=sink.port, tls='starttls', **dict(KEYS, password='file:' + wrong))
    sink.stop()


def revoked_token():
    server = Tokens()
    server.pending = 0
    oauth = {'login': 'alice', 'password': 'oauth2', 'client_id': 'this-program', 'scope': 'mail',
             'token_url': server.url + '/token', 'device_url': server.url + '/device',
             'token_ca': server.ca}
    sink = Sink(name='token-sink')
    first = Relay('token', start=False, port=9, tls='starttls', **oauth)
    eq(first.run('nightmail', 'login', 'default').returncode, 0, 'token: login')
    with open(first.spool + '/oauth2/default.json') as f:
        tokens = json.load(f)
    with open(first.spool + '/oauth2/default.json', 'w') as f:
        json.dump(dict(tokens, refresh_at=0, expires=1), f)
    server.revoked = True

    def right(relay):
        relay.configure(port=sink.port, tls='none')
        relay.again(9)

    week('token', lambda: len(server.used), 'run nightmail login default', right, port=9,
         tls='starttls', **oauth)
    eq(len(sink.received()), 1, 'token: it arrives')
    sink.stop()


test_plus()
test_downgrade()
test_external()
if subprocess.run(['unshare', '-T', '--boottime', '1', 'true'], stderr=subprocess.DEVNULL).returncode:
    skip('a week', 'no time namespaces here, or not root')
else:
    wrong_password()
    revoked_token()
done()
