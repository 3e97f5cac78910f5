#compdef nightmail
# zsh completion for nightmail(1)

_nightmail() {
	local -a stages peers
	peers=(msmtp nullmailer dma ssmtp esmtp exim4 postfix)
	stages=(greeting ehlo starttls auth mail rcpt data content)
	local -a dashboard
	dashboard=(
		'--config[read this file]:file:_files'
		'--read-only[change nothing]'
		'--theme[colours]:theme:(dark light mono)'
		'--mouse[the mouse selects and scrolls]'
		'--plain[print the overview as text]'
	)
	if ((CURRENT > 2)) && [[ $words[2] == -* ]]; then
		_arguments $dashboard
		return
	fi
	if ((CURRENT == 2)); then
		_alternative \
			'commands:command:((config\:"check or show the configuration" explain\:"what would become of mail" status\:"how the daemon and its relays are" watch\:"what changed in the DNS of domains" reload\:"read the configuration again" login\:"get the tokens of a relay" secret\:"the password in the keyring" relay\:"trust what a relay offers" dns\:"what receivers conclude from DNS" probe\:"what a sender meets at a server" queue\:"what waits, and why" setup\:"make the configuration" sink\:"receive mail for tests" dkim\:"sign, verify, make keys" tlsrpt\:"how the TLS of connections went" trace\:"the way of a message"))' \
			'options:option:(--help --version --config --read-only --theme --mouse --plain)'
		return
	fi
	local command=$words[2]
	shift words
	((CURRENT--))
	case $command in
	config)
		_arguments \
			'--config[read this file]:file:_files' \
			'--json[show: one JSON object a line]' \
			'--help[print the options]' \
			'--password-file[import: write the password there]:file:_files' \
			'1:action:((check\:"tell every error" show\:"print the values in force" keys\:"list what can be set" import\:"take over another relay"))' \
			'2:relay:compadd -a peers' '*:file:_files'
		;;
	setup)
		_arguments \
			'--import[begin with the settings of another relay]:relay:compadd -a peers' \
			'--relay[the server]:host:_hosts' \
			'--port[its port]:port:' \
			'--tls[TLS mode]:mode:(starttls implicit opportunistic none)' \
			'--ca[trust the authorities of this file]:file:_files' \
			'--login[user name there]:name:' \
			'--password-file[where the password is kept]:file:_files' \
			'--root[who reads the mail for root]:address:' \
			'--no-probe[do not try the server]' \
			'--test[send a test mail there]:address:' \
			'--yes[ask nothing]' \
			'--dry-run[write nothing]' \
			'--undo[bring back what was replaced]' \
			'--config[set up this file]:file:_files' \
			'--help[print the options]'
		;;
	explain)
		_arguments \
			'--config[read this file]:file:_files' \
			'--user[as if this user sent it]:user:_users' \
			'--json[one JSON object]' \
			'--relay[as if its sender asked for this relay]:relay' \
			'(--tls-optional)--require-tls[for a message that requires TLS]' \
			'(--require-tls)--tls-optional[for one with TLS-Required\: No]' \
			'--help[print the options]' \
			'1:sender:' '*:recipient:'
		;;
	tlsrpt)
		_arguments \
			'--config[read this file]:file:_files' \
			'--json[the report itself]' \
			'--help[print the options]' \
			'1:day:'
		;;
	dns)
		_arguments \
			'*--ip=[an address that sends]:address:' \
			'*--selector=[a selector of DKIM]:name:' \
			'--from-config[what the daemon uses]' \
			'--json[one JSON object]' \
			'--help[print the options]' \
			'1:domain:'
		;;
	probe)
		_arguments '*:argument:_hosts'
		;;
	dkim)
		_arguments \
			'*--domain[the domain that signs]:domain:' \
			'*--selector[the name of the key]:name:' \
			'*--key[the private key]:file:_files' \
			'--canon[how much may change]:form:(relaxed/simple relaxed/relaxed simple/simple)' \
			'--identity[the tag i=]:address:' \
			'--valid[the signature expires]:days:' \
			'--algorithm[kind of key]:kind:(rsa ed25519)' \
			'--bits[size of an RSA key]:bits:' \
			'--resolver[the server to ask]:address:' \
			'--authres[print this field of that server]:name:' \
			'--config[read this file]:file:_files' \
			'--json[one JSON object]' \
			'--help[print the options]' \
			'1:action:(sign verify keygen record check)' '*:message:_files'
		;;
	trace)
		_arguments '*:argument:_files'
		;;
	queue)
		_arguments \
			'--all[every message]' \
			'--json[one JSON object a line]' \
			'--help[print the options]' \
			'1:command:(list show flush hold release delete bounce check)' '*:ID:'
		;;
	login)
		_arguments \
			'--config[the configuration of the relay]:file:_files' \
			'--device[enter a code on any device]' \
			'--browser[open a page on this machine]' \
			'--file[keep the tokens in a file]' \
			'--help[print the options]' '1:relay:'
		;;
	secret)
		_arguments \
			'--config[the configuration of the relay]:file:_files' \
			'--help[print the options]' '1:action:(set test delete)' '2:relay:'
		;;
	relay)
		_arguments \
			'--config[the configuration of the daemon]:file:_files' \
			'--help[print the options]' '1:action:(trust)' '2:relay:'
		;;
	watch)
		_arguments \
			'--now[check now]' \
			'--config[the configuration of the daemon]:file:_files' \
			'--json[the answer of the daemon]' \
			'--help[print the options]' '1:domain:'
		;;
	status | reload)
		_arguments \
			'--config[the configuration of the daemon]:file:_files' \
			'--json[the answer of the daemon]' \
			'--help[print the options]'
		;;
	sink)
		_arguments \
			'--listen[where to listen]:address and port:' \
			'--name[name of the server]:name:' \
			'--tls[offer STARTTLS, certificate in this directory]:directory:_files -/' \
			'--cert[certificate chain]:file:_files' \
			'--key[key of the certificate]:file:_files' \
			'--implicit-tls[TLS from the first byte]' \
			'--require-tls[refuse mail before TLS]' \
			'--auth[offer AUTH]:user\:file:' \
			'--require-auth[refuse mail before a login]' \
			'--dir[keep the messages here]:directory:_files -/' \
			'*--reply[answer a stage otherwise]:stage:compadd -S "=" -a stages' \
			'*--close-at[break off at a stage]:stage:compadd -a stages -- dot' \
			'--delay[answer late]:milliseconds:' \
			'--max[end after so many messages]:number:' \
			'--size[largest message]:bytes:' \
			'--connections[connections at the same time]:number:' \
			'--busy-beyond[answer 421 to more connections than this]:number:' \
			'--no-pipelining[do not offer PIPELINING]' \
			'--chunking[offer CHUNKING]' \
			'--requiretls[offer REQUIRETLS]' \
			'--json[one JSON object a line]' \
			'--help[print the options]'
		;;
	esac
}

_nightmail "$@"
