# fish completion for mailq(1)

function __nightmail_mailq_ids
	mailq --all 2>/dev/null | string match -r '^[0-9A-V]{16}(?= )'
end

function __nightmail_mailq_filters
	printf '%s\n' state=(printf '%s\n' queued active deferred held dead) from~ to~ relay= \
		reason~ why~ id= flags=possibly-twice flags~storm= 'size>' 'age>' 'attempts>' 'next<'
end

complete -c mailq -f
complete -c mailq -n __fish_use_subcommand -a list -d 'what waits, why, and until when'
complete -c mailq -n __fish_use_subcommand -a show -d 'one message'
complete -c mailq -n __fish_use_subcommand -a flush -d 'try now'
complete -c mailq -n __fish_use_subcommand -a hold -d 'keep until released'
complete -c mailq -n __fish_use_subcommand -a release -d 'end a hold'
complete -c mailq -n __fish_use_subcommand -a delete -d 'no delivery, no bounce'
complete -c mailq -n __fish_use_subcommand -a bounce -d 'give up now and tell the sender'
complete -c mailq -n __fish_use_subcommand -a edit -d 'change recipients or sender'
complete -c mailq -n __fish_use_subcommand -a check -d 'verify every file'
complete -c mailq -n 'not __fish_use_subcommand' -a '(__nightmail_mailq_ids)'
complete -c mailq -a '(__nightmail_mailq_filters)' -d 'only those'
complete -c mailq -s a -l all -d 'every message'
complete -c mailq -s j -l json -d 'one JSON object a line'
complete -c mailq -l body -d 'show: the whole message'
complete -c mailq -l repair -d 'check: put aside what is damaged'
complete -c mailq -l to -x -d 'edit: another address for a recipient, OLD=NEW'
complete -c mailq -l remove -x -d 'edit: one recipient less'
complete -c mailq -l relay -x -d 'edit: the relay that takes it'
complete -c mailq -l at -x -a 'now 2h 18:30' -d 'edit: not before this time'
complete -c mailq -l priority -x -a 'high normal low' -d 'edit: who goes first'
complete -c mailq -l from -x -d 'edit: another envelope sender'
complete -c mailq -s q -x -d 'flush as sendmail does'
complete -c mailq -l color -x -a 'always never auto' -d 'when to use colour'
complete -c mailq -l config -r -F -d 'read this configuration'
complete -c mailq -l help -d 'print the commands'
complete -c mailq -l version -d 'print the version'
