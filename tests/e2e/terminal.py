"""A terminal with a shell in it (tmux), for the tests of what is shown there."""
import os
import re
import subprocess

from system import BUILD, PATIENCE, ok, path, until

SOCKET = path('tmux')
PROMPT = 'ready>'


def tmux(*args):
    """What tmux printed."""
    r = subprocess.run(['tmux', '-S', SOCKET, '-f', '/dev/null'] + list(args),
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       env=dict(os.environ, LC_ALL='C.UTF-8', LANG='C.UTF-8', TERM='xterm'))
    return r.stdout.decode(errors='replace')


class Terminal:
    """A shell in a terminal of tmux, whose nightmail asks this relay."""
    count = 0
    shell = 'sh -i'
    programs = BUILD

    def __init__(self, relay, columns=80, rows=24, **env):
        Terminal.count += 1
        self.name = 't%d' % Terminal.count
        self.relay = relay
        words = dict({'PS1': PROMPT + ' ', 'TZ': 'UTC', 'LC_ALL': 'C.UTF-8', 'HISTFILE': '',
                      'ENV': ''}, **env)
        if relay:
            words['NIGHTMAIL_CONFIG'] = relay.config
        tmux('new-session', '-d', '-s', self.name, '-x', str(columns), '-y', str(rows),
             'exec env %s %s' % (' '.join("%s='%s'" % pair for pair in words.items()), self.shell))
        self.shows(re.escape(PROMPT), 'a shell in %dx%d' % (columns, rows))

    def close(self):
        tmux('kill-session', '-t', self.name)

    def screen(self, *how):
        return tmux('capture-pane', '-p', '-t', self.name, *how)

    def keys(self, *keys):
        tmux('send-keys', '-t', self.name, *[k.replace(';', '\\;') for k in keys])

    def type(self, text):
        tmux('send-keys', '-t', self.name, '-l', text)

    def line(self, text):
        self.type(text)
        self.keys('Enter')

    def resize(self, columns, rows):
        tmux('resize-window', '-t', self.name, '-x', str(columns), '-y', str(rows))

    def has(self, pattern, seconds=PATIENCE):
        return until(lambda: re.search(pattern, self.screen(), re.M), seconds)

    def shows(self, pattern, name):
        return ok(self.has(pattern), name, lambda: 'not seen: %s\n%s' % (pattern, self.screen()))

    def lacks(self, pattern, name):
        return ok(until(lambda: not re.search(pattern, self.screen(), re.M)), name, self.screen)

    def start(self, *args):
        self.line(' '.join([self.programs + '/nightmail'] + list(args)))

    def quit(self, name):
        self.keys('q')
        return self.shows('^' + PROMPT, name)
