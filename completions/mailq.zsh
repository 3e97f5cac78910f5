#compdef mailq
# zsh completion for mailq(1)

_nightmail_mailq_words() {
	local -a ids commands filters
	ids=(${(f)"$(mailq --all 2>/dev/null | sed -n 's/^\([0-9A-V]\{16\}\) .*/\1/p')"})
	commands=(
		'list:what waits, why, and until when'
		'show:one message'
		'flush:try now'
		'hold:keep until released'
		'release:end a hold'
		'delete:no delivery, no bounce'
		'bounce:give up now and tell the sender'
		'edit:change recipients or sender'
		'check:verify every file'
	)
	((CURRENT == 2)) && _describe command commands
	filters=(
		'state=:queued, active, deferred, held, dead'
		'id=:the ID or its ending'
		'from~:sender'
		'to~:recipient'
		'relay=:name of the relay'
		'reason~:who holds it, or the last reply'
		'why~:what it waits for'
		'size>:bytes, or with K, M, G'
		'age>:time in the queue, with s, m, h, d, w'
		'attempts>:how often it was tried'
		'next<:time until the next try'
		'flags=:possibly-twice, storm=ID'
	)
	_describe filter filters -S ''
	compadd -a ids
}

_arguments \
	'(-a --all)'{-a,--all}'[every message]' \
	'(-j --json)'{-j,--json}'[one JSON object a line]' \
	'--body[show: the whole message]' \
	'--repair[check: put aside what is damaged]' \
	'*--to=[edit: another address for a recipient]:OLD=NEW:' \
	'*--remove=[edit: one recipient less]:address:' \
	'--relay=[edit: the relay that takes it]:relay:' \
	'--at=[edit: not before this time]:time:(now 2h tomorrow\ 08\:00)' \
	'--priority=[edit: who goes first]:priority:(high normal low)' \
	'--from=[edit: another envelope sender]:address:' \
	'-q-[flush as sendmail does]:R, S or I and text:' \
	'--color[when to use colour]:when:(always never auto)' \
	'--config[read this configuration]:file:_files' \
	'--help[print the commands]' \
	'--version[print the version]' \
	'*:command or ID:_nightmail_mailq_words'
