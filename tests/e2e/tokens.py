"""An OAuth 2.0 token server over https: device flow, authorization code with PKCE, refresh with
rotation. Its tokens are JWT (HS256) that Dovecot can check offline. The test says how it is to
behave by the members of the Tokens it made. And a smarthost that takes its tokens, for what a real
one cannot be told to do."""
import base64
import hashlib
import hmac
import http.server
import json
import re
import socketserver
import ssl
import threading
import time
import urllib.parse

from system import own_ca

KEY = b'a key that only this test knows, 32 bytes and more'


def tokens_of(relay):
    """What the default relay's file of tokens holds."""
    with open(relay.spool + '/oauth2/default.json') as f:
        return json.load(f)


def changed(relay, **what):
    t = dict(tokens_of(relay), **what)
    with open(relay.spool + '/oauth2/default.json', 'w') as f:
        json.dump(t, f)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def jwt(life, user='alice', key=KEY):
    now = int(time.time())
    head = b64(json.dumps({'alg': 'HS256', 'typ': 'JWT'}).encode())
    body = b64(json.dumps({'sub': user, 'email': user, 'iat': now, 'exp': now + life}).encode())
    sign = hmac.new(key, ('%s.%s' % (head, body)).encode(), hashlib.sha256).digest()
    return '%s.%s.%s' % (head, body, b64(sign))


class Tokens:
    def __init__(self):
        self.life = 3600        # of access tokens, s
        self.claimed_life = None  # what is said of it, when that is something else
        self.revoked = False
        self.broken = False     # 503
        self.rotate = True
        self.grant_life = None  # what is said of refresh tokens, s
        self.before = None      # called for a refresh, before it is answered
        self.at_once, self.most = 0, 0  # refreshes that are being answered, and the most ever
        self.pending = 1        # polls before the person has agreed
        self.refresh = 'refresh-0'
        self.used = []          # refresh tokens that came
        self.asked = []         # (path, form)
        self.given = []         # access tokens
        self.challenge = None
        self.make = lambda: jwt(self.life)
        self.ca, cert, key = own_ca('localhost')
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length'])).decode()
                form = {k: v[0] for k, v in urllib.parse.parse_qs(body).items()}
                outer.asked.append((self.path, form))
                outer.at_once += 1
                outer.most = max(outer.most, outer.at_once)
                status, answer = outer.answer(self.path, form)
                outer.at_once -= 1
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header('Content-Type', 'application/json')
                self.send_header('Content-Length', str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = 'https://localhost:%d' % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def tokens(self):
        token = self.make()
        self.given.append(token)
        answer = {'access_token': token, 'token_type': 'Bearer',
                  'expires_in': self.claimed_life or self.life}
        if self.rotate or self.refresh == 'refresh-0':
            self.refresh = 'refresh-%d' % (int(self.refresh.split('-')[1]) + 1)
            answer['refresh_token'] = self.refresh
            if self.grant_life:
                answer['refresh_token_expires_in'] = self.grant_life
        return 200, answer

    def answer(self, path, form):
        if self.broken:
            return 503, {'error': 'temporarily_unavailable'}
        if form.get('client_id') != 'this-program':
            return 401, {'error': 'invalid_client'}
        if path == '/device':
            return 200, {'device_code': 'device-code', 'user_code': 'WDJB-MJHT', 'interval': 1,
                         'verification_uri': 'https://login.example/device', 'expires_in': 60}
        grant = form.get('grant_type')
        if grant == 'refresh_token':
            self.used.append(form['refresh_token'])
            if self.before:
                self.before()
            if self.revoked or form['refresh_token'] != self.refresh:
                return 400, {'error': 'invalid_grant',
                             'error_description': 'the token was revoked'}
            return self.tokens()
        if grant == 'urn:ietf:params:oauth:grant-type:device_code':
            self.pending -= 1
            return self.tokens() if self.pending < 0 else (400, {'error': 'authorization_pending'})
        if grant == 'authorization_code':
            made = b64(hashlib.sha256(form['code_verifier'].encode()).digest())
            if form['code'] == 'the code' and made == self.challenge:
                return self.tokens()
        return 400, {'error': 'invalid_grant', 'error_description': 'no such code'}


class Smarthost(socketserver.ThreadingTCPServer):
    """SMTP under TLS on localhost that lets in who shows a token that is valid at the moment."""
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, mechanisms='OAUTHBEARER XOAUTH2'):
        self.mechanisms = mechanisms
        self.valid = lambda token: True
        self.cut = ''      # what a session is told at MAIL whose token is not valid any more
        self.open, self.most = 0, 0  # sessions, and the most ever at a time
        self.logins = []   # (mechanism, token, let in)
        self.mail = []     # (subject, token)
        self.ca, cert, key = own_ca('localhost')
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        super().__init__(('127.0.0.1', 0), self.Handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def about(self, subject):
        return [token for s, token in self.mail if s == subject]

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.server.open += 1
            self.server.most = max(self.server.most, self.server.open)
            try:
                self.talk(self.server.context.wrap_socket(self.request, server_side=True))
            except (OSError, ValueError):
                pass
            self.server.open -= 1

        def talk(self, s):
            f, token = s.makefile('rb'), None

            def say(text):
                s.sendall(text.encode() + b'\r\n')

            say('220 smarthost')
            for line in f:
                verb, _, rest = line.decode().strip().partition(' ')
                if verb == 'EHLO':
                    say('250-smarthost\r\n250 AUTH ' + self.server.mechanisms)
                elif verb == 'AUTH':
                    token = self.log_in(f, say, *rest.split(' ', 1))
                elif verb == 'QUIT':
                    return say('221 bye')
                elif not token:
                    say('530 5.7.0 log in')
                elif verb == 'MAIL' and self.server.cut and not self.server.valid(token):
                    say(self.server.cut)
                    if self.server.cut.startswith('421'):
                        return
                elif verb == 'DATA':
                    say('354 go')
                    text = b''.join(iter(f.readline, b'.\r\n'))
                    subject = re.search(rb'^Subject: (.*)\r$', text, re.M)[1].decode()
                    self.server.mail.append((subject, token))
                    say('250 2.0.0 ok')
                else:
                    say('250 2.0.0 ok')

        def log_in(self, f, say, mechanism, first=''):
            if not first:
                say('334 ')
                first = f.readline().decode().strip()
            token = re.search('auth=Bearer ([^\1]+)\1', base64.b64decode(first).decode())[1]
            fine = self.server.valid(token)
            self.server.logins.append((mechanism, token, fine))
            if fine:
                say('235 2.7.0 ok')
                return token
            say('334 ' + base64.b64encode(b'{"status":"invalid_token"}').decode())
            f.readline()
            say('535 5.7.8 the token is over')
            return None
