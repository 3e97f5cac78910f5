#compdef header-trace
# zsh completion for header-trace(1)

_arguments \
	'--verify[check again, now]' \
	'--dkim-verify[only the DKIM signatures]' \
	'--arc-verify[only the ARC chain]' \
	'--resolver[the server to ask]:value:' \
	'*--trust[a server of ours]:value:' \
	'--structure[the parts of the message]' \
	'--headers[the header, decoded]' \
	'--original[the message inside a bounce]' \
	'--config[where the queue is]:file:_files' \
	'--verbose[shows what is only worth knowing, too]' \
	'--color[when to use colour]:what:(always never auto)' \
	'--json[one JSON object]' \
	'--explain[what a finding means]:id:' \
	'--plain[lines with tabs, nothing cut]' \
	'--help[print the options]' \
	'--version[print the version]' \
	'1:message:_files'
