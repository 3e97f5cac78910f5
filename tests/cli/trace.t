#!/usr/bin/env python3
"""header-trace: hops, delays, trust, what was recorded beside what is verified, hints, the forms of
input and output; and that nothing of a message reaches the terminal raw."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import dkim_dns  # noqa: E402

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import done, eq, ok, skip  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get('NIGHTMAIL_BUILD', os.path.join(ROOT, 'build', 'release'))
TRACE = os.path.join(BUILD, 'header-trace')
SHARED = os.environ.get('NIGHTMAIL_SHARED', os.path.join(ROOT, '..', 'shared'))
DIR = tempfile.mkdtemp(prefix='nmtrace')
os.environ.pop('NIGHTMAIL_CONFIG', None)



def trace(*words, text=None, program=(TRACE,)):
    if isinstance(text, str):
        text = text.encode()
    return subprocess.run([*program, *words], input=text or b'', stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60)


def asked(*words, text=None):
    return json.loads(trace('--json', *words, text=text).stdout)


def file(name, content):
    path = os.path.join(DIR, name)
    with open(path, 'wb') as f:
        f.write(content if isinstance(content, bytes) else content.encode())
    return path


def ids(found):
    return sorted({f['id'] for f in found['findings']})


def hop(by, when, source='from a.example (a.example [192.0.2.1])', protocol='ESMTPS', n=1):
    return 'Received: %s\n\tby %s (x) with %s id %d;\n\tTue, 1 Jul 2025 %s\n' % (
        source, by, protocol, n, when)


HEAD = 'From: Alice <alice@corp.example>\nTo: bob@dest.example\nSubject: x\n' \
       'Date: Tue, 1 Jul 2025 10:00:00 +0000\nMessage-ID: <1@corp.example>\n'
WAY = hop('mailbox.dest.example', '10:07:14 +0000', n=5) + \
    hop('mx.dest.example', '10:06:55 +0000', n=4) + \
    hop('filter.dest.example', '10:06:58 +0000', n=3) + \
    hop('out.provider.example', '10:00:02 +0000', n=2) + \
    hop('relay.corp.example', '12:00:01 +0200', 'from laptop ([10.0.0.5])', 'ESMTPSA')
MESSAGE = WAY + HEAD + '\nhello\n'

# --- hops

got = asked(text=MESSAGE)
eq([h['by'] for h in got['hops']],
   ['relay.corp.example', 'out.provider.example', 'filter.dest.example', 'mx.dest.example',
    'mailbox.dest.example'], 'hops are listed oldest first')
eq([h['delay'] for h in got['hops']], [None, 1, 416, -3, 16],
   'a delay is the time since the latest clock before it')
eq([h['skew'] for h in got['hops']], [False, False, False, True, False], 'skew is marked')
eq(got['total_delay'], 433, 'and not added to the total')
eq((got['hops'][0]['from'], got['hops'][0]['from_ip'], got['hops'][0]['with'],
    got['hops'][0]['time']), ('laptop', '10.0.0.5', 'ESMTPSA', 1751364001), 'a hop has its parts')
ok('hop.delay' in ids(got) and 'hop.skew' in ids(got), 'both are findings', got['findings'])
eq(asked(text=HEAD + '\nx\n')['total_delay'], None, 'without hops there is no total')
eq(asked(text=HEAD)['hops'], [], 'nor any hop')
loop = WAY + hop('mx.dest.example', '09:59:00 +0000', n=4) + HEAD + '\n'
ok('hop.loop' in ids(asked(text=loop)), 'a server that had it twice is a loop')
many = ''.join(hop('h%d.example' % i, '10:00:00 +0000', n=i) for i in range(60)) + HEAD + '\n'
ok('hop.many' in ids(asked(text=many)), 'many hops are told')
clear = hop('mx.dest.example', '10:00:02 +0000', protocol='ESMTP') + HEAD + '\n'
ok('hop.cleartext' in ids(asked(text=clear)), 'a public hop without TLS is told')
clear = hop('mx.dest.example', '10:00:02 +0000', 'from a (a [10.1.1.1])', 'ESMTP') + HEAD + '\n'
ok('hop.cleartext' not in ids(asked(text=clear)), 'one within a private network is not')

# --- trust

eq([h['trusted'] for h in got['hops']], [False, False, True, True, True],
   'without --trust the organisation that wrote the newest field is taken for ours')
eq([h['trusted'] for h in asked('--trust', 'mailbox.dest.example', text=MESSAGE)['hops']],
   [False, False, False, False, True], '--trust names a host')
eq([h['trusted'] for h in asked('--trust', 'provider.example', '--trust', 'dest.example',
                                text=MESSAGE)['hops']], [False, True, True, True, True],
   'or a domain, several times')
eq([h['trusted'] for h in asked('--trust', 'provider.example', text=MESSAGE)['hops']], [False] * 5,
   'behind a server that is not trusted nobody is')
eq([h['trusted'] for h in asked('--trust', 'est.example', text=MESSAGE)['hops']], [False] * 5,
   'a name that only ends alike is another')


def recorded(field, *words):
    """[(method, recorded, believed, aligned)] with the field on top, and at the bottom."""
    out = []
    for text in (field + MESSAGE, WAY + field + HEAD + '\n'):
        out.append([(a['method'], a['recorded'], a['believed'], a['aligned'])
                    for a in asked(*words, text=text)['authentication']])
    return out


FIELD = 'Authentication-Results: mx.dest.example;\n\tdkim=pass (ok; not; parts) header.d=corp.example' \
        ';\n\tspf=fail smtp.mailfrom="bounce@other.example"\n'
eq(recorded(FIELD), [[('dkim', 'pass', True, True), ('spf', 'fail', True, False)],
                     [('dkim', 'pass', False, True), ('spf', 'fail', False, False)]],
   'a result is believed when ours wrote it above the trust boundary')
eq(recorded(FIELD.replace('mx.dest', 'mx.evil'))[0][0][2], False, 'not that of a stranger')
eq(recorded('Authentication-Results: spf=pass smtp.mailfrom=corp.example\n')[0],
   [('spf', 'pass', True, True)], 'one without a name counts above the boundary')
eq(recorded('ARC-' + FIELD.replace('mx', 'i=1; mx'))[0], [], 'that of ARC is none of ours')
eq(recorded('Received-SPF: softfail (mx.dest.example: x) client-ip=192.0.2.1;\n\tenvelope-from='
            '"a@other.example"; receiver=mx.dest.example;\n')[0], [('spf', 'softfail', True, False)],
   'Received-SPF is read as well')
eq(recorded('Authentication-Results: mx.dest.example; none\n')[0], [], 'none is nothing')

# --- hints

for name, change, want in (
        ('a second From', lambda m: m.replace('To:', 'From: x@evil.example\nTo:'), 'dup.header'),
        ('a second Subject', lambda m: m.replace('To:', 'Subject: y\nTo:'), 'dup.header'),
        ('another address in the name', lambda m: m.replace('Alice', '"ceo@bank.example"'),
         'spoof.display'),
        ('answers elsewhere', lambda m: m.replace('To:', 'Reply-To: x@free.example\nTo:'),
         'spoof.reply_to'),
        ('bounces elsewhere', lambda m: 'Return-Path: <x@esp.example>\n' + m, 'spoof.return_path'),
        ('a Date in the future', lambda m: m.replace('1 Jul 2025 10:00:00', '3 Jul 2025 10:00:00'),
         'date.future'),
        ('an old Date', lambda m: m.replace('1 Jul 2025 10:00:00', '1 May 2025 10:00:00'),
         'date.old'),
        ('a Date that is none', lambda m: m.replace('Tue, 1 Jul 2025 10:00:00', 'yesterday'),
         'date.bad'),
        ('no author', lambda m: m.replace('From: Alice <alice@corp.example>\n', ''), 'from.none')):
    ok(want not in ids(got) and want in ids(asked(text=change(MESSAGE))), 'told: ' + name,
       lambda: ids(asked(text=change(MESSAGE))))
FILTERS = 'X-Forefront-Antispam-Report: CIP:192.0.2.1;CTRY:US;SCL:9;SFV:SPM;CAT:PHSH;ZZZ:1\n' \
          'X-Spam-Status: Yes, score=12.1 required=5.0 tests=A,B\nX-Rspamd-Action: no action\n' \
          'X-Unknown-Filter: SCL:9\n'
got = asked(text=FILTERS + MESSAGE)
eq([(f['vendor'], f['part'], f['value'], f['spam']) for f in got['filters']],
   [('Microsoft', 'CIP', '192.0.2.1', False), ('Microsoft', 'CTRY', 'US', False),
    ('Microsoft', 'SCL', '9', True), ('Microsoft', 'SFV', 'SPM', True),
    ('Microsoft', 'CAT', 'PHSH', True), ('SpamAssassin', None, 'Yes', True),
    ('SpamAssassin', 'score', '12.1', False), ('SpamAssassin', 'required', '5.0', False),
    ('SpamAssassin', 'tests', 'A', False), ('rspamd', None, 'no action', False)],
   'what filters wrote is known from a table')
ok(all(f['means'] for f in got['filters']) and 'spam.marked' in ids(got), 'in words')

# --- verified now

KEY = os.path.join(DIR, 'key.pem')
line = subprocess.run([BUILD + '/nightmail', 'dkim', 'keygen', '--domain', 'corp.example',
                       '--selector', 's', '--key', KEY, '--algorithm', 'ed25519'],
                      stdout=subprocess.PIPE, check=True).stdout.decode()
records = {'s._domainkey.corp.example': ''.join(line.split('"')[1::2]),
           'corp.example': 'v=spf1 ip4:192.0.2.1 -all',
           '_dmarc.corp.example': 'v=DMARC1; p=reject'}
server = dkim_dns.Server(records).start()
RESOLVER = ('--verify', '--resolver', '127.0.0.1@%d' % server.port)
signed = 'Return-Path: <alice@corp.example>\n' + FIELD + WAY + subprocess.run(
    [BUILD + '/nightmail', 'dkim', 'sign', '--domain', 'corp.example', '--selector', 's', '--key',
     KEY], input=(HEAD + '\nhello\n').encode(), stdout=subprocess.PIPE,
    check=True).stdout.decode()


def now(text):
    return {a['method'] + ' ' + a['domain']: a['now'] for a in
            asked(*RESOLVER, text=text)['authentication'] if a['now']}


eq(now(signed), {'spf corp.example': 'pass', 'dkim corp.example': 'pass',
                 'dmarc corp.example': 'pass'}, '--verify checks SPF, DKIM and DMARC')
eq(now(signed.replace('hello', 'hallo')), {'spf corp.example': 'pass', 'dkim corp.example': 'fail',
                                           'dmarc corp.example': 'pass'}, 'DMARC takes either')
records['corp.example'] = 'v=spf1 -all'
bad = asked(*RESOLVER, text=signed.replace('hello', 'hallo'))
ok('auth.changed' in ids(bad) and 'auth.fail' in ids(bad) and bad['exit_code'] == 2,
   'what passed when it came and fails now is told', bad)
words = trace(*RESOLVER, text=signed).stdout.decode()
ok('pass' in words and 'NOW' in words and 'RECORDED' in words, 'both stand beside each other',
   words)

# --- forms of input

whole = file('m.eml', MESSAGE)
eq(asked(whole), asked(text=MESSAGE), 'a file is the same as standard input')
box = file('box', 'From a Tue Jul  1 10:00:00 2025\n' + MESSAGE + '\nFrom b Tue Jul  1 10:00:00 2025\n'
           + MESSAGE.replace('Subject: x', 'Subject: second').replace('hello', '>From me') + '\n')
eq(asked(box + '#2')['subject'], 'second', 'the second message of an mbox')
eq(asked(box + '#1')['hops'], asked(whole)['hops'], 'the first one')
r = trace(box)
ok(r.returncode == 66 and b'holds 2 messages' in r.stderr, 'an mbox without a number is told', r)
r = trace(box + '#3')
ok(r.returncode == 66 and b'there are 2 messages' in r.stderr, 'so is a number that is too high', r)
r = trace(os.path.join(DIR, 'none'))
ok(r.returncode == 66 and b'no such file' in r.stderr, 'so is a file that is not there', r)
bounce = ('From: MAILER-DAEMON@x.example\nContent-Type: multipart/report; boundary=b\n\n--b\n\n'
          'sorry\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n--b\n'
          'Content-Type: message/rfc822\n\n' + MESSAGE + '--b--\n')
eq(asked('--original', text=bounce)['hops'], asked(whole)['hops'], '--original is that in a bounce')
plain = 'From: MAILER-DAEMON@x.example\n\nsorry, it follows.\n\n' + MESSAGE
eq(asked('--original', text=plain)['hops'], asked(whole)['hops'], 'also where it has no parts')
r = trace('--original', text=MESSAGE)
ok(r.returncode == 65 and b'no message inside' in r.stderr, 'or there is none', r)
crlf = MESSAGE.replace('\n', '\r\n')
eq(asked(text=crlf)['hops'], asked(whole)['hops'], 'CRLF makes no difference')
r = trace('--json', whole, program=(BUILD + '/nightmail', 'trace'))
eq(json.loads(r.stdout)['hops'], asked(whole)['hops'], 'nightmail trace is the same program')

# --- other views

parts = asked('--structure', text=bounce)['parts']
eq([(p['depth'], p['content_type']) for p in parts],
   [(0, 'multipart/report'), (1, 'text/plain'), (1, 'message/delivery-status'),
    (1, 'message/rfc822'), (2, 'text/plain')], '--structure lists parts depth first')
r = trace('--structure', text=bounce)
ok(r.stdout.splitlines()[3].startswith(b'  message/rfc822'), 'or shows them as a tree', r)
heads = asked('--headers', text='Subject: =?utf-8?q?h=C3=A9?=\n folded\n\n')['headers']
eq(heads, [{'name': 'Subject', 'value': 'h\u00e9 folded'}], '--headers unfolds and decodes')
lines = trace('--plain', whole).stdout.decode().splitlines()
eq([x.split('\t')[0] for x in lines].count('hop'), 5, '--plain has a line for each hop')
r = trace(whole)
ok(max(map(len, r.stdout.decode().splitlines())) <= 80, 'the page fits 80 columns', r.stdout)
eq(r.returncode, 1, 'warnings end with 1')
r = trace(text=HEAD + '\n')
eq(r.returncode, 0, 'nothing wrong with 0')
for words in (['--structure', '--headers'], ['--dkim-verify', '--verify'], ['a', 'b'], ['--what'],
              ['--resolver', 'nonsense.', whole]):
    eq(trace(*words).returncode, 64, 'a usage error: ' + ' '.join(words[:2]))

# --- nothing reaches the terminal raw

EVIL = b'\x1b]0;owned\x07\x1b[31m\xe2\x80\xae\xc2\x9b2J'
hostile = b''.join([
    b'Received: from ' + EVIL + b' (' + EVIL + b' [192.0.2.1]) by ' + EVIL + b' with ' + EVIL
    + b' id ' + EVIL + b'; Tue, 1 Jul 2025 10:00:00 +0000\n',
    b'Authentication-Results: ' + EVIL + b'; dkim=' + EVIL + b' header.d=' + EVIL + b'\n',
    b'DKIM-Signature: v=1; d=' + EVIL + b'; s=' + EVIL + b'; a=' + EVIL + b'; b=x\n',
    b'X-Forefront-Antispam-Report: SCL:' + EVIL + b';' + EVIL + b':9\n',
    b'From: "' + EVIL + b' a@b.example" <x@y.example>\nReply-To: ' + EVIL + b'@z.example\n',
    b'Subject: ' + EVIL + b'\nContent-Type: text/' + EVIL + b'; name="' + EVIL + b'"\n',
    EVIL + b': x\n\n', b'body'])
for words in ([], ['--plain'], ['--structure'], ['--headers'], list(RESOLVER),
              ['--dkim-verify', *RESOLVER[1:]], ['--arc-verify', *RESOLVER[1:]], ['--json'],
              ['--json', '--headers']):
    r = trace(*words, text=hostile)
    raw = [b for b in (b'\x1b', b'\x07', b'\xe2\x80\xae', b'\xc2\x9b')
           if b in r.stdout + r.stderr and not (words[:1] == ['--json'] and b[0] > 0x7f)]
    ok(r.returncode in (0, 1, 2, 3) and not raw, 'nothing raw: ' + ' '.join(words[:2]), (raw, r))
r = trace(text=b'Received: from ' + b'x' * 1000000 + b' by y; z\n' + HEAD.encode() + b'\n')
ok(r.returncode in (0, 1, 2), 'a line of a megabyte is a hop like another', r.stderr)
r = trace('--json', text=b'Received: x\n' * 100000 + b'\n')
ok(len(json.loads(r.stdout)['hops']) == 200, 'of a hundred thousand hops so many are shown')

r = subprocess.run([TRACE, '--explain', 'tls.expired'], stdout=subprocess.PIPE)
ok(r.returncode == 0 and b'expired' in r.stdout, '--explain tells what a finding means', r.stdout)
r = subprocess.run([TRACE, '--explain', 'tls.expire'], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
ok(r.returncode == 64 and b'did you mean tls.expired' in r.stderr, 'or which one is near', r.stderr)

# --- local submission, colour

for by, who in (('by vm.example (nightmail, uid 0) id A', 'uid 0'),
                ('by vm.example (Postfix, from userid 1000) id A', 'userid 1000'),
                ('(qmail 7 invoked by uid 500)', 'uid 500')):
    text = 'Received: %s; Tue, 1 Jul 2025 08:00:00 +0000\nFrom: a@b.example\n\nx\n' % by
    eq(asked(text=text)['hops'][0]['local'], who, 'local submission: ' + who)
    shown = trace(text=text).stdout.decode()
    ok('local, %s -> ' % who in shown and '? ->' not in shown, 'is shown: ' + who, shown)
text = 'Received: from a.example ([192.0.2.1]) by b.example; Tue, 1 Jul 2025 08:00:00 +0000\n\n'
eq(asked(text=text)['hops'][0]['local'], None, 'nothing is local that came from elsewhere')
both = text.replace('by b.example', 'by b.example (x, uid 7) id 7')
ok('a.example [192.0.2.1] -> ' in trace(text=both).stdout.decode() and
   asked(text=both)['hops'][0]['local'] is None, 'not even when its server names a user',
   trace(text=both).stdout)
ok(b'\033[' in trace('--color', 'always', text=text).stdout, '--color=always colours')
ok(b'\033' not in trace('--color=never', text=text).stdout + trace(text=text).stdout,
   '--color=never does not, nor a pipe')
ok(b'\033' not in trace('--color=always', '--json', text=text).stdout +
   trace('--color=always', '--plain', text=text).stdout, 'nor what programs read')
text = ('Received: from a.example ([10.0.0.1]) by b.example; Tue, 1 Jul 2025 08:00:00 +0000\n'
        'From: a@a.example\nDate: Tue, 1 Jul 2025 08:00:00 +0000\n\n')
ok(b'private network' not in trace(text=text).stdout and b'private network' in
   trace('-v', text=text).stdout, '--verbose shows what is only worth knowing',
   trace('--verbose', text=text))
r = trace('--color=blue', text=text)
ok(r.returncode == 64 and b'always' in r.stderr, '--color=blue is refused', r.stderr)

# --- suites that other people wrote


def suite(name):
    path = os.path.join(SHARED, 'conformance', 'headers', name)
    if os.path.exists(path):
        with open(path) as f:
            return json.load(f)
    skip(name, 'not found: ' + path)
    print('SKIPPED: %s is not there' % path, file=sys.stderr)
    return None


cases = suite('stalwart-received.json')
if cases:
    wrong = []
    for i in range(0, len(cases), 9):
        for case in cases[i:i + 9][:1]:
            folded = case['header'].strip().replace('\r', '')
            h = asked(text='Received: ' + folded + '\n\n')['hops'][0]
            want = case['expected'].get('by')
            if want and h['by'] != (want.get('Name') or want.get('IpAddr')):
                wrong.append((case['header'], h))
    ok(not wrong, 'Received of the suite come out through the program as well', wrong[:3])

shutil.rmtree(DIR)
done()
