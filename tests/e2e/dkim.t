#!/usr/bin/env python3
"""The relay signs: what the next server receives verifies there, whatever happened to the message
on its way out; and what cannot be signed waits."""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'cli'))
import dkim_dns  # noqa: E402
from system import *  # noqa: E402

records = {}
server = dkim_dns.Server(records).start()

DKIMPY = r'''
import sys, dkim
records = dict(line.rstrip("\n").split(" ", 1) for line in open(sys.argv[1]))
def look_up(name, timeout=5):
    return records[name.decode().rstrip(".")].encode()
message = open(sys.argv[2], "rb").read()
d = dkim.DKIM(message)
print([d.verify(idx=i, dnsfunc=look_up) for i in range(message.count(b"DKIM-Signature:"))])
'''


def has_dkimpy():
    try:
        return subprocess.run(['/usr/bin/python3', '-c', 'import dkim, nacl'],
                              stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def key(selector, domain='home.example', *more):
    file = path('%s.pem' % selector)
    line = subprocess.run([BUILD + '/nightmail', 'dkim', 'keygen', '--domain', domain, '--selector',
                           selector, '--key', file, *more], stdout=subprocess.PIPE,
                          check=True).stdout.decode()
    records['%s._domainkey.%s' % (selector, domain)] = ''.join(line.split('"')[1::2])
    return file


def section(domain='home.example', **pairs):
    return '[dkim %s]\nselector = %s\nkey = %s\n' % (domain, ' '.join(pairs),
                                                     ' '.join(pairs.values()))


def verdicts(text):
    with open(path('message'), 'w', errors='surrogateescape') as f:
        f.write(text)
    r = subprocess.run([BUILD + '/header-trace', '--dkim-verify', '--json', '--resolver',
                        '127.0.0.1@%d' % server.port, path('message')], stdout=subprocess.PIPE)
    return [(s['domain'], s['selector'], s['result'], s['reason']) for s in
            json.loads(r.stdout)['dkim']]


def verify(text, names, what):
    eq(verdicts(text), [('home.example', n, 'pass', None) for n in names], what)
    if not has_dkimpy():
        return skip('dkimpy: ' + what, 'no python3-dkim')
    table = path('records', ''.join('%s %s\n' % r for r in records.items()))
    r = subprocess.run(['/usr/bin/python3', '-c', DKIMPY, table, path('message')],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    eq(r.stdout.decode().strip(), str([True] * len(names)), 'dkimpy: ' + what)


HEAD = 'From: Alice <alice@home.example>\nTo: bob@example.net\nSubject: x\n'
TWO = section(rsa=key('rsa'), ed=key('ed', 'home.example', '--algorithm', 'ed25519'))


def test_shapes():
    sink = Sink(name='s1')
    relay = Relay('r1', port=sink.port, more=TWO)
    shapes = [
        ('a plain message', HEAD + '\nhello\n'),
        ('8-bit bytes', HEAD.replace('x\n', 'gr\xfc\xdfe\n') + '\nf\xfcr \xe9\n'),
        ('a long line, which becomes quoted-printable', HEAD + '\n' + 'x y ' * 1500 + '\n'),
        ('no body', HEAD),
        ('empty lines and blanks at the end', HEAD + '\nhello  \n \n\n\n'),
        ('dots', HEAD + '\n.\n..\n.x\n'),
        ('a large one', HEAD + '\n' + 'a line of a large message\n' * 20000),
    ]
    for i, (name, text) in enumerate(shapes):
        relay.sendmail('-i', '-t', text=text)
        if not sink.got(i + 1, 'it goes: ' + name):
            continue
        verify(sink.received()[-1][1], ('rsa', 'ed'), 'both signatures verify: ' + name)
    relay.is_empty('nothing is left')


def test_masquerade():
    sink = Sink(name='s2')
    relay = Relay('r2', port=sink.port, more=TWO,
                  identity='masquerade = host.home.example *.lan.home.example\n')
    relay.sendmail('-i', '-t', text=HEAD.replace('alice@', 'alice@pc.lan.') + '\nhello\n')
    sink.got(1, 'a message that is masqueraded goes')
    text = sink.received()[0][1]
    ok('<alice@home.example>' in text, 'its From is rewritten', text)
    verify(text, ('rsa', 'ed'), 'what is signed is what leaves')
    relay.sendmail('-i', '-t', '-f', 'alice@sub.home.example',
                   text=HEAD.replace('alice@', 'alice@sub.') + '\nhello\n')
    sink.got(2, 'a message of a subdomain goes')
    verify(sink.received()[1][1], ('rsa', 'ed'), 'a subdomain without a section has that above it')
    relay.sendmail('-i', '-t', '-f', 'carol@other.example',
                   text=HEAD.replace('alice@home', 'carol@other') + '\nhello\n')
    sink.got(3, 'a message of another domain goes')
    eq(verdicts(sink.received()[2][1]), [], 'without a signature')


def test_streams():
    sink = Sink(name='s3')
    sink.stop()
    for stream in ('auto', 'off'):
        relay = Relay('r3' + stream, port=sink.port, more=TWO, stream=stream, connections=1)
        for i in range(12):
            relay.sendmail('-i', '-t', text=HEAD + '\nmessage %d\n' % i)
        ok(until(lambda: len(relay.queue()) == 12), 'twelve messages wait, stream = ' + stream)
        sink = sink.again()
        relay.is_empty('they go')
        got = [verdicts(text) for _, text in sink.received()[-12:]]
        eq([[s[2] for s in v] for v in got], [['pass', 'pass']] * 12, 'each has its own signatures')
        relay.stop()
        sink.stop()


class Plain(threading.Thread):
    """A server of old: nothing but SMTP with 7 bits."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]
        self.received = []
        self.start()

    def run(self):
        while True:
            connection = self.socket.accept()[0]
            with connection, connection.makefile('rwb') as f:
                self.talk(f)

    def talk(self, f):
        def say(line):
            f.write(line + b'\r\n')
            f.flush()
        say(b'220 plain.example')
        for line in f:
            verb = line[:4].upper()
            if verb == b'DATA':
                say(b'354 go on')
                text = b''
                for line in f:
                    if line == b'.\r\n':
                        break
                    text += line[1:] if line.startswith(b'.') else line
                self.received.append(text.decode('ascii', 'surrogateescape'))
            say(b'221 bye' if verb == b'QUIT' else b'250 plain.example')
            if verb == b'QUIT':
                return


def test_downgrade():
    server = Plain()
    relay = Relay('r6', port=server.port, more=TWO)
    relay.sendmail('-i', '-t', text=(HEAD + 'MIME-Version: 1.0\nContent-Type: text/plain; '
                                     'charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n'
                                     'gr\u00fc\u00dfe\n').encode())
    ok(until(lambda: server.received), 'a server without 8BITMIME gets the message', relay.tail)
    text = server.received[0] if server.received else ''
    ok(text.isascii() and 'quoted-printable' in text, 'in 7 bits', text)
    verify(text, ('rsa', 'ed'), 'signed as it left')
    relay.is_empty('and nothing is left')


def test_no_key():
    sink = Sink(name='s4')
    missing, told = path('later.pem'), path('told')
    tell = path('tell', '#!/bin/sh\ncat >>%s\n' % told, 0o700)
    relay = Relay('r4', port=sink.port, more=section(later=missing) +
                  '[notify]\ncommand = %s\n' % tell)

    def alerts():
        return [a['text'] for a in map(json.loads, read(told).splitlines()) if a['kind'] == 'dkim']
    r = relay.run('nightmail', 'config', 'check')
    ok(r.returncode == 0 and b'there is no file' in r.stderr and b'mail from home.example waits' in
       r.stderr, 'config check tells of a key that is not there', r)
    which = relay.send('bob@example.net')
    relay.waits_because(which, r'mail from home\.example is to be signed.*later\.pem',
                        'mail that cannot be signed waits, with words')
    ok(relay.says('mail from home.example cannot be signed and waits'), 'the log says so')
    ok(until(alerts), 'and an alert', relay.tail)
    ok(re.match('mail from home.example cannot be signed and waits: .*later.pem', alerts()[0]),
       'with the reason', alerts)
    ok(b'warning  mail from home.example cannot be signed' in relay.run('nightmail', 'status').stdout,
       'status says so, too', relay.run('nightmail', 'status').stdout)
    relay.stop(signal.SIGKILL)
    relay.start()
    ok(b'warning  mail from home.example cannot be signed' in relay.run('nightmail', 'status').stdout,
       'also after a restart', relay.run('nightmail', 'status').stdout)
    before = len(relay.results(which, 'deferred'))
    ok(until(lambda: len(relay.results(which, 'deferred')) >= before + 2), 'it is tried again',
       relay.tail)
    eq(len(alerts()), 1, 'and the alert is not repeated')
    r = relay.run('header-trace', '--json', which[-6:])
    ok(r.returncode in (0, 1) and json.loads(r.stdout)['to'] == 'bob@example.net',
       'header-trace looks at a message of the queue', r)
    relay.send('bob@example.net', sender='carol@other.example')
    sink.got(1, 'mail of others goes')
    os.chmod(path('rsa.pem'), 0o644)
    os.link(path('rsa.pem'), missing)
    ok(until(lambda: 'later.pem' in relay.why(which) and 'others' in relay.why(which) or
             'chmod' in relay.why(which)), 'a key that others can read is none',
       lambda: relay.why(which))
    os.chmod(missing, 0o600)
    records['later._domainkey.home.example'] = records['rsa._domainkey.home.example']
    relay.is_empty('with the key it leaves by itself')
    ok(until(lambda: b'warning' not in relay.run('nightmail', 'status').stdout),
       'and the warning is over', relay.run('nightmail', 'status').stdout)
    verify(sink.received()[-1][1], ('later',), 'signed')


def test_explain():
    relay = Relay('r6', port=1, more=TWO + section(gone=path('gone.pem')).replace('home.', 'gone.'),
                  start=False)

    def signed(sender, *args):
        r = relay.run('nightmail', 'explain', *args, sender, 'bob@example.net')
        return json.loads(r.stdout)['signed'] if args else re.findall(
            r'^signed +(.*)\n(?: +(d=.*)\n)?', r.stdout.decode(), re.M)

    eq(signed('alice@sub.home.example'), [('d=home.example s=rsa a=rsa-sha256',
                                           'd=home.example s=ed a=ed25519-sha256')],
       'explain tells who signs')
    eq(signed('alice@other.example'), [('no: there is no [dkim other.example]', '')],
       'and why nobody does')
    ok(re.match(r'd=gone.example s=gone: not possible now, such mail waits: .*gone.pem',
                signed('alice@gone.example')[0][0]), 'and what is wrong with a key',
       signed('alice@gone.example'))
    eq([(s['domain'], s['selector'], s['algorithm'], s['trouble'] is None) for s in
        signed('alice@home.example', '--json') + signed('alice@gone.example', '--json')],
       [('home.example', 'rsa', 'rsa-sha256', True), ('home.example', 'ed', 'ed25519-sha256', True),
        ('gone.example', 'gone', None, False)], 'also as JSON')


def test_check():
    relay = Relay('r5', more=TWO, start=False)
    r = relay.run('nightmail', 'dkim', 'check', '--resolver', '127.0.0.1@%d' % server.port)
    ok(r.returncode == 0 and r.stdout.count(b'\nok') + r.stdout.startswith(b'ok') == 2,
       'dkim check compares the keys of the configuration with what is published', r)
    path('r5/nightmail.conf', 'resolver = 127.0.0.1:%d\n' % server.port + read(relay.config), 0o644)
    r = relay.run('nightmail', 'dkim', 'check')
    ok(r.returncode == 0, 'and asks the resolver of the configuration', r)
    relay.env['NIGHTMAIL_CONFIG'] = '/nonexistent/x.conf'
    r = relay.run('nightmail', 'dkim', 'check', '--domain', 'home.example', '--selector', 'rsa', '--key',
                  path('rsa.pem'), '--resolver', '127.0.0.1@%d' % server.port)
    eq((r.returncode, r.stderr), (0, b''), 'keys that are named need no configuration')
    relay.env['NIGHTMAIL_CONFIG'] = relay.config
    relay.configure(more=section(rsa=path('rsa.pem')).replace('selector = rsa', 'selector = rsa ed'))
    r = relay.run('nightmail', 'config', 'check')
    ok(r.returncode == 78 and b'2 selectors and 1 keys' in r.stderr,
       'two selectors with one key are an error', r)
    relay.configure(more='[dkim home.example]\nselector = rsa\nkey = %s\n' % path('junk', 'junk\n'))
    r = relay.run('nightmail', 'config', 'check')
    ok(b'no private key' in r.stderr, 'config check reads the keys', r)


test_shapes()
test_masquerade()
test_streams()
test_downgrade()
test_no_key()
test_check()
test_explain()
done()
