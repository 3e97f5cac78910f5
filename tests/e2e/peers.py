"""Debian's Postfix and Dovecot, unpacked by tests/peers.sh, as the smarthost of a test; others lie
beside them and are described by the test that has them. They run in a mount namespace of their
own where their files lie over /usr, with users of their own in a private passwd; queue, sockets
and log are in the test's directory, ports on 127.0.0.1 are chosen by the kernel. Nothing of the
machine is changed."""
import base64
import email.policy
import json
import os
import pwd
import subprocess
import time

from system import BUILD, DIR, PATIENCE, PEERS, Process, free_port, ok, own_ca, path, read, \
    skip_all, until

USERS = {'postfix': 64101, 'postdrop': 64102, 'dovecot': 64103, 'dovenull': 64104,
         'Debian-exim': 64105, 'opensmtpd': 64106, 'opensmtpq': 64107}
QUEUES = 'active bounce corrupt defer deferred flush hold incoming maildrop private public saved trace'
ENTER = '''set -e
mount -t overlay overlay -o lowerdir="$1:/usr" /usr
mount --bind "$2/passwd" /etc/passwd
mount --bind "$2/group" /etc/group
shift 2
while [ "$1" != -- ]; do
	mount --bind "$1" "$2"
	shift 2
done
shift
exec "$@"
'''


def within(*command, peer='root', binds=()):
    """The command line of a program that sees the peers' files, those of this one uppermost;
    binds: (what, where) of more folders to lie over the machine's."""
    layers = ':'.join('%s/%s/usr' % (PEERS, name) for name in dict.fromkeys((peer, 'root')))
    return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', ENTER, 'sh', layers,
            path('etc')] + [p for bind in binds for p in bind] + ['--'] + list(command)


def need(peer='root', program=''):
    """Skips the test where the peers, and this one among them, cannot run."""
    for name in ('root', peer):
        if not os.path.exists('%s/%s.ready' % (PEERS, name)):
            skip_all("no peers: 'make peers' did not get them")
    if not os.path.exists('%s/%s/%s' % (PEERS, peer, program)):
        skip_all("no %s among the peers: 'make peers' did not get it" % program)
    if os.geteuid() != 0:
        skip_all('the peers need root for their own users')
    os.chmod(DIR, 0o711)
    known = {p.pw_name for p in pwd.getpwall()}
    with open('/etc/passwd') as f:
        passwd = f.read() + ''.join('%s:x:%d:%d::/nonexistent:/usr/sbin/nologin\n' % (n, i, i)
                                    for n, i in USERS.items() if n not in known)
    with open('/etc/group') as f:
        lines = [x for x in f.read().splitlines() if x.split(':')[0] not in USERS]
    group = '\n'.join(lines + ['%s:x:%d:' % item for item in USERS.items()]) + '\n'
    path('etc/passwd', passwd, 0o644)
    path('etc/group', group, 0o644)
    r = subprocess.run(within('postconf', '-d', 'mail_version'), stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT)
    if r.returncode != 0:
        skip_all('the peers do not run in a mount namespace here: ' + r.stdout.decode().strip())


def here():
    """True where need() does not skip."""
    return os.path.exists(PEERS + '/root.ready') and os.geteuid() == 0 and not need()


def asked(*args):
    """What smtp-probe --json says; asked.code is its exit status."""
    r = subprocess.run([BUILD + '/smtp-probe', '--json', '--helo', 'client.example', *args],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                       env=dict(os.environ, NIGHTMAIL_CONFIG='/nonexistent'))
    asked.code, asked.errors = r.returncode, r.stderr.decode()
    try:
        return json.loads(r.stdout)
    except ValueError:
        ok(False, 'smtp-probe %s prints JSON' % ' '.join(args), r)
        return {}


def ids(answer, *severities):
    """The findings of these severities."""
    return sorted({f['id'] for f in answer.get('findings', []) if f['severity'] in severities})


def jwt_passdb(key):
    """Dovecot checks tokens itself (HS256, this key; whose it is stands in "email")."""
    path('dovecot/keys/default/HS256/default', base64.b64encode(key).decode(), 0o644)
    for folder in ('', '/keys', '/keys/default', '/keys/default/HS256'):
        os.chmod(path('dovecot') + folder, 0o755)
    conf = path('dovecot/oauth2', '''
        introspection_mode = local
        local_validation_key_dict = fs:posix:prefix=%(dir)s/keys/
        username_attribute = email
        ''' % {'dir': path('dovecot')}, 0o644)
    return '''
            auth_mechanisms = $auth_mechanisms xoauth2 oauthbearer
            passdb {
              driver = oauth2
              mechanisms = xoauth2 oauthbearer
              args = %s
            }
            ''' % conf


class Dovecot(Process):
    """The SASL service of Dovecot: accounts() sets who may log in."""

    def __init__(self, more='', **users):
        self.accounts(**users)
        self.socket = path('dovecot/auth')
        conf = path('dovecot/conf', '''
            protocols =
            ssl = no
            base_dir = %(dir)s/run
            state_dir = %(dir)s/state
            log_path = /dev/stderr
            auth_verbose = yes
            auth_failure_delay = 0
            auth_cache_size = 0
            auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256
            passdb {
              driver = passwd-file
              args = scheme=PLAIN username_format=%%u %(dir)s/users
            }
            userdb {
              driver = static
              args = uid=nobody gid=nogroup home=/nonexistent
            }
            service anvil {
              unix_listener anvil-auth-penalty {
                mode = 0
              }
            }
            service auth {
              unix_listener %(dir)s/auth {
                mode = 0666
              }
            }
            ''' % {'dir': path('dovecot')} + more, 0o644)
        os.chmod(path('dovecot'), 0o755)
        super().__init__('dovecot', within('dovecot', '-F', '-c', conf))
        if not until(lambda: os.path.exists(self.socket)):
            raise RuntimeError('dovecot does not start: ' + self.words())

    def accounts(self, **users):
        """Dovecot looks at its users at most once in a second of the clock."""
        time.sleep(1.1 if os.path.exists(path('dovecot/users')) else 0)
        path('dovecot/users', ''.join('%s:{PLAIN}%s\n' % u for u in users.items()), 0o644)


def once(settings):
    """The lines of a main.cf, the last of each name. Every program of Postfix warns of a name that
    stands there twice, postlogd too: by its own socket, which holds ten lines, and before it
    reads any, so that enough of them stop it for good."""
    return ''.join('%s = %s\n' % item for item in dict(
        [part.strip() for part in line.split('=', 1)] for line in settings.splitlines()
        if line.strip()).items())


def maildir(folder):
    """[message] of a maildir, oldest first."""
    new = path(folder) + '/new'
    names = sorted(os.listdir(new), key=lambda n: os.stat(new + '/' + n).st_mtime_ns) \
        if os.path.isdir(new) else []
    found = []
    for name in names:
        with open(new + '/' + name, 'rb') as f:
            found.append(email.message_from_bytes(f.read(), policy=email.policy.default))
    return found


class Smarthost(Process):
    """A server that puts all mail into the maildir self.box; the envelope of a message is in the
    header that it adds: Return-Path and Delivered-To."""

    def mail(self):
        """[message] as delivered, oldest first."""
        return maildir(self.box)

    def about(self, subject, count=1, seconds=PATIENCE):
        """The count messages with this subject, once they came."""
        def some():
            return [m for m in self.mail() if m['Subject'] == subject]
        until(lambda: len(some()) >= count, seconds)
        return some()


class Postfix(Smarthost):
    """A smarthost with STARTTLS that wants a login and puts all mail into one maildir."""

    def __init__(self, sasl, more=''):
        self.port, self.box = free_port(), 'postfix/box'
        self.ca, cert, key = own_ca('localhost')
        home = path('postfix')
        path('postfix/etc/main.cf', once('''
            compatibility_level = 3.6
            queue_directory = %(home)s/queue
            data_directory = %(home)s/data
            maillog_file = %(home)s/log
            maillog_file_prefixes = %(home)s
            myhostname = smarthost.example
            inet_interfaces = 127.0.0.1
            inet_protocols = ipv4
            mynetworks =
            mydestination =
            alias_maps =
            local_recipient_maps =
            virtual_mailbox_domains = static:all
            virtual_mailbox_maps = static:box/
            virtual_mailbox_base = %(home)s
            virtual_uid_maps = static:%(uid)d
            virtual_gid_maps = static:%(uid)d
            smtpd_tls_cert_file = %(cert)s
            smtpd_tls_key_file = %(key)s
            smtpd_tls_security_level = encrypt
            smtpd_tls_received_header = yes
            smtpd_sasl_auth_enable = yes
            smtpd_sasl_type = dovecot
            smtpd_sasl_path = %(sasl)s
            smtpd_recipient_restrictions = permit_sasl_authenticated, reject
            ''' % {'home': home, 'uid': USERS['postfix'], 'cert': cert, 'key': key,
                   'sasl': sasl} + more), 0o644)
        services = ['127.0.0.1:%d inet n - n - - smtpd' % self.port,
                    'postlog unix-dgram n - n - 1 postlogd', 'tlsmgr unix - - n 1000? 1 tlsmgr',
                    'pickup unix n - n 60 1 pickup', 'qmgr unix n - n 300 1 qmgr',
                    'proxywrite unix - - n - 1 proxymap', 'anvil unix - - n - 1 anvil']
        services += ['cleanup unix n - n - 0 cleanup']
        services += ['%s unix - n n - 0 %s' % s for s in (
            ('rewrite', 'trivial-rewrite'), ('bounce', 'bounce'),
            ('defer', 'bounce'), ('trace', 'bounce'), ('error', 'error'), ('retry', 'error'),
            ('virtual', 'virtual'), ('proxymap', 'proxymap'), ('smtp', 'smtp'))]
        path('postfix/etc/master.cf', '\n'.join(services) + '\n', 0o644)
        for folder in ['queue', 'queue/pid', 'data', 'box'] + ['queue/' + q for q in QUEUES.split()]:
            os.makedirs(os.path.join(home, folder), mode=0o755)
            if folder not in ('queue', 'queue/pid'):
                os.chown(os.path.join(home, folder), USERS['postfix'], USERS['postdrop'])
        self.start()

    def start(self):
        self.log_start = len(read('postfix/log'))
        super().__init__('master', within('/usr/lib/postfix/sbin/master', '-d', '-c',
                                          path('postfix/etc')))
        if not until(lambda: 'daemon started' in read('postfix/log')[self.log_start:]):
            raise RuntimeError('Postfix does not start: ' + self.words())

    def words(self):
        return read('postfix/log') + read('master.log')
