"""Every kind of relay and every trouble at every stage of a session. A case is a relay of its own,
with a server that makes one trouble once and is well from then on. Two messages with two recipients
each go there, and what becomes of them follows from whose fault the trouble is:

relay       up to the login, and 421: the relay is held or another server of it is taken; the
            messages do not notice
later       4xx: the message, or one recipient, waits
refused     5xx: the message, or one recipient, comes back to the sender
doubt       the end of a message was sent and its answer is lost: it goes again, flagged
nothing     after the messages were taken: nobody notices

Whatever it is: nobody's mail is lost, nobody has it twice unless the log says so, and nobody is told
of a failure who has it. All cases of a file go at once, sixty to a daemon."""
import collections
import concurrent.futures
import os
import selectors
import socket
import ssl
import struct
import sys
import threading

sys.dont_write_bytecode = True
from system import *  # noqa: E402

RELAYS = 60  # of one daemon
# Those of a kind that differs from another only in how its server is found are fewer.
FEW = ('421', '554', 'hang', 'close')
FAULTS = ('421', '451', '554', 'hang', 'close', 'reset', 'garbage')
REPLIES = {'421': b'421 4.3.2 closing\r\n', '451': b'451 4.3.0 later\r\n', '554': b'554 5.7.0 no\r\n',
           'garbage': b'\x00\xff what is this?\r\n'}
BEFORE = ('connect', 'banner', 'ehlo', 'starttls', 'handshake', 'auth')
STAGES = ('banner', 'ehlo', 'mail', 'rcpt', 'data', 'dot', 'quit')


class Kind:
    """A way to reach a server. extra: what it offers; settings: of the relay, with the names of
    Server's fields; two: there is a second server that is always well."""

    def __init__(self, name, stages=STAGES, extra=(), settings='', two=False, implicit=False, lmtp=False,
                 unix=False, faults=FAULTS):
        self.name, self.extra, self.settings, self.two = name, extra, settings, two
        self.implicit, self.lmtp, self.unix = implicit, lmtp, unix
        self.stages, self.faults = stages, faults


AUTH = 'tls = %s\nca = %%(ca)s\nlogin = alice\npassword = file:%%(password)s\nauth = PLAIN'
TLS = 'host = 127.0.0.1\nport = %(port)d\n'
CHUNK = STAGES[:4] + ('bdat', 'quit')
KINDS = {k.name: k for k in (
    Kind('smtp', settings=TLS + 'tls = none'),
    Kind('bdat', CHUNK, (b'PIPELINING', b'CHUNKING'), TLS + 'tls = none'),
    Kind('pipelining', STAGES, (b'PIPELINING',), TLS + 'tls = none\nstream = off'),
    Kind('lmtp', settings='host = lmtp:127.0.0.1:%(port)d', lmtp=True, extra=(b'PIPELINING',)),
    Kind('lmtp at a socket', settings='host = lmtp:%(path)s', lmtp=True, unix=True, faults=FEW),
    Kind('hosts', settings='host = 127.0.0.2 127.0.0.3\nport = %(port)d\ntls = none', two=True),
    Kind('mx', settings='host = mx:%(domain)s\nport = %(port)d\ntls = none', two=True, faults=FEW),
    Kind('srv', settings='host = srv:%(domain)s\ntls = none', two=True, faults=FEW),
    Kind('starttls', STAGES[:2] + ('starttls', 'handshake') + STAGES[2:], settings=TLS +
         'tls = starttls\nca = %(ca)s'),
    Kind('implicit', ('handshake',) + STAGES, settings=TLS + 'tls = implicit\nca = %(ca)s', implicit=True,
         faults=FEW),
    Kind('login', STAGES[:2] + ('starttls', 'handshake', 'auth') + STAGES[2:],
         settings=TLS + AUTH % 'starttls'),
    Kind('login by bdat', ('handshake', 'banner', 'ehlo', 'auth') + CHUNK[2:],
         (b'PIPELINING', b'CHUNKING'), TLS + AUTH % 'implicit', implicit=True),
)}


class Server:
    """Takes mail as its case says; the trouble happens once."""

    def __init__(self, case, faulty, address=None, port=0):
        self.case, self.faulty = case, faulty
        self.socket = socket.socket(socket.AF_UNIX if case.kind.unix else socket.AF_INET)
        self.socket.bind(case.path if case.kind.unix else (address or '127.0.0.1', port))
        self.port = 0 if case.kind.unix else self.socket.getsockname()[1]
        if case.kind.unix:
            os.chmod(case.path, 0o666)

    def listen(self):
        self.socket.listen(16)
        self.socket.setblocking(False)
        Session.wake(self)

    def strikes(self, stage):
        """True once: now is the time for the trouble."""
        with self.case.lock:
            if not self.faulty or self.case.struck or stage != self.case.stage:
                return False
            self.case.struck = True
            return True


class Ended(Exception):
    pass


class Session(threading.Thread):
    """One connection."""
    selector = selectors.DefaultSelector()
    bell = None

    @classmethod
    def wake(cls, server):
        if not cls.bell:
            cls.bell, ear = socket.socketpair()
            cls.selector.register(ear, selectors.EVENT_READ, None)
            threading.Thread(target=cls.accept, daemon=True).start()
        cls.selector.register(server.socket, selectors.EVENT_READ, server)
        cls.bell.send(b'x')

    @classmethod
    def accept(cls):
        while True:
            for key, _ in cls.selector.select():
                if key.data is None:
                    key.fileobj.recv(100)
                    continue
                try:
                    connection, _ = key.fileobj.accept()
                except OSError:
                    continue
                connection.setblocking(True)
                cls(key.data, connection).start()

    def __init__(self, server, connection):
        super().__init__(daemon=True)
        self.server, self.kind, self.connection = server, server.case.kind, connection
        self.tls, self.rest, self.to = False, b'', []

    # --- bytes

    def say(self, *lines):
        self.connection.sendall(b''.join(lines))

    def more(self):
        piece = self.connection.recv(65536)
        if not piece:
            raise Ended
        self.rest += piece

    def line(self):
        while b'\n' not in self.rest:
            self.more()
        text, self.rest = self.rest.split(b'\n', 1)
        return text.strip()

    def octets(self, count):
        while len(self.rest) < count:
            self.more()
        self.rest = self.rest[count:]

    def wrap(self):
        if self.server.strikes('handshake'):
            self.trouble()
        self.connection = CONTEXT.wrap_socket(self.connection, server_side=True)
        self.tls = True

    # --- trouble

    def trouble(self):
        """Does it; returns True where the session goes on."""
        fault = self.server.case.fault
        if fault == 'hang':
            while True:
                self.more()
        if fault == 'reset':
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        if fault in REPLIES:
            self.say(REPLIES[fault])
        if fault in ('421', 'close', 'reset'):
            raise Ended
        return True

    def struck(self, stage):
        return self.server.strikes(stage) and self.trouble()

    # --- the dialogue

    def run(self):
        try:
            if self.kind.implicit:
                self.wrap()
            if not self.struck('banner'):
                self.say(b'220 mx.example ESMTP\r\n')
            while True:
                self.command(self.line())
        except (Ended, OSError, ssl.SSLError):
            pass
        finally:
            self.connection.close()

    def offers(self):
        names = [b'mx.example'] + list(self.kind.extra) + [b'ENHANCEDSTATUSCODES']
        if 'starttls' in self.kind.stages and not self.tls:
            names.append(b'STARTTLS')
        elif 'auth' in self.kind.stages:
            names.append(b'AUTH PLAIN')
        return b''.join(b'250-%s\r\n' % n for n in names[:-1]) + b'250 %s\r\n' % names[-1]

    def command(self, line):
        verb = line.split(b' ')[0].upper()
        if verb in (b'EHLO', b'LHLO'):
            if not self.struck('ehlo'):
                self.say(self.offers())
        elif verb == b'STARTTLS':
            if not self.struck('starttls'):
                self.say(b'220 go\r\n')
                self.wrap()
        elif verb == b'AUTH':
            if not self.struck('auth'):
                self.say(b'235 2.7.0 ok\r\n')
        elif verb == b'MAIL':
            self.to = []
            if self.struck('mail'):
                self.to = None
            else:
                self.say(b'250 2.1.0 ok\r\n')
        elif verb == b'RCPT':
            self.recipient(line)
        elif verb == b'DATA':
            self.data()
        elif verb == b'BDAT':
            self.octets(int(line.split()[1]))
            self.end('bdat')
        elif verb == b'QUIT':
            self.struck('quit') or self.say(b'221 2.0.0 bye\r\n')
            raise Ended
        else:
            self.say(b'250 2.0.0 ok\r\n')

    def recipient(self, line):
        if self.to is None:
            self.say(b'503 5.5.1 MAIL first\r\n')
        elif not self.struck('rcpt'):
            self.to.append(line[line.index(b'<') + 1:line.index(b'>')].decode())
            self.say(b'250 2.1.5 ok\r\n')

    def data(self):
        if not self.to:
            self.say(b'503 5.5.1 RCPT first\r\n' if self.to is None else b'554 5.5.1 nobody is left\r\n')
        elif not self.struck('data'):
            self.say(b'354 go\r\n')
            while self.line() != b'.':
                pass
            self.end('dot')

    def end(self, stage):
        """All of the message is here. Whoever loses the answer has it."""
        to, self.to = self.to, []
        if not to:
            self.say(b'503 5.5.1 RCPT first\r\n')
            return
        struck = self.server.strikes(stage)
        refused = struck and self.server.case.fault in ('421', '451', '554')
        first = to[:1] if self.kind.lmtp else to
        with self.server.case.lock:
            self.server.case.taken.update(to[len(first):] if refused else to)
        for name in first:
            struck and self.trouble() or self.say(b'250 2.0.0 taken\r\n')
            if struck and not self.kind.lmtp:
                return
            if not self.kind.lmtp:
                return
        for name in to[1:]:
            self.say(b'250 2.0.0 taken\r\n')


class Case:
    count = 0

    def __init__(self, kind, stage, fault):
        self.number, self.kind, self.stage, self.fault = Case.count, kind, stage, fault
        Case.count += 1
        self.name = '%s: %s at %s' % (kind.name, fault, stage)
        self.relay, self.domain = 'r%d' % self.number, 'c%d.example' % self.number
        self.lock, self.struck, self.taken = threading.Lock(), False, collections.Counter()
        self.path = path('s%d' % self.number)
        self.to = ['%s@%s' % (who, self.domain) for who in ('a1', 'a2', 'b1', 'b2')]
        self.good = self.bad = None

    def make(self):
        if not self.kind.two:
            self.bad = Server(self, True)
        elif self.kind.name == 'srv':
            self.bad, self.good = Server(self, True), Server(self, False)
        else:
            self.pair()
        if self.good:
            self.good.listen()
        if self.stage != 'connect':
            self.bad.listen()
        else:
            self.struck = True

    def pair(self):
        """Two addresses, one port."""
        for _ in range(50):
            self.bad = Server(self, True, '127.0.0.2')
            try:
                self.good = Server(self, False, '127.0.0.3', self.bad.port)
                return
            except OSError:
                self.bad.socket.close()
        sys.exit('no port for two servers')

    def records(self):
        names = {'d': self.domain.split('.')[0], 'p': self.bad.port, 'q': self.good.port if self.good else 0}
        if self.kind.name == 'mx':
            return '%(d)s MX 10 f.%(d)s\n%(d)s MX 20 g.%(d)s\nf.%(d)s A 127.0.0.2\ng.%(d)s A 127.0.0.3\n' % names
        if self.kind.name == 'srv':
            return ('_submission._tcp.%(d)s SRV 10 0 %(p)d l\n_submission._tcp.%(d)s SRV 20 0 %(q)d l\n' %
                    names)
        return ''

    def section(self, ca, password):
        words = {'port': self.bad.port, 'path': self.path, 'domain': self.domain, 'ca': ca,
                 'password': password}
        waits = '2s 2s 2s' if self.fault == 'hang' else '60s 60s 60s'
        more = 'per-connection = 1\n' if self.stage == 'quit' else ''
        return '[relay %s]\n%s\nconnections = 1\nprobe = 300ms\ntimeouts = %s\n[route %s]\n' \
            'recipient = *@%s\nrelay = %s\n' % (self.relay, self.kind.settings % words + '\n' + more, waits,
                                              self.relay, self.domain, self.relay)

    def fault_of(self):
        """Whose it is: see above."""
        if self.stage == 'quit':
            return 'nothing'
        if self.stage == 'ehlo' and self.fault == '554' and not self.kind.lmtp and \
                'starttls' not in self.kind.stages and 'auth' not in self.kind.stages:
            return 'nothing'  # HELO will do
        if self.stage in BEFORE:
            return 'relay'
        if self.stage in ('dot', 'bdat'):
            return {'421': 'later', '451': 'later', '554': 'refused'}.get(self.fault, 'doubt')
        return {'451': 'later', '554': 'refused'}.get(self.fault, 'relay')

    def settled(self, told):
        return all(self.taken[to] or to in told for to in self.to)

    def check(self, lines, told):
        """lines: the log's about this case; told: recipients of whom the sender was told."""
        whose = self.fault_of()
        parsed = [fields(line) for line in lines]
        doubted = {f['to'] for f in parsed if f.get('possibly-twice') == 'yes' and 'to' in f}
        problems = []

        def expect(good, words):
            if not good:
                problems.append(words)
        lost = [to for to in self.to if not self.taken[to] and to not in told]
        twice = [to for to in self.to if self.taken[to] > 1]
        back = [to for to in self.to if to in told]
        count = 1 if self.stage == 'rcpt' or (self.kind.lmtp and self.stage == 'dot') else 2
        expect(self.struck, 'the trouble never came')
        expect(not lost, 'lost: %s' % lost)
        expect(all(to in doubted for to in twice), 'twice and not flagged: %s' %
               [to for to in twice if to not in doubted])
        # Who waits for two seconds only may wait in vain on a machine that is busy.
        exact = self.fault != 'hang'
        expect(all(self.taken[to] <= 2 for to in self.to) or not exact, 'more than twice: %s' % self.taken)
        expect(not [to for to in back if self.taken[to]], 'told of a failure, and delivered: %s' % back)
        expect(len(back) == (count if whose == 'refused' else 0), 'came back: %s' % back)
        held = [line for line in lines if 'relay %s is held' % self.relay in line]
        deferred = [f for f in parsed if f.get('status') == 'deferred']
        if whose == 'relay' and self.stage in BEFORE:
            expect(held or self.kind.two, 'the relay is not held')
            expect(not (held and self.kind.two and exact), 'the relay is held')
            expect(not (deferred and exact), 'a message was told of it')
        if whose in ('later', 'refused', 'nothing') and self.fault in ('451', '554'):
            expect(not held, 'the relay is held')
        if whose == 'later':
            expect(deferred, 'nothing waited')
        if whose == 'doubt' and self.fault != 'garbage':
            expect(twice and set(twice) <= doubted, 'what was taken without an answer went once')
        if whose == 'nothing':
            expect(not exact or not (doubted or deferred), 'something was noticed')
        ok(not problems, '%s: %s' % (self.name, whose), lambda: '%s\n%s' % (problems, '\n'.join(lines)))


class Home(Server):
    """Takes what comes back."""

    def __init__(self):
        self.kind = Kind('home', ())
        self.path, self.stage, self.fault, self.struck = '', '', '', True
        self.lock, self.told, self.texts = threading.Lock(), set(), []
        self.case = self
        super().__init__(self, False)

    class taken:
        update = staticmethod(lambda names: None)


def run(*kinds):
    """All cases of these kinds."""
    global CONTEXT
    ca, cert, key = own_ca('localhost')
    password = path('password', 'sesame\n')
    CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CONTEXT.load_cert_chain(cert, key)
    cases = []
    for kind in (KINDS[name] for name in kinds):
        for stage in kind.stages:
            faults = ('hang', 'close', 'reset', 'garbage') if stage == 'handshake' else kind.faults
            cases += [Case(kind, stage, fault) for fault in faults]
        cases.append(Case(kind, 'connect', 'refused'))
    for case in cases:
        case.make()
    resolver = ''
    if any(case.records() for case in cases):
        import names
        names.need('nsd')
        zone = names.Nsd(names.Zone('example', 'l A 127.0.0.1\n' + ''.join(c.records() for c in cases)))
        resolver = 'resolver = %s\n' % zone.server
    home = Sink(name='home')
    relays = []
    for i in range(0, len(cases), RELAYS):
        part = cases[i:i + RELAYS]
        relay = Relay('daemon%d' % len(relays), port=home.port, retry='1s 1s', start=False, stream='off',
                      more=''.join(c.section(ca, password) for c in part))
        with open(relay.config) as f:
            text = f.read()
        path(os.path.relpath(relay.config, DIR), resolver + text, 0o644)
        relay.cases = part
        relays.append(relay)
    def begin(relay):
        for case in relay.cases:
            for who in ('a', 'b'):
                relay.sendmail('-f', 'c%d@home.example' % case.number,
                               *[to for to in case.to if to[0] == who])
        relay.start()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(begin, relays))
    watch(relays, cases, home)
    for relay in relays:
        relay.is_empty('nothing stays')
        eq(relay.files('dead'), [], 'nothing is given up')
    told = set()
    for envelope, text in home.received():
        told.update(re.findall(r'^Final-Recipient: rfc822; *(\S+@c[0-9]+\.example)', text, re.M | re.I))
    for relay in relays:
        lines = relay.words().splitlines()
        for case in relay.cases:
            ids = {f['id'] for f in map(fields, (x for x in lines if '@' + case.domain in x)) if 'id' in f}
            case.check([x for x in lines if re.search(r'\brelay[ =]%s\b' % case.relay, x) or
                        fields(x).get('id') in ids], told)
        eq(relay.stop(), 0, 'the daemon ends with status 0')


def watch(relays, cases, home):
    """Who refuses connections is there once that was noticed; waits until the queues are empty."""
    closed = [c for c in cases if c.stage == 'connect']

    def over():
        for case in list(closed):
            words = next(r for r in relays if case in r.cases).words()
            if case.kind.two and case.settled(set()) or 'relay %s is held' % case.relay in words:
                closed.remove(case)
                case.bad.listen()
        return not closed and not any(r.files() for r in relays)
    until(over, 3 * PATIENCE, 0.2)
