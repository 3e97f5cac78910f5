#compdef mailq
# zsh completion for mailq(1)

_nightmail_mailq_words() {
	local -a ids commands
	ids=(${(f)"$(mailq --all 2>/dev/null | sed -n 's/^\([0-9A-V]\{16\}\) .*/\1/p')"})
	commands=(
		'list:what waits, why, and until when'
		'show:one message'
		'flush:try now'
		'hold:keep until released'
		'release:end a hold'
		'delete:no delivery, no bounce'
		'bounce:give up now and tell the sender'
		'check:verify every file'
	)
	((CURRENT == 2)) && _describe command commands
	compadd -a ids
}

_arguments \
	'(-a --all)'{-a,--all}'[every message]' \
	'(-j --json)'{-j,--json}'[one JSON object a line]' \
	'--body[show: the whole message]' \
	'--repair[check: put aside what is damaged]' \
	'--color[when to use colour]:when:(always never auto)' \
	'--config[read this configuration]:file:_files' \
	'--help[print the commands]' \
	'--version[print the version]' \
	'*:command or ID:_nightmail_mailq_words'
