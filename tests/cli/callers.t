#!/usr/bin/env python3
"""The programs that call sendmail, as data: what each one gives, and what must be queued. A file of
tests/data/callers has lines of a word and its value, and below "stdin" what the program writes:

    argv0 NAME      the name it is called by (sendmail)
    argv WORDS      its arguments
    env N=V ...     the whole environment, besides NIGHTMAIL_CONFIG
    crlf PART       line ends are CRLF: header, all
    exit N          its exit status (0); a message is queued when that is 0, unless: none
    from ADDR       the envelope's sender, <> for the null one (the user at home.example)
    to ADDR ...     the envelope's recipients
    file TEXT       this stands in the queue file
    head LINE       this line is in the queued header; every line that is given in the header is,
                    where the program gives no Bcc
    lacks FIELD     this field is not
    body LINE       this line is in the body (without: the body is the one that was given)
    smtp CODES      the replies on its standard output
    out, err TEXT   this is in its output
"""
import os
import pwd
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../e2e'))
from system import *  # noqa: E402

FOLDER = ROOT + '/tests/data/callers'
WORDS = ('argv0', 'argv', 'env', 'crlf', 'exit', 'from', 'to', 'file', 'head', 'lacks', 'body', 'smtp',
         'out', 'err', 'none')


def parse(name):
    """{word: [value...]} and the bytes for standard input."""
    with open(os.path.join(FOLDER, name), 'rb') as f:
        above, stdin = f.read().split(b'\nstdin\n', 1)
    said = {}
    for line in above.decode().splitlines():
        if line.startswith('#'):
            continue
        word, _, value = line.partition(' ')
        if word not in WORDS:
            sys.exit('%s: %s is no word of callers.t' % (name, word))
        said.setdefault(word, []).append(value.strip() if word not in ('head', 'body') else value)
    return said, stdin


def ends(stdin, part):
    if part == 'all':
        return stdin.replace(b'\n', b'\r\n')
    if part == 'header':
        header, body = stdin.split(b'\n\n', 1)
        return header.replace(b'\n', b'\r\n') + b'\r\n\r\n' + body
    return stdin


def queued(relay):
    """(envelope, file, header lines, body lines) of the one message, or None; taken out."""
    messages = relay.queue()
    if len(messages) != 1:
        return None
    envelope = messages[0]
    with open(relay.spool + '/queue/' + envelope['id'], 'rb') as f:
        content = f.read().decode(errors='surrogateescape')
    shown = relay.run('mailq', 'show', envelope['id'], '--body').stdout.decode(errors='surrogateescape')
    # Above the message stands what mailq knows of it.
    message = shown.replace('\r', '').split('\n\n', 1)[1]
    header, _, body = message.partition('\n\n')
    return envelope, content, header.split('\n'), body


def check_message(name, said, stdin, got):
    if not ok(got, name + ': one message is queued'):
        return
    envelope, content, header, body = got
    me = pwd.getpwuid(os.getuid()).pw_name + '@home.example'
    sender = said.get('from', [me])[0]
    eq(envelope['from'], '' if sender == '<>' else sender, name + ': its sender')
    eq(sorted(r['address'] for r in envelope['recipients']), sorted(said['to'][0].split()),
       name + ': its recipients')
    given = stdin.decode(errors='surrogateescape').split('\n\n', 1)
    want = said.get('head', [])
    if 'smtp' not in said and 'Bcc:' not in given[0]:
        want = want + given[0].split('\n')
    eq([line for line in want if line not in header], [], name + ': its header')
    fields = [line.partition(':')[0].lower() for line in header]
    eq([f for f in said.get('lacks', []) if f.lower() in fields], [], name + ': nothing more in it')
    eq([f for f in ('date', 'from', 'message-id', 'received') if fields.count(f) != 1], [],
       name + ': which is complete')
    eq([t for t in said.get('file', []) if t not in content], [], name + ': what the file says')
    if 'body' in said:
        eq([line for line in said['body'] if line not in body.split('\n')], [], name + ': its body')
    else:
        eq(body.rstrip('\n'), given[1].rstrip('\n'), name + ': its body')


def run_caller(name):
    said, stdin = parse(name)
    relay = Relay(name='callers/' + name, start=False)
    env = dict(pair.split('=', 1) for pair in said.get('env', [''])[0].split())
    argv = [said.get('argv0', ['sendmail'])[0]] + said['argv'][0].split()
    r = subprocess.run(argv, executable=BUILD + '/sendmail', cwd='/',
                       input=ends(stdin, said.get('crlf', [''])[0]),
                       env=dict(env, NIGHTMAIL_CONFIG=relay.config, **SANITIZERS),
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = r.stdout.decode(), r.stderr.decode()
    status = int(said.get('exit', ['0'])[0])
    ok(r.returncode == status, '%s: exit status %d' % (name, status),
       lambda: 'got %d: %s%s' % (r.returncode, out, err))
    if 'smtp' in said:
        eq([line[:3] for line in out.splitlines() if line[3:4] == ' '], said['smtp'][0].split(),
           name + ': the replies')
    elif 'out' not in said:
        eq(out, '', name + ': nothing on standard output')
    for stream, text in (('out', out), ('err', err)):
        for want in said.get(stream, []):
            ok(want in text, '%s: says "%s"' % (name, want), text)
    if 'err' not in said:
        eq(err, '', name + ': and nothing on standard error')
    if status == 0 and 'none' not in said:
        check_message(name, said, stdin, queued(relay))
    else:
        eq(relay.queue(), [], name + ': nothing is queued')


SANITIZERS = {k: v for k, v in os.environ.items() if k in ('ASAN_OPTIONS', 'UBSAN_OPTIONS')}
callers = sorted(os.listdir(FOLDER))
ok(len(callers) > 20, 'there are callers')
for caller in callers:
    run_caller(caller)
done()
