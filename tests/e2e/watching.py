"""Daemons with [watch] and zones that change: what the tests of it share."""
import os
import re
import sys

sys.dont_write_bytecode = True
from names import Nsd, Zone, need  # noqa: E402
from system import *  # noqa: E402

need('nsd')
RECORDS = {'mx': '@ MX 10 mx1', 'a': 'mx1 A 192.0.2.25', 'spf': '@ TXT "v=spf1 mx -all"',
           'site': '@ TXT "some-verification=1"', 'dmarc': '_dmarc TXT "v=DMARC1; p=reject"',
           'dkim': 'nightmail._domainkey TXT "v=DKIM1; k=ed25519; '
           'p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="'}
LIST = '2.0.0.127 A 127.0.0.2\n'
LISTED = LIST + '25.2.0.192 A 127.0.0.2\n'


class Names(Nsd):
    """Zones that change: the same server again, on the same port."""

    def serve(self, *zones):
        self.stop()
        self.zones = zones
        self.run_again()

    def run_again(self):
        Process.__init__(self, *self.configure())
        if not until(lambda: self.answers(self.zones[0].name)):
            raise RuntimeError('nsd does not come back: ' + self.words())


def domain(**changes):
    return Zone('example.org', '\n'.join(dict(RECORDS, **changes).values()))


def zen(text=LIST):
    return Zone('zen.spamhaus.org', text)


class Watcher(Relay):
    """A relay with [watch], whose programs stand in a directory of its own."""

    def __init__(self, name, watch='domain = example.org', notify=True, start=True, lacks=()):
        self.bin = path(name + '/bin')
        self.told_file = path(name + '/told')
        self.tell = path(name + '/tell', '#!/bin/sh\ncat >>%s\n' % self.told_file, 0o700)
        self.watch, self.notify = watch, notify
        os.makedirs(self.bin)
        for program in os.listdir(BUILD):
            if os.path.isfile(BUILD + '/' + program) and program not in lacks:
                os.symlink(BUILD + '/' + program, self.bin + '/' + program)
        os.unlink(self.bin + '/nightmaild')
        shutil.copy(BUILD + '/nightmaild', self.bin + '/nightmaild')
        self.replace('smtp-probe', 'exit 3')
        super().__init__(name, port=1, start=start)

    def replace(self, program, script):
        file = os.path.join(self.bin, program)
        if os.path.lexists(file):
            os.unlink(file)
        path(os.path.relpath(file, DIR), '#!/bin/sh\n' + script + '\n', 0o755)

    def configure(self, more='', **keys):
        more = '[notify]\ncommand = %s\n' % self.tell if self.notify else ''
        super().configure(more='%s[watch]\n%s' % (more, self.watch), **keys)
        text = open(self.config).read()
        path(os.path.relpath(self.config, DIR),
             'resolver = %s\ntrust-anchor = none\n%s' % (server.server, text), 0o644)

    def start(self):
        Process.__init__(self, self.name, [self.bin + '/nightmaild'], self.env)
        ok(until(lambda: b'running' in self.run('nightmail', 'status').stdout), 'the relay starts',
           self.words)

    def told(self):
        try:
            with open(self.told_file) as f:
                return [json.loads(line) for line in f if line.endswith('\n')]
        except FileNotFoundError:
            return []

    def check(self, *args):
        """Looks now, and gives what is known then."""
        r = self.run('nightmail', 'watch', '--now', '--json', *args)
        lines = [json.loads(line) for line in r.stdout.splitlines()]
        if not lines:
            ok(False, 'nightmail watch has an answer', '%s\n%s' % (r, self.tail()))
            sys.exit(1)
        return dict(lines[0], code=r.returncode)

    def hears(self, count, kind, pattern, name):
        until(lambda: len(self.told()) >= count)
        told = self.told()
        last = told[-1] if told else {}
        return ok(len(told) == count and last.get('kind') == kind and
                  re.search(pattern, last.get('text', '')) and last.get('domain') == 'example.org',
                  name, lambda: '%s\n%s' % (json.dumps(told, indent=1), self.tail()))


server = Names(domain(), zen())


def stat_of(pid):
    """From the state on: proc(5)."""
    with open('/proc/%d/stat' % pid) as f:
        return f.read().rsplit(')', 1)[1].split()


def processes_of(parent):
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir('/proc'))):
        try:
            if int(stat_of(pid)[1]) == parent:
                found.append(pid)
        except OSError:
            pass
    return found
