#!/usr/bin/env python3
"""What TLS reports (RFC 8460) count: signed zones, MTA-STS, servers with every kind of certificate.
Killed programs lose no count; a day that is over gives one report, whatever happens while it is
written; old ones go. And "TLS-Required: No", which ignores such policies (RFC 8689)."""
import glob
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402
import names  # noqa: E402
from listening import Client  # noqa: E402

names.need('nsd', 'ldns-keygen', 'ldns-signzone')
if time.time() % 86400 > 86400 - 120:
    skip_all('the day (UTC) ends within two minutes')
STS = os.geteuid() == 0  # the server of policies must be at port 443
DAY = 86400


def key_hash(cert):
    public = subprocess.run(['openssl', 'x509', '-in', cert, '-noout', '-pubkey'], check=True,
                            stdout=subprocess.PIPE).stdout
    der = subprocess.run(['openssl', 'pkey', '-pubin', '-outform', 'DER'], input=public, check=True,
                         stdout=subprocess.PIPE).stdout
    return hashlib.sha256(der).hexdigest()


def sink(name, *certificate):
    return Sink(*(['--cert', certificate[1], '--key', certificate[2]] if certificate else []),
                name=name)


KNOWN = own_ca('mx.good.lab', 'mx5.good.lab')
OLD = own_ca('mx7.good.lab', lines='activation_date = "2020-01-01 00:00:00"\n'
             'expiration_date = "2021-02-03 04:05:06 UTC"')
good, expired = sink('good', *KNOWN), sink('expired', *OLD)
stranger, clear = sink('stranger', *own_ca('mx5.stranger')), sink('clear')
TLSA = '_%d._tcp.%s TLSA %s\n'
HOSTS = ''.join('%s A 127.0.0.1\n' % h for h in ('mx', 'mx2', 'mx3', 'mx4', 'mx5', 'mx6', 'mx7'))
PROMISE = ''.join('_mta-sts.%s TXT "v=STSv1; id=1;"\nmta-sts.%s A 127.0.0.12\n' % (d, d) for d in
                  ('sts', 'other', 'wrongname', 'expired', 'stranger', 'nothing', 'invalid', 'alien'))
ZONE = HOSTS + PROMISE + '''
good MX 10 mx
bare MX 10 mx2
mismatch MX 10 mx3
unusable MX 10 mx4
none MX 10 mx5
naked MX 10 mx5
without MX 10 mx5
sts MX 10 mx5
other MX 10 mx5
wrongname MX 10 mx6
expired MX 10 mx7
stranger MX 10 mx5
nothing MX 10 mx5
invalid MX 10 mx5
alien MX 10 mx5
''' + TLSA % (good.port, 'mx', '3 1 1 ' + key_hash(KNOWN[1])) + \
    TLSA % (good.port, 'mx3', '3 1 1 ' + '00' * 32) + \
    TLSA % (good.port, 'mx4', '1 0 1 ' + '00' * 32) + \
    TLSA % (clear.port, 'mx2', '3 1 1 ' + '00' * 32)
BAD = 'mail MX 10 mx\nmx A 127.0.0.1\n' + TLSA % (good.port, 'mx', '3 1 1 ' + '00' * 32)
nsd = names.Nsd(names.Zone('good.lab', ZONE, 'good'),
                names.Zone('bad.lab', BAD, 'broken', ('_%d._tcp.mx' % good.port, 'TLSA')))
if STS:
    server = names.Policies('127.0.0.12', *['mta-sts.%s.good.lab' % d for d in
                                            ('sts', 'other', 'wrongname', 'expired', 'stranger',
                                             'nothing', 'invalid')])
    for domain, text in {
            'sts': names.policy('mx5.good.lab'), 'other': names.policy('elsewhere.lab'),
            'wrongname': names.policy('*.good.lab'), 'expired': names.policy('mx7.good.lab'),
            'stranger': names.policy('mx5.good.lab', 'testing'), 'invalid': 'version: STSv1\r\n'}.items():
        server.answers['mta-sts.%s.good.lab' % domain] = text
BUNDLE = path('bundle.pem', ''.join(open(ca).read() for ca in
                                    [KNOWN[0], OLD[0]] + ([server.ca] if STS else [])), 0o644)
DIRECT = '''
[relay %s]
host = mx:
port = %d
ca = %s
per-connection = 1
tls = %s
[route %s]
recipient = %s
relay = %s
'''


def direct(name, port, to, tls='opportunistic'):
    return DIRECT % (name, port, BUNDLE, tls, name, to, name)


class Direct(Relay):
    """Delivers to the servers of each domain; which port these have depends on the domain."""

    def configure(self, **_):
        more = direct('clear', clear.port, '*@bare.good.lab *@naked.good.lab') + \
            direct('expired', expired.port, '*@expired.good.lab') + \
            direct('stranger', stranger.port, '*@stranger.good.lab') + \
            direct('dane', good.port, '*@without.good.lab', 'dane')
        super().configure(host='mx:', port=good.port, tls='opportunistic', ca=BUNDLE,
                          per_connection=1, retry='1h 2h', more=more)
        with open(self.config) as f:
            text = f.read()
        path(os.path.relpath(self.config, DIR),
             'resolver = %s\ntrust-anchor = %s\n' % (nsd.server, nsd.anchor) + text, 0o644)

    def report(self, *day):
        r = self.run('nightmail', 'tlsrpt', '--json', *day)
        return json.loads(r.stdout)

    def folder(self, name=''):
        return os.path.join(self.spool, 'tlsrpt', name)


def sums(report):
    """{(type, domain): {result: sessions}}, and whether the summaries say the same."""
    found, true = {}, True
    for p in report['policies']:
        s, details = p['summary'], {}
        for f in p.get('failure-details', []):
            kind = f['result-type']
            details[kind] = details.get(kind, 0) + f['failed-session-count']
        true &= sum(details.values()) == s['total-failure-session-count']
        if s['total-successful-session-count']:
            details['success'] = s['total-successful-session-count']
        found[p['policy']['policy-type'], p['policy']['policy-domain']] = details
    return found, true


tried = []  # [(message, results)]: what each attempt must have counted as


def sends(relay, count, domain, *results):
    """Sends so many messages, one after the other; each counts as these (type, domain, result)."""
    for _ in range(count):
        m = relay.send('a@' + domain)
        if not until(lambda: relay.results(m)):
            ok(False, 'a message to %s is tried' % domain, relay.tail)
        tried.append((m, results))


def wanted(relay):
    """What must have been counted, as sums() has it. What waits may be tried again at any time, since
    whatever changes in the machine's network asks for it: the log tells each attempt."""
    found = {}
    for m, results in tried:
        for type, of, result in results:
            at = found.setdefault((type, of), {})
            at[result] = at.get(result, 0) + len(relay.results(m))
    return found


def are_counted(relay, report, name):
    """report(): at some moment its sums are those of the attempts."""
    def same():
        return sums(report())[0] == wanted(relay)
    return ok(until(same), name, lambda: 'got %r\nwant %r' % (sums(report())[0], wanted(relay)))


def first_half(relay):
    sends(relay, 2, 'good.good.lab', ('tlsa', 'mx.good.lab', 'success'))
    sends(relay, 1, 'mismatch.good.lab', ('tlsa', 'mx3.good.lab', 'validation-failure'))
    sends(relay, 1, 'unusable.good.lab', ('tlsa', 'mx4.good.lab', 'tlsa-invalid'))
    sends(relay, 2, 'none.good.lab', ('no-policy-found', 'none.good.lab', 'success'))
    sends(relay, 1, 'naked.good.lab', ('no-policy-found', 'naked.good.lab', 'starttls-not-supported'))
    sends(relay, 1, 'bare.good.lab', ('tlsa', 'mx2.good.lab', 'starttls-not-supported'))
    sends(relay, 1, 'mail.bad.lab', ('tlsa', 'mx.bad.lab', 'dnssec-invalid'))
    sends(relay, 1, 'without.good.lab', ('tlsa', 'mx5.good.lab', 'dane-required'))


def by_policy(relay):
    sends(relay, 2, 'sts.good.lab', ('sts', 'sts.good.lab', 'success'))
    sends(relay, 1, 'other.good.lab', ('sts', 'other.good.lab', 'validation-failure'))
    sends(relay, 1, 'wrongname.good.lab', ('sts', 'wrongname.good.lab', 'certificate-host-mismatch'))
    sends(relay, 1, 'expired.good.lab', ('sts', 'expired.good.lab', 'certificate-expired'))
    sends(relay, 1, 'stranger.good.lab', ('sts', 'stranger.good.lab', 'certificate-not-trusted'))
    for domain, result in (('nothing', 'sts-policy-fetch-error'), ('invalid', 'sts-policy-invalid'),
                           ('alien', 'sts-webpki-invalid')):
        name = domain + '.good.lab'
        sends(relay, 1, name, ('sts', name, result), ('no-policy-found', name, 'success'))


def children(pid):
    out = subprocess.run(['pgrep', '-P', str(pid)], stdout=subprocess.PIPE).stdout
    return [int(p) for p in out.split()]


def kill_workers(relay):
    """Those processes of nightmail-deliver that this relay started."""
    for parent in children(relay.popen.pid):
        for child in children(parent):
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass


def test_counting(relay):
    first_half(relay)
    are_counted(relay, relay.report, 'counted: what was sent')
    ok(sums(relay.report())[1], 'counted: failures add up')
    kill_workers(relay)
    relay.stop(signal.SIGKILL)
    relay.start()
    are_counted(relay, relay.report, 'killed: nothing is lost')
    sends(relay, 1, 'good.good.lab', ('tlsa', 'mx.good.lab', 'success'))
    if STS:
        by_policy(relay)
    else:
        skip('MTA-STS', 'port 443 needs root')
    are_counted(relay, relay.report, 'and counting goes on')


def test_words(relay):
    text = relay.run('nightmail', 'tlsrpt').stdout.decode()
    ok(re.search(r'^mx3.good.lab \(tlsa\): 0 good, \d+ failed\n +\d+  validation-failure at '
                 r'mx3.good.lab\[127.0.0.1\]: .*TLSA', text, re.M), 'words: who failed, and why', text)
    ok(re.search(r'^mx.good.lab \(tlsa\): 3 good, 0 failed$', text, re.M), 'words: who did not', text)
    ok('when the day (UTC) is over: ' + relay.folder() in text, 'words: where the report will lie', text)
    eq(relay.run('nightmail', 'tlsrpt', '2026-02-30').returncode, 64, 'words: there is no such day')
    r = relay.run('nightmail', 'tlsrpt', '2020-01-01')
    eq((r.returncode, r.stdout), (0, b'2020-01-01: nothing was counted\n'), 'words: nor that one')


def detail(report, type, domain):
    for p in report['policies']:
        if (p['policy']['policy-type'], p['policy']['policy-domain']) == (type, domain):
            return p['policy'], p.get('failure-details', [{}])[0]
    return {}, {}


def test_details(relay):
    report = relay.report()
    policy, failure = detail(report, 'tlsa', 'mx3.good.lab')
    eq(policy.get('policy-string'), ['_%d._tcp.mx3.good.lab. IN TLSA 3 1 1 %s' % (good.port, '00' * 32)],
       'details: the TLSA record')
    eq({k: failure.get(k) for k in ('receiving-mx-hostname', 'receiving-ip', 'sending-mta-ip')},
       {'receiving-mx-hostname': 'mx3.good.lab', 'receiving-ip': '127.0.0.1',
        'sending-mta-ip': '127.0.0.1'}, 'details: which servers')
    if STS:
        policy, failure = detail(report, 'sts', 'wrongname.good.lab')
        eq(policy.get('policy-string'), ['version: STSv1', 'mode: enforce', 'mx: *.good.lab',
                                         'max_age: 86400'], 'details: the MTA-STS policy')
        eq(policy.get('mx-host'), ['*.good.lab'], 'details: its patterns')


def grow_old(relay, days):
    """Gives what was counted on other days than `days` ago that day."""
    to = time.strftime('%Y-%m-%d', time.gmtime(time.time() - days * DAY))
    for name in sorted(os.listdir(relay.folder())):
        day, _, slot = name.partition('.')
        if day == to or not slot.isdigit():
            continue
        with open(relay.folder(name), 'rb') as old, open(relay.folder(to + '.' + slot), 'ab') as new:
            new.write(old.read())
        os.unlink(relay.folder(name))
    return to


def reports(relay):
    return sorted(f for f in os.listdir(relay.folder()) if f.endswith('.json'))


def test_crashes(relay, day):
    """The daemon dies before each of its changes to the disk in turn."""
    wrong, n = [], 0
    while n < 60:
        n += 1
        env = dict(relay.env, NIGHTMAIL_FAULT='%d:exit:nightmaild' % n)
        p = Process('crash', [BUILD + '/nightmaild'], env)
        until(lambda: p.popen.poll() is not None or reports(relay))
        name = relay.folder(day + '.json')
        if os.path.exists(name) and sums(json.load(open(name)))[0] != wanted(relay):
            wrong.append(n)
        p.popen.kill()
        p.stop()
        if reports(relay):
            break
    ok(n > 1, 'report: nightmaild died %d times while it made it' % (n - 1))
    eq((wrong, reports(relay)), ([], [day + '.json']), 'report: it is there whole, or not at all')


def test_report(relay):
    for m in relay.queue():
        relay.run('mailq', 'delete', m['id'])  # the others are done: nothing is tried any more
    until(lambda: not relay.files())
    relay.stop()
    day = grow_old(relay, 1)
    test_crashes(relay, day)
    relay.start()
    report = json.load(open(relay.folder(day + '.json')))
    got, true = sums(report)
    eq((got, true), (wanted(relay), True), 'report: its sums are what was sent')
    eq(sorted(report), ['contact-info', 'date-range', 'organization-name', 'policies', 'report-id'],
       'report: the keys of RFC 8460')
    eq(report['date-range'], {'start-datetime': day + 'T00:00:00Z', 'end-datetime': day + 'T23:59:59Z'},
       'report: of one day')
    eq(report['contact-info'], 'postmaster@home.example', 'report: whom to ask')
    test_shape(relay, report)
    eq(relay.report(day), report, 'report: tlsrpt shows the same')
    ok(relay.folder(day + '.json') in relay.run('nightmail', 'tlsrpt', day).stdout.decode(),
       'report: and where it is')
    eq(sums(relay.report())[0], {}, 'report: a new day begins with nothing')


def shape(value, path=''):
    """Every path to a value, with its type."""
    if isinstance(value, dict):
        return set().union(*[shape(v, path + '.' + k) for k, v in value.items()])
    if isinstance(value, list):
        return set().union(set(), *[shape(v, path + '[]') for v in value])
    return {(path, type(value).__name__)}


def test_shape(relay, report):
    """Others' reports have all that ours has, and it is of the same type there."""
    samples = glob.glob(names.SUITES + '/reports/tlsrpt/*.json')
    if not samples:
        skip('report: its shape', 'there is no ' + names.SUITES)
        return
    known = set()
    for name in samples:
        with open(name) as f:
            known |= shape(json.load(f))
    known |= {(p + '[]', t) for p, t in known}  # RFC errata 6241: mx-host is an array
    eq(sorted(shape(report) - known), [], 'report: it has the shape of others\' reports')


def test_late(relay):
    """Lines that came when the report was written already."""
    sends(relay, 1, 'good.good.lab', ('tlsa', 'mx.good.lab', 'success'))
    relay.stop()
    day = grow_old(relay, 1)
    relay.start()
    are_counted(relay, lambda: json.load(open(relay.folder(day + '.json'))),
                'late: it is written again, with them')


def test_pruning(relay):
    relay.stop()
    os.rename(relay.folder(reports(relay)[0]), relay.folder('2026-01-01.json'))
    path(os.path.relpath(relay.folder('2026-01-01.3'), DIR), 'x\n')
    path(os.path.relpath(relay.folder('notes'), DIR), 'x\n')
    kept = grow_old(relay, 29)
    relay.start()
    ok(until(lambda: not [f for f in os.listdir(relay.folder()) if f.startswith('2026-01-01')]),
       'pruned: what is older than 30 days', lambda: os.listdir(relay.folder()))
    eq(reports(relay), [kept + '.json'], 'pruned: nothing younger')
    ok(os.path.exists(relay.folder('notes')), 'pruned: and no strangers')


def keep_policy(relay, domain, days):
    """As if it had been fetched so many days ago."""
    record = b'policy id=1 fetched=%d' % int((time.time() - days * DAY) * 1000)
    text = b'%08x %s\n' % (crc32c(record), record) + names.policy('x.lab', max_age=DAY).encode()
    path(os.path.relpath(os.path.join(relay.spool, 'sts', domain), DIR), text.decode())


def test_policies_pruned(relay):
    relay.stop()
    for domain, days in (('fresh.lab', 0.5), ('just.over.lab', 1.5), ('old.lab', 2.5)):
        keep_policy(relay, domain, days)
    relay.start()
    ok(until(lambda: 'old.lab' not in relay.files('sts')),
       'policies: one that has not held for a day goes', lambda: relay.files('sts'))
    eq([f for f in relay.files('sts') if not f.endswith('good.lab')], ['fresh.lab', 'just.over.lab'],
       'policies: others stay')


def header(relay, to, *lines):
    """The ID of a message with these lines in its header."""
    before = {m['id'] for m in relay.queue('--all')}
    relay.sendmail('-f', 'alice@home.example', to, text='\n'.join(lines + ('Subject: x', '', 'Hello.\n')))
    new = until(lambda: {m['id'] for m in relay.queue('--all')} - before, 2)
    return sorted(new)[0] if new else None


def test_tls_required_no(relay):
    waiting = relay.send('a@mismatch.good.lab')
    until(lambda: relay.results(waiting))
    before = len(good.received())
    header(relay, 'no@mismatch.good.lab', 'TLS-Required: No')
    ok(until(lambda: len(good.received()) > before), 'TLS-Required: No: DANE does not matter', relay.tail)
    eq([t['address'] for e, _ in good.received()[before:] for t in e['to']], ['no@mismatch.good.lab'],
       'to nothing else')
    ok('TLS-Required: No' in good.received()[-1][1], 'the field goes along')
    waiting = relay.send('b@mismatch.good.lab')
    relay.waits_because(waiting, 'TLSA', 'and nobody else goes with it')
    before = len(good.received())
    code, _ = Client(relay.spool + '/run/submit').mail(subject='x\r\nTLS-Required: No',
                                                       to='no@mismatch.good.lab')
    ok(code == 250 and until(lambda: len(good.received()) > before),
       'TLS-Required: No: by the socket as well', relay.tail)
    for name, lines in (('two fields', ('TLS-Required: No', 'TLS-Required: No')),
                        ('another value', ('TLS-Required: Yes',)),
                        ('with REQUIRETLS', ('TLS-Required: No', 'X-Nightmail: tls=required'))):
        m = header(relay, 'a@mismatch.good.lab', *lines)
        relay.waits_because(m, 'TLSA', 'TLS-Required: %s changes nothing' % name)
    plain = len(clear.received())
    header(relay, 'no@bare.good.lab', 'tls-required:  no ')
    ok(until(lambda: len(clear.received()) > plain), 'TLS-Required: No: it goes even without TLS',
       relay.tail)
    if STS:
        old = len(expired.received())
        header(relay, 'no@expired.good.lab', 'TLS-Required: No')
        ok(until(lambda: len(expired.received()) > old), 'TLS-Required: No: nor does MTA-STS matter',
           relay.tail)
    held = len(good.received())
    m = header(relay, 'no@without.good.lab', 'TLS-Required: No')
    relay.waits_because(m, 'TLSA', 'TLS-Required: No: the configuration does matter')
    eq(len(good.received()), held, 'and nothing is sent')


def test_shown(relay):
    optional = header(relay, 'no@without.good.lab', 'TLS-Required: No')
    required = relay.send('a@mismatch.good.lab', args=['--require-tls'])
    eq([relay.message(m)['flags'] for m in (optional, required)], [['tls-optional'], ['requiretls']],
       'mailq --json has it')
    text = relay.run('mailq').stdout.decode()
    ok('requiretls' in text and 'tls-optional' in text, 'and mailq', text)
    text = relay.run('mailq', 'show', required).stdout.decode()
    ok('requiretls' in text, 'and mailq show', text)


def test_explained(relay):
    """What explain says before anything is sent: the same decision."""
    def says(name, pattern, to, *args):
        r = relay.run('nightmail', 'explain', *args, 'alice@home.example', 'a@' + to)
        ok(re.search(pattern, r.stdout.decode(), re.M), 'explain: ' + name, r)

    says('DANE', r'^ +mx.good.lab: TLS verified by DANE: TLSA records', 'good.good.lab')
    says('nothing published', '^ +mx5.good.lab: TLS if it works: .*neither', 'none.good.lab')
    says('what cannot be known now', '^ +mx.bad.lab: not used now: ', 'mail.bad.lab')
    says('REQUIRETLS where DANE vouches', 'verified and offer\n +REQUIRETLS.*\n +mx.good.lab: TLS verified',
         'good.good.lab', '--require-tls')
    says('REQUIRETLS where nobody does', '^ +mx6.good.lab: TLS verified|^ +mx5.good.lab: verified TLS',
         'none.good.lab', '--require-tls')
    says('TLS-Required: No', 'TLS-Required: No: what.*not applied\n +mx3.good.lab: TLS if it works: the message',
         'mismatch.good.lab', '--tls-optional')
    says('TLS-Required: No against the configuration',
         'TLS-Required: No: changes nothing.*\n +mx5.good.lab: not used now: .*TLSA', 'without.good.lab',
         '--tls-optional')
    if STS:
        says('MTA-STS', '^ +mx5.good.lab: verified TLS: the MTA-STS policy .mode enforce. names',
             'sts.good.lab')
        says('a server that it does not name', '^ +mx5.good.lab: not used now: .*does not name',
             'other.good.lab')
        says('a policy that cannot be had', 'promised, and cannot be had: ', 'nothing.good.lab')
    r = relay.run('nightmail', 'explain', '--json', 'alice@home.example', 'a@good.good.lab')
    tls = json.loads(r.stdout)['ways'][0]['hosts'][0]['tls']
    eq([tls[k] for k in ('level', 'by', 'used')], ['TLS verified by DANE', 'DANE', True],
       'explain: in JSON')


relay = Direct()
test_counting(relay)
test_words(relay)
test_details(relay)
test_report(relay)
test_late(relay)
test_pruning(relay)
test_policies_pruned(relay)
test_tls_required_no(relay)
test_shown(relay)
test_explained(relay)
relay.stop()
if STS:
    server.shutdown()
done()
