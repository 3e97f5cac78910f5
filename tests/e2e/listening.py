"""A relay that listens by TCP, and a client that says what it is told to: shared by the tests of
the listener."""
import os
import re
import socket
import ssl

from system import PATIENCE, Relay, ok, own_ca, path, read, until


class Listening(Relay):
    """A relay with a [listen] section; .port is where it listens on 127.0.0.1."""

    def __init__(self, name='relay', listen='', tcp='127.0.0.1:0', trust='yes', more='', **keys):
        self.words_of = '\n'.join([more, '[listen]', 'tcp = ' + tcp if tcp else '',
                                   'trust-local = ' + trust, listen])
        super().__init__(name, more=self.words_of, **keys)

    def start(self):
        self.seen = len(read(self.name + '.log'))
        super().start()

    @property
    def listens(self):
        """The port on 127.0.0.1 that was opened last."""
        found = until(lambda: re.findall(r'listening on 127\.0\.0\.1:(\d+)',
                                         self.words()[self.seen:]))
        return int(found[-1]) if found else 0

    def client(self, hello='EHLO', source=None):
        return Client(('127.0.0.1', self.listens), hello, source)

    def local(self, hello='EHLO'):
        """By the Unix socket."""
        return Client(self.spool + '/run/submit', hello)

    def sessions(self):
        """Processes of sessions."""
        parent = self.popen.pid
        found = []
        try:
            with open('/proc/%d/task/%d/children' % (parent, parent)) as f:
                candidates = f.read().split()
        except OSError:
            candidates = list(filter(str.isdigit, os.listdir('/proc')))
        for pid in candidates:
            try:
                with open('/proc/%s/stat' % pid) as f:
                    stat = f.read()
                with open('/proc/%s/cmdline' % pid) as f:
                    command = f.read()
            except OSError:
                continue
            if int(stat.rsplit(')', 1)[1].split()[1]) == parent and 'nightmail-deliver' not in command:
                found.append(int(pid))
        return found


class Client:
    """Says bytes, reads replies: [(code, text)]."""

    def __init__(self, where, hello='EHLO', source=None):
        self.sock = socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET)
        self.sock.settimeout(PATIENCE)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect(where)
        if not isinstance(where, str):
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.have = b''
        self.greeting = self.reply()
        self.extensions = self.ask(hello + ' client.example')[1] if hello else ''

    def line(self):
        while b'\n' not in self.have:
            try:
                more = self.sock.recv(65536)
            except ConnectionError:
                more = b''
            if not more:
                return b''
            self.have += more
        line, self.have = self.have.split(b'\n', 1)
        return line.rstrip(b'\r')

    def reply(self):
        """(code, text); code 0 at the end."""
        texts = []
        while True:
            line = self.line()
            if not line:
                return 0, ' '.join(texts)
            texts.append(line[4:].decode(errors='replace'))
            if line[3:4] != b'-':
                return int(line[:3]), '\n'.join(texts)

    def say(self, data):
        data = data.encode('utf-8') if isinstance(data, str) else data
        try:
            self.sock.sendall(data)
        except ConnectionError:
            pass  # what was said before is still to be read

    def ask(self, line):
        self.say(line + '\r\n')
        return self.reply()

    def code(self, line):
        return self.ask(line)[0]

    def rest(self):
        """All replies up to the end."""
        found = []
        while True:
            code, text = self.reply()
            if code == 0:
                return found
            found.append((code, text))

    def envelope(self, sender='alice@home.example', *to):
        code = self.code('MAIL FROM:<%s>' % sender)
        for address in to or ('bob@example.org',):
            code = max(code, self.code('RCPT TO:<%s>' % address))
        return code

    def mail(self, subject='Test', body='Hello.\r\n', sender='alice@home.example', to='bob@example.org'):
        """The last reply."""
        if self.envelope(sender, to) != 250 or self.code('DATA') != 354:
            return 0, 'refused before the data'
        self.say('Subject: %s\r\n\r\n%s.\r\n' % (subject, body))
        return self.reply()

    def starttls(self, ca=None):
        code, text = self.ask('STARTTLS')
        if code != 220:
            return code
        context = ssl.create_default_context(cafile=ca or own_ca()[0])
        self.sock = context.wrap_socket(self.sock, server_hostname='localhost')
        self.extensions = self.ask('EHLO client.example')[1]
        return code

    def close(self):
        self.sock.close()


def accepted(reply, name):
    """Checks that a message was queued; its ID."""
    found = re.fullmatch(r'2\.0\.0 queued as (\w+)', reply[1])
    ok(reply[0] == 250 and found, name, reply)
    return found.group(1) if found else ''


def users_file(name='users', **users):
    return path(name, ''.join('%s:%s\n' % u for u in users.items()), 0o600)
