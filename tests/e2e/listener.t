#!/usr/bin/env python3
"""The listener: what it speaks, who may send, what it refuses, and what it stands: slow and idle
clients, a full disk, the end of a session or of the daemon at any moment."""
import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402
from listening import *  # noqa: E402

SHARED = os.environ.get('NIGHTMAIL_SHARED', ROOT + '/../shared')
sink = Sink()
ca, cert, key = own_ca()
users = users_file(printer='secret', scanner='{PLAIN}{brace}')


def arrived(subject, where=sink):
    """(envelope, text) of the one message with this subject."""
    def look():
        found = [m for m in where.received() if '\nSubject: %s\n' % subject in m[1]]
        return found[0] if found else None
    return until(look) or ({}, '')


def test_dialogue(relay):
    c = relay.client()
    eq(c.greeting[0], 220, 'a greeting')
    eq(c.extensions.split('\n')[1:], ['PIPELINING', 'SIZE 52428800', '8BITMIME', 'SMTPUTF8', 'DSN',
                                      'CHUNKING', 'ENHANCEDSTATUSCODES'], 'the extensions')
    eq([c.code(x) for x in ('NOOP x', 'HELP', 'VRFY bob', 'RSET', 'EXPN x', 'AUTH PLAIN', 'STARTTLS')],
       [250, 214, 252, 250, 500, 502, 502], 'the small commands')
    which = accepted(c.mail('plain'), 'a message is taken')
    text = arrived('plain')[1]
    ok(re.match(r'Received: from client\.example \(\[127\.0\.0\.1\]\)\s+by \S+ \(nightmail, uid %d\)'
                r'\s+with ESMTP id %s;\s' % (os.geteuid(), which), text),
       'Received tells client, user, protocol and ID', text)
    ok(relay.says(r'id=%s .* uid=%d via=tcp client=127\.0\.0\.1 helo=client\.example proto=ESMTP '
                  r'status=queued' % (which, os.geteuid())), 'so does the log', relay.tail)
    c.say('MAIL FROM:<alice@home.example> BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=e+2B1\r\n'
          'RCPT TO:<jörg@example.org> NOTIFY=NEVER ORCPT=rfc822;j@x\r\nDATA\r\n')
    eq([c.reply()[0] for _ in range(3)], [250, 250, 354], 'parameters, pipelined')
    c.say('Subject: all of it\r\n\r\nGrüße\r\n.\r\n')
    accepted(c.reply(), 'a message with all of them is taken')
    envelope = arrived('all of it')[0]
    eq((envelope.get('ret'), envelope.get('envid'), [t.get('notify') for t in envelope.get('to', [])]),
       ('HDRS', 'e+1', ['NEVER']), 'they reach the next server')
    eq(c.code('MAIL FROM:<a@b.c> BODY=BINARYMIME'), 501, 'BINARYMIME is refused')
    eq(c.code('QUIT'), 221, 'QUIT')
    eq(c.rest(), [], 'ends the session')
    c = relay.client('HELO')
    eq(c.extensions.count('\n'), 0, 'HELO tells no extension')
    accepted(c.mail('by HELO'), 'and a message by it is taken')
    ok('with SMTP id' in arrived('by HELO')[1], 'which is plain SMTP')
    c = relay.client(hello=None)
    c.ask('EHLO x (evil) by trusted')
    accepted(c.mail('odd name'), 'a client with an odd name')
    ok(arrived('odd name')[1].startswith('Received: from x--evil--by-trusted ([127.0.0.1])'),
       'cannot write a Received of its own', arrived('odd name')[1])
    text = ''.join('Received: from x by y; Thu, 1 Jan 2026 00:00:0%d +0000\r\n' % (n % 10)
                   for n in range(101))
    eq(c.envelope(), 250, 'a message')
    c.code('DATA')
    c.say(text + 'Subject: round\r\n\r\n.\r\n')
    eq(c.reply(), (554, '5.6.0 101 Received fields: the message goes round in a circle'),
       'that goes round is refused')
    c.close()


def test_chunks(relay):
    c = relay.client()
    c.say('MAIL FROM:<alice@home.example>\r\nRCPT TO:<bob@example.org>\r\nBDAT 17\r\nSubject: chunks\r\n'
          'BDAT 5\r\n\r\n.\r\nBDAT 1\r\n\rBDAT 11 LAST\r\n\n..\r\nQUIT\r\nNOOP\r\n')
    replies = [c.reply() for _ in range(7)]
    eq([r[0] for r in replies], [250] * 7, 'BDAT in chunks, in one flight')
    ok(arrived('chunks')[1].endswith('\nSubject: chunks\n\n.\n\n..\nQUIT\n'), 'every byte is content',
       lambda: repr(arrived('chunks')[1]))
    c.say('MAIL FROM:<alice@home.example>\r\nRCPT TO:<bob@example.org>\r\nBDAT 6\r\na\r\nb\rcBDAT 3 LAST\r\n'
          'd\r\nNOOP\r\n')
    eq([c.reply()[0] for _ in range(5)], [250, 250, 250, 554, 250], 'a bare CR between chunks is refused')
    c.say('MAIL FROM:<alice@home.example>\r\nRCPT TO:<bob@example.org>\r\nBDAT 100\r\nSubject: cut off\r\n')
    eq([c.reply()[0] for _ in range(2)], [250, 250], 'a chunk')
    c.close()
    c = relay.client()
    c.envelope()
    c.code('DATA')
    c.say('Subject: cut off\r\n\r\nhalf a mess')
    c.close()
    c = relay.client()
    accepted(c.mail('after'), 'that is cut off, and DATA that is')
    arrived('after')
    ok(not [t for _, t in sink.received() if 'cut off' in t] and relay.empty(), 'are no messages')
    c.say('MAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nBDAT x\r\nNOOP\r\n')
    eq([r[0] for r in c.rest()], [250, 250, 501], 'a chunk without a length ends the session')


def test_addresses(relay):
    file = SHARED + '/conformance/smtp/isemail.json'
    if not os.path.exists(file):
        skip('addresses', 'there are no conformance data at ' + SHARED)
        return
    with open(file) as f:
        cases = json.load(f)
    fine = ('ISEMAIL_VALID_CATEGORY', 'ISEMAIL_DNSWARN', 'ISEMAIL_RFC5321')
    wrong = []
    for case in cases:
        a = case['address']
        if '\r' in a or '\n' in a or not a.isascii():
            continue
        c = relay.client()
        c.ask('MAIL FROM:<>')
        code = c.code('RCPT TO:<%s>' % a)
        if case['category'] in fine and '@' in a and code != 250:
            wrong.append((a, code, case['diagnosis']))
        if case['category'] == 'ISEMAIL_ERR' and code == 250 and '@' in a:
            wrong.append((a, code, case['diagnosis']))
        if c.code('NOOP') != 250:
            wrong.append((a, 'the session is out of step'))
        c.close()
    eq(wrong, [], 'addresses of the conformance data are taken or refused')


def test_limits():
    relay = Listening('limits', 'recipients = 100\nerrors = 3', port=sink.port,
                      queue='size-limit = 20K')
    c = relay.client()
    eq(c.code('MAIL FROM:<a@b.c> SIZE=30000'), 552, 'too big by its SIZE')
    c.envelope()
    c.code('DATA')
    c.say('Subject: big\r\n\r\n' + 'x' * 70 * 1000 + '\r\n.\r\n')
    eq(c.reply()[0], 552, 'too big in fact')
    eq(c.code('MAIL FROM:<a@b.c>'), 250, 'the session goes on')
    c.say(''.join('RCPT TO:<r%d@example.org>\r\n' % n for n in range(101)))
    codes = [c.reply()[0] for _ in range(101)]
    eq(codes, [250] * 100 + [452], 'one recipient too many is for later')
    c.code('RSET')
    c.say('NOOP ' + 'x' * 100000 + '\r\n')
    eq(c.reply()[0], 500, 'an endless command')
    eq([c.code('WHAT') for _ in range(2)], [500, 421], 'too many errors end the session')
    eq(c.rest(), [], 'and nothing follows')
    c = relay.client()
    codes = []
    while 0 not in codes and 421 not in codes:
        codes.append(c.code('NOOP'))
    ok(len(codes) < 150, 'so do commands that lead nowhere', len(codes))
    relay.stop()
    relay = Listening('full', port=sink.port, queue='reserve = 1000G')
    c = relay.client()
    code, text = c.ask('MAIL FROM:<a@b.c>')
    eq((code, text.split()[0]), (452, '4.3.1'), 'below the reserve of the disk nothing is taken')
    relay.stop()


def trickle(c, text):
    """Sends byte by byte until the other side has had enough; its reply."""
    end = time.monotonic() + PATIENCE
    c.sock.settimeout(0.2)
    for byte in text:
        c.say(bytes([byte]))
        try:
            return c.reply()
        except TimeoutError:
            pass
        if time.monotonic() > end:
            break
    return 0, 'it goes on'


def test_slow():
    relay = Listening('slow', 'timeout = 1s', port=sink.port)
    for name, connect in (('by TCP', relay.client), ('by the Unix socket', relay.local)):
        c = connect()
        code, text = c.reply()
        eq((code, text), (421, '4.4.2 the time of 1 s for this is over'), name + ': silence is cut off')
        eq(trickle(connect(), b'MAIL FROM:<' + b'a' * 1000)[0], 421, name + ': so is a command that trickles')
        c = connect()
        c.envelope()
        c.code('DATA')
        eq(trickle(c, b'Subject: x\r\n' + b'a' * 1000)[0], 421, name + ': and a message')
        c = connect()
        c.envelope()
        c.code('DATA')
        for n in range(30):
            c.say('x' * 98 + '\r\n')
            time.sleep(0.05)
        c.say('.\r\n')
        eq(c.reply()[0], 250, name + ': one that is slow is not')
    relay.stop()


def confined(relay, name):
    """The seccomp mode of each child of the daemon with that name: 2 is a filter."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/status' % pid) as f:
                status = dict(line.split(':\t', 1) for line in f.read().splitlines() if ':\t' in line)
        except OSError:
            continue
        if status['Name'] == name and int(status['PPid']) == relay.popen.pid:
            found.append(status['Seccomp'])
    return found


def test_confined():
    """Sessions in clear are confined, also where the process can become the one that speaks TLS."""
    relay = Listening('confined', port=sink.port)
    tls = Listening('confined-tls', 'tls = %s %s' % (cert, key), port=sink.port)
    clients = [relay.client(), relay.local(), tls.client()]
    eq((confined(relay, 'nightmaild'), confined(tls, 'nightmaild')), (['2', '2'], ['2']),
       'sessions in clear are confined, by TCP and by the Unix socket')
    ok(relay.says('sessions are confined by .*seccomp'), 'the log tells by what', relay.tail)
    for n, c in enumerate(clients):
        accepted(c.mail('confined %d' % n), 'a confined session takes a message')
        ok(arrived('confined %d' % n)[1], 'which is delivered')
    eq(clients[2].starttls(), 220, 'a confined session goes on under TLS')
    accepted(clients[2].mail('confined under TLS'), 'and takes a message there')
    words = read(os.path.relpath(relay.config, DIR))
    path(os.path.relpath(relay.config, DIR), 'sandbox = off\n' + words, 0o644)
    eq(relay.run('nightmail', 'reload').returncode, 0, 'sandbox = off')
    c = relay.client()
    with open('/proc/self/status') as f:
        ours = re.search(r'^Seccomp:\s(\d)', f.read(), re.M).group(1)
    eq(sorted(confined(relay, 'nightmaild')), sorted(['2', '2', ours]), 'sessions from then on are not')
    accepted(c.mail('not confined'), 'and take messages')
    for r in (relay, tls):
        r.stop()


def test_rights():
    tls = 'tls = %s %s\nusers = %s\n' % (cert, key, users)
    relay = Listening('login', tls, trust='no', port=sink.port)
    c = relay.client()
    ok('STARTTLS' in c.extensions and 'AUTH' not in c.extensions, 'in clear no login is offered')
    ok('REQUIRETLS' not in c.extensions, 'nor REQUIRETLS')
    eq(c.ask('MAIL FROM:<a@b.c>'), (530, '5.7.0 STARTTLS first'), 'and nothing taken')
    eq(c.code('AUTH PLAIN AHByaW50ZXIAc2VjcmV0'), 502, 'nor a password')
    eq(c.starttls(), 220, 'TLS')
    eq(confined(relay, 'nightmail-sessi'), ['2'], 'the process behind it is confined')
    ok('AUTH SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN' in c.extensions and 'STARTTLS' not in c.extensions and
       'REQUIRETLS' in c.extensions,
       'offers logins', c.extensions)
    eq(c.ask('MAIL FROM:<a@b.c>'), (530, '5.7.0 AUTH first'), 'wants one')
    eq(c.code('AUTH PLAIN AHByaW50ZXIAd3Jvbmc='), 535, 'a wrong password')
    ok(relay.says(r'client=127\.0\.0\.1 .*proto=ESMTPS tls=TLS1\.3 code=535 reply="5\.7\.8 authentication '
                  r'failed for printer" status=refused'), 'is logged', relay.tail)
    eq(c.code('AUTH PLAIN AHByaW50ZXIAc2VjcmV0'), 235, 'the right one')
    which = accepted(c.mail('by login'), 'a message is taken')
    text = arrived('by login')[1]
    ok(re.match(r'Received: from client\.example \(\[127\.0\.0\.1\]\)\s+by \S+ '
                r'\(nightmail, user printer, TLS1\.3\)\s+with ESMTPSA id', text), 'Received tells all of it', text)
    ok(relay.says(r'id=%s .*proto=ESMTPSA tls=TLS1\.3 user=printer status=queued' % which), 'so does the log')
    c = relay.client()
    c.starttls()
    eq([c.code('AUTH PLAIN AHNjYW5uZXIAeA==') for _ in range(5)], [535] * 4 + [421],
       'a guesser is slowed and sent away')
    c = relay.client()
    c.say('STARTTLS\r\nMAIL FROM:<a@b.c>\r\n')
    eq([r[0] for r in c.rest()], [554], 'commands in clear behind STARTTLS end the session')
    # Our own client is another one that logs in, by SCRAM.
    pw = path('printer.pw', 'secret\n')
    other = Relay('other', port=relay.listens, host='localhost', tls='starttls', ca=ca, login='printer',
                  password='file:' + pw)
    other.send('bob@example.org', subject='by SCRAM')
    ok('ESMTPSA' in arrived('by SCRAM')[1], 'a relay logs in by SCRAM-SHA-256', other.tail)
    ok(other.says(r'auth=SCRAM-SHA-256'), 'as its log tells', other.tail)
    os.chmod(users, 0o644)
    c = relay.client()
    c.starttls()
    eq(c.code('AUTH PLAIN AHByaW50ZXIAc2VjcmV0'), 454, 'a file of users that all may read is not used')
    ok(relay.says(r'nobody can log in: .*chmod 600'), 'and the log says why', relay.tail)
    os.chmod(users, 0o600)
    os.rename(key, key + '.gone')
    c = relay.client()
    eq(c.code('STARTTLS'), 454, 'without a key there is no TLS')
    os.rename(key + '.gone', key)
    for r in (other, relay):
        r.stop()
    relay = Listening('closed', 'allow = 192.0.2.0/24', trust='no', port=sink.port)
    c = relay.client()
    eq(c.ask('MAIL FROM:<a@b.c>'), (550, '5.7.1 127.0.0.1 may not send mail through this relay'),
       'a client without any right is refused')
    eq(c.code('RCPT TO:<bob@example.org>'), 503, 'and cannot go on')
    ok(relay.says(r'via=tcp client=127\.0\.0\.1 .*code=550'), 'and is logged')
    accepted(relay.local().mail('by socket'), 'the Unix socket is open all the same')
    relay.configure(port=sink.port, more='[listen]\ntcp = 127.0.0.1:0\nallow = 0.0.0.0/0\n')
    relay.run('nightmail', 'reload')
    ok(relay.says(r'warning: this is an open relay: allow = 0\.0\.0\.0/0'), 'an open relay is warned of')
    accepted(relay.client().mail('open'), 'and is one')
    relay.stop()


def test_held():
    """What comes in while nothing can go out is not read at once, but before anybody is told."""
    relay = Listening('held', port=1, probe='1h')
    kept, first = relay.client(), relay.client()
    accepted(first.mail('first'), 'a message for a relay that is down')
    ok(relay.says('relay default is held'), 'which is held from now on', relay.tail)
    for n in range(6):
        for _ in range(5):
            accepted(kept.mail('more'), 'a message while it is held')
        states = json.loads(relay.run('nightmail', 'status', '--json').stdout)['states']
        eq(sum(state['count'] for state in states.values()), 1 + 5 * (n + 1),
           'status counts all of them while the session goes on')
    relay.stop()


def test_uids():
    """Another user on the loopback is counted as such."""
    if os.geteuid() != 0:
        skip('another user', 'only root can become one')
        return
    relay = Listening('uids', port=sink.port, queue='user-limit = 2/h 1M')
    text = 'import socket;s=socket.create_connection(("127.0.0.1",%d));s.sendall(b"EHLO x\\r\\n"+' \
        'b"MAIL FROM:<a@b.c>\\r\\nRCPT TO:<d@e.f>\\r\\nBDAT 14 LAST\\r\\nSubject: u\\r\\n\\r\\n"*3+b"QUIT\\r\\n");' \
        'print(b"".join(iter(lambda:s.recv(9999),b"")).decode())' % relay.listens
    r = subprocess.run(['/usr/bin/python3', '-c', text], user=12345, group=12345, env={},
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    out = r.stdout.decode()
    eq(out.count('queued as'), 2, 'another user sends, as far as user-limit allows')
    ok('451 4.3.0 uid 12345 has sent 2 messages' in out, 'and is told why', out)
    ok(relay.says(r'uid=12345 via=tcp'), 'the log knows the user', relay.tail)
    relay.stop()


def test_reuse():
    """What served a user by TCP may serve that user's next connection, and no other client."""
    relay = Listening('reuse', 'tls = %s %s' % (cert, key), port=sink.port)

    def send(connect, subject):
        c = connect()
        reply = c.mail(subject)
        c.code('QUIT')
        c.rest()
        return accepted(reply, subject + ' is taken')

    port = relay.listens

    def as_another():
        os.seteuid(12345)  # whose socket it is, is who made it
        try:
            return Client(('127.0.0.1', port))
        finally:
            os.seteuid(0)

    def under_tls():
        c = relay.client()
        eq(c.starttls(), 220, 'TLS in a process that served before')
        return c

    ways = [('from here', relay.client), ('from there', lambda: relay.client(source='127.0.0.2')),
            ('by socket', relay.local), ('by TLS', under_tls)]
    if os.geteuid() == 0:
        ways.insert(1, ('of another', as_another))  # while one waits for us

    def served():
        """By which processes each way was served, in this order."""
        relay.says('id=%s .*status=queued' % last)
        pids = {}
        for program, pid, uid, way in re.findall(
                r'(\S+)\[(\d+)\]: id=\w+ .* uid=(\d+) via=(\w+(?: client=\S+)?) .*status=queued', relay.words()):
            pids.setdefault((program, uid, way), []).append(pid)
        return pids

    def is_again():
        return sum(len(p) > len(set(p)) for p in served().values()) == len(ways) - 1

    for turn in range(20):
        for name, connect in ways:
            last = [send(connect, '%s %d %s' % (name, turn, which)) for which in 'ab'][-1]
        if is_again():
            break
    pids = served()
    ok(len(pids) == len(ways), 'every way has its own name in the log', pids)
    ok(is_again(), 'all but TLS have had a process twice', pids)
    clear = {way: set(p) for way, p in pids.items() if way[0] == 'nightmaild'}
    ok(not [1 for a in clear for b in clear if a < b and clear[a] & clear[b]],
       'no process served two users, two addresses or two ways', pids)
    tls = [p for way, p in pids.items() if way[0] == 'nightmail-session'][0]
    ok(len(tls) == len(set(tls)), 'none that went on under TLS served again', pids)
    before = set(sum(pids.values(), []))
    eq(relay.run('nightmail', 'reload').returncode, 0, 'the settings are read again')
    last = send(relay.client, 'after the reload')
    served()
    pid = re.findall(r'\[(\d+)\]: id=%s .*status=queued' % last, relay.words())
    ok(pid and pid[0] not in before, 'a client from then on has a new process', (pid, before))
    relay.stop()


def test_idle():
    """1,000 clients that do nothing do no harm."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(1000, hard - 100)
    relay = Listening('idle', 'sessions = 100 40', port=sink.port)
    port = relay.listens
    idle = []
    for _ in range(count):
        s = socket.create_connection(('127.0.0.1', port), PATIENCE)
        idle.append(s)
    ok(until(lambda: 0 < len(relay.sessions()) <= 40), '%d idle clients have no more than 40 sessions' % count,
       lambda: len(relay.sessions()))
    private = []
    for pid in relay.sessions():
        try:
            with open('/proc/%d/smaps_rollup' % pid) as f:
                rollup = f.read()
        except OSError:
            continue
        private.append(sum(int(n) for n in re.findall(r'^Private_\w+:\s+(\d+)', rollup, re.M)))
    if SANITIZED:
        skip('a session is small', 'sanitizers need memory')
    else:
        ok(private and max(private) <= 512, 'each has at most 0.5 MB of its own', private)

    def sends():
        c = Client(('127.0.0.1', port), hello=None)
        if c.greeting[0] != 220 or c.ask('EHLO x')[0] != 250:
            return False
        return c.mail('among idlers')[0] == 250
    ok(until(sends), 'mail by TCP is still taken', relay.tail)
    accepted(relay.local().mail('by socket'), 'mail by the Unix socket as well')
    ok(arrived('among idlers')[1], 'and is delivered')
    ok(relay.says('a client was sent away: too many sessions'), 'the log tells of the many')
    for s in idle:
        s.close()
    ok(until(lambda: not relay.sessions()), 'they are gone with their clients', relay.sessions)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    relay.stop()


def test_room():
    relay = Listening('room', 'sessions = 3 2', port=sink.port)
    old, busy = relay.client(), relay.client()
    busy.envelope()

    def comes():
        c = Client(('127.0.0.1', relay.listens), hello=None)
        return c if c.greeting[0] == 220 else None
    new = until(comes)
    ok(new, 'a client over the limit is served after a while')
    eq(old.reply()[0], 421, 'the session that does nothing makes room')
    busy.code('DATA')
    busy.say('Subject: busy\r\n\r\n.\r\n')
    accepted(busy.reply(), 'the one with a message in hand does not')
    relay.stop()


def test_end():
    relay = Listening('end', port=sink.port)
    idle, open_one, sending = relay.client(), relay.client(), relay.client()
    eq((open_one.envelope(), sending.envelope()), (250, 250), 'two clients with a message in hand')
    sending.code('DATA')
    sending.say('Subject: at the end\r\n\r\nfirst half\r\n')
    relay.popen.send_signal(signal.SIGTERM)
    eq(idle.reply()[0], 421, 'SIGTERM: an idle client gets 421 at once')
    sending.say('second half\r\n.\r\n')
    which = accepted(sending.reply(), 'the message in hand is taken')
    eq(sending.reply()[0], 421, 'then the client gets 421')
    open_one.say('DATA\r\n')
    eq(open_one.reply()[0], 354, 'so may one begin whose envelope stood')
    open_one.say('Subject: too\r\n\r\n.\r\n')
    accepted(open_one.reply(), 'and end')
    eq(relay.stop(), 0, 'the daemon ends when they are done')
    ok(which in relay.files(), 'the message is in the queue', relay.files)
    relay.start()
    ok('second half' in arrived('at the end')[1], 'and is delivered by the next daemon')
    relay.stop()


def test_kill():
    """Sessions die at any moment: what was answered with 250 is there, once."""
    relay = Listening('kill', port=sink.port, queue='reserve = 0')
    done_with, stop = [], threading.Event()

    def client(number):
        n = 0
        while not stop.is_set():
            try:
                c = relay.client()
                for _ in range(10):
                    n += 1
                    name = 'kill-%d-%d' % (number, n)
                    if c.mail(name, 'x' * 70 * 30 + '\r\n')[0] != 250:
                        break
                    done_with.append(name)
                c.close()
            except (OSError, ValueError):
                pass
    threads = [threading.Thread(target=client, args=(n,)) for n in range(3)]
    for t in threads:
        t.start()
    killed = 0
    end = time.monotonic() + 4 * PATIENCE
    while time.monotonic() < end and (killed < 40 or len(done_with) < 40):
        for pid in relay.sessions():
            if random.random() < 0.5:
                try:
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
                except ProcessLookupError:
                    pass
        time.sleep(random.random() / 50)
    stop.set()
    for t in threads:
        t.join()
    ok(killed > 10 and len(done_with) > 10, 'sessions are killed while clients send', (killed, len(done_with)))
    ok(until(lambda: relay.run('mailq').stdout.startswith(b'Mail queue is empty')), 'the queue runs empty',
       relay.tail)
    subjects = [m for _, t in sink.received() for m in re.findall(r'^Subject: (kill-\S+)', t, re.M)]
    eq([n for n in done_with if subjects.count(n) != 1], [], 'what was answered with 250 came, once')
    relay.stop()


def test_sockets():
    """Sockets that the service manager opened, several, and named."""
    relay = Relay('passed', port=sink.port, start=False,
                  more='[listen]\ntrust-local = yes\nunix = %s\n' % path('passed/more'))
    os.makedirs(path('passed/run'), exist_ok=True)
    tcp = [socket.create_server(('127.0.0.1', 0)) for _ in range(2)]
    local = socket.socket(socket.AF_UNIX)
    submit = path('passed/submit')
    local.bind(submit)
    local.listen()
    odd = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    fds = [s.fileno() for s in tcp + [local, odd]]
    code = 'import os\nfds=[os.dup2(os.dup(f),50+i) for i,f in enumerate(%r)]\n' \
        'for i,f in enumerate(fds): os.dup2(f,3+i)\nos.closerange(3+len(fds),100)\n' \
        'os.environ.update(LISTEN_PID=str(os.getpid()),LISTEN_FDS=str(len(fds)),' \
        'LISTEN_FDNAMES="smtp:other:submit:odd")\nos.execv(%r,["nightmaild"])\n' % (fds, BUILD + '/nightmaild')
    log = open(path(relay.name + '.log'), 'ab')
    daemon = subprocess.Popen([sys.executable, '-c', code], pass_fds=fds, env=relay.env, stdout=log, stderr=log)
    try:
        for s, name in ((tcp[0], 'the first TCP socket'), (tcp[1], 'the second')):
            accepted(Client(s.getsockname()).mail('passed'), name + ' is served')
        accepted(Client(submit).mail('passed'), 'so is the Unix socket')
        ok(until(lambda: os.path.exists(path('passed/more'))), 'and the one of the key unix')
        accepted(Client(path('passed/more')).mail('passed'), 'is served too')
        ok(not os.path.exists(relay.spool + '/run/submit'), 'there is no other in place of the one passed')
        ok(relay.says(r'a socket named "odd" was passed and is not used'), 'one of no use is told')
        r = subprocess.run([BUILD + '/nightmail', 'reload'], env=relay.env, stdout=subprocess.PIPE)
        accepted(Client(tcp[0].getsockname()).mail('passed'), 'after a reload they are still there')
    finally:
        daemon.terminate()
        eq(daemon.wait(PATIENCE), 0, 'the daemon ends')
        relay.popen = None


def test_reload():
    port, other = free_port(), free_port()
    relay = Listening('reload', tcp='127.0.0.1:%d' % port, port=sink.port)
    accepted(Client(('127.0.0.1', port)).mail('before'), 'a port')
    busy = Client(('127.0.0.1', port))
    busy.envelope()
    taken = socket.create_server(('127.0.0.1', 0))
    relay.configure(port=sink.port, more='[listen]\ntrust-local = yes\ntcp = 127.0.0.1:%d 127.0.0.1:%d\n'
                    % (other, taken.getsockname()[1]))
    relay.run('nightmail', 'reload')
    ok(relay.says(r'127\.0\.0\.1:%d: cannot listen: .*tried again' % taken.getsockname()[1]),
       'a port that somebody has is told', relay.tail)
    accepted(Client(('127.0.0.1', other)).mail('after'), 'another is open')
    try:
        Client(('127.0.0.1', port))
        ok(False, 'the old one is closed')
    except ConnectionRefusedError:
        ok(True, 'the old one is closed')
    busy.code('DATA')
    busy.say('Subject: still\r\n\r\n.\r\n')
    accepted(busy.reply(), 'a session that was open goes on')
    relay.stop()


relay = Listening(port=sink.port)
test_dialogue(relay)
test_chunks(relay)
test_addresses(relay)
test_limits()
test_slow()
test_confined()
test_rights()
test_held()
test_uids()
test_reuse()
test_idle()
test_room()
test_end()
test_kill()
test_sockets()
test_reload()
relay.is_empty('nothing is left in the queue')
done()
