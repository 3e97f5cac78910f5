# bash completion for smtp-probe(1)

_nightmail_smtp_probe() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local words='--server --port --connect --timeout --first --from --to --helo --ehlo --send --quit-after --tls
		--starttls --tlso --tlsc --no-tls --ca-file --tls-ca-path --tls-verify --verify-name --tls-cert --tls-key --dane --mx
		--as-relay --auth --au --ap --lmtp --catchall --open-relay --injection --days --slow --config
		--resolver --trust-anchor --explain --sandbox --verbose --json --plain --nagios --color --help --version'
	COMPREPLY=()
	case $prev in
	--send | --ca-file | --tls-ca-path | --tls-cert | --tls-key | --config | --trust-anchor)
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$cur"))
		return
		;;
	--quit-after | -q)
		COMPREPLY=($(compgen -W 'CONNECT BANNER FIRST-EHLO TLS EHLO AUTH MAIL RCPT' -- "$cur"))
		return
		;;
	--color)
		COMPREPLY=($(compgen -W 'always never auto' -- "$cur"))
		return
		;;
	--server | --port | --connect | --timeout | --from | --to | --helo | --ehlo | --verify-name | --mx | --as-relay | --au | --days | --slow | --resolver | --explain)
		return
		;;
	esac
	[[ $cur == -* ]] && COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _nightmail_smtp_probe smtp-probe
