"""A system with users of its own, for tests of system mode: a private mount namespace with /etc,
/run and /var/spool. enter() comes first in a test, before anything that makes files: it starts
the test again, inside."""
import os
import shutil
import subprocess
import sys

INSIDE = 'MULTIUSER_INSIDE'


def enter(test):
    """Goes on inside the namespace; skips the test where there cannot be one."""
    if INSIDE in os.environ:
        return
    if os.getuid() != 0 or subprocess.run(['unshare', '-m', 'true'],
                                          stderr=subprocess.DEVNULL).returncode != 0:
        print('1..0 # SKIP needs root and unshare')
        sys.exit(0)
    if '/san-' in os.environ.get('NIGHTMAIL_BUILD', ''):
        print('1..0 # SKIP the leak sanitizer cannot look into programs that change their user')
        sys.exit(0)
    sys.exit(subprocess.run(['unshare', '-m', '--propagation', 'private', sys.executable,
                             os.path.abspath(test)],
                            env=dict(os.environ, **{INSIDE: '1'})).returncode)


def make_system(folder, build, users, programs=None):
    """Users are {name: (uid, gid, further groups)}. The programs, all of them without `programs`,
    are copied to folder/bin."""
    os.chmod(folder, 0o711)
    shutil.copytree('/etc', folder + '/etc', symlinks=True, ignore_dangling_symlinks=True)
    for command in (['mount', '--bind', folder + '/etc', '/etc'],
                    ['mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', '/run'],
                    ['mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', '/var/spool']):
        subprocess.run(command, check=True)
    with open('/etc/passwd', 'a') as passwd, open('/etc/group', 'a') as group:
        for name, (uid, gid, _) in users.items():
            if uid:
                passwd.write('%s:x:%d:%d::/nonexistent:/bin/sh\n' % (name, uid, gid))
                group.write('%s:x:%d:\n' % (name, gid))
        group.write('nightmail-drop:x:61991:\n')
    os.makedirs(folder + '/bin', 0o755)
    for name in programs or os.listdir(build):
        if os.path.isfile(build + '/' + name) and os.access(build + '/' + name, os.X_OK):
            shutil.copy(build + '/' + name, folder + '/bin')
    drop = folder + '/bin/nightmail-drop'
    if os.path.exists(drop):
        os.chown(drop, 0, 61991)
        os.chmod(drop, 0o2755)


def configure(text):
    os.makedirs('/etc/nightmail', exist_ok=True)
    with open('/etc/nightmail/nightmail.conf', 'w') as f:
        f.write(text)
