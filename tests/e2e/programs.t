#!/usr/bin/env python3
"""The programs that people have, as they are: mail clients, git, cron and scripts hand mail to
our sendmail; swaks talks to our sink; Postfix's smtp-sink takes from our relay."""
import email.message
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402

SENDMAIL = BUILD + '/sendmail'
sink = Sink()
relay = Relay(port=sink.port)
home = path('home/.keep', '') and path('home')
plain = dict(relay.env, HOME=home, LC_ALL='C.UTF-8', EDITOR='true', MAILRC='/dev/null', USER='alice',
             LOGNAME='alice', GIT_CONFIG_GLOBAL=path('gitconfig', ''), GIT_CONFIG_SYSTEM='/dev/null')


def run(*command, text='', env=None, cwd=None):
    r = subprocess.run(command, input=text.encode(), env=env or plain, cwd=cwd or home,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE)
    if r.returncode != 0:
        say('%s: status %d: %s' % (command[0], r.returncode, r.stdout.decode(errors='replace')))
    return r.returncode


def sent(name, subject, to, sender=None, body=None):
    """Checks what arrived with this subject."""
    envelope, m = sink.arrived(subject)
    if not ok(envelope, name + ': the mail arrives', relay.tail):
        return None
    eq(sorted(t['address'] for t in envelope['to']), to, name + ': to the right recipients')
    if sender:
        eq(envelope['from'], sender, name + ': from the right sender')
    if body:
        part = m.get_body(('plain',)) or m
        ok(body in part.get_content(), name + ': with its text', lambda: part.get_content())
    ok(m['From'] and m['Date'] and m['Message-ID'], name + ': with a complete header', m.items())
    return m


def have(program):
    if shutil.which(program):
        return True
    skip(program, 'not installed')
    return False


def test_s_nail():
    if not have('s-nail'):
        return
    eq(run('s-nail', '-:/', '-S', 'mta=' + SENDMAIL, '-S', 'v15-compat', '-r', 'alice@home.example',
           '-s', 'from s-nail', '-c', 'carol@example.org', 'bob@example.org',
           text='Grüße aus s-nail\n'), 0, 's-nail: status 0')
    sent('s-nail', 'from s-nail', ['bob@example.org', 'carol@example.org'], 'alice@home.example',
         'Grüße aus s-nail')


def test_mutt():
    if not have('mutt'):
        return
    attached = path('attached.txt', 'The attachment.\n')
    eq(run('mutt', '-n', '-F', '/dev/null', '-e', 'set sendmail="%s -oem -oi"' % SENDMAIL,
           '-e', 'set from=alice@home.example use_envelope_from=yes copy=no', '-s', 'from mutt',
           '-a', attached, '-b', 'dave@example.org', '--', 'bob@example.org',
           text='Grüße aus mutt\n.\nein Punkt\n'), 0, 'mutt: status 0')
    m = sent('mutt', 'from mutt', ['bob@example.org', 'dave@example.org'], 'alice@home.example',
             'Grüße aus mutt\n.\nein Punkt\n')
    ok(m and m['Bcc'] is None and [p.get_filename() for p in m.iter_attachments()] == ['attached.txt'],
       'mutt: the attachment is there, and Bcc is not', m)


def test_git():
    if not have('git') or run('git', 'send-email', '--help', env=dict(plain, MANPAGER='cat')) > 1:
        return
    repo = path('repo/file', 'one\n') and path('repo')
    git = ['git', '-c', 'user.name=Alice', '-c', 'user.email=alice@home.example']
    for args in (['init', '-q'], ['add', 'file'], ['commit', '-qm', 'A change of a file']):
        run(*git, *args, cwd=repo)
    eq(run(*git, 'send-email', '--smtp-server=' + SENDMAIL, '--to=bob@example.org', '--confirm=never',
           '--envelope-sender=auto',
           '--cc=carol@example.org', '--suppress-cc=self', '-1', '--quiet', cwd=repo), 0,
       'git send-email: status 0')
    sent('git send-email', '[PATCH] A change of a file', ['bob@example.org', 'carol@example.org'],
         'alice@home.example', '+one')


def test_bsd_mailx():
    program = PEERS + '/root/usr/bin/bsd-mailx'
    if not os.path.exists(program):
        skip('bsd-mailx', "'make peers' did not get it")
        return
    env = dict(plain, MAILRC=path('mailrc', 'set sendmail=%s\n' % SENDMAIL),
               LD_LIBRARY_PATH=PEERS + '/root/usr/lib/x86_64-linux-gnu')
    eq(run(program, '-s', 'from mailx', '-r', 'alice@home.example', 'bob@example.org',
           text='Hello from mailx.\n', env=env), 0, 'bsd-mailx: status 0')
    sent('bsd-mailx', 'from mailx', ['bob@example.org'], 'alice@home.example', 'Hello from mailx.')


def test_cron():
    """As cron of Debian calls it; and as systemd-cron, sudo, and at do."""
    for name, args, head in (
            ('cron', ['-i', '-FCronDaemon', '-B8BITMIME', '-oem', 'root'], 'To: root\n'),
            ('systemd-cron', ['-i', '-B8BITMIME', 'root'], 'From: root (systemd-cron)\nTo: root\n'),
            ('sudo', ['-t'], 'To: root\nFrom: alice\nAuto-Submitted: auto-generated\n'),
            ('at', ['-i', 'root'], 'To: root\n'),
            ('logwatch', ['-t', '-f', 'logwatch@home.example'], 'To: root\nFrom: logwatch@home.example\n'),
            ('mdadm', ['-t'], 'From: mdadm monitoring <root>\nTo: root\n'),
            ('PHP', ['-t', '-i'], 'To: root\r\nX-PHP-Originating-Script: 0:x.php\r\n'),
            ('runit', ['-oi', '-oem', '-odb', '-f', 'root', '--', 'root'], 'To: root\n')):
        subject = 'from ' + name
        eq(run(SENDMAIL, *args, text='%sSubject: %s\n\nOutput.\n' % (head, subject)), 0,
           name + ': status 0')
        sent(name, subject, ['root@home.example'])


def test_bare_environment():
    """A daemon's child: no HOME, no PATH, no standard error, another directory."""
    shell = 'exec "$0" -t 2>&- <"$1"'
    text = path('bare', 'To: bob@example.org\nSubject: bare\n\nx\n')
    eq(run('/bin/sh', '-c', shell, SENDMAIL, text, cwd='/',
           env={'NIGHTMAIL_CONFIG': relay.config}), 0, 'a bare environment: status 0')
    sent('a bare environment', 'bare', ['bob@example.org'])


def test_python():
    m = email.message.EmailMessage()
    m['From'], m['To'], m['Subject'] = 'alice@home.example', 'Bob Ünal <bob@example.org>', 'from Python ✓'
    m['Cc'] = ', '.join('c%d@example.org' % n for n in range(40))
    m.set_content('ä' * 2000 + '\n')
    m.add_attachment(bytes(range(256)) * 50, maintype='application', subtype='octet-stream', filename='b')
    r = subprocess.run([SENDMAIL, '-t', '-oi'], input=bytes(m), env=plain)
    eq(r.returncode, 0, 'Python: status 0')
    got = sent('Python', 'from Python ✓', sorted(['bob@example.org'] + ['c%d@example.org' % n
                                                                     for n in range(40)]))
    ok(got and next(got.iter_attachments()).get_content() == bytes(range(256)) * 50,
       'Python: the attachment is what it was')


def test_swaks():
    if not have('swaks'):
        return
    secret = path('swaks-pw', 'sesame\n')
    other = Sink('--tls', path('swaks-tls'), '--auth', 'alice:' + secret, '--require-auth', name='other')
    for mechanism in ('PLAIN', 'LOGIN', 'CRAM-MD5'):
        eq(run('swaks', '--server', '127.0.0.1', '--port', str(other.port), '--tls', '--auth', mechanism,
               '--auth-user', 'alice', '--auth-password', 'sesame', '--from', 'a@home.example', '--to',
               'bob@example.org', '--h-Subject', mechanism, '--silent', '1'), 0,
           'swaks logs in by %s and leaves a mail in our sink' % mechanism)
    eq([(e['mechanism'], bool(e['tls'])) for e, _ in other.received()],
       [('PLAIN', True), ('LOGIN', True), ('CRAM-MD5', True)], 'swaks: TLS and mechanism as told')
    ok(subprocess.run(['swaks', '--server', '127.0.0.1', '--port', str(other.port), '--to', 'b@c.d',
                       '--from', 'a@b.c', '--silent', '3'], env=plain).returncode != 0,
       'swaks without a login is refused')


def test_smtp_sink():
    """Another implementation takes 300 messages over several connections."""
    program = PEERS + '/root/usr/sbin/smtp-sink'
    if not os.path.exists(program):
        skip('smtp-sink', "'make peers' did not get it")
        return
    port = free_port()
    kept = path('smtp-sink/x', '') and path('smtp-sink')
    os.chmod(DIR, 0o711)
    os.chmod(kept, 0o777)
    user = ['-u', 'nobody'] if os.geteuid() == 0 else []
    server = Process('server', [program] + user + ['-d', kept + '/%M.', '127.0.0.1:%d' % port, '100'],
                     dict(os.environ, LD_LIBRARY_PATH=PEERS + '/root/usr/lib/postfix'))
    other = Relay('other', port=port, connections=4)
    for n in range(300):
        other.run('sendmail', '-f', 'a@home.example', 'r%d@example.org' % n,
                  text='Subject: %d\n\n%s\n.\n..\n' % (n, 'x' * n))
    other.is_empty('smtp-sink: all 300 are gone')
    texts = [read(kept + '/' + f) for f in os.listdir(kept) if f != 'x']
    got = [int(n) for t in texts for n in re.findall(r'^X-Rcpt-Args: <r(\d+)@', t, re.M)]
    eq(sorted(got), list(range(300)), 'smtp-sink: each one once')
    ends = {n: '\nSubject: %d\n\n%s\n.\n..\n\n' % (n, 'x' * n) for n in got}
    eq([n for n, t in zip(got, [t for t in texts if t]) if not t.endswith(ends[n])], [],
       'smtp-sink: with its text and dots')
    server.stop()


test_s_nail()
test_mutt()
test_git()
test_bsd_mailx()
test_cron()
test_bare_environment()
test_python()
test_swaks()
test_smtp_sink()
relay.is_empty('nothing is left in the queue')
done()
