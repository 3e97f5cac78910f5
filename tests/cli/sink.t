#!/usr/bin/env python3
"""nightmail sink, driven by Python's smtplib and by raw sockets: what it offers, takes, keeps,
tells, and every way to make it fail on purpose."""
import json
import os
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import done, eq, ok  # noqa: E402

BUILD = os.environ['NIGHTMAIL_BUILD']
DIR = tempfile.mkdtemp()

class Sink:
    """A sink with --json; events are read from its stdout."""

    def __init__(self, *args, as_json=True):
        command = [BUILD + '/nightmail', 'sink'] + list(args) + (['--json'] if as_json else [])
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        first = self.process.stdout.readline()
        if as_json:
            self.port = json.loads(first)['port'] if first else None
        self.first = first

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        out, err = self.process.communicate(timeout=20)
        self.events = [json.loads(line) for line in out.splitlines() if line.startswith(b'{')]
        self.words = out.decode()
        self.errors = err.decode()
        return self.process.returncode

    def of(self, event):
        return [e for e in self.events if e['event'] == event]

    def smtp(self):
        return smtplib.SMTP('127.0.0.1', self.port, timeout=20)

    def raw(self):
        s = socket.create_connection(('127.0.0.1', self.port), timeout=20)
        return s, s.makefile('rb')


def refused(call, *args):
    """The reply of a command that smtplib takes for a failure."""
    try:
        call(*args)
    except smtplib.SMTPResponseException as e:
        return e.smtp_code
    except smtplib.SMTPRecipientsRefused as e:
        return {a: r[0] for a, r in e.recipients.items()}
    except smtplib.SMTPServerDisconnected:
        return 'closed'
    return 0


def path(name, content=None, mode=0o600):
    p = os.path.join(DIR, name)
    if content is not None:
        with open(p, 'w') as f:
            f.write(content)
        os.chmod(p, mode)
    return p


def test_words():
    s = Sink(as_json=False)
    ok(s.first.startswith(b'listening 127.0.0.1:'), 'the first line tells the port', s.first)
    port = int(s.first.split(b':')[1])
    c = smtplib.SMTP('127.0.0.1', port, timeout=20)
    c.sendmail('a@b.example', ['c@d.example'], 'Subject: x\n\nhello\n')
    c.quit()
    eq(s.stop(), 0, 'SIGTERM ends it with status 0')
    ok('message 1 from <a@b.example> to <c@d.example>, 21 bytes, no TLS, no login\n' in s.words,
       'a message is told in words', s.words)


def test_plain():
    keep = path('keep')
    with Sink('--dir', keep, '--name', 'mx.test') as s:
        c = s.smtp()
        code, text = c.ehlo('client.test')
        ok(text.startswith(b'mx.test'), 'it has the name it was given', text)
        eq(sorted(k.upper() for k in c.esmtp_features),
           ['8BITMIME', 'DSN', 'ENHANCEDSTATUSCODES', 'PIPELINING', 'SIZE', 'SMTPUTF8'],
           'it offers what it can, and neither STARTTLS nor AUTH')
        c.sendmail('a@b.example', ['c@d.example', 'e@f.example'], 'Subject: 1\r\n\r\n.dot\r\n..two\r\n',
                   mail_options=['BODY=8BITMIME', 'RET=HDRS', 'ENVID=a+2Bb'],
                   rcpt_options=['NOTIFY=FAILURE', 'ORCPT=rfc822;x+3Dy@d.example'])
        c.sendmail('', ['g@h.example'], 'Subject: 2\n\n')
        c.quit()
        with open(keep + '/1.eml', 'rb') as f:
            eq(f.read(), b'Subject: 1\n\n.dot\n..two\n', 'a message is kept as it was sent')
        with open(keep + '/1.json') as f:
            envelope = json.load(f)
        eq(envelope['from'], 'a@b.example', 'with its sender')
        eq([t['address'] for t in envelope['to']], ['c@d.example', 'e@f.example'], 'and recipients')
        eq((envelope['ret'], envelope['envid'], envelope['8bitmime'], envelope['to'][0]['notify'],
            envelope['to'][0]['orcpt']),
           ('HDRS', 'a+b', True, 'FAILURE', 'rfc822;x=y@d.example'), 'and the DSN parameters, decoded')
        eq(envelope['helo'], 'client.test', 'and who sent it')
        s.stop()
        eq([(e['number'], e['from'], e['size']) for e in s.of('message')],
           [(1, 'a@b.example', 27), (2, '', 14)], 'each message is told with its size on the wire')
        eq(s.of('message')[0], envelope, 'an event holds what the file holds')
    with Sink('--dir', keep) as s:
        s.smtp().sendmail('a@b.example', ['c@d.example'], 'x')
        ok(os.path.exists(keep + '/3.eml'), 'a second sink goes on numbering')


def test_tls_and_auth():
    password = path('password', 'sesame öffne\n')
    certs = path('certs')
    with Sink('--tls', certs, '--auth', 'alice@x.example:' + password, '--require-auth',
              '--name', 'mail.test') as s:
        context = ssl.create_default_context(cafile=certs + '/ca.pem')
        c = s.smtp()
        c.ehlo()
        ok('PLAIN' not in c.esmtp_features['auth'] and 'SCRAM-SHA-256' in c.esmtp_features['auth'],
           'in clear it offers no mechanism that shows the password')
        eq(refused(c.docmd, 'NOOP') or c.docmd('MAIL', 'FROM:<a@b>')[0], 530, 'MAIL before AUTH is refused')
        c._host = 'mail.test'
        c.starttls(context=context)
        ok('PLAIN' in c.ehlo()[1].decode(), 'under TLS it offers PLAIN')
        c.user, c.password = 'alice@x.example', 'wrong'
        try:
            c.auth('PLAIN', c.auth_plain)
            ok(False, 'a wrong password is refused')
        except smtplib.SMTPAuthenticationError as e:
            eq(e.smtp_code, 535, 'a wrong password is refused')
        import base64
        token = base64.b64encode('\0alice@x.example\0sesame öffne'.encode()).decode()
        eq(c.docmd('AUTH PLAIN ' + token)[0], 235, 'the right one is accepted')
        c.sendmail('a@b.example', ['c@d.example'], 'x')
        c.quit()
        s.stop()
        message = s.of('message')[0]
        eq((message['tls'], message['mechanism']), ('TLSv1.3'.replace('v', ''), 'PLAIN'),
           'a message is told with TLS version and mechanism')
        eq([(e['code'], e['text']) for e in s.of('auth')], [(535, 'PLAIN'), (235, 'PLAIN')],
           'every attempt to log in is told')
        ok('sesame' not in json.dumps(s.events), 'and none tells the password')
    before = os.stat(certs + '/cert.pem').st_mtime_ns
    with Sink('--tls', certs, '--implicit-tls') as s:
        c = smtplib.SMTP_SSL('localhost', s.port, context=context, timeout=20)
        eq(c.noop()[0], 250, 'implicit TLS works, for the name localhost too')
        ok('STARTTLS' not in c.ehlo()[1].decode(), 'and offers no STARTTLS then')
        c.quit()
    eq(os.stat(certs + '/cert.pem').st_mtime_ns, before, 'certificates that are there are kept')
    with Sink('--cert', certs + '/cert.pem', '--key', certs + '/key.pem', '--require-tls') as s:
        c = s.smtp()
        c.ehlo()
        eq(c.docmd('MAIL', 'FROM:<a@b>')[0], 530, 'MAIL before STARTTLS is refused')
        raw, f = s.raw()
        f.readline()
        raw.sendall(b'EHLO x\r\nSTARTTLS\r\n')
        while f.readline()[:4] != b'220 ':
            pass
        raw.sendall(b'this is no TLS\r\n')
        raw.close()
        c.quit()
        for _ in range(200):
            if s.process.poll() is not None:
                break
            line = s.process.stdout.readline()
            if b'tls-failed' in line:
                break
        ok(b'tls-failed' in line, 'a failed handshake is told', line)


def test_replies():
    table = [
        ('mail=451 4.3.0 later', lambda c: c.docmd('MAIL', 'FROM:<a@b>')[0], 451),
        ('mail:a@b=550', lambda c: (c.docmd('MAIL', 'FROM:<x@b>')[0], c.docmd('RSET') and
                                    c.docmd('MAIL', 'FROM:<A@B>')[0]), (250, 550)),
        ('data=451', lambda c: (c.mail('a@b'), c.rcpt('c@d'), c.docmd('DATA'))[2][0], 451),
        ('data=250 2.0.0 odd', lambda c: (c.mail('a@b'), c.rcpt('c@d'), c.docmd('DATA'))[2][0], 250),
        ('rcpt:@bad.example=550 5.1.1 gone',
         lambda c: c.sendmail('a@b', ['x@good.example', 'y@BAD.example'], 'x'),
         {'y@BAD.example': (550, b'5.1.1 gone')}),
        ('rcpt=251 2.1.5 elsewhere', lambda c: c.sendmail('a@b', ['x@y'], 'x'), {}),
        ('content=452 4.3.1 disk full', lambda c: refused(c.sendmail, 'a@b', ['c@d'], 'x'), 452),
        ('content=250 2.0.0 queued as 77', lambda c: (c.mail('a@b'), c.rcpt('c@d'), c.data('x'))[2],
         (250, b'2.0.0 queued as 77')),
        ('ehlo=502 5.5.1 no', lambda c: (c.ehlo()[0], c.helo()[0]), (502, 502)),
    ]
    for rule, act, want in table:
        with Sink('--reply', rule) as s:
            c = s.smtp()
            if not rule.startswith('ehlo'):
                c.ehlo()
            eq(act(c), want, '--reply %s' % rule)
            s.stop()
            ok(s.of('injected'), 'and it is told', s.events)
            kept = rule.startswith('content=250') or rule.startswith('rcpt')
            eq(len(s.of('message')), 1 if kept else 0,
               'the message counts as %s' % ('taken' if kept else 'not taken'))


def test_session_replies():
    with Sink('--reply', 'greeting=554 5.3.2 not today,1', '--reply', 'greeting=421,1') as s:
        eq([refused(s.smtp), refused(s.smtp), refused(s.smtp)], [554, 421, 0],
           'a rule with a number of times gives way to the next, then to the usual reply')
    with Sink('--reply', 'mail=421 4.3.2 bye') as s:
        raw, f = s.raw()
        f.readline()
        raw.sendall(b'HELO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n')
        rest = f.read()
        ok(rest.endswith(b'421 4.3.2 bye\r\n'), 'a 421 ends the session, what is behind it is not answered', rest)
    certs = path('certs')
    with Sink('--tls', certs, '--reply', 'starttls=454 4.7.0 no TLS now,1') as s:
        c = s.smtp()
        c.ehlo()
        eq(c.docmd('STARTTLS')[0], 454, 'STARTTLS can be refused')
        eq(c.sendmail('a@b', ['c@d'], 'x'), {}, 'and the session goes on in clear')
        c.starttls(context=ssl._create_unverified_context())
        eq(c.noop()[0], 250, 'and STARTTLS works the next time')
        c.quit()
    password = path('password')
    with Sink('--auth', 'u:' + password, '--reply', 'auth=454 4.7.0 later,1') as s:
        c = s.smtp()
        c.ehlo()
        eq(c.docmd('AUTH CRAM-MD5')[0], 454, 'AUTH can be refused')
        eq(c.docmd('AUTH CRAM-MD5')[0], 334, 'and works the next time')
        eq(c.docmd('*')[0], 501, 'a cancelled exchange is answered with 501')
        c.user, c.password = 'u', 'sesame öffne'
        eq(c.docmd('AUTH SCRAM-SHA-1')[0], 334, 'and leaves nothing behind: another mechanism begins')
        eq(c.docmd('*')[0], 501, 'and can be cancelled')
        c.quit()


def test_close():
    talk = [b'EHLO x\r\n', b'MAIL FROM:<a@b>\r\n', b'RCPT TO:<c@d>\r\n', b'DATA\r\n',
            b'Subject: x\r\n', b'\r\n.\r\n']
    stages = {'greeting': 0, 'ehlo': 1, 'mail': 2, 'rcpt': 3, 'data': 4, 'content': 5, 'dot': 6}
    for stage, said in stages.items():
        with Sink('--close-at', stage) as s:
            raw, f = s.raw()
            seen = b''
            sent = 0
            try:
                line = f.readline()
                for say in talk:
                    if not line:
                        break
                    raw.sendall(say)
                    sent += 1
                    if say.startswith(b'Subject'):
                        line = b'(content)' if stage != 'content' else f.readline()
                        continue
                    line = f.readline()
                    while line[3:4] == b'-':
                        line = f.readline()
            except ConnectionResetError:
                line = b''
            ok(not line and sent == said, '--close-at %s closes there, not before' % stage, (line, sent))
            s.stop()
            eq(len(s.of('message')), 1 if stage == 'dot' else 0, 'and the message counts accordingly')
    with Sink('--close-at', 'rcpt:c@d,1') as s:
        c = s.smtp()
        eq([refused(c.sendmail, 'a@b', ['c@d'], 'x'), refused(s.smtp().sendmail, 'a@b', ['c@d'], 'x')],
           ['closed', 0], 'closing can be limited to a number of times')
    with Sink('--close-at', 'rcpt') as s:
        raw, f = s.raw()
        f.readline()
        raw.sendall(b'EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n')
        seen = b''
        try:
            seen = f.read()
        except ConnectionResetError:
            pass
        ok(b'250 2.1.0' in seen and b'2.1.5' not in seen,
           'replies to what came before in the same packet are sent', seen)


def test_limits():
    with Sink('--max', '2', '--dir', path('max')) as s:
        c = s.smtp()
        idle = s.smtp()
        c.sendmail('a@b', ['c@d'], 'one')
        c.sendmail('a@b', ['c@d'], 'two')
        eq(s.process.wait(timeout=20), 0, '--max ends it')
        eq(idle.docmd('NOOP')[0], 421, 'and other clients are told')
        s.stop()
        eq(len(s.of('message')), 2, 'after exactly so many')
    with Sink('--size', '1000') as s:
        c = s.smtp()
        c.ehlo()
        eq(c.esmtp_features['size'], '1000', 'the size is offered')
        eq(c.docmd('MAIL', 'FROM:<a@b> SIZE=1001')[0], 552, 'and enforced by SIZE=')
        c.helo()
        eq(refused(c.sendmail, 'a@b', ['c@d'], 'x' * 1100), 552, 'and by counting')
        eq(refused(c.sendmail, 'a@b', ['c@d'], 'x' * 900), 0, 'and the session goes on')
    with Sink('--connections', '1') as s:
        first = s.smtp()
        second, f = s.raw()
        second.settimeout(0.3)
        try:
            early = second.recv(10)
        except TimeoutError:
            early = b''
        eq(early, b'', 'with --connections 1 a second client waits')
        first.quit()
        second.settimeout(20)
        ok(second.recv(10).startswith(b'220'), 'until the first has left')
    with Sink('--delay', '150') as s:
        start = time.monotonic()
        s.smtp().noop()
        ok(time.monotonic() - start >= 0.3, '--delay holds every answer back')
    with Sink('--no-pipelining') as s:
        c = s.smtp()
        c.ehlo()
        ok('pipelining' not in c.esmtp_features, '--no-pipelining')
    with Sink('--chunking') as s:
        c = s.smtp()
        c.ehlo()
        ok('chunking' in c.esmtp_features, '--chunking offers it')
        c.mail('a@b')
        c.rcpt('c@d')
        c.send(b'BDAT 4\r\nhi\r\nBDAT 3 LAST\r\n.\r\n')
        ok([c.getreply()[0], c.getreply()[0]] == [250, 250], 'and takes chunks')


def test_flaws():
    for name, body, want in [('a bare LF', b'a\nb\r\n', b'550'), ('a bare CR', b'a\rb\r\n', b'550'),
                             ('a NUL', b'a\0b\r\n', b'550'), ('a smuggled dot', b'a\n.\nb\r\n', b'550'),
                             ('8-bit bytes', b'a\xffb\r\n', b'250')]:
        with Sink() as s:
            raw, f = s.raw()
            raw.sendall(b'HELO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n')
            while f.readline()[:3] != b'354':
                pass
            raw.sendall(body + b'.\r\n')
            eq(f.readline()[:3], want, 'a message with %s is %s' % (name, 'taken' if want == b'250' else 'refused'))


def test_processes():
    with Sink() as s:
        raw, f = s.raw()
        f.readline()
        pid = subprocess.run(['pgrep', '-P', str(s.process.pid)], capture_output=True).stdout.split()
        eq(len(pid), 1, 'each connection has a process')
        s.process.kill()
        s.process.wait()
        rest = f.read()
        ok(rest == b'' or rest.startswith(b'421'), 'which ends when the sink is killed', rest)
    with Sink() as s:
        raw, f = s.raw()
        f.readline()
        start = time.monotonic()
        s.process.terminate()
        ok(f.readline().startswith(b'421'), 'SIGTERM tells clients that it stops')
        s.process.wait(timeout=20)
        ok(time.monotonic() - start < 5, 'and does not wait for them')
    with Sink('--delay', '400') as s:
        raw, f = s.raw()
        f.readline()
        raw.sendall(b'NOOP\r\n')
        time.sleep(0.1)  # most likely inside the delay; any moment must do
        s.process.terminate()
        s.process.wait(timeout=20)
        ok(f.read().endswith(b'421 4.3.2 the sink is stopped\r\n'), 'so does SIGTERM in the middle of a delay')
    with Sink('--listen', '[::1]:0') as s:
        if s.port:
            c = smtplib.SMTP('::1', s.port, timeout=20)
            eq(c.noop()[0], 250, 'it listens at ::1')
            c.quit()
        else:
            print('# no IPv6 here: not tested')


def test_usage():
    def run(*args):
        p = subprocess.run([BUILD + '/nightmail', 'sink'] + list(args), capture_output=True, timeout=20)
        return p.returncode, p.stderr.decode()

    loose = path('loose', 'x\n', 0o644)
    table = [
        (['--nonsense'], 64, 'unknown option: --nonsense'), (['extra'], 64, 'unexpected argument: extra'),
        (['--listen', 'localhost:1'], 64, '--listen: localhost:1: '), (['--max'], 64, '--max needs an argument'),
        (['--max', '0'], 64, 'not a number from 1'), (['--delay', '-1'], 64, 'not a number'),
        (['--reply', 'rcpt'], 64, 'a code from 200 to 599'), (['--reply', 'rcpt=600'], 64, 'a code from'),
        (['--reply', 'rcpt=5501'], 64, 'a code from'), (['--reply', 'foo=550'], 64, "'foo' is no stage"),
        (['--reply', 'dot=550'], 64, "'dot' is no stage"), (['--reply', 'data:a@b=550'], 64, 'only follow'),
        (['--reply', 'ehlo=250'], 64, 'can only be refused'), (['--reply', 'rcpt=550 a\r\n250 b'], 64, 'control'),
        (['--close-at', 'x'], 64, "'x' is no stage"), (['--cert', 'x'], 64, 'belong together'),
        (['--implicit-tls'], 64, 'needs --tls'), (['--require-tls'], 64, 'needs --tls'),
        (['--require-auth'], 64, 'needs --auth'), (['--auth', 'secret'], 64, 'USER:FILE'),
        (['--name', 'a\r\nb'], 64, 'not a host name'),
        (['--auth', 'u:' + loose], 66, 'chmod 600'), (['--auth', 'u:/nonexistent/x'], 66, 'no such file'),
        (['--cert', '/nonexistent/c', '--key', '/nonexistent/k'], 66, '/nonexistent/c'),
        (['--dir', '/nonexistent/a/b'], 73, '/nonexistent/a/b'),
        (['--listen', '192.0.2.1:25'], 69, 'cannot listen at 192.0.2.1 port 25'),
    ]
    for args, status, words in table:
        got, err = run(*args)
        ok(got == status and words in err, 'nightmail sink %s: %s' % (' '.join(args).encode('unicode_escape').decode(), words), (got, err))
    p = subprocess.run([BUILD + '/nightmail', 'sink', '--help'], capture_output=True, timeout=20)
    ok(p.returncode == 0 and b'--close-at' in p.stdout, '--help')


try:
    for test in (test_words, test_plain, test_tls_and_auth, test_replies, test_session_replies, test_close,
                 test_limits, test_flaws, test_processes, test_usage):
        test()
finally:
    shutil.rmtree(DIR)
done()
