"""An OAuth 2.0 token server over https: device flow, authorization code with PKCE, refresh with
rotation. Its tokens are JWT (HS256) that Dovecot can check offline. The test says how it is to
behave by the members of the Tokens it made."""
import base64
import hashlib
import hmac
import http.server
import json
import ssl
import threading
import time
import urllib.parse

from system import own_ca

KEY = b'a key that only this test knows, 32 bytes and more'


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
                status, answer = outer.answer(self.path, form)
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
