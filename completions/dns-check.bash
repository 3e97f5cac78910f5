# bash completion for dns-check(1)

_nightmail_dns_check() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local words='--ip --selector --key --from-config --config --parked --expect --wait --authoritative --connect --state
		--resolver --timeout --trust-anchor --replay --record --domain --spf-eval --mail-from --helo
		--dmarc-eval --header-from --dkim-pass --spf-pass --org-domain --tree-walk --mta-sts
		--mta-sts-connect --ca-file --lint --explain --zone --sandbox --verbose --json --plain --nagios --color --help
		--version'
	COMPREPLY=()
	case $prev in
	--config | --expect | --state | --key | --trust-anchor | --replay | --record | --ca-file)
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$cur"))
		return
		;;
	--color)
		COMPREPLY=($(compgen -W 'always never auto' -- "$cur"))
		return
		;;
	--lint)
		COMPREPLY=($(compgen -W 'dmarc spf mta-sts-record mta-sts-policy tlsrpt dkim-key bimi' -- "$cur"))
		return
		;;
	--explain)
		COMPREPLY=($(compgen -W "all $(dns-check --explain all 2>/dev/null)" -- "$cur"))
		return
		;;
	--ip | --selector | --resolver | --timeout | --domain | --mail-from | --helo | --header-from | \
		--dkim-pass | --spf-pass | --org-domain | --mta-sts | --mta-sts-connect)
		return
		;;
	esac
	[[ $cur == -* ]] && COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _nightmail_dns_check dns-check
