#compdef sendmail
# zsh completion for sendmail(8)

_arguments -S \
	'-t[take recipients from the header as well]' \
	'-i[accepted, always on]' \
	'(-f -r)'{-f+,-r+}'[envelope sender]:address:_email_addresses' \
	'-F+[full name for a From field that is missing]:name:' \
	'-N+[delivery reports]:when:_sequence compadd - never success failure delay' \
	'-R+[how much a report returns]:part:(hdrs full)' \
	'-V+[envelope ID]:ID:' \
	'-B+[type of the body]:type:(7BIT 8BITMIME)' \
	'-v[print the queue ID]' \
	'(-bp -bi -q)-bm[queue a message]' \
	'(-bm -bi -q)-bp[list the queue]' \
	'(-bm -bp -bi -q)-bs[speak SMTP on standard input]' \
	'(-bm -bp -q)-bi[exit 0]' \
	'(-bm -bp -bi -q)-bv[what would become of mail]' \
	'(-bm -bp -bi)-q-[try everything now]::which:(f I)' \
	'--config=[read this configuration]:file:_files' \
	'--help[print the options]' \
	'--version[print the version]' \
	'*:recipient:_email_addresses'
