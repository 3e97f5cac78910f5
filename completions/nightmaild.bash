# bash completion for nightmaild(8)

_nightmaild() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	COMPREPLY=()
	if [[ $prev == --config ]]; then
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$cur"))
		return
	fi
	COMPREPLY=($(compgen -W '--config --daemon -v --verbose --help --version' -- "$cur"))
}
complete -F _nightmaild nightmaild
