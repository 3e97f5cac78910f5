# bash completion for nightmail(1)

_nightmail() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local commands='config dkim dns explain login probe queue relay reload secret setup sink status tlsrpt trace watch' words=
	local dashboard='--config --read-only --theme --mouse --plain'
	local peers='msmtp nullmailer dma ssmtp esmtp exim4 postfix'
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		COMPREPLY=($(compgen -W "$commands $dashboard --help --version" -- "$cur"))
		return
	fi
	if [[ $prev == --theme ]]; then
		COMPREPLY=($(compgen -W 'dark light mono' -- "$cur"))
		return
	fi
	case ${COMP_WORDS[1]}:$prev in
	setup:--import | config:import)
		COMPREPLY=($(compgen -W "$peers" -- "$cur"))
		return
		;;
	dkim:--algorithm)
		COMPREPLY=($(compgen -W 'rsa ed25519' -- "$cur"))
		return
		;;
	dkim:--canon)
		COMPREPLY=($(compgen -W 'relaxed/simple relaxed/relaxed simple/simple' -- "$cur"))
		return
		;;
	setup:--tls)
		COMPREPLY=($(compgen -W 'starttls implicit opportunistic none' -- "$cur"))
		return
		;;
	esac
	case $prev in
	--config | --cert | --key | --password-file | --ca)
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$cur"))
		return
		;;
	--user)
		COMPREPLY=($(compgen -u -- "$cur"))
		return
		;;
	--tls | --dir)
		compopt -o filenames
		COMPREPLY=($(compgen -d -- "$cur"))
		return
		;;
	--reply | --close-at)
		compopt -o nospace
		words='greeting ehlo starttls auth mail rcpt data content'
		[[ $prev == --close-at ]] && words+=' dot'
		COMPREPLY=($(compgen -W "$words" -- "$cur"))
		return
		;;
	--listen | --name | --auth | --delay | --max | --size | --connections | --busy-beyond | --relay | --port | \
		--login | --root | --test | --domain | --selector | --identity | --valid | --bits | \
		--resolver | --authres | --trust)
		return
		;;
	esac
	case ${COMP_WORDS[1]} in
	-*) words=$dashboard ;;
	config)
		words='--config --json --help'
		[[ " ${COMP_WORDS[*]:2} " =~ \ (check|show|keys)\  ]] || words+=' check show keys import'
		if [[ ${COMP_WORDS[2]} == import ]]; then
			compopt -o filenames
			COMPREPLY=($(compgen -f -- "$cur")
				$(compgen -W '--password-file --help' -- "$cur"))
			return
		fi
		;;
	setup)
		words='--import --relay --port --tls --ca --login --password-file --root --no-probe
			--test --yes --dry-run --undo --config --help'
		;;
	explain) words='--config --user --json --relay --require-tls --tls-optional --help' ;;
	tlsrpt) words='--config --json --help' ;;
	status) words='--config --json --help' ;;
	watch) words='--config --now --json --help' ;;
	reload) words='--config --json --help' ;;
	login) words='--config --device --browser --file --help' ;;
	secret) words='set test delete --config --help' ;;
	relay) words='trust --config --help' ;;
	probe) words='--mx --as-relay --port --from --to --quit-after --tls --tlsc --auth --verbose --json --help' ;;
	dns) words='--ip --selector --key --from-config --lint --explain --json --help' ;;
	queue) words='list show flush hold release delete bounce check --all --json --help' ;;
	dkim)
		words='--domain --selector --key --canon --identity --valid --algorithm --bits --resolver
			--authres --config --json --help'
		[[ " ${COMP_WORDS[*]:2} " =~ \ (sign|verify|keygen|record|check)\  ]] ||
			words+=' sign verify keygen record check'
		if [[ $prev == verify || $prev == sign ]]; then
			compopt -o filenames
			COMPREPLY=($(compgen -f -- "$cur") $(compgen -W "$words" -- "$cur"))
			return
		fi
		;;
	trace)
		words='--verify --dkim-verify --arc-verify --resolver --trust --structure --headers
			--original --config --explain --json --plain --help --version'
		if [[ $cur != -* ]]; then
			compopt -o filenames
			COMPREPLY=($(compgen -f -- "$cur"))
			return
		fi
		;;
	sink)
		words='--listen --name --tls --cert --key --implicit-tls --require-tls --auth
			--require-auth --dir --reply --close-at --delay --max --size --connections
			--busy-beyond --no-pipelining --chunking --requiretls --json --help'
		;;
	esac
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _nightmail nightmail
