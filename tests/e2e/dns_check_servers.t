#!/usr/bin/env python3
"""dns-check --authoritative in a network of its own: root servers, a top-level domain, and name
servers of a domain that agree, differ, keep silent or know nothing."""
import json
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
INSIDE = 'NIGHTMAIL_NETWORK'
if INSIDE not in os.environ:
    # Port 53 and the addresses of the root's servers, and nothing of this machine's network.
    if not shutil.which('unshare') or not shutil.which('ip') or subprocess.run(
            ['unshare', '-rn', 'true'], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL).returncode:
        print('1..0 # SKIP no networks of our own here (unshare -rn)')
        sys.exit(0)
    os.environ[INSIDE] = '1'
    os.execvp('unshare', ['unshare', '-rn', sys.executable] + sys.argv)

from system import *  # noqa: E402
import names  # noqa: E402

names.need('nsd', 'openssl')
TOOL = BUILD + '/dns-check'
ROOTS = ('198.41.0.4', '170.247.170.2', '192.33.4.12', '199.7.91.13', '192.203.230.10', '192.5.5.241',
         '192.112.36.4', '198.97.190.53', '192.36.148.17', '192.58.128.30', '193.0.14.129',
         '199.7.83.42', '202.12.27.33', '199.9.14.201')
PARENT, FIRST, SECOND, STRANGER = '10.53.0.1', '10.53.0.2', '10.53.0.3', '10.53.0.4'
NOBODY = '10.53.0.9'
MX1, GONE = '192.0.2.1', '192.0.2.9'


def addresses():
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
    for a in ROOTS + (PARENT, FIRST, SECOND, STRANGER, NOBODY, MX1, GONE):
        subprocess.run(['ip', 'addr', 'add', a + '/32', 'dev', 'lo'], check=True)


class Nsd(names.Nsd):
    """nsd at port 53 of some addresses."""

    def __init__(self, name, addresses, *zones):
        self.addresses = addresses
        super().__init__(*zones, name=name)

    def up(self, make, is_up):
        Process.__init__(self, *make())
        if not until(self.answers_all):
            raise RuntimeError('%s does not start: %s' % (self.name, self.words()))

    def answers_all(self):
        question = b'\x12\x34\x01\x00\0\1\0\0\0\0\0\0\0\0\6\0\1'
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.5)
            try:
                s.sendto(question, (self.addresses[0], 53))
                return s.recv(4096)[:2] == b'\x12\x34'
            except OSError:
                return False

    def configure(self):
        self.port = 53
        name, command = super().configure()
        config = path(self.folder + '/nsd.conf')
        with open(config) as f:
            text = f.read()
        lines = ''.join('    ip-address: %s@53\n' % a for a in self.addresses)
        text = text.replace('ip-address: 127.0.0.1@53\n', lines.lstrip() + '\n')
        with open(config, 'w') as f:
            f.write(text.replace('                ip-address', '                ip-address'))
        return name, command


def zone(folder, name, records):
    """The same name may have another content on another server."""
    made = names.Zone(name, records)
    kept = made.file.replace('zones/', 'zones/' + folder + '.')
    os.rename(made.file, kept)
    made.file = kept
    return made


MAIL = '''@ NS ns2
ns1 A %s
ns2 A %s
@ MX 10 %s
mx1 A 192.0.2.1
mx2 A 192.0.2.2
@ TXT "v=spf1 mx %s"
_dmarc TXT "v=DMARC1; p=reject"
'''


def mail(mx='mx1', end='-all', first=FIRST, second=SECOND):
    return MAIL.replace('@ NS ns2', '@ NS ns1\n@ NS ns2') % (first, second, mx, end)


# Hosts of the MX, one of which is not there, and who may issue their certificates.
HOSTS = '@ MX 20 gone\ngone A %s\n@ CAA 0 issue "pki.goog"\n' % GONE
# An MX host with as many addresses as are tried at all.
CROWD = '@ MX 5 crowd\n' + ''.join('crowd A 198.51.100.%d\n' % i for i in range(1, 41))
# More than fits into a datagram.
LONG = ''.join('@ TXT "%s"\n' % (c * 250) for c in 'abcdefgh')


def child(name, first=FIRST, second=SECOND):
    return '%s NS ns1.%s\n%s NS ns2.%s\nns1.%s A %s\nns2.%s A %s\n' % (
        name, name, name, name, name, first, name, second)


def plain(folder, name, records):
    """Without the NS and its address that names.Zone adds."""
    made = zone(folder, name, records)
    with open(made.file) as f:
        text = f.read()
    with open(made.file, 'w') as f:
        f.write(text.replace('@ NS ns\nns A 127.0.0.1\n', ''))
    return made


def check(domain, *args):
    r = subprocess.run([TOOL, domain, '--authoritative', '--trust-anchor', 'none', '--timeout', '30',
                        '--json', *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    try:
        return json.loads(r.stdout.decode()), r.returncode
    except ValueError:
        return {'findings': [], 'output': str(r)}, r.returncode


def of(answer, id_):
    return [f for f in answer['findings'] if f['id'] == id_]


def start():
    root = plain('root', '', '@ NS ns\nns A %s\nlab NS ns.lab\nns.lab A %s\n' % (ROOTS[0], PARENT))
    lab = plain('lab', 'lab', '@ NS ns\nns A %s\n' % PARENT + child('alike') + child('mx') + child('spf') + child('lame', FIRST, STRANGER) +
                child('silent', FIRST, NOBODY) + child('crowd'))
    more = {'spf': LONG, 'alike': HOSTS, 'crowd': CROWD}
    ones = [plain('one', n + '.lab', mail(**how) + more.get(n, '')) for n, how in (
        ('alike', {}), ('mx', {}), ('spf', {}), ('lame', {'second': STRANGER}), ('silent', {'second': NOBODY}), ('crowd', {}))]
    twos = [plain('two', n + '.lab', mail(**how) + more.get(n, '')) for n, how in (
        ('alike', {'mx': 'MX1'}), ('mx', {'mx': 'mx2'}), ('spf', {'end': '~all'}), ('crowd', {}))]
    return [Nsd('root', ROOTS, root), Nsd('parent', (PARENT,), lab), Nsd('first', (FIRST,), *ones),
            Nsd('second', (SECOND,), *twos), Nsd('stranger', (STRANGER,), plain('x', 'x.lab', mail()))]


def test_servers():
    answer, status = check('alike.lab')
    ok(of(answer, 'ns.ok') and answer.get('mx') == ['mx1.alike.lab', 'gone.alike.lab'] and status != 64,
       'servers that agree, found from the root', answer)
    answer, _ = check('mx.lab')
    found = of(answer, 'mx.ns_disagree')
    ok(found and found[0]['severity'] == 'warn' and '10 mx2.mx.lab' in found[0]['evidence'] and
       'ns1.mx.lab: 10 mx1.mx.lab' in found[0]['evidence'] and not of(answer, 'ns.ok'),
       'servers that differ in the MX, and what each says', answer)
    answer, _ = check('spf.lab')
    ok([f['text'] for f in of(answer, 'ns.disagree')] == ['the name servers differ in SPF'] and
       not of(answer, 'mx.ns_disagree'), 'servers that differ in SPF, in an answer that takes TCP', answer)
    answer, _ = check('lame.lab')
    ok([f['subject'] for f in of(answer, 'ns.lame')] == ['ns2.lame.lab'], 'one that knows nothing of the zone',
       answer)
    answer, _ = check('silent.lab')
    ok([(f['subject'], f['severity']) for f in of(answer, 'ns.silent')] == [('ns2.silent.lab', 'warn')],
       'one that keeps silent', answer)
    chain = answer.get('chain', {})
    ok(chain.get('took_ms', 10 ** 9) <= chain['length'] * chain['slowest_ms'] + 3000,
       'and the others are not kept waiting for it', chain)


def test_expect():
    answer, status = check('mx.lab', '--expect', path('want', '@ MX 10 mx1.mx.lab.\n', 0o644))
    found = of(answer, 'expect.missing')
    ok(status == 2 and any('ns2.mx.lab' in f['text'] for f in found),
       'a record is there when all servers have it', answer)
    answer, status = check('alike.lab', '--expect', path(
        'want', '@ MX 10 mx1.alike.lab.\n@ MX 20 gone.alike.lab.\n', 0o644))
    ok(status == 0 and of(answer, 'expect.ok'), 'which these have', answer)


class Mail(socketserver.StreamRequestHandler):
    """An SMTP server that offers STARTTLS."""

    def handle(self):
        self.wfile.write(b'220 mx1.alike.lab ESMTP\r\n')
        while True:
            line = self.rfile.readline().strip().upper()
            if line.startswith(b'EHLO'):
                self.wfile.write(b'250-mx1.alike.lab\r\n250 STARTTLS\r\n')
            elif line == b'STARTTLS':
                self.wfile.write(b'220 go\r\n')
                self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
                self.rfile, self.wfile = self.connection.makefile('rb'), self.connection.makefile('wb', 0)
            else:
                self.wfile.write(b'221 bye\r\n')
                return


def mail_server():
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
                    '-nodes', '-keyout', path('mx.key'), '-out', path('mx.pem'), '-days', '30', '-subj',
                    "/C=US/O=Let's Encrypt/CN=mx1.alike.lab"], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    server = socketserver.ThreadingTCPServer((MX1, 25), Mail)
    server.daemon_threads = True
    server.handle_error = lambda *args: None
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.tls.load_cert_chain(path('mx.pem'), path('mx.key'))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def test_connect():
    answer, _ = check('alike.lab')
    ok(not of(answer, 'mx.reached') and not of(answer, 'mx.unreachable'), 'nobody connects unasked', answer)
    server = mail_server()
    answer, _ = check('alike.lab', '--connect')
    crowd, _ = check('crowd.lab', '--connect')
    server.shutdown()
    server.server_close()
    found = of(answer, 'mx.unreachable')
    ok([f['subject'] for f in of(answer, 'mx.reached')] == ['mx1.alike.lab'] and
       [(f['subject'], f['severity']) for f in found] == [('gone.alike.lab', 'unknown')] and
       'refused' in found[0]['text'], '--connect: one MX host answers and one does not', answer)
    ok([f['subject'] for f in of(crowd, 'mx.reached')] == ['mx1.crowd.lab'] and
       [f['subject'] for f in of(crowd, 'mx.unreachable')] == ['crowd.crowd.lab'],
       'also beside a host with many addresses', crowd)
    found = of(answer, 'caa.forbids_current_issuer')
    ok([f['subject'] for f in found] == ['mx1.alike.lab'] and
       found[0]['fix'] == 'alike.lab. CAA 0 issue "letsencrypt.org"',
       'and the one has a certificate that CAA forbids', answer)


def test_wait():
    """The second server gets the record while somebody waits for it."""
    want = path('want', '@ MX 10 mx1.mx.lab.\n', 0o644)
    waiting = subprocess.Popen([TOOL, 'mx.lab', '--trust-anchor', 'none', '--timeout', '30', '--expect', want,
                                '--wait=60', '--plain'], stdout=subprocess.PIPE)
    plain('two', 'mx.lab', mail())
    second = servers[3]
    second.stop()
    servers[3] = Nsd('second', (SECOND,), *second.zones)
    out = waiting.communicate(timeout=120)[0].decode()
    ok(waiting.returncode == 0 and 'expect.ok' in out, '--wait ends when all servers have it', out)
    status = subprocess.run([TOOL, 'mx.lab', '--trust-anchor', 'none', '--timeout', '30', '--expect',
                             path('never', '@ MX 10 mx9.mx.lab.\n', 0o644), '--wait=1', '--plain'],
                            stdout=subprocess.PIPE).returncode
    ok(status == 2, 'and with a failure when the time is over', status)


addresses()
servers = start()
try:
    test_servers()
    test_expect()
    test_connect()
    test_wait()
finally:
    for s in servers:
        s.stop()
done()
