#!/usr/bin/env python3
"""Ways out that are no smarthost: LMTP with a reply for each recipient, maildirs; and a worker that is
killed at each step with a message that has several ways to go."""
import collections
import os
import re
import signal
import socketserver
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402


class Lmtp(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Says after the content what `says` has for a recipient, else 250; at `cut` it breaks off before
    the reply to this recipient, at `forget` it leaves that reply out, as often as these say."""
    daemon_threads = True

    def __init__(self, name, says=None, cut=None, forget=None):
        self.path, self.says, self.cut = path(name), says or {}, cut or {}
        self.forget = forget or {}
        self.kept, self.commands, self.early = collections.Counter(), [], []
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        super().__init__(self.path, Session)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Session(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b'\r\n')

    def handle(self):
        self.say('220 lmtp.example LMTP')
        to = []
        for line in iter(self.rfile.readline, b''):
            text = line.decode(errors='replace').strip()
            self.server.commands.append(text)
            verb = text[:4].upper()
            if verb == 'LHLO':
                self.say('250-lmtp.example\r\n250-PIPELINING\r\n250 8BITMIME')
            elif verb in ('EHLO', 'HELO'):
                self.say('500 this is LMTP')
            elif verb == 'RCPT':
                address = text[text.index('<') + 1:text.index('>')]
                refused = address.startswith('no')
                self.say('550 5.1.1 nobody' if refused else '250 fine')
                to += [] if refused else [address]
            elif verb == 'DATA':
                self.say('354 go on' if to else '503 nobody')
                if to and not self.content(to):
                    return
                to = []
            elif verb == 'QUIT':
                self.say('221 bye')
                return
            else:
                self.say('250 fine')

    def content(self, to):
        if self.server.early:
            self.say(self.server.early.pop())
            self.rfile.read()
            return False
        while self.rfile.readline() not in (b'.\r\n', b''):
            pass
        for address in to:
            if self.server.cut.get(address, 0) > 0:
                self.server.cut[address] -= 1
                return False
            if self.server.forget.get(address, 0) > 0:
                self.server.forget[address] -= 1
                continue
            reply = self.server.says.get(address, '250 2.0.0 kept for ' + address)
            if reply[0] == '2':
                self.server.kept[address] += 1
            self.say(reply)
        return True


def flagged(relay, which):
    return sorted({f['to'] for f in relay.results(which) if f.get('possibly-twice') == 'yes'})


def test_lmtp():
    home = Sink(name='home1')
    server = Lmtp('l1/sock', says={'full@x.example': '552 5.2.2 mailbox is full',
                                   'busy@x.example': '451 4.3.0 busy'})
    relay = Relay('l', host='lmtp:' + server.path, tls=None, port=None, more=way_home(home))
    one = relay.send('a@x.example', 'full@x.example', 'b@x.example', 'busy@x.example', 'no@x.example',
                     'last@x.example')
    home.got(1, 'LMTP: who was refused is told to the sender')
    ok(until(lambda: len(relay.results(one)) >= 6), 'LMTP: every recipient has a reply', relay.tail)
    eq({f['to']: (f['status'], f['dsn']) for f in relay.results(one)},
       {'a@x.example': ('sent', '2.0.0'), 'b@x.example': ('sent', '2.0.0'),
        'last@x.example': ('sent', '2.0.0'), 'full@x.example': ('bounced', '5.2.2'),
        'no@x.example': ('bounced', '5.1.1'), 'busy@x.example': ('deferred', '4.3.0')},
       'LMTP: and each its own')
    eq(len([t for _, t in home.received() if 'mailbox is full' in t and 'nobody' in t]), 1,
       'LMTP: the bounce names both')
    ok(any(c.startswith('LHLO') for c in server.commands) and
       not any(c.startswith('EHLO') for c in server.commands), 'LMTP: it says LHLO')
    server.says.clear()
    relay.is_empty('LMTP: who was busy gets it later')
    eq(sorted(server.kept.items()), [(a + '@x.example', 1) for a in ('a', 'b', 'busy', 'last')],
       'LMTP: everybody once')
    relay.stop()


def test_lmtp_cut():
    server = Lmtp('l2/sock', cut={'b@x.example': 1})
    relay = Relay('m', host='lmtp:' + server.path, tls=None, port=None)
    one = relay.send('a@x.example', 'b@x.example', 'c@x.example')
    relay.is_empty('LMTP: the connection ends between two replies')
    eq(sorted(server.kept.items()), [('a@x.example', 1), ('b@x.example', 1), ('c@x.example', 1)],
       'LMTP: who had a reply has it once, the others get it then')
    eq([f['status'] for f in relay.results(one) if f['to'] == 'a@x.example'], ['sent'],
       'LMTP: the first reply counts')
    eq(flagged(relay, one), ['b@x.example', 'c@x.example'],
       'LMTP: those without a reply may have it twice, and are flagged; the first is not')
    relay.stop()


def test_lmtp_forgets():
    """One reply too few: that to the next MAIL must not be taken for it."""
    server = Lmtp('l4/sock', forget={'b@x.example': 1})
    relay = Relay('f', host='lmtp:' + server.path, tls=None, port=None, start=False,
                  timeouts='30s 30s 2s', connections='1')
    others = [relay.send('c0@x.example')]  # alone, the others behind it follow each other closely
    first = relay.send('a@x.example', 'b@x.example')
    others += [relay.send('c%d@x.example' % n) for n in (1, 2)]
    relay.start()
    relay.is_empty('LMTP: a reply is missing: all mail leaves in the end')
    eq(server.kept['a@x.example'], 1, 'LMTP: who was answered has it once')
    ok(server.kept['b@x.example'] >= 1, 'LMTP: who was not is tried again', relay.tail)
    eq(flagged(relay, first), ['b@x.example'], 'LMTP: and flagged, alone')
    eq([server.kept['c%d@x.example' % n] for n in range(3)], [1, 1, 1],
       'LMTP: mail behind it goes once')
    eq([flagged(relay, o) for o in others], [[], [], []], 'LMTP: and is not in doubt')
    relay.stop()


def test_lmtp_sequence():
    """503 after the content, or a login that is asked for, is no recipient's fault."""
    says = {'b@x.example': '503 5.5.1 bad sequence of commands',
            'c@x.example': '530 5.7.0 authentication required'}
    server = Lmtp('l5/sock', says=dict(says))
    relay = Relay('q', host='lmtp:' + server.path, tls=None, port=None)
    one = relay.send('a@x.example', 'b@x.example', 'c@x.example')
    ok(until(lambda: len(relay.results(one)) >= 3), 'LMTP: 503 to the content', relay.tail)
    eq({f['to']: f['status'] for f in relay.results(one)[:3]},
       {'a@x.example': 'sent', 'b@x.example': 'deferred', 'c@x.example': 'deferred'},
       'LMTP: who is told 503 or 530 is tried again, nobody is bounced')
    server.says.clear()
    relay.is_empty('LMTP: and gets it then')
    eq(sorted(server.kept.items()), [(a + '@x.example', 1) for a in 'abc'], 'LMTP: once')
    relay.stop()


def test_lmtp_early():
    """One reply in the middle of the content, and nothing more: nobody has the message, also of an
    alias."""
    server = Lmtp('l3/sock')
    aliases = path('l3/aliases', 'team: a@x.example, b@x.example\n', 0o644)
    server.early = ['452 4.3.1 no room for so much']
    relay = Relay('e', host='lmtp:' + server.path, tls=None, port=None,
                  identity='aliases = ' + aliases)
    relay.send('team', 'c@x.example', 'd@x.example', body='0123456789\n' * 500000)
    relay.is_empty('LMTP: refused in the middle of the message')
    eq(sorted(server.kept.items()), [(a + '@x.example', 1) for a in 'abcd'],
       'LMTP: everybody gets it later, once')
    relay.stop()


def in_maildir(folder):
    try:
        return sorted(os.listdir(path(folder + '/new')))
    except FileNotFoundError:
        return []


def test_maildir():
    os.makedirs(path('box'), exist_ok=True)
    relay = Relay('n', host='maildir:' + path('box/mail'), port=None, tls=None)
    one = relay.send('a@x.example', 'b@x.example', body='.dot\nCaf\u00e9\n')
    if os.geteuid() == 0:
        relay.waits_because(one, 'not written as root', 'maildir: nothing is written as root')
        relay.stop()
        return
    relay.is_empty('maildir: it is delivered')
    kept = [read('box/mail/new/' + f) for f in in_maildir('box/mail')]
    eq(len(kept), 2, 'maildir: a file for each recipient')
    ok(all(t.startswith('Return-Path: <alice@home.example>\nDelivered-To: ') and '\r' not in t and
           '\n.dot\n' in t for t in kept), 'maildir: as it was sent', kept)
    eq(os.listdir(path('box/mail/tmp')), [], 'maildir: nothing is left in tmp')
    relay.stop()


def test_killed():
    """One message for two sinks and a discard, with nightmail-deliver killed at its n-th change of the
    disk: never lost, and twice only when that is flagged."""
    step, lost, unflagged, twice = 1, [], [], 0
    while step <= 14:
        one, two = Sink(name='k%da' % step), Sink(name='k%db' % step)
        relay = Relay('k%d' % step, port=one.port, start=False, more='''
[relay office]
host = 127.0.0.1
port = %d
tls = none
[relay none]
host = discard:
[route lan]
recipient = *@*.lan.example
relay = office
[route none]
recipient = *@none.example
relay = none
''' % two.port)
        relay.env['NIGHTMAIL_FAULT'] = '%d:exit:nightmail-deliver' % step
        relay.start()
        which = relay.send('x@x.example', 'h@h.lan.example', 'n@none.example', 'y@y.example')
        until(lambda: not relay.files(), 2)
        if relay.files():
            relay.stop(signal.SIGKILL)
            del relay.env['NIGHTMAIL_FAULT']
            relay.start()
        relay.empty()
        got = collections.Counter(r['address'] for s in (one, two) for e, _ in s.received()
                                  for r in e['to'])
        for address in ('x@x.example', 'h@h.lan.example', 'y@y.example'):
            if got[address] == 0:
                lost.append((step, address, relay.tail(5)))
            elif got[address] > 1:
                twice += 1
                if not any('possibly-twice' in line and '<%s>' % address in line
                           for line in relay.words().splitlines()):
                    unflagged.append((step, address))
        if relay.files():
            lost.append((step, 'still queued', relay.tail(5)))
        for p in (relay, one, two):
            p.stop()
        step += 1
    eq(lost, [], 'killed at each step: nobody loses it')
    eq(unflagged, [], 'killed at each step: nobody has it twice without a flag (%d had)' % twice)


test_lmtp()
test_lmtp_cut()
test_lmtp_early()
test_lmtp_forgets()
test_lmtp_sequence()
test_maildir()
test_killed()
done()
