# bash completion for send(1)

_nightmail_send() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	COMPREPLY=()
	case $prev in
	--config | -a | --attach | --html | --inline | --template | --data)
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$cur"))
		return
		;;
	--priority)
		COMPREPLY=($(compgen -W 'high normal low' -- "$cur"))
		return
		;;
	-s | --subject | --timeout | --at | --relay | --header | --unsubscribe | -F)
		return
		;;
	--to | --cc | --bcc | --from | --reply-to | -f | -r)
		COMPREPLY=($(compgen -u -- "$cur"))
		return
		;;
	esac
	if [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W '-s --subject --to --cc --bcc --from --reply-to --header
			-a --attach --html --inline --unsubscribe --receipt -t -f -r -F -i --template
			--data --yes --at --priority --relay --require-tls --wait --timeout --dry-run -v --verbose --json --config --help --version' -- "$cur"))
	else
		COMPREPLY=($(compgen -u -- "$cur"))
	fi
}
complete -F _nightmail_send send
