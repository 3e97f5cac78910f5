#!/usr/bin/env python3
"""Programs that speak SMTP, as they are, with our listener: mail clients, git, curl, swaks, msmtp,
Python, dialogues as PHP's mailers make them, Postfix and its smtp-source."""
import email.message
import os
import shutil
import smtplib
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402
from listening import *  # noqa: E402

ca, cert, key = own_ca()
users = users_file(printer='secret')
sink = Sink()
relay = Listening(listen='tls = %s %s\nusers = %s' % (cert, key, users), port=sink.port)
strict = Listening('strict', 'tls = %s %s\nusers = %s' % (cert, key, users), trust='no', port=sink.port)
home = path('home/.keep', '') and path('home')
LIBRARIES = ':'.join(PEERS + '/root/usr/lib/' + d for d in ('postfix', 'x86_64-linux-gnu',
                                                            'aarch64-linux-gnu'))
plain = dict(os.environ, HOME=home, LC_ALL='C.UTF-8', EDITOR='true', MAILRC='/dev/null', USER='alice',
             LOGNAME='alice', GIT_CONFIG_GLOBAL=path('gitconfig', ''), GIT_CONFIG_SYSTEM='/dev/null')
port, strict_port = str(relay.listens), str(strict.listens)


def run(*command, text='', env=None, cwd=None):
    r = subprocess.run(command, input=text.encode(), env=dict(plain, **(env or {})), cwd=cwd or home,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE)
    if r.returncode != 0:
        say('%s: status %d: %s' % (command[0], r.returncode, r.stdout.decode(errors='replace')))
    return r.returncode


def sent(name, subject, to, body=None, protocol='ESMTP'):
    envelope, m = sink.arrived(subject)
    if not ok(envelope, name + ': the mail arrives', relay.tail):
        return None
    eq(sorted(t['address'] for t in envelope['to']), to, name + ': to the right recipients')
    ok('with %s id' % protocol in str(m.get_all('Received')[-1]), name + ': by ' + protocol,
       m.get_all('Received'))
    if body:
        part = m.get_body(('plain',)) or m
        ok(body in part.get_content(), name + ': with its text', lambda: part.get_content())
    return m


def have(program):
    if shutil.which(program):
        return True
    skip(program, 'not installed')
    return False


def peer(program):
    found = PEERS + '/root' + program
    if os.path.exists(found):
        return found
    skip(os.path.basename(program), "'make peers' did not get it")
    return None


def test_python():
    m = email.message.EmailMessage()
    m['From'], m['To'], m['Subject'] = 'alice@home.example', 'Bob <bob@example.org>', 'smtplib'
    m.set_content('Grüße\n.\n..\n')
    with smtplib.SMTP('127.0.0.1', int(port), timeout=PATIENCE) as s:
        eq(s.send_message(m), {}, 'smtplib: sends')
    sent('smtplib', 'smtplib', ['bob@example.org'], 'Grüße\n.\n..\n')
    import ssl
    with smtplib.SMTP('localhost', int(strict_port), timeout=PATIENCE) as s:
        s.starttls(context=ssl.create_default_context(cafile=ca))
        s.login('printer', 'secret')
        m.replace_header('Subject', 'smtplib logs in')
        eq(s.send_message(m), {}, 'smtplib: sends under TLS with a login')
    sent('smtplib', 'smtplib logs in', ['bob@example.org'], protocol='ESMTPSA')


def test_swaks():
    if not have('swaks'):
        return
    for mechanism in ('PLAIN', 'LOGIN'):
        eq(run('swaks', '--server', '127.0.0.1', '--port', strict_port, '--tls', '--auth', mechanism,
               '--auth-user', 'printer', '--auth-password', 'secret', '--from', 'a@home.example', '--to',
               'bob@example.org', '--h-Subject', 'swaks ' + mechanism, '--silent', '1'), 0,
           'swaks: logs in by ' + mechanism)
        sent('swaks', 'swaks ' + mechanism, ['bob@example.org'], protocol='ESMTPSA')
    r = subprocess.run(['swaks', '--server', '127.0.0.1', '--port', strict_port, '--from', 'a@b.c', '--to',
                        'b@c.d', '--pipeline'], env=plain, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    ok(r.returncode != 0 and b'530 5.7.0 STARTTLS first' in r.stdout, 'swaks: not without', r.stdout)
    eq(run('swaks', '--server', '127.0.0.1', '--port', port, '--pipeline', '--from', 'a@home.example',
           '--to', 'bob@example.org,joe@example.org', '--h-Subject', 'swaks pipelines', '--silent', '1'), 0,
       'swaks: pipelines')
    sent('swaks', 'swaks pipelines', ['bob@example.org', 'joe@example.org'])


def test_openssl():
    if not have('openssl'):
        return
    r = subprocess.run(['openssl', 's_client', '-starttls', 'smtp', '-connect', '127.0.0.1:' + strict_port,
                        '-CAfile', ca, '-verify_return_error', '-brief'], input=b'QUIT\r\n', env=plain,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    ok(r.returncode == 0 and b'Verification: OK' in r.stdout, 'openssl: agrees on TLS', r.stdout)
    r = subprocess.run(['openssl', 's_client', '-starttls', 'smtp', '-connect', '127.0.0.1:' + strict_port,
                        '-tls1_1', '-brief', '-cipher', 'ALL:@SECLEVEL=0'], input=b'QUIT\r\n', env=plain,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    ok(r.returncode != 0, 'openssl: not on TLS 1.1', r.stdout)


def test_curl():
    if not have('curl'):
        return
    mail = path('curl.eml', 'From: a@home.example\nTo: bob@example.org\nSubject: curl\n\nHello.\n.\n')
    eq(run('curl', '-sS', '--crlf', 'smtp://127.0.0.1:' + port, '--mail-from', 'a@home.example', '--mail-rcpt',
           'bob@example.org', '--upload-file', mail), 0, 'curl: sends')
    sent('curl', 'curl', ['bob@example.org'], 'Hello.\n.\n')
    mail = path('curl.eml', 'From: a@home.example\nSubject: curl logs in\n\nHello.\n')
    eq(run('curl', '-sS', '--crlf', '--ssl-reqd', '--cacert', ca, 'smtp://localhost:' + strict_port, '--user',
           'printer:secret', '--mail-from', 'a@home.example', '--mail-rcpt', 'bob@example.org',
           '--upload-file', mail), 0, 'curl: logs in')
    sent('curl', 'curl logs in', ['bob@example.org'], protocol='ESMTPSA')
    # Without --crlf curl sends bare newlines.
    mail = path('curl.eml', 'Subject: bare\n\nHello.\n')
    r = subprocess.run(['curl', '-sS', 'smtp://127.0.0.1:' + port, '--mail-from', 'a@home.example',
                        '--mail-rcpt', 'bob@example.org', '--upload-file', mail], env=plain)
    ok(r.returncode != 0, 'curl: bare newlines are refused')


def test_msmtp():
    program = peer('/usr/bin/msmtp')
    if not program:
        return
    conf = path('msmtprc', 'defaults\ntls_trust_file %s\nfrom a@home.example\ndomain laptop.example\n'
                'account plain\nhost 127.0.0.1\nport %s\n'
                'account login : plain\nhost localhost\nport %s\ntls on\nauth scram-sha-256\nuser printer\n'
                'passwordeval echo secret\n' % (ca, port, strict_port))
    env = {'LD_LIBRARY_PATH': LIBRARIES}
    for account, protocol in (('plain', 'ESMTP'), ('login', 'ESMTPSA')):
        eq(run(program, '-C', conf, '-a', account, 'bob@example.org', env=env,
               text='Subject: msmtp %s\n\nHello.\n' % account), 0, 'msmtp: sends, %s' % account)
        sent('msmtp', 'msmtp ' + account, ['bob@example.org'], 'Hello.', protocol)


def test_s_nail():
    if not have('s-nail'):
        return
    eq(run('s-nail', '-n', '-Sv15-compat', '-Smta=smtp://127.0.0.1:' + port, '-Ssmtp-auth=none',
           '-Sfrom=alice@home.example', '-Shostname=laptop.example', '-Ssendwait', '-s', 's-nail',
           'bob@example.org', text='Hello.\n'), 0, 's-nail: sends')
    sent('s-nail', 's-nail', ['bob@example.org'], 'Hello.', 'SMTP')


def test_mutt():
    if not have('mutt'):
        return
    rc = path('muttrc', 'set from = "alice@home.example"\nset smtp_url = "smtp://127.0.0.1:%s/"\n'
              'set ssl_starttls = no\nset ssl_force_tls = no\nset copy = no\nset hostname = laptop.example\n'
              % port)
    eq(run('mutt', '-F', rc, '-s', 'mutt ✓', '--', 'bob@example.org', text='Grüße\n'), 0, 'mutt: sends')
    sent('mutt', 'mutt ✓', ['bob@example.org'], 'Grüße')


def test_git():
    if not have('git') or subprocess.run(['git', 'send-email', '--validate', '/nonexistent'], env=plain,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout \
            .find(b'not a git command') >= 0:
        skip('git send-email', 'not installed')
        return
    repo = path('repo/.keep', '') and path('repo')
    for args in (['init', '-q'], ['add', '.keep'],
                 ['-c', 'user.name=Alice', '-c', 'user.email=alice@home.example', 'commit', '-qm',
                  'Say hello']):
        run('git', *args, cwd=repo)
    eq(run('git', '-c', 'user.name=Alice', '-c', 'user.email=alice@home.example', 'send-email', '-1', '--quiet', '--confirm=never', '--from=Alice <alice@home.example>',
           '--to=list@example.org', '--cc=bob@example.org', '--suppress-cc=all', '--smtp-server=127.0.0.1',
           '--smtp-server-port=' + port, cwd=repo), 0, 'git send-email: sends')
    sent('git send-email', '[PATCH] Say hello', ['bob@example.org', 'list@example.org'])


def test_php():
    """Line by line as PHP's mail() on Windows and PHPMailer do, with HELO after a refused EHLO."""
    c = Client(('127.0.0.1', int(port)), hello=None)
    codes = [c.code(x) for x in ('HELO web.example', 'MAIL FROM:<www@home.example>',
                                 'RCPT TO:<bob@example.org>', 'RCPT TO:<root>', 'DATA')]
    eq(codes, [250, 250, 250, 250, 354], 'PHP: its commands')
    c.say('To: bob@example.org\r\nSubject: PHP\r\nX-PHP-Originating-Script: 0:x.php\r\n\r\n')
    c.say('Hello.\r\n')
    c.say('\r\n.\r\n')
    accepted(c.reply(), 'PHP: its message')
    eq(c.code('QUIT'), 221, 'PHP: the end')
    sent('PHP', 'PHP', ['bob@example.org', 'root@home.example'], 'Hello.', 'SMTP')


def test_symfony():
    """One connection for many messages, with NOOP between them, as Symfony Mailer keeps it."""
    c = Client(('127.0.0.1', int(port)), hello='EHLO')
    for n in range(120):
        codes = [c.code(x) for x in ('NOOP', 'MAIL FROM:<www@home.example> SIZE=40', 'RCPT TO:<bob@example.org>',
                                     'DATA')]
        c.say('Subject: Symfony %d\r\n\r\nHello.\r\n.\r\n' % n)
        if codes != [250, 250, 250, 354] or c.reply()[0] != 250:
            ok(False, 'Symfony: message %d' % n, codes)
            return
        if n % 10 == 9 and c.code('RSET') != 250:
            ok(False, 'Symfony: RSET after %d' % n)
            return
    ok(True, 'Symfony: 120 messages on one connection')
    sent('Symfony', 'Symfony 119', ['bob@example.org'], 'Hello.')
    c.close()


def test_smtp_source():
    program = peer('/usr/sbin/smtp-source')
    if not program:
        return
    have_now = len(sink.received())
    env = {'LD_LIBRARY_PATH': LIBRARIES}
    for args in (['-s', '8', '-m', '200', '-l', '2000'], ['-d', '-s', '4', '-m', '100', '-r', '3', '-l', '70000']):
        eq(run(program, *args, '-f', 'a@home.example', '-t', 'bob@example.org', '127.0.0.1:' + port, env=env), 0,
           'smtp-source %s' % ' '.join(args))
    relay.is_empty('smtp-source: the queue runs empty')
    eq(len(sink.received()) - have_now, 300, 'smtp-source: each message once')


def test_postfix():
    import peers
    if os.geteuid() != 0 or not os.path.exists(PEERS + '/root.ready'):
        skip('Postfix', 'needs root and the peers')
        return
    peers.need()

    postfix = peers.Postfix(path('no-sasl'), '''
virtual_mailbox_domains =
relayhost = [127.0.0.1]:%s
mynetworks = 127.0.0.0/8
smtpd_tls_security_level = may
smtpd_sasl_auth_enable = no
smtpd_recipient_restrictions = permit_mynetworks, reject
smtp_tls_security_level = encrypt
smtp_tls_CAfile = %s
smtp_sasl_auth_enable = no
default_transport = smtp
''' % (port, ca))
    with smtplib.SMTP('127.0.0.1', postfix.port, timeout=PATIENCE) as s:
        for n in range(5):
            s.sendmail('a@home.example', ['bob@example.org', 'joe@example.org'],
                       'Subject: Postfix %d\r\n\r\n%s\r\n.\r\nHello.\r\n' % (n, 'x' * 900 * n))
    for n in range(5):
        envelope, m = sink.arrived('Postfix %d' % n)
        if not ok(envelope, 'Postfix: message %d comes' % n, postfix.words):
            break
    received = str(m.get_all('Received')[0]) if m else ''
    ok('with ESMTPS id' in received and 'TLS1.3' in received, 'Postfix: by TLS', received)
    postfix.stop()


test_python()
test_swaks()
test_openssl()
test_curl()
test_msmtp()
test_s_nail()
test_mutt()
test_git()
test_php()
test_symfony()
test_smtp_source()
test_postfix()
relay.is_empty('nothing is left in the queue')
done()
