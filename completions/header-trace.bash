# bash completion for header-trace(1)

_nightmail_header_trace() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local words='--verify --dkim-verify --arc-verify --resolver --trust --structure --headers
		--original --config --verbose --color --explain --json --plain --help --version'
	COMPREPLY=()
	case $prev in
	--color)
		COMPREPLY=($(compgen -W 'always never auto' -- "$cur"))
		return
		;;
	--resolver | --trust | --explain)
		return
		;;
	esac
	if [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W "$words" -- "$cur"))
		return
	fi
	compopt -o filenames
	COMPREPLY=($(compgen -f -- "$cur"))
}
complete -F _nightmail_header_trace header-trace
