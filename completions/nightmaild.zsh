#compdef nightmaild
# zsh completion for nightmaild(8)

_arguments \
	'--config[use this configuration alone]:file:_files' \
	'--daemon[go to the background, log to syslog]' \
	'(-v --verbose)'{-v,--verbose}'[log more]' \
	'--help[print the usage]' \
	'--version[print the version]'
