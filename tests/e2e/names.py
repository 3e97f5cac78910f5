"""Name servers for end-to-end tests: zones signed with ldns and served by nsd, an unbound in front
of one, a server that keeps silent, and one from a dict of records."""
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
from system import DIR, ROOT, Process, free_port, own_ca, path, skip_all, until  # noqa: E402

SUITES = os.path.join(os.path.dirname(ROOT), 'shared', 'conformance')


def missing(*programs):
    return [p for p in programs if not shutil.which(p, path=os.environ['PATH'] + ':/usr/sbin')]


def need(*programs):
    if missing(*programs):
        skip_all('no %s' % ', '.join(missing(*programs)))


def run(*command):
    r = subprocess.run(command, cwd=path('zones'), stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT)
    if r.returncode:
        raise RuntimeError('%s: %s' % (command, r.stdout.decode()))
    return r.stdout.decode()


class Zone:
    """NAME and its records as lines of a zone file. sign: None, 'good', 'expired' or 'broken' (the
    signature over the records of broken_name and broken_type is not one)."""

    def __init__(self, name, records, sign=None, broken=('bad', 'A')):
        self.name, self.sign = name, sign  # the root's name is ''
        os.makedirs(path('zones'), exist_ok=True)
        self.file = path('zones/%s.zone' % (name or 'root'), '$ORIGIN %s.\n$TTL 300\n'
                         '@ SOA ns hostmaster 1 3600 600 86400 30\n@ NS ns\nns A 127.0.0.1\n%s\n' %
                         (name, records), 0o644)
        self.ds = ''
        if sign:
            self.make_keys()
            self.sign_it(broken)

    def make_keys(self):
        self.keys = [run('ldns-keygen', '-a', 'ECDSAP256SHA256', *more, self.name + '.').strip()
                     for more in (['-k'], [])]
        with open(path('zones/%s.ds' % self.keys[0])) as f:
            self.ds = f.read()

    def sign_it(self, broken):
        when = ['-i', '20200101000000', '-e', '20200201000000'] if self.sign == 'expired' else []
        run('ldns-signzone', '-n', *when, '-f', self.file + '.signed', self.file, *self.keys)
        self.file += '.signed'
        if self.sign == 'broken':
            self.break_it(*broken)

    def break_it(self, name, type):
        owner = '%s.%s' % (name, self.name + '.' if self.name else '')
        with open(self.file) as f:
            lines = f.readlines()
        for i, line in enumerate(lines):
            words = line.split()
            if len(words) > 4 and words[0] == owner and words[3:5] == ['RRSIG', type]:
                signature = words[12]
                words[12] = ('B' if signature[0] == 'A' else 'A') + signature[1:]
                lines[i] = ' '.join(words) + '\n'
        with open(self.file, 'w') as f:
            f.writelines(lines)


class Server(Process):
    """Has self.server, ADDRESS:PORT."""

    def up(self, make, is_up):
        """Starts it on a port that nobody has, for both UDP and TCP."""
        for _ in range(5):
            self.port = free_port()
            self.server = '127.0.0.1:%d' % self.port
            super().__init__(*make())
            if until(lambda: is_up() or self.popen.poll() is not None) and \
                    self.popen.poll() is None:
                return
            self.stop()
        raise RuntimeError('%s does not start: %s' % (self.name, self.words()))

    def answers(self, name, type='SOA'):
        """True when it answers anything at all (a question of our own, by hand)."""
        number = {'SOA': 6, 'A': 1}[type]
        question = b''.join(bytes([len(l)]) + l.encode() for l in name.split('.') if l) + b'\0'
        packet = b'\x12\x34\x01\x00\0\1\0\0\0\0\0\0' + question + bytes([0, number, 0, 1])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.5)
            try:
                s.sendto(packet, ('127.0.0.1', self.port))
                return s.recv(4096)[:2] == b'\x12\x34'
            except OSError:
                return False


class Nsd(Server):
    """nsd with zones; self.anchor is the file of their keys."""

    def __init__(self, *zones, name='nsd'):
        self.zones, self.folder = zones, name
        os.makedirs(path(name), exist_ok=True)
        self.anchor = path(name + '/anchor', ''.join(z.ds for z in zones), 0o644)
        self.up(self.configure, lambda: self.answers(zones[0].name))

    def configure(self):
        home = path(self.folder)
        config = path(self.folder + '/nsd.conf', '''
            server:
                ip-address: 127.0.0.1@%d
                server-count: 1
                username: ""
                chroot: ""
                zonesdir: "%s"
                database: ""
                pidfile: "%s/pid"
                xfrdfile: "%s/xfrd"
                zonelistfile: "%s/zonelist"
                xfrdir: "%s"
            remote-control:
                control-enable: no
            ''' % (self.port, home, home, home, home, home) + ''.join(
                'zone:\n  name: "%s"\n  zonefile: "%s"\n' % (z.name or '.', z.file)
                for z in self.zones), 0o644)
        return self.folder + '/server', ['/usr/sbin/nsd', '-d', '-c', config]


class Unbound(Server):
    """A caching forwarder in front of the zones of another server. strip: it hands no signatures
    on, as many routers do."""

    def __init__(self, nsd, name='unbound', strip=False):
        self.nsd, self.folder, self.strip = nsd, name, strip
        os.makedirs(path(name), exist_ok=True)
        self.up(self.configure, lambda: self.answers(nsd.zones[0].name))

    def configure(self):
        home = path(self.folder)
        config = path(self.folder + '/unbound.conf', '''
            server:
                interface: 127.0.0.1@%d
                do-not-query-localhost: no
                chroot: ""
                username: ""
                directory: "%s"
                pidfile: ""
                use-syslog: no
                do-daemonize: no
                access-control: 127.0.0.0/8 allow
                module-config: "%s"
                disable-dnssec-lame-check: yes
            %s
            remote-control:
                control-enable: no
            ''' % (self.port, home, 'iterator' if self.strip else 'validator iterator',
                   '' if self.strip else '    trust-anchor-file: "%s"' % self.nsd.anchor) +
            ''.join('stub-zone:\n  name: "%s."\n  stub-addr: 127.0.0.1@%d\n' %
                    (z.name, self.nsd.port) for z in self.nsd.zones), 0o644)
        return self.folder + '/server', ['/usr/sbin/unbound', '-d', '-c', config]


class Dict(Server):
    """The small server of the conformance suites: {"name": [["A", "192.0.2.1"], ...]}; a question
    for TIMEOUT gets no answer."""

    def __init__(self, records, name='dnsd'):
        if not os.path.exists(SUITES + '/dnsd.py'):
            skip_all('there is no ' + SUITES)
        zone = path(name + '.json', json.dumps(records))
        self.up(lambda: (name, [sys.executable, SUITES + '/dnsd.py', str(self.port), zone]),
                lambda: 'listening' in self.words())

    def asked(self, name, type):
        return self.words().count('%s %s ' % (name, type))


class Silent:
    """A name server that never answers; asked() counts the packets it got."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(('127.0.0.1', 0))
        self.socket.setblocking(False)
        self.server = '127.0.0.1:%d' % self.socket.getsockname()[1]
        self.count = 0

    def asked(self):
        try:
            while self.socket.recv(4096):
                self.count += 1
        except OSError:
            return self.count


class Policies(http.server.ThreadingHTTPServer):
    """An HTTPS server for MTA-STS at port 443 of an address that no other test has (needs root); its
    certificate is for the names. self.answers: by host, "" is a 404, one that begins with https: a
    redirect; self.ca signed it."""

    def __init__(self, address, *names):
        self.answers, self.asked = {}, 0
        self.ca, cert, key = own_ca(*names)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        super().__init__((address, 443), Policies.Answer)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass  # a client that does not like the certificate

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.server.answers.get(self.headers['Host'], '').encode()
            away = body.startswith(b'https:')
            self.send_response(301 if away else 200 if body else 404)
            if away:
                self.send_header('Location', body.decode())
            self.send_header('Content-Type', 'text/plain')
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.server.asked += 1

        def log_message(self, *words):
            pass


def policy(mx, mode='enforce', max_age=86400):
    """The text of an MTA-STS policy."""
    return 'version: STSv1\r\nmode: %s\r\nmx: %s\r\nmax_age: %d\r\n' % (mode, mx, max_age)
