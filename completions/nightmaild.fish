# fish completion for nightmaild(8)

complete -c nightmaild -f
complete -c nightmaild -l config -r -F -d 'use this configuration alone'
complete -c nightmaild -l daemon -d 'go to the background, log to syslog'
complete -c nightmaild -s v -l verbose -d 'log more'
complete -c nightmaild -l help -d 'print the usage'
complete -c nightmaild -l version -d 'print the version'
