#!/usr/bin/env python3
"""OAuth 2.0: nightmail login by code and by browser; tokens are refreshed in time by one process,
what the server gives instead of the old refresh token is kept before it is used; a revoked one
holds the relay, which says what to do. The smarthost is Postfix with a real Dovecot that checks
the tokens itself, where they are there, else the checks that need them are left out."""
import os
import re
import stat
import subprocess
import sys
import time
import urllib.parse
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
os.environ['DBUS_SESSION_BUS_ADDRESS'] = 'unix:path=/nonexistent'  # nobody's keyring
from system import *  # noqa: E402
import peers  # noqa: E402
from tokens import Tokens, changed, jwt, tokens_of, KEY  # noqa: E402

server = Tokens()
OAUTH = {'login': 'alice', 'password': 'oauth2', 'client_id': 'this-program',
         'token_url': server.url + '/token', 'device_url': server.url + '/device',
         'auth_url': server.url + '/authorize', 'scope': 'mail offline_access',
         'token_ca': server.ca}


def test_config(relay):
    r = relay.run('nightmail', 'config', 'check')
    eq(r.returncode, 0, 'the configuration is fine')
    shown = relay.run('nightmail', 'config', 'show').stdout.decode()
    ok('password = oauth2 ' in shown, 'config show says oauth2', shown)


def test_no_tokens(relay):
    id = relay.send('bob@example.org', subject='first')
    relay.waits_because(id, 'run nightmail login default',
                        'before the login mailq says which command helps')


def test_device(relay):
    r = relay.run('nightmail', 'login', '--device', 'default')
    words = r.stdout.decode() + r.stderr.decode()
    eq(r.returncode, 0, 'login --device')
    ok('https://login.example/device' in words and 'WDJB-MJHT' in words,
       'it says where to go and what to enter', words)
    ok(not any(t in words for t in server.given + [server.refresh]), 'and shows no token', words)
    eq(stat.S_IMODE(os.stat(relay.spool + '/oauth2/default.json').st_mode), 0o600,
       'the file with the tokens is for its owner alone')
    eq(tokens_of(relay)['refresh_token'], server.refresh, 'it holds the refresh token')


def test_browser(relay):
    command = [BUILD + '/nightmail', 'login', '--browser', 'default']
    login = subprocess.Popen(command, env=relay.env, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
    said = b''
    while b'waiting' not in said:
        line = login.stdout.readline()
        if not line:
            break
        said += line
    found = re.search(r'https://\S+', said.decode())
    if not ok(found, 'login --browser names a page', said):
        login.kill()
        return
    query = {k: v[0] for k, v in
             urllib.parse.parse_qs(urllib.parse.urlparse(found[0]).query).items()}
    eq(query['code_challenge_method'], 'S256', 'with PKCE')
    ok(query['redirect_uri'].startswith('http://127.0.0.1:'), 'back to the loopback')
    server.challenge = query['code_challenge']
    try:
        urllib.request.urlopen(query['redirect_uri'] + '/?code=evil&state=wrong').read()
        ok(False, 'a request with another state is sent away')
    except urllib.error.HTTPError as e:
        eq(e.code, 404, 'a request with another state is sent away')
    answer = urllib.parse.urlencode({'state': query['state'], 'code': 'the code'})
    urllib.request.urlopen(query['redirect_uri'] + '/?' + answer).read()
    said += login.stdout.read()
    eq(login.wait(), 0, 'login --browser')
    ok(server.refresh.encode() not in said, 'it shows no token', said)


def test_refused_client(relay):
    other = Relay('other', port=9, tls='starttls', start=False, **dict(OAUTH, client_id='nobody'))
    r = other.run('nightmail', 'login', '--device', 'default')
    ok(r.returncode != 0 and b'invalid_client' in r.stderr, 'a client that is not known is told so',
       r.stderr)


def flows():
    relay = Relay('flows', port=9, tls='starttls', **OAUTH)
    test_config(relay)
    test_no_tokens(relay)
    test_device(relay)
    test_browser(relay)
    test_refused_client(relay)
    relay.stop()


class Smarthost:
    def __init__(self):
        dovecot = peers.Dovecot(more=peers.jwt_passdb(KEY), alice='unused')
        self.postfix = peers.Postfix(dovecot.socket)
        self.relay = Relay('work', port=self.postfix.port, tls='starttls', ca=self.postfix.ca,
                           **OAUTH)
        server.pending = 0
        eq(self.relay.run('nightmail', 'login', 'default').returncode, 0, 'login')

    def words(self):
        return self.relay.tail() + '\n' + '\n'.join(self.postfix.words().splitlines()[-10:])

    def configure(self, **keys):
        self.relay.configure(port=self.postfix.port, tls='starttls', ca=self.postfix.ca,
                             **dict(OAUTH, **keys))
        eq(self.relay.run('nightmail', 'reload').returncode, 0, 'reload')

    def arrives(self, subject, name):
        self.relay.send('bob@example.org', subject=subject)
        return ok(self.postfix.about(subject), name, self.words)


def test_mechanisms(s):
    for mechanism in ('OAUTHBEARER', 'XOAUTH2'):
        s.configure(auth=mechanism)
        s.arrives('by ' + mechanism, mechanism + ': Dovecot takes the token')
        ok('sasl_method=%s, sasl_username=alice' % mechanism in s.postfix.words(),
           mechanism + ': it was that one', s.words)


def test_refresh(s):
    changed(s.relay, refresh_at=0, expires=1)
    before, refresh = len(server.used), server.refresh
    s.configure()
    s.relay.stop()
    s.relay.start()  # it keeps the token that it has
    s.arrives('refreshed', 'a token that is over is refreshed')
    eq(server.used[before:], [refresh], 'once, with the refresh token that is in force')
    t = tokens_of(s.relay)
    eq(t['refresh_token'], server.refresh, 'the new refresh token is kept')
    ok(t['refresh_token'] != refresh, 'it is another one')
    s.arrives('again', 'the next mail goes')
    eq(len(server.used) - before, 1, 'without another refresh')


def test_refused_token(s):
    """By the daemon's clock both would do for long: that they are over is heard from the server. The
    same mail goes with the next one, in the same life of the daemon, and nobody is told of it."""
    for name, token in (('expired', jwt(-10)),
                        ('taken back', jwt(3600, key=b'another key of some other server'))):
        s.relay.stop()
        changed(s.relay, access_token=token)
        before, held = len(server.used), s.relay.words().count('is held')
        s.relay.start()
        id = s.relay.send('bob@example.org', subject=name)
        ok(s.postfix.about(name), 'a token that is %s is replaced' % name, s.words)
        eq(len(server.used) - before, 1, 'by one refresh')
        ok(s.relay.says('id=%s .*status=sent' % id), 'the same mail went')
        eq(s.relay.words().count('is held'), held, 'and the relay was not held for it')


def test_trouble(s):
    changed(s.relay, refresh_at=0)
    server.broken = True
    s.relay.stop()
    s.relay.start()
    s.arrives('still valid', 'while the token server is down a valid token will do')
    changed(s.relay, refresh_at=0, expires=1)
    s.relay.stop()
    s.relay.start()
    id = s.relay.send('bob@example.org', subject='down')
    s.relay.waits_because(id, 'status 503', 'without one the relay is held, and says why')
    server.broken = False
    ok(s.postfix.about('down'), 'it goes when the server is back', s.words)


def test_revoked(s):
    changed(s.relay, refresh_at=0, expires=1)
    server.revoked = True
    s.relay.stop()
    s.relay.start()
    ids = [s.relay.send('bob@example.org', subject='revoked') for _ in range(3)]
    s.relay.waits_because(ids[0], r'invalid_grant.*run nightmail login default',
                          'a revoked token: mailq says which command helps')
    eq({m['attempts'] for m in s.relay.queue()}, {0}, 'no attempt of any message')
    server.revoked = False
    server.pending = 0
    eq(s.relay.run('nightmail', 'login', 'default').returncode, 0, 'nightmail login')
    eq(len(s.postfix.about('revoked', 3)), 3, 'then all of it goes by itself')


def smarthost():
    s = Smarthost()
    test_mechanisms(s)
    test_refresh(s)
    test_refused_token(s)
    test_trouble(s)
    test_revoked(s)
    s.relay.is_empty('nothing is left in the queue')
    words = s.relay.words()
    ok(not any(t in words for t in server.given + server.used), 'no token in the log')


flows()
if peers.here():
    smarthost()
else:
    skip('tokens against a real Dovecot', 'no peers, or not root')
done()
