#compdef smtp-probe
# zsh completion for smtp-probe(1)

_arguments \
	'--server=[the server]:host:' \
	'--port=[its port]:port:' \
	'--connect=[where to connect instead of what DNS says]:address and port:' \
	'--timeout=[how long to wait for each step]:seconds:' \
	'--first[the first server that answers is enough]' \
	'--from=[the sender]:address:' \
	'*--to=[a recipient]:address:' \
	'--helo=[the name we give]:name:' \
	'--ehlo=[the same]:name:' \
	'--send=[sends this message]:file:_files' \
	'--quit-after=[where to stop]:what:(CONNECT BANNER FIRST-EHLO TLS EHLO AUTH MAIL RCPT)' \
	'--tls[STARTTLS is a must]' \
	'--starttls[STARTTLS is a must]' \
	'--tlso[STARTTLS where it is offered]' \
	'--tlsc[TLS from the first byte]' \
	'--no-tls[no TLS]' \
	'--ca-file=[authorities to trust]:file:_files' \
	'--tls-ca-path=[the same]:file:_files' \
	'--tls-verify[an untrusted certificate is a failure]' \
	'--verify-name=[the name that the certificate must have]:name:' \
	'--tls-cert=[our certificate]:file:_files' \
	'--tls-key=[its key]:file:_files' \
	'--dane[asks for TLSA records]' \
	'--mx=[the servers of this domain]:domain:' \
	'--as-relay=[a relay of the configuration]:name:' \
	'--auth=-[logs in]:mechanisms:' \
	'--au=[the user]:user:' \
	'--ap[asks for the password, or reads @FILE]' \
	'--lmtp[speaks LMTP]' \
	'--catchall[is an address that nobody has taken?]' \
	'--open-relay[is mail of strangers to strangers taken?]' \
	'--injection[is the server open to STARTTLS injection?]' \
	'--days=[days of the certificate\: warning, failure]:days:' \
	'--slow=[seconds in all\: warning, failure]:seconds:' \
	'--config=[that configuration]:file:_files' \
	'--resolver=[the resolver to ask]:address:' \
	'--trust-anchor=[of DNSSEC]:file:_files' \
	'--explain=[what a finding means]:id:' \
	'--sandbox[gives up what it does not need]' \
	'--verbose[shows the transcript]' \
	'--json[one JSON object]' \
	'--plain[one finding a line]' \
	'--nagios[for monitoring]' \
	'--color=[when to use colour]:what:(always never auto)' \
	'--help[print the options]' \
	'--version[print the version]' \
	'-4[IPv4 only]' \
	'-6[IPv6 only]' \
	'*:server or @resolver:'
