# Adapter of the relay bench for nightmail; sourced by its scripts. NM_CONNECTIONS: connections
# to the smarthost. NM_WAY, how a message gets into the queue:
#   direct  a private configuration, daemon and submitters are uid 1000: straight into the files
#   socket  the system's configuration, the daemon is user nightmail: SMTP over its socket
#   helper  the same with the daemon stopped: by nightmail-drop
A_SPOOL=var/spool/nightmail
A_BIN="usr/bin/nightmaild usr/bin/nightmail-deliver usr/bin/sendmail usr/bin/mailq"
NM_WAY=${NM_WAY:-direct}
if [ $NM_WAY = direct ]; then
	NM_CONF=/etc/nightmail/bench.conf NM_ARGS="--config /etc/nightmail/bench.conf"
	NM_SPEC=--userspec=$BUID
else
	NM_CONF=/etc/nightmail/nightmail.conf NM_ARGS= NM_SPEC=
fi

nm_configure() { # PORT: where the smarthost is
	mkdir -p $R/etc/nightmail
	cat >$R$NM_CONF <<-EOF
	[relay default]
	host        = 127.0.0.1
	port        = $1
	tls         = $NM_TLS
	connections = ${NM_CONNECTIONS:-4}
	probe       = 1s
	$([ $NM_TLS = none ] || echo ca = /etc/nightmail/bench-ca.pem)
	[queue]
	dir         = /$A_SPOOL
	user-limit  = never
	EOF
	chmod 644 $R$NM_CONF
}

a_setup() {
	NM_TLS=none
	[ "${1:-plain}" = tls ] && NM_TLS=starttls && mkdir -p $R/etc/nightmail && cp $B/tls/ca.crt $R/etc/nightmail/bench-ca.pem
	mkdir -p $R/$A_SPOOL $R/var/log $R/run
	[ $NM_WAY != direct ] || chown 1000:1000 $R/$A_SPOOL
	nm_configure $SINKPORT
}

a_start() {
	chroot $NM_SPEC $R /usr/bin/nightmaild $NM_ARGS 2>>$R/nightmaild.log &
	NM_PID=$!
	disown $NM_PID
	for i in $(seq 100); do
		chroot $NM_SPEC $R /usr/bin/nightmail status $NM_ARGS >/dev/null 2>&1
		[ $? -gt 2 ] || return 0
		sleep 0.1
	done
	# Without it another way would be measured.
	echo "nightmaild does not answer: $(tail -n 1 $R/nightmaild.log)" >&2
}

a_stop() {
	[ -z "${NM_PID:-}" ] || { kill $NM_PID 2>/dev/null; wait_gone $NM_PID; }
	NM_PID=
}

a_hold() { # a smarthost port where nobody listens: the relay is held, mail only queues
	nm_configure 1
	sed -i 's/^probe.*/probe = 1h/' $R$NM_CONF
	a_start
	[ $NM_WAY != helper ] || a_stop
}

a_release() {
	nm_configure $SINKPORT
	kill -HUP $NM_PID
}

a_submit() { echo /usr/bin/sendmail $NM_ARGS -i -t; }
a_count() { ls -U $R/$A_SPOOL/queue 2>/dev/null | wc -l; }
a_list() { echo /usr/bin/mailq $NM_ARGS; }
a_pids() { chroot_pids; }
a_clear() { rm -rf $R/$A_SPOOL/* $R/nightmaild.log; }
