#compdef dns-check
# zsh completion for dns-check(1)

_nightmail_findings() {
	local -a ids
	ids=(all ${(f)"$(dns-check --explain all 2>/dev/null)"})
	compadd -a ids
}

_arguments \
	'*--ip=[an address that sends]:address:' \
	'*--selector=[a selector of DKIM]:name:' \
	'*--key=[the private key of the selector]:file:_files' \
	'--from-config[selectors, keys and greeting of the daemon]' \
	'--config=[that configuration]:file:_files' \
	'--parked[the domain is to have no mail]' \
	'--expect=[are these zone lines in DNS]:file:_files' \
	'--wait=-[ask until they are]:seconds:' \
	'--authoritative[ask the servers of the domain]' \
	'--connect[try the MX hosts]' \
	'--state=[what was seen before]:file:_files' \
	'--resolver=[the resolver to ask]:address:' \
	'--timeout=[how long to wait]:seconds:' \
	'--trust-anchor=[of DNSSEC]:file:_files' \
	'--replay=[answers from a file]:file:_files' \
	'--record=[answers into a file]:file:_files' \
	'--domain=[the domain]:domain:' \
	'--spf-eval[what SPF says of mail]' \
	'--mail-from=[its envelope sender]:address:' \
	'--helo=[the greeting]:name:' \
	'--dmarc-eval[what DMARC says of a message]' \
	'--header-from=[the domain in From]:domain:' \
	'*--dkim-pass=[a domain whose signature passes]:domain:' \
	'*--spf-pass=[a domain for which SPF passes]:domain:' \
	'--org-domain=[print the organisational domain]:domain:' \
	'--tree-walk[by the tree walk of RFC 9989]' \
	'--mta-sts=[MTA-STS alone]:domain:' \
	'--mta-sts-connect=[where the policy is]:address and port:' \
	'--ca-file=[who signs its certificate]:file:_files' \
	'--lint=[check the record on standard input]:kind:(dmarc spf mta-sts-record mta-sts-policy tlsrpt dkim-key bimi)' \
	'--explain=[what a finding means]:id:_nightmail_findings' \
	'--zone[the records that were found, too]' \
	'--sandbox[give up what it does not need]' \
	'--verbose[also what needs no attention]' \
	'--json[one JSON object]' \
	'--plain[one finding a line]' \
	'--nagios[for monitoring]' \
	'--color=[when to use colour]:when:(always never auto)' \
	'--help[print the options]' \
	'--version[print the version]' \
	'*:domain or @server:'
