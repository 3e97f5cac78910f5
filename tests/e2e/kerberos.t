#!/usr/bin/env python3
"""GSSAPI: a ticket of a Kerberos server of our own lets us in at Postfix with a real Dovecot; without
one the relay is held and says so."""
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from system import *  # noqa: E402
import peers  # noqa: E402

peers.need()
TOOLS = ('krb5kdc', 'kdb5_util', 'kadmin.local', 'kinit')
os.environ['PATH'] += ':/usr/sbin'
if not all(shutil.which(t) for t in TOOLS):
    skip_all('no Kerberos server: %s' % ' '.join(t for t in TOOLS if not shutil.which(t)))
if not os.path.exists(peers.PEERS + '/root/usr/lib/dovecot/modules/auth/libmech_gssapi.so'):
    skip_all('Dovecot has no GSSAPI: "make peers" did not get it')

port = free_port()
krb5 = path('krb5.conf', '''
[libdefaults]
    default_realm = TEST.EXAMPLE
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
    default_ccache_name = FILE:%s
[realms]
    TEST.EXAMPLE = {
        kdc = 127.0.0.1:%d
    }
[domain_realm]
    localhost = TEST.EXAMPLE
''' % (path('ccache'), port), 0o644)
kdc = path('kdc.conf', '''
[kdcdefaults]
    kdc_listen = 127.0.0.1:%(port)d
    kdc_tcp_listen = 127.0.0.1:%(port)d
[realms]
    TEST.EXAMPLE = {
        database_name = %(dir)s/principal
        key_stash_file = %(dir)s/stash
        acl_file = %(dir)s/acl
        max_life = 1h
    }
''' % {'port': port, 'dir': path('')}, 0o644)
ENV = dict(os.environ, KRB5_CONFIG=krb5, KRB5_KDC_PROFILE=kdc, KRB5RCACHENAME='none:')


def call(*command, text=''):
    r = subprocess.run(command, env=ENV, input=text.encode(), stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT)
    return r.returncode == 0 or say('%s: %s' % (command, r.stdout.decode()))


call('kdb5_util', 'create', '-s', '-r', 'TEST.EXAMPLE', '-P', 'master')
call('kadmin.local', '-q', 'addprinc -pw person alice')
call('kadmin.local', '-q', 'addprinc -randkey smtp/localhost')
keytab = path('keytab')
call('kadmin.local', '-q', 'ktadd -k %s smtp/localhost' % keytab)
os.chmod(keytab, 0o644)
server = Process('kdc', ['krb5kdc', '-n'], ENV)
if not until(lambda: re.search('commencing operation', server.words()) or
             call('kinit', 'alice', text='person\n')):
    skip_all('no Kerberos server runs: ' + server.words())
call('kdestroy')

os.environ.update(KRB5_CONFIG=krb5, KRB5RCACHENAME='none:')  # of Dovecot and the relay
dovecot = peers.Dovecot(alice='unused', more='''
            auth_mechanisms = $auth_mechanisms gssapi
            auth_krb5_keytab = %s
            auth_gssapi_hostname = "$ALL"
            auth_realms = TEST.EXAMPLE
            auth_default_realm = TEST.EXAMPLE
            import_environment = $import_environment KRB5_CONFIG=%s KRB5RCACHENAME=none:
            ''' % (keytab, krb5))
postfix = peers.Postfix(dovecot.socket)
relay = Relay(host='localhost', port=postfix.port, tls='starttls', ca=postfix.ca, auth='GSSAPI')


def trouble():
    return '%s\n%s\n%s' % (relay.tail(), '\n'.join(postfix.words().splitlines()[-10:]),
                           '\n'.join(dovecot.words().splitlines()[-10:]))


id = relay.send('bob@example.org', subject='ticket')
relay.waits_because(id, 'GSSAPI', 'without a ticket the relay is held, and says by which mechanism')
ok(call('kinit', 'alice', text='person\n'), 'a ticket')
ok(postfix.about('ticket'), 'GSSAPI: the mail goes by the ticket alone', trouble)
ok('sasl_method=GSSAPI, sasl_username=alice' in postfix.words(), 'Postfix saw this mechanism', trouble)
relay.is_empty('nothing is left in the queue')
done()
