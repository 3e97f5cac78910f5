# bash completion for sendmail(8)

_nightmail_sendmail() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	COMPREPLY=()
	case $prev in
	--config | -C)
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$cur"))
		return
		;;
	-N)
		COMPREPLY=($(compgen -W 'never success failure delay success,failure' -- "$cur"))
		return
		;;
	-R)
		COMPREPLY=($(compgen -W 'hdrs full' -- "$cur"))
		return
		;;
	-B)
		COMPREPLY=($(compgen -W '7BIT 8BITMIME' -- "$cur"))
		return
		;;
	-F | -V)
		return
		;;
	esac
	if [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W '-t -i -f -r -F -N -R -V -B -v -bm -bp -bs -bi -bv -q -qf -qI -qR -qS
			--config --help --version' -- "$cur"))
	else
		COMPREPLY=($(compgen -u -- "$cur"))
	fi
}
complete -F _nightmail_sendmail sendmail
