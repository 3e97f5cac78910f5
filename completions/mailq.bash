# bash completion for mailq(1)

_nightmail_mailq() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local commands='list show flush hold release delete bounce edit check'
	local words='--all --json --body --repair --to --remove --from --relay --at --priority --color --config --help --version -a -j -q'
	local filters='state= id= from~ to~ relay= reason~ why~ size> age> attempts> next< flags='
	local i config=()
	COMPREPLY=()
	case $prev in
	--config)
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$cur"))
		return
		;;
	--color)
		COMPREPLY=($(compgen -W 'always never auto' -- "$cur"))
		return
		;;
	esac
	case $prev in
	--relay | --at)
		return
		;;
	--priority)
		COMPREPLY=($(compgen -W 'high normal low' -- "$cur"))
		return
		;;
	--to | --remove | --from)
		return
		;;
	esac
	if [[ $cur != -* ]]; then
		for ((i = 1; i < COMP_CWORD; i++)); do
			[[ ${COMP_WORDS[i]} == --config ]] && config=(--config "${COMP_WORDS[i + 1]}")
		done
		words=$(mailq "${config[@]}" --all 2>/dev/null | sed -n 's/^\([0-9A-V]\{16\}\) .*/\1/p')
		((COMP_CWORD == 1)) && words+=" $commands"
		words+=" $filters"
	fi
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
	[[ ${COMPREPLY[0]} == *[=~\<\>] ]] && compopt -o nospace
}
complete -F _nightmail_mailq mailq
