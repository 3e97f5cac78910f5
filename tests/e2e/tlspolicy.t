#!/usr/bin/env python3
"""How connections are protected: pins, versions, client certificates, DANE in signed zones, MTA-STS
from a server of our own. What cannot be verified waits; nothing bounces over it."""
import base64
import hashlib
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402
import names  # noqa: E402


def key_hash(cert):
    """SHA-256 of the public key of a PEM file."""
    public = subprocess.run(['openssl', 'x509', '-in', cert, '-noout', '-pubkey'], check=True,
                            stdout=subprocess.PIPE).stdout
    der = subprocess.run(['openssl', 'pkey', '-pubin', '-outform', 'DER'], input=public, check=True,
                         stdout=subprocess.PIPE).stdout
    return hashlib.sha256(der).digest()


def log_has(relay, pattern):
    return until(lambda: re.search(pattern, relay.words()))


# --- a smarthost of the configuration

sink = Sink('--name', 'mx.good.lab', '--tls', path('tls'))
CA, CERT = path('tls/ca.pem'), path('tls/cert.pem')
KEY = key_hash(CERT)
PIN = 'sha256:' + base64.b64encode(KEY).decode()
OTHER = 'sha256:' + base64.b64encode(bytes(32)).decode()

relay = Relay('pin', port=sink.port, tls='starttls', pin=OTHER)
m = relay.send('a@x.lab')
ok(log_has(relay, 'not pinned: sha256:'), 'another key: the mail waits', relay.tail)
eq(len(sink.received()), 0, 'and nothing is sent')
relay.configure(port=sink.port, tls='starttls', pin=OTHER + ' ' + PIN)
relay.run('nightmail', 'reload')
relay.is_empty('with the right key as the second pin it goes, without any authority')
relay.stop()

relay = Relay('min', port=sink.port, tls='starttls', ca=CA, host='localhost', min_tls='1.3',
              priority_string='-VERS-TLS1.3')
relay.send('a@x.lab')
ok(log_has(relay, 'TLS|priorit'), 'no version left: the mail waits, and the log says TLS', relay.tail)
relay.configure(port=sink.port, tls='starttls', ca=CA, host='localhost', min_tls='1.3')
relay.run('nightmail', 'reload')
relay.is_empty('with TLS 1.3 it goes')
ok(log_has(relay, 'tls=TLS1.3'), 'and the log says so', relay.tail)
relay.stop()

relay = Relay('cert', port=sink.port, tls='starttls', ca=CA, host='localhost',
              cert='%s %s' % (CERT, path('tls/none.pem')))
relay.send('a@x.lab')
ok(log_has(relay, 'none.pem'), 'a key of ours that is not there is named', relay.tail)
relay.configure(port=sink.port, tls='starttls', ca=CA, host='localhost',
                cert='%s %s' % (CERT, path('tls/key.pem')))
relay.run('nightmail', 'reload')
relay.is_empty('with the right one it goes')
relay.stop()

# --- resumption


def resumed(relay):
    """Sends one message, by a connection of its own; which of all so far resumed a session."""
    m = relay.send('a@x.lab')
    until(lambda: relay.results(m, 'sent'))
    return ['tls-resumed' in f for f in map(fields, relay.words().splitlines())
            if f.get('status') == 'sent']


OPEN = dict(port=sink.port, tls='starttls', ca=CA, host='localhost', per_connection=1)
relay = Relay('resume', **OPEN)
resumed(relay), resumed(relay)
eq(resumed(relay), [False, True, True], 'later connections resume the session of the first')
relay.configure(**dict(OPEN, min_tls='1.3'))
relay.run('nightmail', 'reload')
eq(resumed(relay)[3:], [False], 'under another policy a session begins anew')
eq(resumed(relay)[4:], [True], 'and is resumed under that')
relay.stop()

# --- REQUIRETLS


def strict(relay, *to):
    return relay.send(*to, args=['--require-tls'])


def bounced(relay, m):
    return until(lambda: relay.results(m, 'bounced'))


able = Sink('--tls', path('tls'), '--requiretls', name='able')
relay = Relay('strict', port=able.port, tls='starttls', ca=CA, host='localhost')
strict(relay, 'a@x.lab')
relay.send('b@x.lab')
able.got(2, 'a server that is verified and offers REQUIRETLS gets such a message')
eq(sorted((e['to'][0]['address'], e['requiretls']) for e, _ in able.received()),
   [('a@x.lab', True), ('b@x.lab', False)], 'and is told which one it is')
relay.sendmail('by-header@x.lab', text='X-Nightmail: tls=required\nSubject: x\n\nHello.\n')
able.got(3, 'programs can ask for it by a header field')
eq([e['requiretls'] for e, _ in able.received()[2:]], [True], 'which counts as much')
relay.configure(port=sink.port, tls='starttls', ca=CA, host='localhost')
relay.run('nightmail', 'reload')
before = len(sink.received())
m = strict(relay, 'c@x.lab')
relay.send('d@x.lab')
ok(bounced(relay, m), 'one that does not offer it: the message fails', relay.tail)
eq([f['dsn'] for f in relay.results(m, 'bounced')], ['5.7.30'], 'with the status of RFC 8689')
until(lambda: len(sink.received()) > before)
eq([e['to'][0]['address'] for e, _ in sink.received()[before:]], ['d@x.lab'],
   'other mail goes there all the same')
relay.configure(port=able.port, tls='opportunistic', ca=CA, host='localhost')
relay.run('nightmail', 'reload')
before = len(able.received())
relay.send('e@x.lab')
strict(relay, 'f@x.lab')
relay.send('g@x.lab')


def asked():
    """What was sent there since, without the notice about c@x.lab, which asks for TLS as well."""
    got = [(e['to'][0]['address'], e['requiretls']) for e, _ in able.received()[before:]]
    return sorted(g for g in got if g[0].endswith('@x.lab'))


until(lambda: len(asked()) >= 3)
eq(asked(),
   [('e@x.lab', False), ('f@x.lab', True), ('g@x.lab', False)],
   'with opportunistic TLS it gets a verified connection')
alien = own_ca('stranger')[0]
relay.configure(port=able.port, tls='opportunistic', ca=alien, host='localhost')
relay.run('nightmail', 'reload')
before = len(able.received())
m = strict(relay, 'h@x.lab')
relay.send('i@x.lab')
relay.waits_because(m, 'certificate', 'where nobody is verified it waits')
until(asked)
eq(asked(), [('i@x.lab', False)],
   'and other mail does not')
relay.configure(port=able.port, tls='none', host='localhost')
relay.run('nightmail', 'reload')
relay.run('mailq', 'flush')
relay.waits_because(m, 'requires TLS', 'without TLS as well')
relay.configure(port=able.port, tls='starttls', ca=CA, host='localhost')
relay.run('nightmail', 'reload')
relay.run('mailq', 'flush')
ok(until(lambda: relay.results(m, 'sent')), 'until the relay is verified', relay.tail)
relay.stop()

# --- DANE

if not all(shutil.which(p) or os.path.exists('/usr/sbin/' + p)
           for p in ('nsd', 'ldns-keygen', 'ldns-signzone')):
    skip('DANE and MTA-STS', 'nsd and ldnsutils are needed')
    done()

plain = Sink(name='plain')
STS = os.geteuid() == 0
ZONE = '''
good MX 10 mx
rollover MX 10 mx2
mismatch MX 10 mx3
unusable MX 10 mx4
none MX 10 mx5
bogus MX 10 mx6
servfail MX 10 mx7
stripped MX 10 mx
mx A 127.0.0.1
mx2 A 127.0.0.1
mx3 A 127.0.0.1
mx4 A 127.0.0.1
mx5 A 127.0.0.1
mx6 A 127.0.0.1
mx7 A 127.0.0.1
host A 127.0.0.1
_%(port)d._tcp.host TLSA 3 1 1 %(key)s
_%(port)d._tcp.mx TLSA 3 1 1 %(key)s
_%(port)d._tcp.mx2 TLSA 3 1 1 %(other)s
_%(port)d._tcp.mx2 TLSA 3 1 1 %(key)s
_%(port)d._tcp.mx3 TLSA 3 1 1 %(other)s
_%(port)d._tcp.mx4 TLSA 1 0 1 %(other)s
_%(port)d._tcp.mx6 TLSA 3 1 1 %(key)s
_%(clear)d._tcp.mx TLSA 3 1 1 %(key)s
sts MX 10 mx5
_mta-sts.sts TXT "v=STSv1; id=1;"
mta-sts.sts A 127.0.0.9
xn--bcher-kva MX 10 mx5
_mta-sts.xn--bcher-kva TXT "v=STSv1; id=1;"
mta-sts.xn--bcher-kva A 127.0.0.9
alien MX 10 mx5
foreign MX 10 mx.good.lab.
_mta-sts.alien TXT "v=STSv1; id=1;"
mta-sts.alien A 127.0.0.9
''' % {'port': sink.port, 'clear': plain.port, 'key': KEY.hex(), 'other': '00' * 32}
dead = names.Zone('_tcp.mx7.good.lab', '')
os.unlink(dead.file)  # nsd answers with SERVFAIL
nsd = names.Nsd(names.Zone('good.lab', ZONE, 'broken', ('_%d._tcp.mx6' % sink.port, 'TLSA')),
                names.Zone('plain.lab', ZONE), dead)
TOP = 'resolver = %s\ntrust-anchor = %s\n' % (nsd.server, nsd.anchor)


class Direct(Relay):
    """A relay that delivers to the servers of each domain, at the port of a sink."""

    def configure(self, **keys):
        super().configure(**keys)
        with open(self.config) as f:
            text = f.read()
        path(os.path.relpath(self.config, DIR), TOP + text, 0o644)


def vouched(domain, pattern, name):
    """What becomes of a message with REQUIRETLS for the servers of a domain."""
    m = strict(relay, 'strict@' + domain)
    ok(until(lambda: re.search(pattern, relay.words()[len(seen):] + relay.why(m))), name,
       lambda: relay.why(m) + relay.tail())


relay = Direct('vouched', host='mx:', port=sink.port, tls=None, ca=CA)
seen = relay.words()
vouched('good.good.lab', 'status=bounced dsn=5.7.30', 'REQUIRETLS: a server with DANE is asked')
vouched('good.plain.lab', 'neither DNSSEC nor MTA-STS',
        'REQUIRETLS: a name that nobody vouches for is not used')
relay.stop()
relay = Direct('direct', host='mx:', port=sink.port, tls=None, ca=CA)
before = len(sink.received())
sent = {d: relay.send('a@%s.good.lab' % d) for d in
        ('good', 'rollover', 'unusable', 'none', 'mismatch', 'bogus', 'servfail')}
plain_one = relay.send('a@mismatch.plain.lab')
until(lambda: len(sink.received()) >= before + 5)
got = sorted(e['to'][0]['address'] for e, _ in sink.received()[before:])
eq(got, ['a@good.good.lab', 'a@mismatch.plain.lab', 'a@none.good.lab', 'a@rollover.good.lab',
         'a@unusable.good.lab'],
   'DANE: what matches, cannot be used, or is not signed goes; what does not match stays')
ok(until(lambda: 'TLSA' in relay.why(sent['mismatch'])), 'DANE: and mailq says why it waits',
   lambda: relay.why(sent['mismatch']))
for how in ('bogus', 'servfail'):
    relay.waits_because(sent[how], 'TLSA.*cannot be looked up|cannot be looked up.*TLSA',
                        'DANE: what cannot be looked up (%s) waits' % how)
ok(not [m for m in sent.values() if relay.results(m, 'bounced')] and
   len(sink.received()) == before + 5, 'DANE: nothing bounced, and no more was sent')
relay.stop()

clear = Direct('clear', host='mx:', port=plain.port, tls=None, ca=CA)
m = clear.send('a@good.good.lab')
ok(until(lambda: 'STARTTLS' in clear.why(m)), 'DANE: a server without TLS gets nothing',
   lambda: clear.why(m))
eq(len(plain.received()), 0, 'DANE: not a byte of it')
clear.stop()

stranger = own_ca('stranger')[0]
relay = Direct('dane', host='host.good.lab', port=sink.port, tls='dane', ca=stranger)
relay.send('a@x.lab')
relay.is_empty('tls = dane: a smarthost with a record goes, without any authority')
relay.configure(host='mx5.good.lab', port=sink.port, tls='dane', ca=stranger)
relay.run('nightmail', 'reload')
m = relay.send('b@x.lab')
ok(log_has(relay, 'no TLSA record'), 'tls = dane: one without waits', relay.tail)
relay.stop()
relay = Direct('led', host='mx:foreign.good.lab', port=sink.port, tls='dane', ca=stranger)
relay.send('a@x.lab')
relay.is_empty('tls = dane: a server that a signed zone names is used')
relay.configure(host='mx:foreign.plain.lab', port=sink.port, tls='dane', ca=stranger)
relay.run('nightmail', 'reload')
before = len(sink.received())
m = relay.send('b@x.lab')
ok(log_has(relay, 'not found by DNSSEC'), 'tls = dane: one that anybody may have named is not',
   relay.tail)
eq(len(sink.received()), before, 'tls = dane: and gets nothing')
relay.stop()

# --- MTA-STS: its server must be at port 443 of an address that nobody else has


if STS:
    server = names.Policies('127.0.0.9', 'mta-sts.sts.good.lab', 'mta-sts.xn--bcher-kva.good.lab')
    bundle = path('bundle.pem', open(server.ca).read() + open(CA).read(), 0o644)
    server.answers['mta-sts.sts.good.lab'] = names.policy('mx5.good.lab')
    named = Sink('--name', 'mx5.good.lab', '--tls', path('tls5'), name='named')
    both = path('both.pem', open(bundle).read() + open(path('tls5/ca.pem')).read(), 0o644)
    relay = Direct('sts', host='mx:', port=named.port, tls=None, ca=both)
    m = relay.send('a@sts.good.lab')
    relay.is_empty('MTA-STS: a server that the policy names, with a valid certificate, gets it')
    ok(os.path.exists(relay.spool + '/sts/sts.good.lab'), 'MTA-STS: the policy is kept', relay.tail)
    relay.stop()
    wrong = Direct('sts2', host='mx:', port=sink.port, tls=None, ca=bundle)
    m = wrong.send('a@sts.good.lab')
    ok(until(lambda: 'certificate' in wrong.why(m)),
       'MTA-STS: a certificate for another name gets nothing', lambda: wrong.why(m))
    server.answers['mta-sts.sts.good.lab'] = names.policy('other.lab')
    wrong.stop()
    shutil.rmtree(wrong.spool + '/sts', ignore_errors=True)
    wrong.start()
    wrong.run('mailq', 'flush')
    ok(until(lambda: 'does not name' in wrong.why(m)),
       'MTA-STS: nor a server that the policy does not name', lambda: wrong.why(m))
    server.answers['mta-sts.sts.good.lab'] = ''
    wrong.stop()
    wrong.start()
    kept = wrong.send('kept@sts.good.lab')
    ok(until(lambda: 'does not name' in wrong.why(kept)),
       'MTA-STS: what is kept is in force while the server has none', lambda: wrong.why(kept))
    wrong.run('mailq', 'delete', kept)
    server.answers['mta-sts.sts.good.lab'] = names.policy('other.lab', 'testing')
    wrong.stop()
    shutil.rmtree(wrong.spool + '/sts', ignore_errors=True)
    before = len(sink.received())
    wrong.start()
    wrong.run('mailq', 'flush')
    until(lambda: len(sink.received()) > before)
    eq(len(sink.received()), before + 1, 'MTA-STS: in testing mode it goes all the same')
    m = wrong.send('a@alien.good.lab')
    until(lambda: len(sink.received()) > before + 1)
    eq(len(sink.received()), before + 2,
       'MTA-STS: a policy whose server shows a wrong certificate is none')
    wrong.stop()
    none = Direct('sts3', host='mx:', port=sink.port, tls=None, ca=bundle, start=False)
    server.answers['mta-sts.elsewhere'] = names.policy('other.lab')
    for how, answer, again in (
            ('a redirect', 'https://mta-sts.elsewhere/.well-known/mta-sts.txt', 1),
            ('one of over 64 KB', names.policy('other.lab') + 'x: y\r\n' * 20000, 1)):
        server.answers['mta-sts.sts.good.lab'], asked_before = answer, server.asked
        shutil.rmtree(none.spool + '/sts', ignore_errors=True)
        none.start()
        none.send('none@sts.good.lab')
        none.is_empty('MTA-STS: %s is no policy' % how)
        eq(server.asked - asked_before, 1, 'MTA-STS: it was asked, and nobody else')
        none.stop()
        none.start()
        none.send('again@sts.good.lab')
        none.is_empty('MTA-STS: %s is none for the next message either' % how)
        eq(server.asked - asked_before, again, 'MTA-STS: a server without one is left alone')
        none.stop()
    server.answers['mta-sts.xn--bcher-kva.good.lab'] = names.policy('mx5.good.lab')
    told = none.run('smtp-probe', '--json', '--mx', 'b\u00fccher.good.lab', '--resolver', nsd.server,
                    '--trust-anchor', nsd.anchor, '--connect', '127.0.0.1:%d' % named.port,
                    '--starttls', '--ca-file', both).stdout.decode()
    ok(re.search(r'"mta_sts": ?"enforce"', told),
       'MTA-STS: smtp-probe finds the policy of a domain in another script', told)
    server.shutdown()
else:
    skip('MTA-STS', 'port 443 needs root')

done()
