#!/usr/bin/env python3
"""The Debian packages on a Debian machine, beside and in place of another MTA: installed, set up,
used by the programs of such a machine, upgraded with a full queue, removed and purged. The
machine is build/peers/debian below a tmpfs, in namespaces of its own: nothing survives it."""
import atexit
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
if os.geteuid() == 0 and 'PACKAGES_INSIDE' not in os.environ:
    command = ['unshare', '-m', '-p', '-u', '--fork', '--kill-child', '--propagation', 'private',
               '--mount-proc']
    if subprocess.run(command + ['true'], stderr=subprocess.DEVNULL).returncode == 0:
        os.environ['PACKAGES_INSIDE'] = '1'
        os.execvp('unshare', command + [sys.executable, os.path.abspath(__file__)])
from system import *  # noqa: E402

if SANITIZED:
    skip_all('packages are made of programs without sanitizers')
if 'PACKAGES_INSIDE' not in os.environ:
    skip_all('needs root and namespaces of its own')
if not os.path.exists(PEERS + '/debian.ready'):
    skip_all("'make peers' made no Debian system, see what it said")
if not shutil.which('dpkg-shlibdeps'):
    skip_all('there is no dpkg-dev')

SPOOL = '/var/spool/nightmail'
HELPER = '/usr/libexec/nightmail/nightmail-drop'
root = path('machine')
shell_env = {'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C',
             'DEBIAN_FRONTEND': 'readline'}  # a question would be asked, and nobody answers

# What deb-systemd-invoke calls; of the units it knows the service alone.
SYSTEMCTL = r'''#!/bin/sh
pid=/run/nightmaild.pid
enabled=/etc/systemd/system/multi-user.target.wants/nightmail.service
running() { # nobody may have waited yet for one that has ended
	grep -qs '^State:.[^Z]' "/proc/$(cat $pid 2>/dev/null || echo none)/status"
}
stop() {
	running || return 0
	kill "$(cat $pid)"
	while running; do sleep 0.05; done
}
start() {
	running && return
	program=$(sed -n 's/^ExecStart=//p' /usr/lib/systemd/system/nightmail.service)
	setsid setpriv --reuid nightmail --regid nightmail --init-groups "$program" -v \
		>>/var/tmp/nightmaild.log 2>&1 </dev/null &
	echo $! >$pid
	n=0
	until /usr/bin/nightmail status >/dev/null 2>&1 || [ $? -le 2 ]; do
		n=$((n + 1)) && [ $n -lt 200 ] || exit 1
		sleep 0.05
	done
}
action=
for word; do
	case $word in
	-*) ;;
	*) [ -n "$action" ] && units="$units $word" || action=$word ;;
	esac
done
case $action$units in
is-enabled*nightmail*) [ -L $enabled ] && echo enabled ;;
is-active*nightmail.service*) running ;;
stop*nightmail.service*) stop ;;
start*nightmail.service*) start ;;
preset*) # as told: all units are enabled
	for unit in $units; do
		wants=/etc/systemd/system/$(sed -n 's/^WantedBy=//p' "/usr/lib/systemd/system/$unit").wants
		mkdir -p "$wants"
		ln -sf "/usr/lib/systemd/system/$unit" "$wants/$unit"
	done
	;;
restart*nightmail.service*) stop && start ;;
esac
'''


def boot():
    """The machine, as systemd would show itself to maintainer scripts."""
    for d in ('rw', 'machine'):
        os.makedirs(path(d))
    mount('-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', path('rw'))
    for d in ('upper', 'work'):
        os.mkdir(path('rw/' + d))
    layers = 'lowerdir=%s,upperdir=%s,workdir=%s' % (PEERS + '/debian', path('rw/upper'),
                                                     path('rw/work'))
    if not mount('-t', 'overlay', '-o', layers, 'overlay', root):
        subprocess.run(['cp', '-a', PEERS + '/debian/.', root], check=True)
    mount('-t', 'proc', 'proc', root + '/proc')
    mount('-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', root + '/run')
    os.makedirs(root + '/run/systemd/system')
    write('/usr/bin/systemctl', SYSTEMCTL, 0o755)
    socket.sethostname('box')
    write('/etc/hostname', 'box\n')
    write('/etc/hosts', '127.0.0.1 localhost\n127.0.1.1 box.example.org box\n')
    for user in ('alice', 'bob'):
        on('useradd -m -s /bin/sh ' + user)


@atexit.register
def _unmount():
    """Before the test's directory is emptied."""
    for d in ('machine/run', 'machine/proc', 'machine', 'rw'):
        subprocess.run(['umount', '-l', path(d)], stderr=subprocess.DEVNULL)


def mount(*args):
    return subprocess.run(('mount',) + args, stderr=subprocess.DEVNULL).returncode == 0


def write(name, text, mode=0o644):
    with open(root + name, 'w') as f:
        f.write(text)
    os.chmod(root + name, mode)


def look(name):
    try:
        with open(root + name, errors='replace') as f:
            return f.read()
    except OSError:
        return None


def on(command, user='root', text=''):
    """A shell command on the machine: (status, output)."""
    words = ['chroot', root, 'setpriv', '--reuid', user, '--regid', user, '--init-groups',
             'sh', '-c', command]
    home = '/root' if user == 'root' else '/home/' + user
    r = subprocess.run(words, input=text.encode(), env=dict(shell_env, HOME=home, USER=user,
                                                            LOGNAME=user),
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE * 4)
    return r.returncode, r.stdout.decode(errors='replace').strip()


def does(command, name, user='root', text=''):
    """Runs the command and checks that it succeeds; its output."""
    status, words = on(command, user, text)
    ok(status == 0, name, lambda: 'status %d: %s\n%s' % (status, words, daemon_log()))
    return words


def says(command, want, name, user='root'):
    eq(on(command, user)[1], want, name)


def daemon_log():
    return '\n'.join((look('/var/tmp/nightmaild.log') or '').splitlines()[-15:])


def make_packages(revision, mask='umask 022'):
    env = {k: v for k, v in os.environ.items() if not k.startswith('MAKE') and k != 'MFLAGS'}
    r = subprocess.run(['sh', '-c', mask + '; exec make -s -j$(nproc) deb BUILD="$0" DEB_REVISION=$1', BUILD,
                        str(revision)], cwd=ROOT, env=env, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE)
    found = r.stdout.decode().split()
    if r.returncode != 0 or len(found) != 4:
        ok(False, 'make deb', (r.stdout + r.stderr).decode())
        done()
    return {os.path.basename(f).split('_')[0]: f for f in found}


def bring(packages):
    """Copies the packages onto the machine; the shell words that name them there."""
    for f in packages.values():
        shutil.copy(f, root + '/var/tmp')
    return {name: '/var/tmp/' + os.path.basename(f) for name, f in packages.items()}


def subjects():
    return [re.search(r'^Subject: (.*)$', text, re.M).group(1).strip()
            for _, text in sink.received() if re.search(r'^Subject: ', text, re.M)]


def arrives(subject, name, most=1):
    """The message with this subject, (envelope, text)."""
    def find():
        return [m for m in sink.received() if '\nSubject: %s' % subject in m[1]]
    found = until(find)
    ok(0 < len(found) <= most, name, lambda: '%d of them\n%s' % (len(found), daemon_log()))
    return found[0] if found else ({'from': '', 'to': []}, '')


def to(message):
    return sorted(t['address'] for t in message[0]['to'])


def waiting():
    return len(os.listdir(root + SPOOL + '/queue')) + len(os.listdir(root + SPOOL + '/drop'))


def mode(name):
    s = os.stat(root + name)
    return '%o %d' % (s.st_mode & 0o7777, s.st_gid)


def ours():
    """What bears the name on the machine, but for packages' files that lie in /var/tmp."""
    words = on("find / -xdev '(' -path /proc -o -path /var/tmp -o -path /home ')' -prune -o "
               "-iname '*nightmail*' -print")[1]
    return words.split()


def test_make():
    first = make_packages(1)
    before = {name: open(f, 'rb').read() for name, f in first.items()}
    again = make_packages(1, 'umask 077')
    eq(sorted(again), ['nightmail', 'nightmail-mta', 'nightmail-secret', 'nightmail-tools'],
       'make deb makes four packages')
    ok(all(open(f, 'rb').read() == before[name] for name, f in again.items()),
       'and the same bytes again, whatever the umask')
    owners = set()
    for f in again.values():
        listing = subprocess.run(['dpkg-deb', '-c', f], check=True, stdout=subprocess.PIPE).stdout
        owners |= {line.split()[1] for line in listing.decode().splitlines()}
    eq(owners, {'root/root'}, 'all of it is of root')
    return again, make_packages(2)


def test_tools_beside(old):
    says('/usr/sbin/sendmail -V </dev/null; mailq', 'other', 'there is another MTA')
    does('dpkg -i ' + old['nightmail-tools'], 'nightmail-tools goes beside another MTA')
    does('nightmail --version && nightmail config keys', 'and works alone')
    write('/tmp/login.conf', '[relay default]\nhost = mx.example.org\nlogin = a\npassword = oauth2\n'
          'client-id = x\ntoken-url = https://127.0.0.1:1/\ndevice-url = https://127.0.0.1:1/\n'
          '[queue]\ndir = /tmp/login\n')
    status, words = on('nightmail login --config /tmp/login.conf default')
    eq((status, 'https://127.0.0.1:1/: ' in words, 'neither beside' in words), (69, True, False),
       'nightmail login has what it needs to ask a token server')
    status, words = on('nightmail queue')
    eq((status, 'not in /usr/libexec/nightmail' in words), (71, True),
       "nightmail queue does not take the other's mailq for ours")


def test_daemon_beside(old):
    words = does('dpkg -i %s' % old['nightmail'], 'nightmail too')
    ok("until 'nightmail setup' says" in words, 'and says what to do next', words)
    says('dpkg -S /usr/sbin/sendmail /usr/bin/mailq | cut -d: -f1 | uniq', 'other-mta',
         'the names that all MTAs have are still the other one\'s')
    says('stat -c "%a %U %G" ' + HELPER, '2755 root nightmail-drop', 'the helper is set-gid')
    says('stat -c "%%a %%U %%G" %s %s/drop' % (SPOOL, SPOOL), '711 nightmail nightmail\n'
         '1770 nightmail nightmail-drop', 'the spool has the rights it needs')
    eq(look('/etc/nightmail/nightmail.conf'), None, 'no configuration is made up')
    if on('systemctl is-active nightmail.service')[0] != 0:
        ok(False, 'the daemon runs', daemon_log)
        done()
    does('send bob@example.org -s early', 'mail is taken before there is a configuration',
         'alice', 'x\n')
    words = on('nightmail queue')[1]
    ok('cannot be delivered' in words, 'it waits, and nightmail queue says why', words)
    does('nightmail setup --yes --relay 127.0.0.1 --port %d --tls none --root admin@example.org'
         % sink.port, 'nightmail setup')
    arrives('early', 'and it leaves')


def test_mta(old):
    does('apt-get install -y ' + old['nightmail-mta'], 'nightmail-mta')
    if not eq(on('dpkg -s other-mta')[0], 1, 'takes the place of the other MTA'):
        done()
    says('readlink -f /usr/sbin/sendmail /usr/lib/sendmail /usr/bin/mailq /usr/bin/newaliases '
         '/usr/sbin/runq | uniq -c | tr -s " "', '2 /usr/libexec/nightmail/sendmail\n '
         '1 /usr/libexec/nightmail/mailq\n 2 /usr/libexec/nightmail/sendmail', 'with all its names')
    does('newaliases && sendmail -bv bob@example.org', 'which work', 'alice')
    does('mailq && runq', 'for root too')
    does('apt-get check', 'apt is content')


def test_callers():
    """Programs of Debian as they are, by /usr/sbin/sendmail."""
    does('printf "Subject: plain\\n\\nx\\n" | sendmail bob@example.org', 'sendmail by a user', 'alice')
    message = arrives('plain', 'arrives')
    eq(message[0]['from'], 'alice@box.example.org', 'as from that user')
    for program in ('bsd-mailx', 'mail.mailutils', 's-nail'):
        does('echo hello | %s -s "by %s" root' % (program, program), program, 'alice')
        eq(to(arrives('by ' + program, program + ': it arrives')), ['admin@example.org'],
           program + ": root's mail goes to root's reader")
    does('''php -r 'exit(mail("bob@example.org", "by PHP", "Hello\\n.\\nend", "From: web@example.org")'''
         ''' ? 0 : 1);' ''', "PHP's mail()", 'alice')
    message = arrives('by PHP', 'PHP: it arrives')
    ok('\n.\nend' in message[1].replace('\r', ''), 'PHP: with the line that is a dot', message[1])
    does('echo hello | mutt -s "by mutt" -- bob@example.org', 'mutt', 'alice')
    arrives('by mutt', 'mutt: it arrives')
    write('/etc/sudoers.d/bob', 'Defaults mail_always\nbob ALL = NOPASSWD: /usr/bin/true\n', 0o440)
    does('sudo -n true', 'sudo, which is to tell root', 'bob')
    eq(to(arrives('*** SECURITY information', 'sudo: it arrives', 2)), ['admin@example.org'],
       'sudo: at root')
    does('logwatch --output mail --mailto root --service zz-sys --range all', 'logwatch')
    arrives('Logwatch for', 'logwatch: it arrives')
    does('/usr/share/smartmontools/smartd-runner -s "SMART error (EmailTest) detected on host: box" root',
         'what smartd runs', text='This message was generated by the smartd daemon.\n')
    message = arrives('SMART error (EmailTest)', 'smartd: it arrives')
    eq(to(message), ['admin@example.org'], 'smartd: at root')
    ok('generated by the smartd daemon' in message[1], 'smartd: with its words', message[1])
    does('echo echo by-at | at -m now', 'at', 'alice')
    daemon = Process('atd', ['chroot', root, '/usr/sbin/atd', '-f'])
    message = arrives('Output from your job', 'at: it arrives')
    ok('by-at' in message[1], 'at: with the output', message[1])
    daemon.stop()
    does('echo "@reboot echo by-cron" | crontab -', 'crontab', 'alice')
    daemon = Process('cron', ['chroot', root, '/usr/sbin/cron', '-f'])
    message = arrives('Cron <alice@box> echo by-cron', 'cron: it arrives')
    daemon.stop()
    eq(to(message), ['admin@example.org'], "cron: at who reads alice's mail")
    ok('by-cron' in message[1], 'cron: with the output', message[1])


def test_upgrade(new):
    global sink
    sink.stop()
    count = 150
    text = 'i=0; while [ $i -lt %d ]; do i=$((i + 1)); printf "Subject: full %%d\\n\\nx\\n" $i | ' \
        'sendmail bob@example.org || exit 1; done' % count
    does(text, 'mail while the smarthost is away', 'alice')
    does('systemctl stop nightmail.service', 'and without the daemon')
    for n in range(5):
        on('printf "Subject: full %d\\n\\nx\\n" | sendmail bob@example.org' % (count + 1 + n), 'bob')
    eq(waiting(), count + 5, 'all of it waits')
    does('systemctl start nightmail.service', 'the daemon runs again')
    pid = look('/run/nightmaild.pid')
    does('dpkg-statoverride --remove %s && dpkg-statoverride --update --add root nightmail-drop 2751 %s'
         % (HELPER, HELPER), 'the administrator has another mind about the helper')
    conf = look('/etc/nightmail/nightmail.conf') + '# mine\n'
    write('/etc/nightmail/nightmail.conf', conf)
    # nightmail-secret was not asked for: it would pull GLib in.
    words = does('dpkg -i %s' % ' '.join(f for name, f in new.items() if name != 'nightmail-secret'),
                 'the upgrade')
    eq(look('/etc/nightmail/nightmail.conf'), conf, 'it leaves the configuration alone')
    says('stat -c %a ' + HELPER, '2751', 'and the rights of the helper')
    ok(not re.search('conf|\\?', words.replace('Preparing', '')), 'and asks nothing', words)
    ok(look('/run/nightmaild.pid') != pid, 'the daemon is a new one')
    does('systemctl is-active nightmail.service', 'it runs')
    sink = sink.again()
    does('nightmail queue flush --all', 'with the smarthost back')
    want = sorted('full %d' % (n + 1) for n in range(count + 5))
    until(lambda: len([s for s in subjects() if s.startswith('full')]) >= len(want))
    eq(sorted(s for s in subjects() if s.startswith('full')), want,
       'every message arrives, and none twice')
    ok(until(lambda: waiting() == 0), 'nothing is left', daemon_log)
    os.unlink(root + '/etc/systemd/system/multi-user.target.wants/nightmail.service')
    does('systemctl stop nightmail.service && dpkg -i ' + new['nightmail'], 'the same version again')
    eq(on('systemctl is-active nightmail.service')[0], 1, 'a disabled unit is not started')
    does('systemctl preset nightmail.service && systemctl start nightmail.service',
         'enabled again')


def test_way_back():
    does('apt-get install -y /other-mta.deb', 'the other MTA comes back')
    ok(look('/usr/sbin/sendmail'), 'in place of nightmail-mta')
    says('mailq', 'other', 'with its programs')
    does('send bob@example.org -s still', 'the relay is still there', 'alice', 'x\n')
    arrives('still', 'and delivers')


def test_remove(new):
    global sink
    sink.stop()
    does('send bob@example.org -s patient', 'mail that waits', 'alice', 'x\n')
    words = does('dpkg -r nightmail', 'remove')
    ok('1 undelivered messages stay in ' + SPOOL in words, 'says what stays', words)
    eq(on('systemctl is-active nightmail.service')[0], 1, 'the daemon is stopped')
    eq((waiting(), bool(look('/etc/nightmail/nightmail.conf'))), (1, True),
       'mail and configuration are there')
    ok(not os.path.exists(root + '/run/nightmail'), 'the sockets are not')
    sink = sink.again()
    does('dpkg -i ' + new['nightmail'], 'install again')
    arrives('patient', 'and the mail leaves')


def test_purge():
    sink.stop()
    does('send bob@example.org -s lost', 'one more', 'alice', 'x\n')
    words = does('dpkg -P nightmail nightmail-tools nightmail-mta', 'purge')
    ok('deleting %s with 1 undelivered messages' % SPOOL in words, 'says what goes', words)
    eq(ours(), [], 'no file is left')
    eq(on('getent passwd nightmail; getent group nightmail nightmail-drop')[1], '', 'nor account')
    eq(on('dpkg-statoverride --list')[1].count('nightmail'), 0, 'nor rule of dpkg')
    does('dpkg --audit && apt-get check', 'the machine is content')


packages, newer = test_make()
sink = Sink()
boot()
old, new = bring(packages), bring(newer)
test_tools_beside(old)
test_daemon_beside(old)
test_mta(old)
test_callers()
test_upgrade(new)
test_way_back()
test_remove(new)
test_purge()
on('systemctl stop nightmail.service')
done()
