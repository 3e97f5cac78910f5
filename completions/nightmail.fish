# fish completion for nightmail(1)

function __nightmail_no_action
	not __fish_seen_subcommand_from check show keys import
end

complete -c nightmail -f
complete -c nightmail -n __fish_use_subcommand -a config -d 'check or show the configuration'
complete -c nightmail -n __fish_use_subcommand -a explain -d 'what would become of mail'
complete -c nightmail -n __fish_use_subcommand -a status -d 'how the daemon and its relays are'
complete -c nightmail -n __fish_use_subcommand -a queue -d 'what waits, and why'
complete -c nightmail -n __fish_use_subcommand -a reload -d 'read the configuration again'
complete -c nightmail -n __fish_use_subcommand -a setup -d 'make the configuration'
complete -c nightmail -n __fish_use_subcommand -a sink -d 'receive mail for tests'
complete -c nightmail -n __fish_use_subcommand -l help -d 'print the commands'
complete -c nightmail -n __fish_use_subcommand -l version -d 'print the version'
complete -c nightmail -n __fish_use_subcommand -l config -r -F -d 'dashboard: read this file'
complete -c nightmail -n __fish_use_subcommand -l read-only -d 'dashboard: change nothing'
complete -c nightmail -n __fish_use_subcommand -l theme -x -a 'dark light mono' -d 'dashboard: colours'
complete -c nightmail -n __fish_use_subcommand -l mouse -d 'dashboard: the mouse selects and scrolls'
complete -c nightmail -n __fish_use_subcommand -l plain -d 'dashboard: print the overview as text'

set -l config '__fish_seen_subcommand_from config'
complete -c nightmail -n "$config; and __nightmail_no_action" -a check -d 'tell every error'
complete -c nightmail -n "$config; and __nightmail_no_action" -a show -d 'print the values in force'
complete -c nightmail -n "$config; and __nightmail_no_action" -a keys -d 'list what can be set'
complete -c nightmail -n "$config; and __nightmail_no_action" -a import -d 'take over another relay'
set -l peers msmtp nullmailer dma ssmtp esmtp exim4 postfix
set -l import "$config; and __fish_seen_subcommand_from import"
complete -c nightmail -n "$import; and not __fish_seen_subcommand_from $peers" -a "$peers"
complete -c nightmail -n "$import; and __fish_seen_subcommand_from $peers" -F
complete -c nightmail -n $import -l password-file -r -F -d 'write the password there'
complete -c nightmail -n $config -l config -r -F -d 'read this file'
complete -c nightmail -n $config -l json -d 'show: one JSON object a line'
complete -c nightmail -n $config -l help -d 'print the options'

set -l explain '__fish_seen_subcommand_from explain'
complete -c nightmail -n $explain -l config -r -F -d 'read this file'
complete -c nightmail -n $explain -l json -d 'one JSON object'
complete -c nightmail -n $explain -l help -d 'print the options'

set -l daemon '__fish_seen_subcommand_from status reload'
complete -c nightmail -n $daemon -l config -r -F -d 'the configuration of the daemon'
complete -c nightmail -n $daemon -l json -d 'the answer of the daemon'
complete -c nightmail -n $daemon -l help -d 'print the options'

set -l queue '__fish_seen_subcommand_from queue'
complete -c nightmail -n $queue -a 'list show flush hold release delete bounce check'
complete -c nightmail -n $queue -l all -d 'every message'
complete -c nightmail -n $queue -l json -d 'one JSON object a line'
complete -c nightmail -n $queue -l help -d 'print the options'

set -l setup '__fish_seen_subcommand_from setup'
complete -c nightmail -n $setup -l import -x -a "$peers" -d 'begin with the settings of another relay'
complete -c nightmail -n $setup -l relay -x -d 'the server'
complete -c nightmail -n $setup -l port -x -d 'its port'
complete -c nightmail -n $setup -l tls -x -a 'starttls implicit opportunistic none' -d 'TLS mode'
complete -c nightmail -n $setup -l ca -r -F -d 'trust the authorities of this file'
complete -c nightmail -n $setup -l login -x -d 'user name there'
complete -c nightmail -n $setup -l password-file -r -F -d 'where the password is kept'
complete -c nightmail -n $setup -l root -x -d 'who reads the mail for root'
complete -c nightmail -n $setup -l no-probe -d 'do not try the server'
complete -c nightmail -n $setup -l test -x -d 'send a test mail there'
complete -c nightmail -n $setup -l yes -d 'ask nothing'
complete -c nightmail -n $setup -l dry-run -d 'write nothing'
complete -c nightmail -n $setup -l undo -d 'bring back what was replaced'
complete -c nightmail -n $setup -l config -r -F -d 'set up this file'
complete -c nightmail -n $setup -l help -d 'print the options'

set -l sink '__fish_seen_subcommand_from sink'
set -l stages greeting ehlo starttls auth mail rcpt data content
complete -c nightmail -n $sink -l listen -x -d 'where to listen'
complete -c nightmail -n $sink -l name -x -d 'name of the server'
complete -c nightmail -n $sink -l tls -x -a '(__fish_complete_directories)' -d 'offer STARTTLS, certificate in this directory'
complete -c nightmail -n $sink -l cert -r -F -d 'certificate chain'
complete -c nightmail -n $sink -l key -r -F -d 'key of the certificate'
complete -c nightmail -n $sink -l implicit-tls -d 'TLS from the first byte'
complete -c nightmail -n $sink -l require-tls -d 'refuse mail before TLS'
complete -c nightmail -n $sink -l auth -r -F -d 'offer AUTH (USER:FILE)'
complete -c nightmail -n $sink -l require-auth -d 'refuse mail before a login'
complete -c nightmail -n $sink -l dir -x -a '(__fish_complete_directories)' -d 'keep the messages here'
complete -c nightmail -n $sink -l reply -x -a "$stages" -d 'answer a stage otherwise'
complete -c nightmail -n $sink -l close-at -x -a "$stages dot" -d 'break off at a stage'
complete -c nightmail -n $sink -l delay -x -d 'answer late (ms)'
complete -c nightmail -n $sink -l max -x -d 'end after so many messages'
complete -c nightmail -n $sink -l size -x -d 'largest message'
complete -c nightmail -n $sink -l connections -x -d 'connections at the same time'
complete -c nightmail -n $sink -l no-pipelining -d 'do not offer PIPELINING'
complete -c nightmail -n $sink -l json -d 'one JSON object a line'
complete -c nightmail -n $sink -l help -d 'print the options'
