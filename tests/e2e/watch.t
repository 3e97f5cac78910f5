#!/usr/bin/env python3
"""[watch]: the daemon looks at the DNS of domains again and again and tells what has changed, once.
Zones of nsd that change between two checks, a blocklist, the certificate of an MX host, restarts
and kill -9."""
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from watching import *  # noqa: E402


def changes():
    relay = Watcher('changes')
    a = relay.check()
    eq((a['verdict'], a['code']), ('warn', 1), 'the first check: there is a warning')
    ok(any(r['name'] == 'example.org' and r['value'] == '"v=spf1 mx -all"' for r in a['records']) and
       not any('verification' in (r['value'] or '') for r in a['records']),
       'with the records that are about mail', a)
    eq(relay.check()['change'], None, 'the second one: nothing has changed')
    eq(relay.told(), [], 'and nothing is told')

    server.serve(domain(spf='@ TXT "v=spf1 mx ~all"', site='@ TXT "some-verification=2"'), zen())
    a = relay.check()
    words = 'example.org TXT was "v=spf1 mx -all", is now "v=spf1 mx ~all"'
    relay.hears(1, 'domain-changed', re.escape(words), 'a record that changed is told')
    ok(a['change'] == words and 'verification' not in str(relay.told()), 'and shown, and no other', a)
    ok(relay.says(r'watch domain=example.org verdict=warn .*is now'), 'it stands in the log',
       relay.tail)
    relay.check()
    server.serve(domain(spf='@ TXT "v=spf1 mx ~all"'), zen(LISTED))
    a = relay.check()
    relay.hears(2, 'domain-bad', r'new warn \(bl.listed, 192.0.2.25\): zen.spamhaus.org: SBL',
                'a blocklist with the MX host is told')
    server.serve(domain(spf='@ TXT "v=spf1 mx ~all"\n@ TXT "v=spf1 -all"'), zen(LISTED))
    a = relay.check()
    relay.hears(3, 'domain-bad', r'new fail \(spf.*; example.org TXT was .*, is now "v=spf1 -all", "v=spf1 mx ~all"',
                'a failure with the record that makes it')
    eq((a['verdict'], a['code'], relay.told()[-1].get('verdict')), ('fail', 2, 'fail'), 'is a failure')
    r = relay.run('nightmail', 'status')
    ok(re.search(r'^watch +example.org: fail, checked .* ago, next check in ', r.stdout.decode(), re.M),
       'status says so', r)
    restart(relay)
    server.serve(domain(dkim='nightmail._domainkey TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg'
                        '7hcvPapiMlrwIaaPcHURo="\ns1._domainkey TXT "v=DKIM1; p="'), zen())
    relay.check()
    relay.hears(4, 'domain-changed', r'no more (warn \(bl.listed|fail \(spf).*; no more (fail \(spf|warn \(bl.listed)',
                'what is better is told, also what a restart lies between')
    relay.reported(relay.stop())


def restart(relay):
    """Nothing is told twice, whatever ends the daemon."""
    known = open(relay.spool + '/watch').read()
    relay.reported(relay.stop())
    relay.start()
    r = relay.run('nightmail', 'watch', '--json')
    eq(json.loads(r.stdout)['verdict'], 'fail', 'after a restart the result is known')
    relay.check()
    relay.stop(signal.SIGKILL)
    relay.start()
    relay.check()
    eq(len(relay.told()), 3, 'and nothing is told twice')
    ok('bl.listed' in known and 'spf' in known, 'it stands in the spool', known)


def certificate():
    """The MX host is a sink here; its certificate ends in 9 days, then in 2, then it is new."""
    server.serve(domain(), zen())
    ca, cert, key = own_ca('mx1.example.org')

    def make(days, name):
        day = path(name + '.tmpl', 'cn = "x"\ndns_name = "mx1.example.org"\ntls_www_server\nsigning_key\n'
                   'expiration_days = %d\n' % days)
        d = os.path.dirname(ca)
        subprocess.run(['certtool', '--no-text', '-c', '--load-privkey', key, '--load-ca-privkey',
                        d + '/ca.key', '--load-ca-certificate', ca, '--template', day, '--outfile',
                        path(name)], check=True, stderr=subprocess.DEVNULL)
        return ['--cert', path(name), '--key', key]

    sink = Sink(*make(9, 'nine.pem'), name='mx', keep=False)
    relay = Watcher('certificate')
    relay.replace('smtp-probe', 'exec %s/smtp-probe "$@" -p %d --connect 127.0.0.1:%d --ca-file %s' %
                  (BUILD, sink.port, sink.port, ca))
    a = relay.check()
    ok(any(f['id'] == 'tls.expires_soon' and f['severity'] == 'warn' for f in a['findings']),
       'a certificate that ends soon', a)
    sink = sink.again(*make(2, 'two.pem'))
    relay.check()
    relay.hears(1, 'domain-bad', r'now fail \(tls.expires_soon, .*in [12] days?',
                'when it ends very soon that is told')
    sink.stop()
    a = relay.check()
    ok(any(f['id'] == 'tls.expires_soon' for f in a['findings']) and len(relay.told()) == 1,
       'a server that does not answer changes nothing', a)
    sink = Sink('--cert', cert, '--key', key, name='mx', port=sink.port, keep=False)
    relay.check()
    relay.hears(2, 'domain-changed', r'no more fail \(tls.expires_soon', 'a new certificate too')
    relay.reported(relay.stop())
    sink.stop()


def death():
    """kill -9 while a check is under way: the program ends too, and the state is as it was."""
    server.serve(domain(), zen())
    relay = Watcher('death')
    relay.check()
    known = open(relay.spool + '/watch').read()
    pid_file = path('death/pid')
    relay.replace('dns-check', 'echo $$ >%s; exec sleep 600' % pid_file)
    control = relay.run('nightmail', 'watch', '--config', relay.config)
    eq(control.returncode, 1, 'what is known can be read')
    asker = subprocess.Popen([BUILD + '/nightmail', 'watch', '--now'], env=relay.env,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ok(until(lambda: read('death/pid').endswith('\n')), 'a check is under way', relay.tail)
    pid = int(read('death/pid'))
    ok(until(lambda: stat_of(pid)[16] == '10'), 'it runs with less priority', stat_of(pid))
    ok(until(lambda: len(processes_of(relay.popen.pid)) == 1), 'alone')
    relay.stop(signal.SIGKILL)

    def gone():
        try:
            return stat_of(pid)[0] in 'ZX'
        except OSError:
            return True
    ok(until(gone), 'after kill -9 it is gone')
    asker.wait(PATIENCE)
    eq(open(relay.spool + '/watch').read(), known, 'and the state is as it was')
    relay.start()
    relay.replace('dns-check', 'echo $$ >%s; echo "oops"; echo broken >&2; kill -SEGV $$' % pid_file)
    a = relay.check()
    ok(a['verdict'] == 'unknown' and 'SEGV' in a['why'], 'a program that dies is no change', a)
    relay.replace('dns-check', 'printf "fail\\tspf.multiple\\texample.org\\n"; exit 2')
    a = relay.check()
    ok('not understood' in a['why'] and not a['change'], 'nor is nonsense', a)
    relay.replace('dns-check', 'echo $$ >%s; exec sleep 600' % pid_file)
    os.unlink(pid_file)
    asker = subprocess.Popen([BUILD + '/nightmail', 'watch', '--now'], env=relay.env,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ok(until(lambda: read('death/pid').endswith('\n')), 'one more', relay.tail)
    pid = int(read('death/pid'))
    relay.reported(relay.stop())
    ok(gone(), 'the end of the daemon is the end of the check')
    asker.wait(PATIENCE)


changes()
certificate()
death()
done()
