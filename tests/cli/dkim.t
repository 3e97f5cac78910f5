#!/usr/bin/env python3
"""nightmail dkim: keys, records and signatures. What it signs must verify with our own verifier
and with three written by others, over messages of every odd shape; one changed byte must fail."""
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import dkim_dns  # noqa: E402

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap  # noqa: E402
from tap import ok, skip  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get('NIGHTMAIL_BUILD', os.path.join(ROOT, 'build', 'release'))
NIGHTMAIL = os.path.join(BUILD, 'nightmail')
TRACE = os.path.join(BUILD, 'header-trace')
DIR = tempfile.mkdtemp(prefix='nmdkim')
os.environ.pop('NIGHTMAIL_CONFIG', None)



def run(*words, data=b'', program=NIGHTMAIL):
    return subprocess.run([program, *words], input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120)


def path(name):
    return os.path.join(DIR, name)


# --- keys

records = {}


def keygen(selector, *more):
    done = run('dkim', 'keygen', '--domain', 'example.org', '--selector', selector, '--key',
               path(selector + '.pem'), *more)
    line = done.stdout.decode()
    ok(done.returncode == 0 and line.startswith(selector + '._domainkey.example.org. '),
       'keygen makes ' + selector, done)
    strings = line.split('"')[1::2]
    ok(all(len(s) <= 255 for s in strings), 'no string of the record of %s is too long' % selector,
       line)
    records[selector + '._domainkey.example.org'] = ''.join(strings)
    mode = os.stat(path(selector + '.pem')).st_mode
    ok(stat.S_IMODE(mode) == 0o600, 'only its owner reads the key ' + selector, oct(mode))


keygen('rsa')
keygen('ed', '--algorithm', 'ed25519')
before = open(path('rsa.pem')).read()
done = run('dkim', 'keygen', '--domain', 'example.org', '--selector', 'rsa', '--key',
           path('rsa.pem'))
ok(done.returncode != 0 and b'there already' in done.stderr and
   open(path('rsa.pem')).read() == before, 'a key that is there is never replaced', done)
done = run('dkim', 'record', '--domain', 'example.org', '--selector', 'rsa', '--key',
           path('rsa.pem'))
ok(''.join(done.stdout.decode().split('"')[1::2]) == records['rsa._domainkey.example.org'],
   'record prints what keygen printed', done)
openssl = shutil.which('openssl')
if openssl:
    subprocess.run([openssl, 'genrsa', '-traditional', '-out', path('old.pem'), '2048'],
                   stderr=subprocess.DEVNULL, check=True)
    done = run('dkim', 'record', '--domain', 'example.org', '--selector', 'old', '--key',
               path('old.pem'))
    records['old._domainkey.example.org'] = ''.join(done.stdout.decode().split('"')[1::2])
    ok(done.returncode == 0, 'a key of openssl in the traditional form is read', done)
    weak = subprocess.run([openssl, 'genrsa', '-out', path('weak.pem'), '768'],
                          stderr=subprocess.DEVNULL)
    if weak.returncode == 0:
        done = run('dkim', 'sign', '--domain', 'example.org', '--selector', 'weak', '--key',
                   path('weak.pem'), data=b'From: a@example.org\n\nx\n')
        ok(done.returncode == 65 and b'768 bits' in done.stderr,
           'a key of 768 bits is refused (RFC 8301)', done)
server = dkim_dns.Server(records).start()
RESOLVER = '127.0.0.1@%d' % server.port

# --- odd messages

HEAD = b'From: Alice <alice@example.org>\nTo: bob@example.net\nSubject: hello\n' \
       b'Date: Tue, 1 Jul 2003 10:52:37 +0200\nMessage-ID: <1@example.org>\n'
MESSAGES = {
    'a plain message': HEAD + b'\nhello\n',
    'no body': HEAD + b'\n',
    'a header alone': HEAD,
    'no line end at its end': HEAD + b'\nhello',
    'empty lines at its end': HEAD + b'\nhello\n\n\n\n',
    'nothing but empty lines': HEAD + b'\n\n\n\n',
    'blanks at line ends': HEAD + b'\nhello  \t\n \n  two  blanks\t\tinside\n \n\n',
    '8-bit bytes': HEAD.replace(b'hello', b'gr\xc3\xbc\xc3\x9fe') + b'\nf\xc3\xbcr \xff\xfe\n',
    'long lines': HEAD + b'\n' + b'x' * 5000 + b'\n' + b'y z' * 3000 + b'\n',
    'folded fields': HEAD.replace(b'Subject: hello', b'Subject: a\n\t long \n  subject')
    + b'\nx\n',
    'fields that stand twice': HEAD + b'Received: from a by b; x\nReceived: from c by d; y\n'
    b'References: <a@b>\n\nx\n',
    'an empty subject': HEAD.replace(b'Subject: hello', b'Subject:') + b'\nx\n',
    'a subject of blanks': HEAD.replace(b'Subject: hello', b'Subject:   ') + b'\nx\n',
    'CRLF': (HEAD + b'\nhello\n\n  x \n').replace(b'\n', b'\r\n'),
    'CRLF without a body': (HEAD + b'\n').replace(b'\n', b'\r\n'),
    'odd blanks around the colon': HEAD.replace(b'Subject: hello', b'SUBJECT  :hello \t')
    + b'\nx\n',
    'lines that begin with dots': HEAD + b'\n.\n..\n.x\n',
    'many lines': HEAD + b'\n' + b''.join(b'line %d of it\n' % i for i in range(5000)),
}
CANONS = ('simple/simple', 'simple/relaxed', 'relaxed/simple', 'relaxed/relaxed')


def sign(message, canon, *selectors):
    words = ['dkim', 'sign', '--domain', 'example.org', '--canon', canon]
    for s in selectors:
        words += ['--selector', s, '--key', path(s + '.pem')]
    return run(*words, data=message)


signed = {}
bad = []
for name, message in MESSAGES.items():
    for canon in CANONS:
        for selectors in (('rsa',), ('ed',), ('rsa', 'ed')):
            done = sign(message, canon, *selectors)
            if done.returncode != 0 or not done.stdout.endswith(message) or \
                    done.stdout.count(b'DKIM-Signature:') != len(selectors):
                bad.append((name, canon, selectors, done.stderr))
            signed[name, canon, selectors] = done.stdout
ok(not bad, 'every message is signed, and its bytes stand unchanged behind the signatures', bad)
if openssl:
    done = sign(MESSAGES['a plain message'], 'relaxed/simple', 'old')
    signed['a plain message', 'relaxed/simple', ('old',)] = done.stdout


# --- our own verifier

files = {}
for i, (key, message) in enumerate(signed.items()):
    files[key] = path('m%d' % i)
    with open(files[key], 'wb') as f:
        f.write(message)


def verdicts(*paths):
    done = run('dkim', 'verify', '--resolver', RESOLVER, '--json', *paths)
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


bad = [(key, v['dkim']) for key, v in zip(files, verdicts(*files.values()))
       if [r['result'] for r in v['dkim']] != ['pass'] * len(key[2])]
ok(len(verdicts(*files.values())) == len(files) and not bad,
   'all of them verify here', bad[:5])

changed = []
for key, message in signed.items():
    name, canon, selectors = key
    if name not in ('a plain message', 'long lines', '8-bit bytes', 'CRLF'):
        continue
    for what, old, new in (('subject', b'Alice', b'Alicf'), ('body', b'\n\n', b'\n\nX')):
        crlf = b'\r\n' in message
        if crlf:
            old, new = old.replace(b'\n', b'\r\n'), new.replace(b'\n', b'\r\n')
        head, sep, tail = message.rpartition(old) if what == 'subject' else message.partition(old)
        other = path('c%d' % len(changed))
        with open(other, 'wb') as f:
            f.write(head + new + tail)
        changed.append((key, what, other))
bad = [(key, what, v['dkim']) for (key, what, _), v in
       zip(changed, verdicts(*[c[2] for c in changed]))
       if any(r['result'] != 'fail' for r in v['dkim'])]
ok(len(changed) > 50 and not bad, 'one changed byte in header or body makes each of them fail',
   bad[:5])
one = path('added')
for field in ('From: mallory@example.com', 'Subject: other', 'To: other@example.com',
              'Date: Tue, 1 Jul 2003 10:52:38 +0200', 'Reply-To: mallory@example.com'):
    with open(one, 'wb') as f:
        f.write(field.encode() + b'\n' + signed['a plain message', 'relaxed/relaxed', ('rsa',)])
    ok([r['result'] for r in verdicts(one)[0]['dkim']] == ['fail'],
       'a field that is added breaks the signature: ' + field, verdicts(one))

# --- what the programs say

plain = files['a plain message', 'relaxed/simple', ('rsa', 'ed')]
done = run('--dkim-verify', '--resolver', RESOLVER, '--json', plain, program=TRACE)
got = json.loads(done.stdout)['dkim'] if done.returncode == 0 else []
ok([(r['domain'], r['selector'], r['result']) for r in got] ==
   [('example.org', 'rsa', 'pass'), ('example.org', 'ed', 'pass')],
   'header-trace --dkim-verify lists them in the order of the header', done)
done = run('dkim', 'verify', '--resolver', RESOLVER, '--authres', 'mx.example.net', plain)
ok(done.returncode == 0 and done.stdout.startswith(b'Authentication-Results: mx.example.net;\n') and
   done.stdout.count(b'dkim=pass') == 2, '--authres writes the field', done)
done = run('dkim', 'verify', '--resolver', RESOLVER, data=MESSAGES['a plain message'])
ok(done.returncode == 1 and b'no DKIM-Signature' in done.stdout,
   'a message without a signature is none that failed', done)
records['gone._domainkey.example.org'] = records['rsa._domainkey.example.org']
shutil.copy(path('rsa.pem'), path('gone.pem'))
with open(one, 'wb') as f:
    f.write(sign(MESSAGES['a plain message'], 'relaxed/relaxed', 'gone').stdout)
del records['gone._domainkey.example.org']
done = run('dkim', 'verify', '--resolver', RESOLVER, '--json', one)
ok(done.returncode == 1 and json.loads(done.stdout)['dkim'][0]['result'] == 'permerror',
   'a key that is no longer published is unknown, not a failure', done)
records['gone._domainkey.example.org'] = 'v=DKIM1; p='
done = run('dkim', 'verify', '--resolver', RESOLVER, '--json', one)
ok('revoked' in json.loads(done.stdout)['dkim'][0]['reason'], 'a revoked key is named so', done)
for words, code in ((('rsa', 'rsa'), 0), (('rsa', 'ed'), 2), (('nobody', 'rsa'), 2)):
    done = run('dkim', 'check', '--domain', 'example.org', '--selector', words[0], '--key',
               path(words[1] + '.pem'), '--resolver', RESOLVER, '--json')
    ok(done.returncode == code, 'check of %s with the key %s ends with %d' % (*words, code), done)
done = run('dkim', 'check', '--domain', 'example.org', '--selector', 'nobody', '--key',
           path('rsa.pem'), '--resolver', RESOLVER)
ok(b'publish: nobody._domainkey.example.org. 3600 IN TXT (' in done.stdout,
   'what is missing is printed as the line to publish', done)
done = run('dkim', 'sign', '--domain', 'example.org', '--selector', 'x', '--key', path('none'),
           data=MESSAGES['no body'])
ok(done.returncode == 65 and done.stdout == b'', 'without a key nothing is written', done)
done = sign(b'To: x@example.org\n\nno author\n', 'relaxed/relaxed', 'rsa')
ok(done.returncode == 65 and b'no From' in done.stderr, 'without an author nothing is signed', done)

# --- verifiers by others

names_file = path('records')
with open(names_file, 'w') as f:
    for name, text in records.items():
        f.write('%s %s\n' % (name, text))

DKIMPY = r'''
import sys, dkim
records = dict(line.rstrip("\n").split(" ", 1) for line in open(sys.argv[1]))
def look_up(name, timeout=5):
    return records[name.decode().rstrip(".")].encode()
for path in sys.argv[2:]:
    message = open(path, "rb").read()
    n = message.count(b"DKIM-Signature:")
    d = dkim.DKIM(message)
    print(int(all(d.verify(idx=i, dnsfunc=look_up) for i in range(n))))
'''
MAIL_DKIM = r'''
use Mail::DKIM::Verifier; use Net::DNS;
package Table; sub new { bless { r => $_[1] } } our $AUTOLOAD;
sub can { 1 } sub AUTOLOAD { my $n = $AUTOLOAD; return if $n =~ /DESTROY/; my $s = shift;
  return undef unless $n =~ /::(send|query|search)$/; my $q = shift; my $p = Net::DNS::Packet->new($q, "TXT");
  my $t = $s->{r}{$q}; if (defined $t) { my @s = ($t =~ /.{1,255}/gs);
  $p->push(answer => Net::DNS::RR->new(owner => $q, type => "TXT", txtdata => \@s)); } return $p; }
package main;
open(F, shift); my %r = map { chomp; split / /, $_, 2 } <F>; close F;
Mail::DKIM::DNS::resolver(Table->new(\%r));
for my $path (@ARGV) { open(M, "<:raw", $path); my $m = do { local $/; <M> }; close M;
  my $v = Mail::DKIM::Verifier->new; $m =~ s/\r?\n/\r\n/g; $v->PRINT($m); $v->CLOSE;
  my @s = $v->signatures; print((@s && !grep({ $_->result ne "pass" } @s)) ? "1\n" : "0\n"); }
'''


def others(name, argv, keys):
    done = subprocess.run([*argv, names_file, *[files[k] for k in keys]], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=300)
    got = done.stdout.decode().split()
    refused = [k for k, v in zip(keys, got) if v != '1']
    ok(len(got) == len(keys) and not refused, '%s verifies %d of them' % (name, len(keys)),
       (refused[:5], done.stderr.decode()[-2000:]))


def has(*argv):
    try:
        return subprocess.run(argv, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


# Passed over: dkimpy reads no message whose header has no empty line behind it, or blanks before a
# colon; Mail::DKIM adds no CRLF to a simple body that lacks it (RFC 6376 section 3.4.3).
NOT_DKIMPY = ('a header alone', 'odd blanks around the colon')
if has('/usr/bin/python3', '-c', 'import dkim, nacl'):
    others('dkimpy', ['/usr/bin/python3', '-c', DKIMPY],
           [k for k in files if k[0] not in NOT_DKIMPY])
elif has('/usr/bin/python3', '-c', 'import dkim'):
    others('dkimpy', ['/usr/bin/python3', '-c', DKIMPY],
           [k for k in files if k[0] not in NOT_DKIMPY and 'ed' not in k[2]])
else:
    skip('dkimpy verifies them', 'no python3-dkim')
if has('perl', '-MMail::DKIM::Verifier', '-MNet::DNS', '-e', '1'):
    # Ed25519 only where Crypt::PK::Ed25519 is there.
    ed = has('perl', '-MCrypt::PK::Ed25519', '-e', '1')
    others('Mail::DKIM', ['perl', '-e', MAIL_DKIM],
           [k for k in files if (ed or 'ed' not in k[2]) and not
            (k[0] == 'no line end at its end' and k[1].endswith('/simple'))])
else:
    skip('Mail::DKIM verifies them', 'no libmail-dkim-perl')


def opendkim():
    """libopendkim asks the resolver of /etc/resolv.conf on port 53: both are its own in a name
    space."""
    script = path('opendkim.sh')
    with open(path('resolv.conf'), 'w') as f:
        f.write('nameserver 127.0.0.1\n')
    keys = [k for k in files if 'ed' not in k[2] and k[0] != 'a header alone']
    with open(script, 'w') as f:
        f.write('set -e\nip link set lo up\nmount --bind "$1" /etc/resolv.conf\n'
                '"$2" "$3" 53 "$4" >"$5" &\ni=0\n'
                'until grep -q ready "$5"; do i=$((i+1)); [ $i -lt 100 ]; sleep 0.1; done\n'
                'shift 5\nfor f; do opendkim-testmsg <"$f" >/dev/null 2>&1 && echo 1 || echo 0\n'
                'done\nkill $!\n')
    done = subprocess.run(['unshare', '-n', '-m', 'sh', script, path('resolv.conf'),
                           sys.executable, dkim_dns.__file__, names_file, path('ready'),
                           *[files[k] for k in keys]], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=300)
    got = done.stdout.decode().split()
    refused = [k for k, v in zip(keys, got) if v != '1']
    ok(len(got) == len(keys) and not refused, 'opendkim-testmsg verifies %d of them' % len(keys),
       (refused[:8], done.stderr.decode()[-2000:]))


if not shutil.which('opendkim-testmsg'):
    skip('opendkim-testmsg verifies them', 'no opendkim-tools')
elif os.geteuid() != 0 or not has('unshare', '-n', '-m', 'true') or not shutil.which('ip'):
    skip('opendkim-testmsg verifies them', 'needs root and a name space of its own')
else:
    opendkim()

shutil.rmtree(DIR)
tap.done()
