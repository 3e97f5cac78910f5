"""The whole relay in a directory of its own, and smarthosts for it: what the end-to-end tests
share. A test makes Sink or Peer or Postfix, then a Relay that points to it, and says what it
expects with ok() and eq(); done() ends it. Every process started here is stopped by its own
handle when the test ends, however it ends. Ports are chosen by the kernel
wherever the program that listens can be told so."""
import atexit
import email
import email.policy
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap  # noqa: E402
from tap import eq, ok, say, skip, skip_all  # noqa: E402,F401

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get('NIGHTMAIL_BUILD', ROOT + '/build/release')
PEERS = ROOT + '/build/peers'
SANITIZED = '/san-' in BUILD
PATIENCE = 60 if SANITIZED else 30  # seconds: the bound of every wait
DIR = tempfile.mkdtemp(prefix='nm')

_running = []


# --- The end

def done():
    for process in list(_running):
        process.reported(process.stop())
    tap.done()


def until(condition, seconds=PATIENCE, step=0.05):
    """The first true value of condition(), asked again and again; else its last value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(step)


@atexit.register
def _leave():
    for process in reversed(list(_running)):
        process.stop()
    shutil.rmtree(DIR, ignore_errors=True)


for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, lambda *_: sys.exit(1))


# --- Files and processes

def path(name, content=None, mode=0o600):
    p = os.path.join(DIR, name)
    if content is not None:
        os.makedirs(os.path.dirname(p), exist_ok=True)
        with open(p, 'w') as f:
            f.write(content)
        os.chmod(p, mode)
    return p


def read(name):
    try:
        with open(path(name), errors='surrogateescape') as f:
            return f.read()
    except FileNotFoundError:
        return ''


def free_port():
    """For programs that cannot take port 0: below what the kernel hands out, so that no other test
    and no outgoing connection is given it in the meantime."""
    with open('/proc/sys/net/ipv4/ip_local_port_range') as f:
        low = int(f.read().split()[0])
    for _ in range(1000):
        port = random.randrange(max(1024, low // 2), low)
        with socket.socket() as s:
            try:
                s.bind(('127.0.0.1', port))
                return port
            except OSError:
                continue
    sys.exit('no free port')


class Process:
    """A program in the background, its output in DIR/NAME.log (appended)."""

    def __init__(self, name, command, env=None):
        self.name = name
        self.log = path(name + '.log')
        with open(self.log, 'ab') as log:
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=log, env=env, start_new_session=True)
        _running[:] = [p for p in _running if p is not self] + [self]

    def stop(self, how=signal.SIGTERM):
        """Its exit status; SIGKILL (-9) when it does not go within the bound."""
        if self.popen.poll() is None:
            self.popen.send_signal(how)
        try:
            return self.popen.wait(PATIENCE + 10)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait()

    def reported(self, status):
        pass

    def words(self):
        return read(self.name + '.log')

    def says(self, pattern, seconds=PATIENCE):
        return until(lambda: re.search(pattern, self.words(), re.M), seconds)


# --- The relay

class Relay(Process):
    """nightmaild on a spool of its own. Keys of [relay default], then other sections as text."""

    days = 0  # later in this boot than it is, for its daemon: in a time namespace

    def __init__(self, name='relay', port=0, host='127.0.0.1', more='', start=True, **keys):
        self.config = path(name + '/nightmail.conf')
        self.spool = path(name + '/spool')
        self.name = name + '/daemon'
        self.env = dict(os.environ, NIGHTMAIL_CONFIG=self.config, TZ='UTC')
        self.popen = None
        self.configure(host=host, port=port, more=more, **keys)
        if start:
            self.start()

    def configure(self, host='127.0.0.1', port=0, more='', retry='1s 2s', queue='', identity='',
                  **keys):
        keys = dict({'host': host, 'port': port, 'tls': 'none', 'probe': '1s'}, **keys)
        lines = ['[relay default]']
        lines += ['%s = %s' % (k.replace('_', '-'), v) for k, v in keys.items() if v is not None]
        lines += ['[identity]', 'helo = client.example', 'domain = home.example', identity,
                  '[queue]', 'dir = ' + self.spool, 'retry = ' + retry, queue, more]
        path(os.path.relpath(self.config, DIR), '\n'.join(lines) + '\n', 0o644)

    def start(self):
        ahead = ['unshare', '-T', '--boottime', str(int(self.days * 86400)), '--']
        super().__init__(self.name, (ahead if self.days else []) + [BUILD + '/nightmaild'], self.env)
        if not until(lambda: b'running' in self.run('nightmail', 'status').stdout or
                     self.popen.poll() is not None) or self.popen.poll() is not None:
            ok(False, 'the relay starts', self.words)
            sys.exit(1)

    def again(self, days):
        self.stop()
        self.days = days
        self.start()

    def stop(self, how=signal.SIGTERM):
        if not self.popen:
            return 0
        _running[:] = [p for p in _running if p is not self]
        return super().stop(how)

    def reported(self, status):
        ok(status == 0, 'the relay ends with status 0', lambda: '%s\n%s' % (status, self.words()))

    def run(self, program, *args, text=''):
        return subprocess.run([BUILD + '/' + program] + list(args), env=self.env,
                              input=text if isinstance(text, bytes) else text.encode(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def send(self, *to, subject='Test', body='Hello.\n', sender='alice@home.example', args=()):
        """The ID of a message queued by `send`."""
        r = self.run('send', *to, '-s', subject, '-f', sender, '-v', *args, text=body)
        if r.returncode != 0:
            ok(False, 'send queues a message', r)
            return ''
        return r.stdout.split()[-1].decode()

    def sendmail(self, *args, text='Subject: x\n\nHello.\n'):
        return self.run('sendmail', *args, text=text).returncode

    def queue(self, *args):
        r = self.run('mailq', '--json', *args)
        return [json.loads(line) for line in r.stdout.splitlines() if line.startswith(b'{')]

    def message(self, which):
        found = [m for m in self.queue('--all') if m['id'] == which]
        return found[0] if found else None

    def why(self, which):
        m = self.message(which)
        return m['why'] if m else ''

    def waits_because(self, which, pattern, name):
        """Checks that mailq comes to say so; tells what it said instead."""
        return ok(until(lambda: re.search(pattern, self.why(which))), name,
                  lambda: 'mailq: %s\n%s' % (self.message(which), self.tail()))

    def files(self, folder='queue'):
        return sorted(os.listdir(os.path.join(self.spool, folder)))

    def empty(self, seconds=PATIENCE):
        return until(lambda: not self.files(), seconds)

    def is_empty(self, name, seconds=PATIENCE):
        return ok(self.empty(seconds), name,
                  lambda: '%s\n%s' % (json.dumps(self.queue('--all'), indent=1), self.tail()))

    def results(self, which, status=''):
        """The log lines of a message's recipients: dicts of their fields."""
        return [f for f in map(fields, self.words().splitlines())
                if f.get('id') == which and f.get('status', '').startswith(status) and 'to' in f]

    def tail(self, lines=15):
        return '\n'.join(self.words().splitlines()[-lines:])


def crc32c(data):
    """The checksum of the records in a spool."""
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def fields(line):
    """key=value and key="value" of a log line."""
    found = re.findall(r'([a-z-]+)=("(?:[^"\\]|\\.)*"|<[^>]*>|\S*)', line)
    return {k: v.strip('"<>') for k, v in found}


# --- Smarthosts

class Sink(Process):
    """nightmail sink --json --dir; received() is what it kept, events() what it told."""

    def __init__(self, *args, name='sink', host='127.0.0.1', port=0, keep=True):
        self.kept = path(name + '-mail')
        os.makedirs(self.kept, exist_ok=True)
        self.since = len(read(name + '.log'))
        command = [BUILD + '/nightmail', 'sink', '--json', '--listen', '%s:%d' % (host, port)]
        super().__init__(name, command + (['--dir', self.kept] if keep else []) + list(args))
        if not until(lambda: self.events('listening')):
            ok(False, 'the sink listens', self.words)
            sys.exit(1)
        self.port = self.events('listening')[0]['port']

    def again(self, *args):
        """The same sink with other options, on the same port."""
        self.stop()
        return Sink(*args, name=self.name, port=self.port)

    def events(self, kind):
        lines = self.words()[self.since:].splitlines(keepends=True)
        found = [json.loads(line) for line in lines if line.endswith('}\n')]
        return [e for e in found if e['event'] == kind]

    def received(self):
        """[(envelope, text)] of the kept messages, oldest first."""
        numbers = [int(f[:-4]) for f in os.listdir(self.kept) if re.fullmatch(r'[0-9]+\.eml', f)]
        return [(json.loads(read(self.kept + '/%d.json' % n)), read(self.kept + '/%d.eml' % n))
                for n in sorted(numbers)]

    def arrived(self, subject):
        """(envelope, message) of the one mail with this subject, once it came."""
        def look():
            for envelope, text in self.received():
                m = email.message_from_bytes(text.encode('utf-8', 'surrogateescape'),
                                             policy=email.policy.default)
                if str(m['Subject']) == subject:
                    return envelope, m
            return None
        return until(look) or (None, None)

    def got(self, count, name, seconds=PATIENCE):
        until(lambda: len(self.received()) >= count, seconds)
        return eq(len(self.received()), count, name)


def way_home(sink):
    """Settings by which mail to home.example, bounces of the relay's users, goes to a smarthost."""
    return '''
[relay home]
host = 127.0.0.1
port = %d
tls = none
[route home]
recipient = *@home.example
relay = home
''' % sink.port


def own_ca(name='localhost', *more, lines=''):
    """A CA and a server certificate for the names and 127.0.0.1, by certtool: (ca, cert, key). lines:
    of the certificate's template, instead of its time."""
    d = path('tls-' + name)
    if os.path.exists(d):
        return d + '/ca.pem', d + '/cert.pem', d + '/key.pem'
    ca = path(d + '/ca.tmpl', 'cn = "Test CA"\nca\ncert_signing_key\nexpiration_days = 30\n')
    host = path(d + '/host.tmpl', 'cn = "%s"\n%sip_address = 127.0.0.1\n'
                'signing_key\ntls_www_server\n%s\n' %
                (name, ''.join('dns_name = "%s"\n' % n for n in (name,) + more),
                 lines or 'expiration_days = 30'))
    for args in (['-p', '--ecc', '--outfile', d + '/ca.key'],
                 ['-s', '--load-privkey', d + '/ca.key', '--template', ca, '--outfile', d + '/ca.pem'],
                 ['-p', '--ecc', '--outfile', d + '/key.pem'],
                 ['-c', '--load-privkey', d + '/key.pem', '--load-ca-privkey', d + '/ca.key',
                  '--load-ca-certificate', d + '/ca.pem', '--template', host,
                  '--outfile', d + '/cert.pem']):
        subprocess.run(['certtool', '--no-text'] + args, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    return d + '/ca.pem', d + '/cert.pem', d + '/key.pem'
