#!/usr/bin/env python3
"""Dialogues between the whole relay and a server that misbehaves at one place: each ends, once
the server behaves, with the mail delivered once, or returned to its sender, or, where its fate
could not be known, delivered again and flagged. Scenes run side by side, each with a relay and
a server of its own."""
import concurrent.futures
import os
import re
import socket
import ssl
import sys
import threading
import unicodedata

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402

AT_ONCE = 6
CONTROL = ('Cc', 'Cf', 'Cs', 'Co', 'Cn')


class Closed(Exception):
    pass


class Wire:
    """A connection, read by lines; what came in one piece with a line is kept for the next."""

    def __init__(self, sock):
        self.sock = sock
        self.rest = b''
        sock.settimeout(PATIENCE)

    def line(self):
        while b'\n' not in self.rest:
            got = self.sock.recv(65536)
            if not got:
                raise Closed
            self.rest += got
        line, self.rest = self.rest.split(b'\n', 1)
        return line.rstrip(b'\r')

    def say(self, text):
        self.sock.sendall(text)

    def secure(self, context):
        self.rest = b''
        self.sock = context.wrap_socket(self.sock, server_side=True)


class Server:
    """An SMTP server. hooks[stage] is what it says there instead of its usual reply as long as
    it is bad, or once each: bytes, a function of the connection, None to close, or several of
    these. Stages: greeting ehlo helo starttls mail rcpt data content (at its first line) dot."""

    def __init__(self, hooks, pipelining, tls, once):
        self.hooks, self.pipelining, self.once = dict(hooks), pipelining, once
        self.context = None
        if tls:
            _, cert, key = own_ca()
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(cert, key)
        self.bad = True
        self.taken = []      # (from, recipients, content) with 250 to the dot, or said to be
        self.clear = []      # commands that came without TLS
        self.leaked = b''    # content that came where none was asked for
        self.lock = threading.Lock()
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=50)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            sock, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        try:
            self.session(Wire(sock))
        except (Closed, OSError):
            pass
        finally:
            sock.close()

    def reply(self, wire, stage, usual):
        """Says what is due at this stage; tells whether it was a yes."""
        hook = self.hooks.get(stage) if self.bad else None
        if self.once:
            self.hooks.pop(stage, None)
        if hook is None:
            wire.say(usual)
            return True
        for part in hook if isinstance(hook, tuple) else (hook,):
            if part is None:
                raise Closed
            if callable(part):
                part(wire)
            else:
                wire.say(part)
        return (hook[0] if isinstance(hook, tuple) else hook)[:1] in (b'2', b'3')

    def session(self, wire):
        tls, sender, to = False, None, []
        if not self.reply(wire, 'greeting', b'220 server.example ESMTP\r\n'):
            wire.line()
            return
        while True:
            line = wire.line()
            verb = line.split(b' ')[0].upper().decode(errors='replace')
            if not tls:
                self.clear.append(line.decode(errors='replace'))
            if verb == 'EHLO':
                offers = [b'server.example', b'8BITMIME']
                offers += [b'PIPELINING'] if self.pipelining else []
                offers += [b'STARTTLS'] if self.context and not tls else []
                self.reply(wire, 'ehlo', b''.join(b'250%s%s\r\n' % (
                    b' ' if o is offers[-1] else b'-', o) for o in offers))
            elif verb == 'HELO':
                self.reply(wire, 'helo', b'250 server.example\r\n')
            elif verb == 'STARTTLS':
                if self.reply(wire, 'starttls', b'220 go\r\n'):
                    wire.secure(self.context)
                    tls = True
            elif verb == 'MAIL':
                to = []
                sender = self.address(line) if self.reply(wire, 'mail', b'250 ok\r\n') else None
            elif verb == 'RCPT':
                if self.reply(wire, 'rcpt', b'250 ok\r\n') and sender is not None:
                    to.append(self.address(line))
            elif verb == 'DATA':
                if self.reply(wire, 'data', b'354 go\r\n' if to else b'554 nobody to send it to\r\n') \
                        and (to or 'data' in self.hooks):
                    self.content(wire, sender, to)
                sender, to = None, []
            elif verb == 'QUIT':
                wire.say(b'221 bye\r\n')
                return
            elif verb in ('RSET', 'NOOP'):
                sender, to = None, []
                wire.say(b'250 ok\r\n')
            else:
                self.leaked += line
                wire.say(b'500 what?\r\n')

    @staticmethod
    def address(line):
        return re.search(rb'<(.*?)>', line)[1].decode()

    def content(self, wire, sender, to):
        lines = []
        while (line := wire.line()) != b'.':
            if not lines and self.bad and 'content' in self.hooks:
                self.reply(wire, 'content', b'')
            lines.append(line)
        with self.lock:
            if not to:
                self.leaked += b''.join(lines)
                wire.say(b'554 nobody to send it to\r\n')
            elif self.reply(wire, 'dot', b'250 2.0.0 taken\r\n'):
                self.taken.append((sender, to, b'\n'.join(lines)))


class Scene:
    """hooks as above. why: what mailq comes to say meanwhile (a pattern; None: nothing to see).
    end: once, bounced, or flagged. log: a pattern that the log must have."""

    def __init__(self, label, hooks, why=None, end='once', log='', pipelining=True, tls=False,
                 check=None):
        self.label, self.hooks, self.why, self.end = label, hooks, why, end
        self.log, self.pipelining, self.tls, self.check = log, pipelining, tls, check
        self.results = []

    def expect(self, passed, words, detail=''):
        self.results.append((passed, '%s: %s' % (self.label, words), detail))

    def play(self, number):
        server = Server(self.hooks, self.pipelining, self.tls, once=not self.why)
        keys = {'tls': 'starttls', 'ca': own_ca()[0]} if self.tls else {}
        relay = Relay('relay%d' % number, port=server.port, probe='300ms', retry='500ms 500ms',
                      timeouts='2s 2s 2s', **keys)
        id = relay.send('bob@example.org', subject='x')
        if self.why:
            found = until(lambda: re.search(self.why, relay.why(id)))
            self.expect(found, 'mailq tells', lambda: '%s\n%s' % (relay.why(id), relay.tail()))
            text = (relay.run('mailq').stdout + relay.run('mailq', 'show', id).stdout).decode()
            self.expect(not [c for c in text if c not in '\n\t' and unicodedata.category(c) in CONTROL],
                        'what mailq prints has no control characters', lambda: ascii(text))
            server.bad = False
        self.expect(relay.empty(), 'nothing is left in the queue',
                    lambda: '%s\n%s' % (relay.queue('--all'), relay.tail()))
        self.judge(server, relay)
        self.expect(relay.stop() == 0, 'the relay ends with status 0', relay.tail)

    def judge(self, server, relay):
        with server.lock:
            mine = [t for t in server.taken if t[1] == ['bob@example.org']]
            bounces = [t for t in server.taken if t[0] == '']
        bounced = self.end == 'bounced'
        self.expect((len(mine), len(bounces)) == ((0, 1) if bounced else (1, 0)),
                    'it is returned to its sender' if bounced else
                    'it is delivered once, and nothing is returned',
                    lambda: 'taken %r\n%s' % (server.taken, relay.tail()))
        self.expect(('possibly-twice=yes' in relay.words()) == (self.end == 'flagged'),
                    'it is flagged possibly-twice' if self.end == 'flagged' else 'it is not flagged',
                    relay.tail)
        self.expect(not server.leaked, 'no content goes where none was asked for', server.leaked)
        self.expect(relay.files('dead') == [], 'nothing is given up')
        self.expect(not re.search(r'[^\x20-\x7e\n]', relay.words()), 'the log is plain text',
                    lambda: ascii(relay.words()))
        self.expect(re.search(self.log, relay.words()), 'the log tells', relay.tail)
        if self.check:
            self.expect(self.check(server), 'and the server saw no more than it should',
                        lambda: server.clear)


def stage_scenes():
    """421, 4xx and 5xx at every stage, with and without PIPELINING."""
    held, later = r'^waiting for relay default: .*%s', r'^refused for now by .*%s'
    table = [
        ('greeting', b'421 4.3.2 closing', held, 'once'), ('greeting', b'454 no', held, 'once'),
        ('greeting', b'554 5.3.2 go away', held, 'once'),
        ('ehlo', b'421 4.3.2 closing', held, 'once'), ('ehlo', b'451 4.3.0 no', held, 'once'),
        ('mail', b'421 4.3.2 closing', held, 'once'), ('mail', b'451 4.3.0 no', later, 'once'),
        ('mail', b'550 5.1.8 bad sender', None, 'bounced'),
        ('rcpt', b'421 4.3.2 closing', held, 'once'), ('rcpt', b'450 4.2.1 no', later, 'once'),
        ('rcpt', b'550 5.1.1 no such user', None, 'bounced'),
        ('rcpt', b'554 5.7.1 Relay access denied', held, 'once'),
        ('rcpt', b'452 4.5.3 too many', later, 'once'),
        ('data', b'421 4.3.2 closing', held, 'once'), ('data', b'451 4.3.0 no', later, 'once'),
        ('data', b'554 5.5.1 no', None, 'bounced'),
        ('dot', b'421 4.3.2 closing', held, 'once'), ('dot', b'452 4.3.1 disk full', later, 'once'),
        ('dot', b'554 5.6.0 spam', None, 'bounced'),
        ('mail', b'530 5.7.0 Authentication required', held, 'once'),
        ('mail', b'503 5.5.1 EHLO first', later, 'once'),
    ]
    for stage, reply, why, end in table:
        words = reply.decode().split(' ', 1)[1]
        for pipelining in (True, False):
            yield Scene('%s at %s%s' % (reply.decode(), stage, '' if pipelining else ', one by one'),
                        {stage: reply + b'\r\n'}, why and why % re.escape(words), end,
                        pipelining=pipelining)


def closing_scenes():
    for stage, why, end in (('greeting', r'^waiting for relay', 'once'),
                            ('ehlo', r'^waiting for relay', 'once'),
                            ('mail', r'^waiting for relay', 'once'),
                            ('rcpt', r'^waiting for relay', 'once'),
                            ('data', r'^waiting for relay', 'once')):
        yield Scene('the connection ends at ' + stage, {stage: (None,)}, why, end)
        yield Scene('the connection ends in the reply at ' + stage, {stage: (b'250 2.0', None)}, why, end)
    # The server took it, or it did not: nobody can know.
    yield Scene('the connection ends after the dot', {'dot': (None,)}, r'closed|lost', 'flagged')
    yield Scene('the connection ends in the reply to the dot', {'dot': (b'250 2.0.0 ta', None)},
                r'closed|lost', 'flagged')


def silence(wire):
    while wire.sock.recv(4096):
        pass
    raise Closed


def odd_scenes():
    held = r'^waiting for relay default: '
    yield Scene('no hook at all', {}, end='once')
    yield Scene('replies of several lines everywhere', {
        'greeting': b'220-hello\r\n220-there\r\n220 server\r\n', 'mail': b'250-2.1.0 a\r\n250 2.1.0 b\r\n',
        'rcpt': b'250-x\r\n250-y\r\n250 z\r\n', 'data': b'354-go\r\n354 on\r\n',
        'dot': b'250-2.0.0 one\r\n250-2.0.0 two\r\n250 2.0.0 three\r\n'}, log=r'status=sent')
    yield Scene('replies in single bytes', {
        'mail': tuple(bytes([b]) for b in b'250 ok\r\n')}, log=r'status=sent')
    yield Scene('replies without a text', {'mail': b'250\r\n', 'rcpt': b'250\r\n', 'dot': b'250\r\n'},
                log=r'status=sent')
    yield Scene('EHLO is not known', {'ehlo': b'502 5.5.1 what?\r\n'}, log=r'status=sent')
    yield Scene('neither EHLO nor HELO', {'ehlo': b'502 what?\r\n', 'helo': b'502 what?\r\n'}, held)
    yield Scene('a greeting that is none', {'greeting': b'SSH-2.0-OpenSSH_9.2\r\n'}, held)
    yield Scene('a code of two digits', {'mail': b'25 ok\r\n'}, held)
    yield Scene('a code that does not exist', {'rcpt': b'999 ok\r\n'}, held)
    yield Scene('a reply whose code changes', {'mail': b'250-ok\r\n550 no\r\n'}, held)
    yield Scene('354 to MAIL', {'mail': b'354 go\r\n'}, held)
    yield Scene('250 to DATA', {'data': b'250 ok\r\n'}, held)
    yield Scene('a line without an end', {'greeting': b'220 ' + b'x' * 2000000}, held)
    yield Scene('lines without an end', {'ehlo': b'250-X-THING\r\n' * 100000}, held)
    yield Scene('control characters in a reply',
                {'rcpt': b'450 4.2.0 \x1b[2J\x1b]0;x\x07 \xc2\x9b31m \xe2\x80\xae \xff\x00 no\r\n'},
                r'(?s)450 4\.2\.0 .*no')
    yield Scene('greylisting', {'rcpt': b'450 4.2.0 Greylisted, come back in 1 second\r\n'},
                r'^greylisted by ')
    yield Scene('silence at the greeting', {'greeting': silence}, held + r'.*no answer')
    yield Scene('silence at MAIL', {'mail': silence}, held + r'.*no answer')
    yield Scene('silence after the dot', {'dot': silence}, r'no answer', 'flagged')
    # The next reply, 554 to DATA, would stand in its place and return the mail.
    yield Scene('the reply to RCPT is missing', {'rcpt': b''}, r'no answer')
    yield Scene('the reply to MAIL is missing', {'mail': b''}, r'no answer')
    yield Scene('a reply too many after MAIL', {'mail': b'250 ok\r\n250 ok\r\n'}, r'.')
    yield Scene('a reply too many after the dot', {'dot': b'250 2.0.0 taken\r\n250 2.0.0 taken\r\n'})
    yield Scene('354 although every recipient is refused',
                {'rcpt': b'450 4.2.1 no\r\n', 'data': b'354 go\r\n'}, r'450 4\.2\.1 no')


def tls_scenes():
    def only_ehlo(server):
        return all(re.match(r'EHLO|STARTTLS|QUIT', c) for c in server.clear)
    held = r'^waiting for relay default: .*'
    yield Scene('STARTTLS', {}, tls=True, check=only_ehlo, log='tls=TLS1.3')
    yield Scene('a reply injected behind the one to STARTTLS',
                {'starttls': b'220 go\r\n250-server.example\r\n250 AUTH PLAIN\r\n'}, held, tls=True,
                check=only_ehlo)
    yield Scene('STARTTLS is refused', {'starttls': b'454 4.7.0 not now\r\n'}, held + '454 4.7.0 not now',
                tls=True, check=only_ehlo)
    yield Scene('STARTTLS is not offered', {'ehlo': b'250 server.example\r\n'}, held, tls=True,
                check=only_ehlo)
    yield Scene('the connection ends at STARTTLS', {'starttls': (b'220 go\r\n', None)}, held, tls=True,
                check=only_ehlo)
    yield Scene('what follows STARTTLS is no TLS',
                {'starttls': (b'220 go\r\n', lambda wire: wire.sock.recv(1), b'250 ok\r\n', None)},
                held, tls=True, check=only_ehlo)


own_ca()
scenes = [s for kind in (stage_scenes, closing_scenes, odd_scenes, tls_scenes) for s in kind()]
only = os.environ.get('NIGHTMAIL_SCENE')
scenes = [s for s in scenes if not only or re.search(only, s.label)]
with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
    played = [(s, pool.submit(s.play, n)) for n, s in enumerate(scenes)]
    for scene, future in played:
        future.result()
        for result in scene.results:
            ok(*result)
done()
