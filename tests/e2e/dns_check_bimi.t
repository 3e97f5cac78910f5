#!/usr/bin/env python3
"""dns-check of BIMI: logos and mark certificates from a web server with a CA of its own."""
import base64
import gzip
import hashlib
import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402
import names  # noqa: E402

names.need('nsd', 'openssl')
TOOL = BUILD + '/dns-check'
HOME = path('web')
os.makedirs(HOME, exist_ok=True)


def openssl(*args):
    subprocess.run(['openssl', *args], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                   cwd=HOME)


def write(name, text):
    with open(os.path.join(HOME, name), 'wb') as f:
        f.write(text if isinstance(text, bytes) else text.encode())


def read(name):
    with open(os.path.join(HOME, name), 'rb') as f:
        return f.read()


CURVE = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes')
openssl('req', '-x509', *CURVE, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=Test CA',
        '-days', '30', '-addext', 'basicConstraints=critical,CA:TRUE', '-addext',
        'keyUsage=critical,keyCertSign')


openssl('req', '-x509', *CURVE, '-keyout', 'other.key', '-out', 'other.pem', '-subj', '/CN=Other CA',
        '-days', '30')


def certificate(name, extensions, days='90', subject='x'):
    openssl('req', *CURVE, '-keyout', name + '.key', '-out', name + '.csr', '-subj', '/CN=' + subject)
    write(name + '.ext', extensions)
    openssl('x509', '-req', '-in', name + '.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key',
            '-CAcreateserial', '-days', days, '-extfile', name + '.ext', '-out', name + '.pem')


MARK = 'extendedKeyUsage=%s\nsubjectAltName=DNS:%s\n'
LOGO = '''1.3.6.1.5.5.7.1.12=ASN1:SEQUENCE:logo
[logo]
subject=EXPLICIT:2,IMPLICIT:0,SEQUENCE:data
[data]
images=SEQUENCE:images
[images]
image=SEQUENCE:image
[image]
details=SEQUENCE:details
[details]
type=IA5STRING:image/svg+xml
hashes=SEQUENCE:hashes
uris=SEQUENCE:uris
[hashes]
hash=SEQUENCE:hash
[hash]
algorithm=SEQUENCE:algorithm
value=FORMAT:HEX,OCTETSTRING:%s
[algorithm]
oid=OID:sha256
[uris]
uri=IA5STRING:%s
'''


def mark(name, domain, logo, days='90', purpose='1.3.6.1.5.5.7.3.31', chain=True, packed=False, where=True):
    kept = gzip.compress(logo, mtime=0)
    text = MARK % (purpose, domain)
    if where:
        text += LOGO % (hashlib.sha256(kept if packed else logo).hexdigest(),
                        'data:image/svg+xml;base64,' + base64.b64encode(kept).decode())
    certificate(name, text, days)
    write(name + '.pem', read(name + '.pem') + (read('ca.pem') if chain else b''))


HEAD = '<svg xmlns="http://www.w3.org/2000/svg" version="1.2" baseProfile="tiny-ps" viewBox="0 0 64 64"%s>'
GOOD = ('<?xml version="1.0" encoding="UTF-8"?>\n' + HEAD % '' +
        '\n<title>Lab</title><!-- a <dot> -->\n'
        '<g fill="#fff"><rect width="64" height="64"/><path d="M0 0h1"/></g></svg>\n')


def inside(text, head=''):
    return HEAD % head + '<title>Lab</title>' + text + '</svg>'


LOGOS = [
    # name, the file, severity, words of the complaint (None: it is fine)
    ('good', GOOD, 'ok', None),
    ('script', inside('<script>alert(1)</script>'), 'warn', 'script: scripts are not allowed'),
    ('event', inside('<g onload="x()"/>'), 'warn', 'onload: scripts are not allowed'),
    ('image', inside('<image xlink:href="data:image/png;base64,AAAA"/>'), 'warn', 'made of dots'),
    ('motion', inside('<rect><animate attributeName="x"/></rect>'), 'warn', 'nothing may move'),
    ('outside', inside('<use xlink:href="https://www.example/x.svg#a"/>'), 'warn', 'something outside'),
    ('paint', inside('<rect fill="url(https://www.example/p)"/>'), 'warn', 'something outside'),
    ('own-paint', inside('<defs><linearGradient id="a"/></defs><rect fill="url(#a)"/>'), 'ok', None),
    ('filter', inside('<filter/>'), 'warn', 'filter: is no element of SVG Tiny PS'),
    ('style', inside('<style>a{}</style>'), 'warn', 'style sheets'),
    ('corner', inside('', ' x="0" y="0"'), 'warn', 'x: the outermost element may not have it'),
    ('profile', GOOD.replace(' baseProfile="tiny-ps"', ''), 'warn', 'baseProfile is not tiny-ps'),
    ('tiny', GOOD.replace('tiny-ps', 'tiny'), 'warn', 'baseProfile is not tiny-ps'),
    ('version', GOOD.replace('version="1.2"', 'version="1.1"'), 'warn', 'version is not 1.2'),
    ('title', GOOD.replace('<title>Lab</title>', '<title/>'), 'warn', 'no title element'),
    ('oblong', GOOD.replace('0 0 64 64', '0 0 64 32'), 'notice', 'not square'),
    ('entity', '<!DOCTYPE svg [<!ENTITY a "b">]>' + GOOD[39:], 'warn', 'definitions of its own'),
    ('cut', GOOD[:200], 'warn', ''),
    ('html', '<!DOCTYPE html><html><body>no</body></html>', 'warn', 'not svg'),
    ('empty', '', 'warn', 'no SVG file'),
    ('big', inside('<desc>' + 'x' * 33000 + '</desc>'), 'warn', 'at most 32768'),
    ('evil', inside('<\x1b[31m/>'), 'warn', 'is no element'),
]
MARKS = [
    # name, arguments of mark(), what is found
    ('vmc-good', {}, 'bimi.vmc_ok'),
    ('vmc-sub', {'domain': 'default._bimi.vmc-sub.lab'}, 'bimi.vmc_ok'),
    ('vmc-other', {'domain': 'other.lab'}, 'bimi.vmc_name'),
    ('vmc-logo', {'logo': b'<svg/>'}, 'bimi.vmc_logo'),
    ('vmc-packed', {'packed': True}, 'bimi.logo_packed'),
    ('vmc-soon', {'days': '5'}, 'bimi.vmc_expires'),
    ('vmc-past', {'days': '-1'}, 'bimi.vmc_expired'),
    ('vmc-web', {'purpose': 'serverAuth'}, 'bimi.vmc_bad'),
    ('vmc-mangled', {'purpose': 'DER:0101FF'}, 'bimi.vmc_bad'),
    ('vmc-alone', {'chain': False}, 'bimi.vmc_bad'),
    ('vmc-blank', {'where': False}, 'bimi.vmc_bad'),
]


class Web(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *args, **more):
        super().__init__(*args, directory=HOME, **more)

    def log_message(self, format, *args):
        pass

    def do_GET(self):
        if 'redirect' in self.path:
            self.send_response(301)
            self.send_header('Location', '/good.svg')
            self.send_header('Content-Length', '0')
            self.end_headers()
        else:
            super().do_GET()


def serve():
    certificate('web', 'subjectAltName=DNS:www.lab\n')
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(HOME + '/web.pem', HOME + '/web.key')

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            pass

        def finish_request(self, request, client_address):
            with context.wrap_socket(request, server_side=True) as tls:
                super().finish_request(tls, client_address)

    server = Server(('127.0.0.1', 0), Web)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def files():
    for name, text, _, _ in LOGOS:
        write(name + '.svg', text)
    write('packed.svg', gzip.compress(GOOD.encode()))
    write('nonsense.pem', 'no certificate')
    for name, how, _ in MARKS:
        mark(name, **{'domain': name + '.lab', 'logo': GOOD.encode(), **how})


def zone(port):
    text = 'www A 127.0.0.1\n'
    domains = [(n, 'l=https://www.lab:%d/%s.svg' % (port, n)) for n, _, _, _ in LOGOS]
    domains += [(n, 'l=https://www.lab:%d/%s.svg; a=https://www.lab:%d/%s.pem' %
                 (port, 'good', port, n)) for n, _, _ in MARKS]
    domains += [('missing', 'l=https://www.lab:%d/missing.svg' % port),
                ('redirect', 'l=https://www.lab:%d/redirect.svg' % port),
                ('nowhere', 'l=https://gone.lab/x.svg'),
                ('packed', 'l=https://www.lab:%d/packed.svg' % port),
                ('nonsense', 'l=https://www.lab:%d/good.svg; a=https://www.lab:%d/nonsense.pem' %
                 (port, port)), ('declined', 'l=; a=;'), ('weak', 'l=https://www.lab:%d/good.svg' % port),
                ('subweak', 'l=https://www.lab:%d/good.svg' % port), ('http', 'l=http://www.lab/x.svg')]
    for name, record in domains:
        policy = {'weak': 'p=none', 'subweak': 'p=reject; sp=none'}.get(name, 'p=reject')
        text += '%s A 192.0.2.1\ndefault._bimi.%s TXT "v=BIMI1; %s"\n_dmarc.%s TXT "v=DMARC1; %s"\n' % (
            name, name, record, name, policy)
    return names.Zone('lab', text)


def check(domain, *args, ca='ca.pem'):
    r = subprocess.run([TOOL, domain, '--resolver', nsd.server, '--trust-anchor', 'none', '--ca-file',
                        HOME + '/' + ca, '--json', *args], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=120)
    try:
        return json.loads(r.stdout.decode())
    except ValueError:
        return {'findings': [], 'output': str(r)}


def bimi(answer):
    return [(f['id'], f['severity'], f['text']) for f in answer['findings'] if f['id'].startswith('bimi.')]


def bimi_of(cases):
    """Each case with what is found about its domain."""
    with ThreadPoolExecutor(4) as pool:
        return zip(cases, pool.map(lambda case: bimi(check(case[0] + '.lab')), cases))


def check_logos():
    for (name, _, severity, words), found in bimi_of(LOGOS):
        if words is None:
            passed = any(i == 'bimi.logo_ok' for i, _, _ in found) and \
                not any(i == 'bimi.svg' for i, _, _ in found)
        else:
            passed = any(i == 'bimi.svg' and s == severity and words in t for i, s, t in found)
        ok(passed and '\x1b' not in str(found), 'a logo: %s' % name, found)


def check_marks():
    for (name, _, want), found in bimi_of(MARKS):
        others = [i for i, s, _ in found if s == 'warn' and i != want]
        ok(want in [i for i, _, _ in found] and not others, 'a mark certificate: %s (%s)' % (name, want),
           found)


def check_fetching():
    cases = (('missing', 'bimi.logo_fetch', 'status 404'),
             ('redirect', 'bimi.logo_fetch', 'status 301'),
             ('nowhere', 'bimi.logo_fetch', 'gone.lab'),
             ('packed', 'bimi.logo_packed', 'compressed'),
             ('nonsense', 'bimi.vmc_bad', 'PEM'),
             ('declined', 'bimi.declined', 'declined'),
             ('weak', 'bimi.no_policy', 'quarantine or reject'),
             ('subweak', 'bimi.no_policy', 'sp='), ('http', 'bimi.bad', 'https'),
             ('a.good', 'bimi.logo_ok', 'SVG'), ('www', 'bimi.none', 'no record'))
    for (name, want, words), found in bimi_of(cases):
        ok(any(i == want and words in t for i, _, t in found), '%s: %s' % (name, want), found)
    found = [i for i, _, _ in bimi(check('vmc-good.lab', '--sandbox'))]
    ok('bimi.logo_ok' in found and 'bimi.vmc_ok' in found, 'files are fetched in a sandbox, too', found)
    found = bimi(check('good.lab', ca='other.pem'))
    ok(any(i == 'bimi.logo_fetch' and s == 'warn' for i, s, _ in found),
       'a web server that is not to be believed', found)
    record = path('bimi.dns')
    check('good.lab', '--record', record)
    found = bimi(check('good.lab', '--replay', record))
    ok([i for i, _, _ in found] == ['bimi.ok', 'bimi.no_vmc'], 'nothing is fetched in a replay', found)


files()
web = serve()
nsd = names.Nsd(zone(web.server_port))
try:
    check_logos()
    check_marks()
    check_fetching()
finally:
    nsd.stop()
    web.shutdown()
    web.server_close()
done()
