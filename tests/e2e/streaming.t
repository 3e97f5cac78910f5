#!/usr/bin/env python3
"""Streaming by the whole relay: workers killed in mid-window lose nothing and double nothing
silently; a server that loses count of its replies gets every message all the same, and no
streaming for a day, which a restart does not end."""
import collections
import os
import re
import select
import signal
import socketserver
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402

MESSAGES = 120 if SANITIZED else 300
WINDOW = 32


class Server(socketserver.ThreadingTCPServer):
    """Offers PIPELINING and CHUNKING; says the reply to the RCPT of `trip` twice, once. A fragile
    one takes a message, finds that the next command is there already, and dies of it."""
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, trip, fragile=False):
        super().__init__(('127.0.0.1', 0), Session)
        self.trip, self.fragile, self.lock = trip, fragile, threading.Lock()
        self.taken, self.verbs = collections.Counter(), collections.Counter()
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.port = self.server_address[1]

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Session(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line.encode() + b'\r\n')

    def is_pressed(self):
        """True when more has come, or comes within a time that changes nothing for who waits."""
        self.connection.setblocking(False)
        here = self.rfile.peek()
        self.connection.setblocking(True)
        return bool(here or select.select([self.connection], [], [], 0.05)[0])

    def take(self, to):
        with self.server.lock:
            self.server.taken.update(to)
        if self.server.fragile and self.is_pressed():
            raise ConnectionAbortedError
        self.say('250 2.0.0 taken')

    def handle(self):
        to = []
        self.say('220 trips')
        for line in self.rfile:
            line = line.decode().strip()
            verb = line[:4].upper()
            self.server.verbs[verb] += 1
            if verb == 'EHLO':
                self.say('250-trips\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250 CHUNKING')
            elif verb == 'MAIL':
                to = []
                self.say('250 2.1.0 ok')
            elif verb == 'RCPT':
                to.append(line[9:-1])
                self.say('250 2.1.5 ok')
                if to[-1] == self.server.trip:
                    self.server.trip = None
                    self.say('250 2.1.5 ok')
            elif verb == 'BDAT':
                self.rfile.read(int(line.split()[1]))
                self.take(to)
            elif verb == 'DATA':
                self.say('354 go')
                while self.rfile.readline() not in (b'.\r\n', b''):
                    pass
                self.take(to)
            elif verb == 'QUIT':
                self.say('221 2.0.0 bye')
                return
            else:
                self.say('250 2.0.0 ok')


def children(pid):
    try:
        with open('/proc/%d/task/%d/children' % (pid, pid)) as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def kill_workers(relay, most):
    """Kills workers one after another until the queue is empty; returns how many."""
    killed = 0
    while relay.files() and killed < most:
        for worker in [w for d in children(relay.popen.pid) for w in children(d)]:
            try:
                os.kill(worker, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                pass
        until(lambda: not relay.files(), 0.15)
    return killed


def flagged(relay):
    """Recipients whose message the log called possibly-twice."""
    owner, doubted = collections.defaultdict(set), set()
    for line in relay.words().splitlines():
        found = re.search(r'\bid=([0-9A-Z]{16})', line)
        to = re.search(r'\bto=<([^>]*)>', line)
        if found and 'possibly-twice' in line:
            doubted.add(found[1])
        if found and to:
            owner[found[1]].add(to[1])
    return {to for i in doubted for to in owner[i]}


def queue_up(relay, first, count):
    """Messages one behind the other, while the relay cannot reach anybody."""
    for n in range(first, first + count):
        relay.sendmail('-f', 'a@home.example', 'r%d@example.org' % n)


def test_killed():
    sink = Sink('--chunking', '--delay', '5', keep=False)
    relay = Relay(port=1, probe='1h', connections=3)
    queue_up(relay, 0, MESSAGES)
    relay.configure(port=sink.port, probe='200ms', connections=3)
    relay.popen.send_signal(signal.SIGHUP)
    killed = kill_workers(relay, 15)
    relay.is_empty('the queue is empty in the end', 4 * PATIENCE)
    taken = collections.Counter(t['address'] for e in sink.events('message') for t in e['to'])
    doubted = flagged(relay)
    twice = {to for to, count in taken.items() if count > 1}
    say('%d workers killed, %d recipients twice, %d flagged' % (killed, len(twice), len(doubted)))
    eq([n for n in range(MESSAGES) if not taken['r%d@example.org' % n]], [], 'nothing is lost')
    eq(sorted(twice - doubted), [], 'what came twice was flagged')
    for to in sorted(twice - doubted)[:3]:
        say('\n'.join(line for line in relay.words().splitlines() if '<%s>' % to in line))
        say('\n'.join(json.dumps(e) for e in sink.events('message') if to in json.dumps(e)))
    ok(len(twice) <= killed * WINDOW, 'at most a window for each death')
    relay.stop()


def test_out_of_step():
    server = Server(trip='r9@example.org')
    relay = Relay(name='trips', port=1, probe='1h', connections=1)
    queue_up(relay, 0, 40)
    relay.configure(port=server.port, probe='200ms', connections=1)
    relay.popen.send_signal(signal.SIGHUP)
    relay.is_empty('a server that trips gets everything')
    doubted = flagged(relay)
    eq([n for n in range(40) if not server.taken['r%d@example.org' % n]], [], 'nothing is lost')
    eq(sorted(to for to, count in server.taken.items() if count > 1 and to not in doubted), [],
       'what came twice was flagged')
    ok(len(doubted) <= WINDOW, 'at most one window is in doubt', doubted)
    eq(relay.files('dead'), [], 'nobody\'s mail was given up')
    ok(relay.says('relay default is not streamed to for a day: '), 'the log says why it is slower')
    ok(b'is not streamed to, since its replies were out of place; again in 2' in
       relay.run('nightmail', 'status').stdout, 'and status, for how long',
       relay.run('nightmail', 'status').stdout)
    ok(server.verbs['BDAT'] > 0 and server.verbs['DATA'] > 0, 'the rest went with DATA')
    relay.stop()
    streamed = server.verbs['BDAT']
    relay.start()
    relay.sendmail('-f', 'a@home.example', 'later@example.org')
    ok(until(lambda: server.taken['later@example.org']), 'mail goes after a restart')
    eq(server.verbs['BDAT'], streamed, 'still without streaming')
    relay.stop()


def test_fragile(stream):
    """Twice it may die with mail on the way; then it is given one message at a time."""
    server = Server(trip=None, fragile=True)
    relay = Relay(name='fragile-' + stream, port=1, probe='1h', connections=1, stream=stream)
    queue_up(relay, 0, 12)
    relay.configure(port=server.port, probe='200ms', connections=1, stream=stream, retry='1s 1s')
    relay.popen.send_signal(signal.SIGHUP)
    name = 'a server that dies of what comes too early, stream = %s: ' % stream
    relay.is_empty(name + 'it gets everything')
    doubted = flagged(relay)
    eq([n for n in range(12) if not server.taken['r%d@example.org' % n]], [], name + 'nothing is lost')
    eq(sorted(to for to, count in server.taken.items() if count > 1 and to not in doubted), [],
       name + 'what came twice was flagged')
    ok(1 <= len(doubted) <= 4, name + 'two windows of two are in doubt, no more', doubted)
    ok(relay.says('relay default is given one message at a time for a day'), name + 'the log says so',
       relay.tail)
    slow = json.loads(relay.run('nightmail', 'status', '--json').stdout)['relays'][0]
    ok('one message at a time' in slow['slow'] and slow['slow_until'] > time.time() + 80000,
       name + 'and status', slow)
    relay.stop()


def test_off():
    server = Server(trip=None)
    relay = Relay(name='off', port=server.port, stream='off')
    relay.sendmail('-f', 'a@home.example', 'bob@example.org')
    ok(until(lambda: server.taken['bob@example.org']), 'with stream = off mail goes')
    eq(server.verbs['BDAT'], 0, 'with DATA')
    relay.configure(port=server.port)
    relay.popen.send_signal(signal.SIGHUP)
    ok(until(lambda: (relay.sendmail('-f', 'a@home.example', 'carl@example.org'),
                      until(lambda: server.verbs['BDAT'], 1))[1]), 'and with BDAT without it')
    relay.stop()


test_killed()
test_out_of_step()
test_fragile('auto')
test_fragile('off')
test_off()
done()
