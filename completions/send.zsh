#compdef send
# zsh completion for send(1)

_arguments -S \
	'(-s --subject)'{-s+,--subject=}'[subject]:subject:' \
	'*--to=[more recipients]:address:_email_addresses' \
	'*--cc=[recipients of a copy]:address:_email_addresses' \
	'*--bcc=[recipients that do not show]:address:_email_addresses' \
	'--from=[From field and envelope sender]:address:_email_addresses' \
	'--reply-to=[where answers go]:address:_email_addresses' \
	'*--header=[one more header field]:name and value:' \
	'*'{-a+,--attach=}'[attach a file]:file:_files' \
	'--html=[HTML beside the text]:file:_files' \
	'*--inline=[a picture in the HTML]:file:_files' \
	'*--unsubscribe=[how to leave the list]:URL:' \
	'--receipt[ask for a delivery receipt]' \
	'--template=[a message for each row]:file:_files' \
	'--data=[the rows, CSV or JSON]:file:_files' \
	'--yes[do not ask before a table is queued]' \
	'--at=[not before this time]:time:(2h 18\:30 tomorrow\ 08\:00)' \
	'--priority=[who goes first]:priority:(high normal low)' \
	'--relay=[the relay that takes it]:relay:' \
	'--require-tls[over verified TLS alone]' \
	'--wait[follow the delivery]' \
	'--timeout=[how long to follow it]:time:(30s 5m 2h)' \
	'--dry-run[show what would go out, queue nothing]' \
	'-t[read a whole message]' \
	'(-f -r)'{-f+,-r+}'[envelope sender]:address:_email_addresses' \
	'-F+[full name for the From field]:name:' \
	'-i[accepted, always on]' \
	'(-v --verbose)'{-v,--verbose}'[print the queue ID]' \
	'--json[print ID and number of recipients as JSON]' \
	'--config=[read this configuration]:file:_files' \
	'--help[print the options]' \
	'--version[print the version]' \
	'*:recipient:_email_addresses'
