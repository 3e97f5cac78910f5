#!/usr/bin/env python3
"""smtp-probe against our sink, against servers that misbehave, and against DANE in signed zones."""
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402
import names  # noqa: E402

NAME = 'mx.good.lab'


def probe(*args, code=None, text=b''):
    r = subprocess.run([BUILD + '/smtp-probe', *args], input=text, timeout=120,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       env=dict(os.environ, TZ='UTC', NIGHTMAIL_CONFIG='/nonexistent'))
    probe.out, probe.err, probe.code = r.stdout.decode(), r.stderr.decode(), r.returncode
    if code is not None and r.returncode != code:
        ok(False, 'smtp-probe %s exits %d' % (' '.join(args), code), probe.out + probe.err)
    return probe.out


def asked(*args, code=None):
    probe('--json', *args, code=code)
    try:
        return json.loads(probe.out)
    except ValueError:
        ok(False, 'smtp-probe %s prints JSON' % ' '.join(args), probe.out + probe.err)
        return {}


def ids(answer, *severities):
    return sorted({f['id'] for f in answer.get('findings', []) if f['severity'] in severities})


class Scripted:
    """A server that says what a function of a connection says; one connection after another."""

    def __init__(self, talk):
        self.talk = talk
        self.listener = socket.socket()
        self.listener.bind(('127.0.0.1', 0))
        self.listener.listen(8)
        self.port = self.listener.getsockname()[1]
        self.heard = b''
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            connection.settimeout(PATIENCE)
            try:
                self.talk(self, connection)
            except OSError:
                pass
            connection.close()

    def line(self, connection):
        text = b''
        while not text.endswith(b'\n'):
            byte = connection.recv(1)
            if not byte:
                raise OSError('the end')
            text += byte
        self.heard += text
        return text


def says(*replies):
    """Says the first reply at once, and one more for each line."""
    def talk(server, connection):
        for i, reply in enumerate(replies):
            if i:
                server.line(connection)
            connection.sendall(reply)
        while True:
            server.line(connection)
            connection.sendall(b'221 bye\r\n')
    return talk


# --- The sink: what a good server shows

path('pw', 'secret\n')
sink = Sink('--name', NAME, '--tls', path('tls'), '--auth', 'alice:' + path('pw'),
            '--reply', 'rcpt:nobody@good.lab=550 5.1.1 no such user',
            '--reply', 'rcpt:grey@good.lab=451 4.7.1 Greylisted, try again in 300 seconds')
CA = path('tls/ca.pem')
HERE = ['--helo', 'client.example', '--ca-file', CA, '--verify-name', NAME, '127.0.0.1:%d' % sink.port]

a = asked(*HERE, code=0)
eq((a['tls']['established'], a['tls']['verified'], a['tls']['verify_error']), (True, True, None),
   'STARTTLS is used where it is offered, and the certificate verified')
ok(a['servers'][0]['ehlo'] and a['servers'][0]['ehlo_tls'] and
   'PLAIN' in ' '.join(a['servers'][0]['ehlo_tls']), 'both answers to EHLO are shown')
ok({'connect', 'banner', 'ehlo', 'starttls', 'handshake', 'ehlo2', 'quit', 'total'} <=
   set(a['servers'][0]['ms']), 'with the time of each phase')
ok(re.fullmatch('[0-9a-f]{64}', a['tls']['chain'][0]['spki_sha256']), 'and the hash of the key')

a = asked('--connect', '127.0.0.1:%d' % sink.port, '--starttls', '--verify-name', 'other.lab',
          '--ca-file', CA, 'server.lab')
eq((a['tls']['established'], a['tls']['verified']), (True, False), 'another name is not verified')
ok('not for other.lab' in a['tls']['verify_error'], 'in words', a['tls'])
ok('tls.name_mismatch' in ids(a, 'info'), 'which at port 25 nobody minds')
a = asked('-p', '587', '--connect', '127.0.0.1:%d' % sink.port, '--verify-name', 'other.lab',
          '--ca-file', CA, '--helo', 'a.b', 'server.lab', code=2)
ok('tls.name_mismatch' in ids(a, 'fail'), 'and at a submission port everybody')

for stop, last in (('CONNECT', None), ('BANNER', b''), ('FIRST-EHLO', b'EHLO'), ('TLS', b'STARTTLS'),
                   ('EHLO', b'EHLO'), ('AUTH', b'AUTH'), ('MAIL', b'MAIL'), ('RCPT', b'RCPT')):
    probe('-v', *HERE, '-f', 'a@good.lab', '-t', 'b@good.lab', '-au', 'alice', '-ap', '@' + path('pw'),
          '-q', stop, code=0)
    sent = re.findall(r'^ [-~]> (\S+)', probe.err, re.M)
    want = {'CONNECT': [], 'BANNER': ['QUIT'], 'FIRST-EHLO': ['EHLO', 'QUIT'],
            'TLS': ['EHLO', 'STARTTLS', 'QUIT'], 'EHLO': ['EHLO', 'STARTTLS', 'EHLO', 'QUIT']}
    if stop in want:
        eq(sent, want[stop], '-q %s stops there' % stop)
    else:
        ok(sent[-1] == 'QUIT' and last.decode() in sent and
           ('RCPT' in sent) == (stop == 'RCPT') and 'DATA' not in sent, '-q %s stops there' % stop,
           sent)
ok('secret' not in probe.err and '****' in probe.err, 'the transcript has no secret')

a = asked(*HERE, '-f', 'a@good.lab', '-t', 'b@good.lab', '-t', 'nobody@good.lab', '-t',
          'grey@good.lab', code=2)
eq(ids(a, 'fail'), ['rcpt.rejected'], 'an unknown user is a failure')
eq(ids(a, 'unknown'), ['rcpt.greylisted'], 'greylisting is none')
eq(len(a['servers'][0]['rcpt']), 3, 'each recipient has its reply')
ok(not os.path.exists(path('mail')), 'and no content went')
probe('-v', *HERE, '-f', 'a@good.lab', '-t', 'nobody@good.lab', '--no-tls', code=2)
ok(re.search(r'^<- 220 ', probe.err, re.M) is None and re.search(r'^<-  220 ', probe.err, re.M) and
   re.search(r'^ -> RCPT TO', probe.err, re.M) and re.search(r'^<\*\* 550 ', probe.err, re.M),
   "the arrows are those of swaks", probe.err)
probe('-v', *HERE, '-f', 'a@good.lab', '-t', 'nobody@good.lab', code=2)
ok(re.search(r'^ ~> RCPT TO', probe.err, re.M) and re.search(r'^<~\* 550 ', probe.err, re.M),
   'under TLS too', probe.err)
a = asked(*HERE, '--catchall', '--open-relay', code=2)
ok('rcpt.catchall' in ids(a, 'notice') and 'relay.open' in ids(a, 'fail'),
   'a sink takes everything: catch-all and open relay are found on request', ids(a, 'fail'))

a = asked(*HERE, '--tls', '-au', 'alice', '-ap', '@' + path('pw'), code=0)
eq(a['servers'][0]['auth'], 'SCRAM-SHA-256-PLUS', 'the best mechanism is taken')
path('wrong', 'wrong\n')
a = asked(*HERE, '-au', 'alice', '-ap', '@' + path('wrong'), code=2)
eq(ids(a, 'fail'), ['auth.535'], 'a wrong password is a failure')
probe('-au', 'alice', '-ap', 'secret', '127.0.0.1', code=64)
ok('password' in probe.err, 'a password on the command line is refused', probe.err)

path('message', 'Subject: hello\n\n.dot\nend\n')
a = asked(*HERE, '-f', 'a@good.lab', '-t', 'b@good.lab', '--send', path('message'), code=0)
ok(a['servers'][0]['data'].startswith('250'), '--send sends', a['servers'][0])

config = path('relay.conf', '\n'.join((
    '[relay default]', 'host = localhost*3', 'port = %d' % sink.port, 'ca = ' + CA, 'login = alice',
    'password = file:' + path('pw'), '[identity]', 'helo = client.example',
    '[queue]', 'dir = ' + path('spool'))) + '\n', 0o644)
a = asked('--as-relay', 'default', '--config', config, '-4', code=0)
eq((a['servers'][0]['auth'], a['tls']['verified']), ('SCRAM-SHA-256-PLUS', True),
   "--as-relay uses the relay's settings and secret")

path('two.conf', '\n'.join((
    '[relay default]', 'host = 127.0.0.1 127.0.0.2', 'port = %d' % sink.port, 'tls = none', '[identity]',
    'helo = client.example', '[queue]', 'dir = ' + path('spool'))) + '\n', 0o644)
a = asked('--as-relay', 'default', '--config', path('two.conf'), '-q', 'EHLO')
eq((ids(a, 'warn').count('conn.refused'), ids(a, 'fail')), (1, []),
   'one server of two that refuses is a warning: mail finds the other')

line = probe(*HERE, '--nagios', code=0)
ok(re.match(r'OK - ', line) and '|' in line and line.count('\n') == 1, 'one line for monitoring', line)
probe(*HERE, '--days', '99999,3', code=1)
ok('expires on' in probe.out, 'a certificate that ends too soon is a warning', probe.out)

# --- The wrong mode

implicit = Sink('--name', NAME, '--tls', path('tls'), '--implicit-tls', name='implicit')
a = asked('--helo', 'a.b', '--ca-file', CA, '--verify-name', NAME, '--timeout', '2',
          '127.0.0.1:%d' % implicit.port, code=2)
ok('conn.wrong_mode' in ids(a, 'fail'), 'TLS from the first byte is told from a silent server',
   a['findings'])
a = asked('--helo', 'a.b', '--ca-file', CA, '--verify-name', NAME, '--tlsc',
          '127.0.0.1:%d' % implicit.port)
ok(a['tls']['verified'] and not ids(a, 'fail'), '--tlsc speaks it', a['findings'])
a = asked('--helo', 'a.b', '--tlsc', '--timeout', '2', '--ca-file', CA,
          '127.0.0.1:%d' % sink.port, code=2)
ok('conn.wrong_mode' in ids(a, 'fail'), 'and a server in clear text is told too', a['findings'])

# --- Servers that misbehave

EHLO = b'250-x.lab\r\n250 SIZE\r\n'
CASES = [  # name, what it says, severity, finding
    ('421 at the greeting', says(b'421 4.7.0 too many connections\r\n'), 'unknown', 'banner.not220'),
    ('554 at the greeting', says(b'554 5.7.1 go away\r\n'), 'fail', 'banner.not220'),
    ('no SMTP', says(b'SSH-2.0-OpenSSH_9.2\r\n'), 'fail', 'banner.none'),
    ('the end at once', lambda s, c: None, 'fail', 'banner.none'),
    ('EHLO refused', says(b'220 x.lab\r\n', b'550 no\r\n', b'550 no\r\n'), 'fail', 'ehlo.rejected'),
    ('HELO only', says(b'220 x.lab\r\n', b'502 what\r\n', b'250 x.lab\r\n'), 'warn', 'ehlo.helo_only'),
    ('no STARTTLS', says(b'220 x.lab\r\n', EHLO), 'fail', 'tls.not_offered'),
    ('AUTH in clear', says(b'220 x.lab\r\n', b'250-x.lab\r\n250 AUTH PLAIN LOGIN\r\n'), 'warn',
     'auth.before_tls'),
    ('STARTTLS refused', says(b'220 x.lab\r\n', b'250-x.lab\r\n250 STARTTLS\r\n',
                              b'454 4.7.0 not now\r\n', b'221 bye\r\n'), 'warn',
     'tls.offered_refused'),
    ('a greeting without a name', says(b'220 hello\r\n', EHLO), 'notice', 'banner.no_fqdn'),
    ('a small limit', says(b'220 x.lab\r\n', b'250-x.lab\r\n250 SIZE 1000\r\n'), 'notice',
     'size.small'),
]
for what, talk, severity, finding in CASES:
    server = Scripted(talk)
    a = asked('--helo', 'a.b', '--timeout', '5', '--tls' if 'STARTTLS' in what else '--tlso',
              '127.0.0.1:%d' % server.port)
    ok(finding in ids(a, severity), '%s: %s %s' % (what, severity, finding), a.get('findings'))
closed = socket.socket()
closed.bind(('127.0.0.1', 0))
probe('-v', '127.0.0.1:%d' % closed.getsockname()[1], code=2)
ok(re.search(r'^\*\*\* .*refused', probe.err, re.M), 'why it ended stands in the transcript', probe.err)
a = asked('127.0.0.1:%d' % closed.getsockname()[1], code=2)
eq(ids(a, 'fail'), ['conn.refused'], 'nobody there: refused')
silent = Scripted(lambda s, c: s.line(c))
a = asked('--helo', 'a.b', '--timeout', '1', '--no-tls', '127.0.0.1:%d' % silent.port)
ok('banner.none' in ids(a, 'fail'), 'a silent server costs the time-out, no more', a['findings'])

hostile = b'220 x.lab \x1b]0;owned\x07\x1b[2J \xe2\x80\xae' + b'A' * 300 + b'\r\n'
server = Scripted(says(hostile, b'250-x.lab\r\n250-\x1b[31mRED\r\n250 SIZE\r\n'))
for form in ([], ['-v'], ['--plain'], ['--nagios'], ['--json']):
    probe('--helo', 'a.b', *form, '127.0.0.1:%d' % server.port)
    ok('\x1b' not in probe.out + probe.err and '\u202e' not in (probe.out + probe.err).replace('\\u202e', ''),
       'a hostile greeting is harmless: %s' % (' '.join(form) or 'words'), probe.out[:300])
server = Scripted(says(b'220 ' + b'A' * (1 << 20) + b'\r\n'))
probe('--helo', 'a.b', '--timeout', '5', '127.0.0.1:%d' % server.port)
ok(probe.code in (2, 3), 'a greeting of a megabyte too', probe.code)

# --- STARTTLS injection

def gullible(server, connection):
    """Keeps what came behind STARTTLS, and answers it under TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path('tls/cert.pem'), path('tls/key.pem'))
    connection.sendall(b'220 x.lab\r\n')
    server.line(connection)
    connection.sendall(b'250-x.lab\r\n250 STARTTLS\r\n')
    server.line(connection)
    connection.settimeout(0.5)
    try:
        early = connection.recv(100)
    except socket.timeout:
        early = b''
    connection.settimeout(PATIENCE)
    connection.sendall(b'220 go\r\n')
    with context.wrap_socket(connection, server_side=True) as tls:
        while True:
            if not early:
                early = tls.recv(1000)
            if not early:
                return
            tls.sendall(b'250 x.lab\r\n')
            early = b''


# TLS bytes must not be read as plain text: only what came together with STARTTLS is.
server = Scripted(gullible)
a = asked('--helo', 'a.b', '--ca-file', CA, '--verify-name', NAME, '--injection', '--timeout', '5',
          '127.0.0.1:%d' % server.port)
ok('tls.injection' in ids(a, 'fail'), 'a server that keeps what came in clear is found', a['findings'])
a = asked(*HERE, '--injection', code=0)
ok('tls.injection' in ids(a, 'ok'), 'one that forgets it is good', a['findings'])

a = asked('--helo', 'a.b', '--injection', '127.0.0.1:%d' % Scripted(says(b'220 x.lab\r\n', EHLO)).port)
ok('tls.injection' in ids(a, 'n/a'), 'without STARTTLS there is nothing to try', a['findings'])
for no in ('--no-tls', '--tlsc'):
    probe('--injection', no, '127.0.0.1', code=64)
    ok('contradicts ' + no in probe.err, '--injection and %s contradict each other' % no, probe.err)

# --- EHLO before and after TLS, and the end


def two_faced(server, connection):
    """Says something else under TLS, and goes without a word."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path('tls/cert.pem'), path('tls/key.pem'))
    connection.sendall(b'220-x.lab\r\n220 second line\r\n')
    server.line(connection)
    connection.sendall(b'250-x.lab\r\n250-SIZE 50000000\r\n250-DSN\r\n250 STARTTLS\r\n')
    server.line(connection)
    connection.sendall(b'220 go\r\n')
    with context.wrap_socket(connection, server_side=True) as tls:
        tls.recv(1000)
        tls.sendall(b'250-y.lab\r\n250-SIZE 50000000\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n')
        tls.recv(1000)


a = asked('--helo', 'a.b', '--ca-file', CA, '--verify-name', NAME,
          '127.0.0.1:%d' % Scripted(two_faced).port)
eq([f['text'] for f in a['findings'] if f['id'] == 'tls.caps_changed'],
   ['EHLO changes with TLS: then also AUTH PLAIN; no more DSN'], 'what EHLO says is compared')
ok('tls.offered_again' in ids(a, 'notice'), 'STARTTLS under TLS is told', a['findings'])
ok({'banner.multiline', 'quit.rude'} <= set(ids(a, 'info')), 'so are lines and manners', a['findings'])

# --- Sockets, swaks' words, strictness

listener = socket.socket(socket.AF_UNIX)
listener.bind(path('sock'))
listener.listen(1)
at_socket = Scripted.__new__(Scripted)
at_socket.talk, at_socket.listener, at_socket.heard = says(b'220 x.lab\r\n', EHLO), listener, b''
threading.Thread(target=at_socket.serve, daemon=True).start()
probe('-v', '--helo', 'a.b', path('sock'), code=0)
ok(probe.out.splitlines()[0] == path('sock') and 'port' not in probe.out + probe.err,
   'a socket has no port', probe.out + probe.err)
eq(asked('--helo', 'a.b', path('sock'), code=0)['port'], None, 'not in JSON either')
for word, last in (('FIRST-HELO', 'EHLO'), ('HELO', 'EHLO'), ('FROM', 'MAIL'), ('TO', 'RCPT')):
    probe('-v', *HERE, '--no-tls', '-f', 'a@good.lab', '-t', 'b@good.lab', '-q', word, code=0)
    eq([w for w in re.findall(r'^ [-~]> (\S+)', probe.err, re.M) if w not in ('QUIT', 'RSET')][-1], last,
       '-q %s as in swaks' % word)
probe('-h', code=0)
ok(probe.out.startswith('usage: smtp-probe'), '-h is help')
strict = ['--connect', '127.0.0.1:%d' % sink.port, '--verify-name', 'other.lab', '--helo', 'a.b', 'server.lab']
probe(*strict, '--ca-file', CA, code=0)
a = asked(*strict, '--tls-ca-path', CA, '--tls-verify', code=2)
ok('tls.name_mismatch' in ids(a, 'fail'), '--tls-verify: a certificate matters at port 25 too', a['findings'])

# --- DANE and MX, in signed zones

if all(shutil.which(p) or os.path.exists('/usr/sbin/' + p)
       for p in ('nsd', 'ldns-keygen', 'ldns-signzone')):
    a = asked(*HERE)
    key = a['tls']['chain'][0]['spki_sha256']
    other = '00' * 32
    ZONE = '''
@ MX 10 mx
good MX 10 mx
rollover MX 10 mx-rollover
mismatch MX 10 mx-mismatch
unusable MX 10 mx-unusable
none MX 10 mx-none
null MX 0 .
two MX 10 mx
two MX 20 mx-none
mx A 127.0.0.1
mx-rollover A 127.0.0.1
mx-mismatch A 127.0.0.1
mx-unusable A 127.0.0.1
mx-none A 127.0.0.1
_25._tcp.mx TLSA 3 1 1 %s
_25._tcp.mx-rollover TLSA 3 1 1 %s
_25._tcp.mx-rollover TLSA 3 1 1 %s
_25._tcp.mx-mismatch TLSA 3 1 1 %s
_25._tcp.mx-unusable TLSA 1 0 1 %s
_%d._tcp.mx TLSA 3 1 1 %s
zero MX 0 mx
zero MX 7 mx-none
''' % (key, other, key, other, other, sink.port, key)
    nsd = names.Nsd(names.Zone('good.lab', ZONE, 'good'), names.Zone('plain.lab', ZONE))
    DNS = ['--resolver', nsd.server, '--trust-anchor', nsd.anchor, '--connect',
           '127.0.0.1:%d' % sink.port, '--starttls', '--ca-file', CA, '--helo', 'a.b']
    for domain, want, finding in (('good', 'verified', 'dane.ok'), ('rollover', 'verified', 'dane.ok'),
                                  ('mismatch', 'failed', 'dane.mismatch'),
                                  ('unusable', 'unusable', 'dane.unusable'),
                                  ('none', 'none', 'dane.none')):
        a = asked('--mx', domain + '.good.lab', '--dane', *DNS)
        eq(a['dane']['status'], want, 'DANE: %s' % domain)
        ok(finding in ids(a, 'ok', 'fail', 'warn', 'n/a'), 'DANE: %s: %s' % (domain, finding),
           a['findings'])
        policy = a['servers'][0]['policy']
        eq(policy['source'] == 'DANE', want != 'none', 'DANE: %s: what a sender asks: %s' %
           (domain, policy['level']))
    a = asked('--mx', 'mismatch.good.lab', '--dane', *DNS)
    ok(any(key in (f.get('fix') or '') for f in a['findings']), 'the record to publish is printed',
       a['findings'])
    a = asked('--mx', 'good.plain.lab', '--dane', *DNS)
    eq(a['dane']['status'], 'none', 'DANE: an unsigned zone has none')
    probe('no\033[31mhost', '--resolver', nsd.server)
    ok('\033' not in probe.out, 'what was asked for is shown safely', probe.out)
    a = asked('--mx', 'null.good.lab', *DNS, code=2)
    ok(a['null_mx'] and ids(a, 'fail') == ['conn.null_mx'], 'a null MX is told')
    a = asked('--mx', 'absent.good.lab', *DNS, code=2)
    eq(ids(a, 'fail'), ['conn.dns'], 'a domain that does not exist')
    probe('--mx', 'two.good.lab', *DNS)
    ok(probe.out.count('127.0.0.1') >= 2 and 'POLICY' in probe.out, 'all servers stand in a table',
       probe.out)
    probe('--mx', 'zero.good.lab', *DNS[:-2], '--helo', 'bare')
    ok(re.search('^  0 +mx.good.lab .*\n  7 +mx-none', probe.out, re.M), 'with preferences, 0 as well',
       probe.out)
    eq(probe.out.count('no full'), 1, 'our own name is no host name: told once')
    a = asked('--mx', 'good.good.lab', '--resolver', nsd.server, '--trust-anchor', nsd.anchor, '-p',
              str(sink.port), '--dane', '--helo', 'a.b', code=0)
    eq((a['dane']['status'], a['tls']['verified'], ids(a, 'fail')), ('verified', False, []),
       'DANE: who signed a certificate that matches does not matter, at any port')
    a = asked('--mx', 'two.good.lab', '--first', *DNS)
    eq([s['connected'] for s in a['servers']], [True, False], '--first stops at the first')
else:
    skip('DANE', 'nsd and ldnsutils are needed')

done()
