"""A desktop's keyring without a desktop: a session bus and gnome-keyring of their own, so that
nobody's real one is ever asked."""
import os
import shutil
import subprocess

from system import BUILD, Process, path, until


def here():
    return all(shutil.which(p) for p in ('dbus-daemon', 'dbus-send', 'gnome-keyring-daemon')) and \
        os.path.exists(BUILD + '/nightmail-secret')


class Keyring:
    """A session bus and gnome-keyring of their own."""

    def __init__(self):
        self.home = path('home')
        os.makedirs(self.home + '/run', mode=0o700)
        bus = 'unix:path=' + path('home/run/bus')
        self.env = {'HOME': self.home, 'XDG_RUNTIME_DIR': self.home + '/run', 'LANG': 'C.UTF-8',
                    'PATH': os.environ['PATH'], 'DBUS_SESSION_BUS_ADDRESS': bus}
        conf = path('bus.conf', '''<busconfig><type>session</type><listen>%s</listen>
            <policy context="default"><allow send_destination="*" eavesdrop="true"/>
            <allow eavesdrop="true"/><allow own="*"/></policy></busconfig>''' % bus, 0o644)
        self.bus = Process('bus', ['dbus-daemon', '--nofork', '--config-file=' + conf], self.env)
        until(lambda: os.path.exists(path('home/run/bus')))
        self.daemon = None

    def start(self):
        with open(path('keyring.log'), 'ab') as log:
            self.daemon = subprocess.Popen(
                ['gnome-keyring-daemon', '--foreground', '--unlock', '--components=secrets'],
                env=self.env, stdin=subprocess.PIPE, stdout=log, stderr=log)
        self.daemon.stdin.write(b'pass\n')
        self.daemon.stdin.close()
        return until(lambda: self.owned())

    def owned(self):
        r = subprocess.run(['dbus-send', '--session', '--print-reply', '--dest=org.freedesktop.DBus',
                            '/org/freedesktop/DBus', 'org.freedesktop.DBus.NameHasOwner',
                            'string:org.freedesktop.secrets'], env=self.env,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return b'boolean true' in r.stdout

    def lock(self):
        """Collections keep their names; each that there may be is locked."""
        for name in ('login', 'default_5fkeyring', 'session'):
            subprocess.run(['dbus-send', '--session', '--print-reply', '--dest=org.freedesktop.secrets',
                            '/org/freedesktop/secrets', 'org.freedesktop.Secret.Service.Lock',
                            'array:objpath:/org/freedesktop/secrets/collection/' + name],
                           env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def end(self):
        """Only the keyring ends; start() opens it again."""
        if self.daemon:
            self.daemon.terminate()
            self.daemon.wait()
        self.daemon = None

    def stop(self):
        self.end()
        self.bus.stop()
