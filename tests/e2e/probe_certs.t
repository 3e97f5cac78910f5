#!/usr/bin/env python3
"""smtp-probe and certificates of every kind: whether it is trusted, why not, which names it has,
how long it holds, and the pin and TLSA record to publish, held against what openssl computes."""
import base64
import calendar
import concurrent.futures
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402

NAME = 'mx.lab.example'
DAY = 86400


def run(*command, text=None):
    r = subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    if r.returncode != 0:
        raise RuntimeError('%s: %s' % (' '.join(command), r.stderr.decode(errors='replace')))
    return r.stdout


NOW = time.time()


def date(days):
    return time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(NOW + days * DAY))


def day(days):
    return date(days)[:10]


class Cert:
    """A certificate and its key, below DIR/certs. lines: of certtool's template; days: (from, until),
    counted from now; openssl: a digest, to have it made by openssl for NAME and `names`, since certtool
    has forgotten some digests and counts names to 128."""
    made = {}

    def __init__(self, file, *lines, by=None, cn='', org='Lab', ca=False, key=('--ecc',), hash='sha256',
                 days=(-2, 30.5), purpose='tls_www_server', openssl='', names=()):
        base = path('certs/' + file)
        self.file, self.cert, self.key = file, base + '.crt', base + '.key'
        words = ['cn = "%s"' % cn] if cn else []
        words += ['activation_date = "%s"' % date(days[0]), 'expiration_date = "%s"' % date(days[1]),
                  'organization = "%s"' % org]
        words += ['ca', 'cert_signing_key'] if ca else ['signing_key', purpose]
        template = path('certs/%s.tmpl' % file, '\n'.join(words + list(lines)) + '\n')
        run('certtool', '--generate-privkey', '--no-text', '--outfile', self.key, *key)
        how = ['--generate-self-signed'] if not by else [
            '--generate-certificate', '--load-ca-certificate', by.cert, '--load-ca-privkey', by.key]
        run('certtool', *how, '--no-text', '--load-privkey', self.key, '--template', template,
            '--hash', hash, '--outfile', self.cert)
        if openssl:
            wishes = path('certs/%s.cnf' % file, '[req]\ndistinguished_name = dn\nreq_extensions = ext\n'
                          '[dn]\n[ext]\nsubjectAltName = @names\n[names]\n' + ''.join(
                              'DNS.%d = %s\n' % item for item in enumerate((NAME,) + names)))
            wish = run('openssl', 'req', '-new', '-key', self.key, '-subj', '/O=' + org, '-config', wishes)
            run('openssl', 'x509', '-req', '-CA', by.cert, '-CAkey', by.key, '-' + openssl, '-days', '30',
                '-copy_extensions', 'copyall', '-set_serial', '99', '-out', self.cert, text=wish)
        Cert.made[file] = self

    @classmethod
    def of(cls, file):
        return cls.made[file]

    def pem(self):
        return read(self.cert)


def pin_of(cert):
    """SHA-256 of the public key, by openssl: hexadecimal."""
    key = run('openssl', 'x509', '-in', cert, '-noout', '-pubkey')
    der = run('openssl', 'pkey', '-pubin', '-outform', 'DER', text=key)
    return run('openssl', 'dgst', '-sha256', '-r', text=der).decode()[:64]


class Server:
    """SMTP with STARTTLS, with this chain; one port."""

    def __init__(self, chain, key, file):
        pem = path('certs/%s.chain' % file, ''.join(chain))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.set_ciphers('ALL:@SECLEVEL=0')
        self.context.load_cert_chain(pem, key)
        self.listener = socket.socket()
        self.listener.bind(('127.0.0.1', 0))
        self.listener.listen(8)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection):
        connection.settimeout(PATIENCE)
        try:
            connection.sendall(b'220 %s ESMTP\r\n' % NAME.encode())
            connection.recv(1000)
            connection.sendall(b'250-x.lab\r\n250 STARTTLS\r\n')
            connection.recv(1000)
            connection.sendall(b'220 go\r\n')
            with self.context.wrap_socket(connection, server_side=True) as tls:
                while True:
                    word = tls.recv(1000)[:4]
                    if not word:
                        return
                    tls.sendall(b'221 bye\r\n' if word == b'QUIT' else b'250 x.lab\r\n')
        except OSError:
            pass
        finally:
            connection.close()


root = Cert('root', cn='Lab Root', ca=True)
mid = Cert('mid', 'path_len = 0', cn='Lab Issuing', ca=True, by=root)
oldmid = Cert('oldmid', cn='Lab Old Issuing', ca=True, by=root, days=(-30, -1.5))
soonmid = Cert('soonmid', cn='Lab Ending Issuing', ca=True, by=root, days=(-30, 5.5))
ncmid = Cert('ncmid', 'nc_permit_dns = "elsewhere.example"', cn='Lab Constrained', ca=True, by=root)
deepmid = Cert('deepmid', cn='Lab Too Deep', ca=True, by=mid)
stranger = Cert('stranger', cn='Stranger Root', ca=True, org='Strangers')
DNS = 'dns_name = "%s"'
GOOD = DNS % NAME
IDN = 'm\u00e9.lab.example'
RSA = ('--key-type', 'rsa', '--bits', '2048')


def leaf(file, *lines, by=mid, **more):
    return Cert(file, *(lines or (GOOD,)), by=by, **more)


good, notca = leaf('good'), leaf('notca')
# what, certificate, what is sent above it, name that is asked for; verified?, finding, its words
TRUSTED, NO = True, False
TABLE = [
    ('good', good, [mid], NAME, TRUSTED, 'tls.ok', r'verified \(pkix\), 30 days left$'),
    ('self-signed', leaf('self', by=None), [], NAME, NO, 'tls.self_signed', 'is self-signed$'),
    ('expired', leaf('expired', days=(-30, -3)), [mid], NAME, NO, 'tls.expired', 'expired on %s$' % day(-3)),
    ('not yet valid', leaf('early', days=(3, 30)), [mid], NAME, NO, 'tls.not_yet',
     'is not valid before %s$' % day(3)),
    ('another name', leaf('other', DNS % 'other.lab.example', DNS % 'www.lab.example'), [mid], NAME, NO,
     'tls.name_mismatch', 'is for other.lab.example and www.lab.example, not for mx.lab.example$'),
    ('a common name only', leaf('cnonly', 'serial = 7', cn=NAME), [mid], NAME, TRUSTED, 'tls.cn_only',
     r'in the subject only \(O=Lab,CN=mx.lab.example\)'),
    ('a common name beside others', leaf('cnsan', DNS % 'other.lab.example', cn=NAME), [mid], NAME, NO,
     'tls.name_mismatch', 'is for other.lab.example, not for mx.lab.example$'),
    ('another common name', leaf('cnother', 'serial = 8', cn='other.lab.example'), [mid], NAME, NO,
     'tls.name_mismatch', 'is for CN=other.lab.example, not for mx.lab.example$'),
    ('a wildcard', leaf('wild', DNS % '*.lab.example'), [mid], NAME, TRUSTED, 'tls.ok', 'verified'),
    ('part of a wildcard', leaf('wildpart', DNS % 'm*.lab.example'), [mid], NAME, NO, 'tls.name_mismatch',
     r'is for m\*.lab.example, not for'),
    ('a wildcard two levels up', leaf('wildtwo', DNS % '*.example'), [mid], NAME, NO,
     'tls.name_mismatch', r'is for \*.example, not for'),
    ('a wildcard inside', leaf('wildin', DNS % 'mx.*.example'), [mid], NAME, NO, 'tls.name_mismatch',
     r'is for mx.\*.example, not for'),
    ('an address', leaf('ip', 'ip_address = 127.0.0.1'), [mid], '127.0.0.1', TRUSTED, 'tls.ok', 'verified'),
    ('another address', leaf('ip2', 'ip_address = 127.0.0.2'), [mid], '127.0.0.1', NO,
     'tls.name_mismatch', 'is for 127.0.0.2, not for the address 127.0.0.1$'),
    ('an address as a name', leaf('ip3', DNS % '127.0.0.1'), [mid], '127.0.0.1', NO,
     'tls.name_mismatch', r'is for 127.0.0.1 \(as a host name\), not for the address 127.0.0.1$'),
    ('a name beside an address', leaf('ip4', GOOD, 'ip_address = ::1'), [mid], '127.0.0.1', NO,
     'tls.name_mismatch', 'is for mx.lab.example and ::1, not for the address 127.0.0.1$'),
    ('an international name', leaf('idn', DNS % IDN.encode('idna').decode()), [mid], IDN, TRUSTED,
     'tls.ok', 'verified'),
    ('its A-label', leaf('idn2', DNS % IDN.encode('idna').decode()), [mid], IDN.encode('idna').decode(),
     TRUSTED, 'tls.ok', 'verified'),
    ('no intermediate', leaf('nomid'), [], NAME, NO, 'tls.chain_incomplete',
     r'lack an intermediate certificate .*\(CN=Lab Issuing\), which the server must send$'),
    ('the wrong intermediate', leaf('wrongmid'), [soonmid], NAME, NO, 'tls.chain_order',
     'number 1 .*is not signed by number 2 .*CN=Lab Ending Issuing'),
    ('out of order', leaf('order'), [root, mid], NAME, TRUSTED, 'tls.chain_order',
     'number 1 .*is not signed by number 2 .*CN=Lab Root'),
    ('more than is needed', leaf('extra'), [mid, good, root], NAME, TRUSTED, 'tls.chain_order',
     'number 2 .*CN=Lab Issuing.* is not signed by number 3'),
    ('the root sent along', leaf('withroot'), [mid, root], NAME, TRUSTED, 'tls.ok', 'verified'),
    ('a root that is not trusted', leaf('strange', by=stranger), [stranger], NAME, NO, 'tls.untrusted',
     r'unknown issuer \(CN=Stranger Root\)$'),
    ('and one that is not sent', leaf('strange2', by=stranger), [], NAME, NO, 'tls.untrusted',
     r'unknown issuer \(CN=Stranger Root\), which the server does not send either$'),
    ('a stranger and another name', leaf('strange3', DNS % 'other.example', by=stranger), [stranger],
     NAME, NO, 'tls.name_mismatch', 'is for other.example, not for mx.lab.example, is signed by an unknown'),
    ('an expired intermediate', leaf('underold', by=oldmid), [oldmid], NAME, NO, 'tls.expired',
     r'has an issuer \(CN=Lab Old Issuing\) that expired on %s$' % day(-1.5)),
    ('an intermediate that ends first', leaf('undersoon', by=soonmid), [soonmid], NAME, TRUSTED,
     'tls.expires_soon', 'of an issuer, expires on %s, in 5 days$' % day(5.5)),
    ('one that ends soon', leaf('soon', days=(-2, 10.5)), [mid], NAME, TRUSTED, 'tls.expires_soon',
     '^the certificate expires on %s, in 10 days$' % day(10.5)),
    ('one that ends tomorrow', leaf('tomorrow', days=(-2, 1.5)), [mid], NAME, TRUSTED, 'tls.expires_soon',
     'expires on %s, in 1 day$' % day(1.5)),
    ('RSA with 1024 bits', leaf('weak', key=('--key-type', 'rsa', '--bits', '1024')), [mid], NAME, NO,
     'tls.weak_key', r'has a weak key \(RSA with 1024 bits\)$'),
    ('SHA-1', leaf('sha1', hash='sha1'), [mid], NAME, NO, 'tls.weak_signature',
     r'has a weak signature \(ECDSA-SHA1\)$'),
    ('MD5', leaf('md5', key=RSA, by=Cert('md5ca', cn='Lab Old Hash', ca=True, by=root, key=RSA),
                 openssl='md5'), [Cert.of('md5ca')], NAME, NO, 'tls.weak_signature',
     r'has a weak signature \(RSA-MD5\)'),
    ('for clients', leaf('client', purpose='tls_www_client'), [mid], NAME, NO, 'tls.purpose',
     'is not meant for servers$'),
    ('for nothing in particular', leaf('plain', GOOD, purpose=''), [mid], NAME, TRUSTED, 'tls.ok', 'verified'),
    ('a CA of its own', Cert('caleaf', GOOD, 'signing_key', cn=NAME, ca=True, by=root), [], NAME, TRUSTED,
     'tls.ok', 'verified'),
    ('a CA that may sign certificates only', Cert('caleaf2', GOOD, cn=NAME, ca=True, by=root), [], NAME,
     None, 'tls.handshake', 'may not be used for TLS'),
    ('signed by what is no CA', leaf('belowleaf', by=notca), [notca, mid], NAME, NO, 'tls.constraints',
     'is signed by O=Lab, which is no CA$'),
    ('signed by a CA too many', leaf('deep', by=deepmid), [deepmid, mid], NAME, NO, 'tls.constraints',
     'a signature above it by CN=Lab Issuing, which may sign no CA below it$'),
    ('a name its CA may not sign for', leaf('undernc', by=ncmid), [ncmid], NAME, NO, 'tls.constraints',
     r'has names that its issuer \(CN=Lab Constrained\) may not sign for$'),
    ('90 kB of names', leaf('many', openssl='sha256', names=tuple(
        'a-name-%04d.that-is-long.lab.example' % n for n in range(2500))), [mid], NAME, TRUSTED, 'tls.ok',
     'verified'),
    ('RSA', leaf('rsa', key=RSA), [mid], NAME, TRUSTED, 'tls.ok', 'verified'),
    ('RSA-PSS', leaf('pss', key=('--key-type', 'rsa-pss', '--bits', '2048')), [mid], NAME, TRUSTED,
     'tls.ok', 'verified'),
    ('Ed25519', leaf('ed', key=('--key-type', 'ed25519')), [mid], NAME, TRUSTED, 'tls.ok', 'verified'),
    ('P-384', leaf('p384', key=('--ecc', '--curve', 'secp384r1')), [mid], NAME, TRUSTED, 'tls.ok', 'verified'),
    ('must-staple without a staple', leaf('staple', GOOD, 'tls_feature = 5'), [mid], NAME, NO,
     'tls.no_staple', 'requires a proof of non-revocation'),
]
KEYS = {'rsa': ('RSA', 2048), 'pss': ('RSA-PSS', 2048), 'ed': ('EdDSA (Ed25519)', 256),
        'p384': ('EC/ECDSA', 384), 'weak': ('RSA', 1024), 'good': ('EC/ECDSA', 256)}


def probe(port, name, *more):
    r = subprocess.run([BUILD + '/smtp-probe', '--helo', 'client.example', '--tls', '--ca-file', root.cert,
                        '--verify-name', name, '127.0.0.1:%d' % port, *more], timeout=120,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       env=dict(os.environ, TZ='UTC', NIGHTMAIL_CONFIG='/nonexistent'))
    return r.stdout.decode()


def ask(row):
    label, cert, above, name = row[:4]
    server = Server([cert.pem()] + [c.pem() for c in above], cert.key, cert.file)
    return json.loads(probe(server.port, name, '--json'))


def check(row, answer):
    label, cert, above, name, verified, id, words = row
    tls = answer['tls']
    found = [f for f in answer['findings'] if f['id'] == id]
    ok(found and re.search(words, found[0]['text']), '%s: %s' % (label, id), answer['findings'])
    eq(len(found), 1, label + ': told once')
    if verified is None:
        eq(tls['established'], False, label + ': no TLS')
        return
    eq((tls['established'], tls['verified'], bool(tls['verify_error'])), (True, verified, not verified),
       '%s: %s' % (label, 'trusted' if verified else 'not trusted'))
    if not verified:
        bad = [f['severity'] for f in answer['findings'] if tls['verify_error'] in f['text']]
        eq(bad, ['fail'], label + ': which is a failure here')
    leaf = tls['chain'][0]
    eq(leaf['spki_sha256'], pin_of(cert.cert), label + ': the hash of the key is what openssl says')
    eq(len(tls['chain']), 1 + len(above), label + ': all certificates are shown')
    ends = run('openssl', 'x509', '-in', cert.cert, '-noout', '-enddate').decode().split('=')[1].strip()
    ends = calendar.timegm(time.strptime(ends, '%b %d %H:%M:%S %Y GMT'))
    eq(leaf['not_after'], ends, label + ': and so is its end')
    ok(abs(leaf['days_left'] - (ends - time.time()) / DAY) <= 1, label + ': the days are counted',
       leaf['days_left'])
    if cert.file in KEYS:
        eq((leaf['key'], leaf['bits']), KEYS[cert.file], label + ': the kind of key')


with concurrent.futures.ThreadPoolExecutor(4) as pool:
    for row, answer in zip(TABLE, pool.map(ask, TABLE)):
        check(row, answer)

many = [row for row in TABLE if row[1].file == 'many'][0]
ok(len(many[1].pem()) * 3 / 4 > 90000, 'the long one is long', len(many[1].pem()))
leaf = ask(many)['tls']['chain'][0]
eq((leaf['names'][0], len(leaf['names']) + leaf['names_left']), (NAME, 2501), 'all names are counted')
ok(all(re.fullmatch(r'[a-z0-9.-]+\.lab\.example', n) for n in leaf['names']), 'none is cut', leaf['names'][-1])

server = Server([good.pem(), mid.pem()], good.key, 'words')
out = probe(server.port, NAME)
pin = bytes.fromhex(pin_of(good.cert))
ok('sha256:' + base64.b64encode(pin).decode() in out, 'the pin is printed', out)
ok('3 1 1 ' + pin.hex() in out, 'and the TLSA record', out)
ok(re.search('certificate .*%s to %s' % (day(-2), day(30.5)), out), 'and the dates', out)
ok(re.search('names +' + NAME, out), 'and the names', out)
done()
