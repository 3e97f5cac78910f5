# bash completion for mailq(1)

_nightmail_mailq() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local commands='list show flush hold release delete bounce check'
	local words='--all --json --body --repair --color --config --help --version -a -j'
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
	if [[ $cur != -* ]]; then
		for ((i = 1; i < COMP_CWORD; i++)); do
			[[ ${COMP_WORDS[i]} == --config ]] && config=(--config "${COMP_WORDS[i + 1]}")
		done
		words=$(mailq "${config[@]}" --all 2>/dev/null | sed -n 's/^\([0-9A-V]\{16\}\) .*/\1/p')
		((COMP_CWORD == 1)) && words+=" $commands"
	fi
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _nightmail_mailq mailq
