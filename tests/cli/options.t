#!/bin/sh
# Every option and command that a program's help names stands in its manual page and in its
# completions, and the other way round for the options of the manual page.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/lib.sh

# options PROGRAM [COMMAND]: the options in its help, one a line.
options() {
	"$bin/$1" ${2:+"$2"} --help 2>&1 | grep -o -e '--[a-z][a-z-]*' | sort -u
}

# too_large PROGRAM [COMMAND]: what of its help does not go on a screen of 24 lines of 80 columns.
too_large() {
	"$bin/$1" ${2:+"$2"} --help 2>&1 | awk 'NR > 24 || length() > 80'
}

# in_manual PAGE WORD: the page has it as an option ("Fl -word").
in_manual() {
	grep -q -e "Fl ${2#-}\([ ,|].*\)\{0,1\}$" "$1"
}

# in_completion FILE WORD: as the shell's file writes an option.
in_completion() {
	case $1 in
	*.fish) grep -q -e "-l ${2#--}\( .*\)\{0,1\}$" "$1" ;;
	*) grep -q -e "\(^\|[^a-z-]\)$2\([^a-z-]\|$\)" "$1" ;;
	esac
}

# lacks PAGE/FILE CHECK WORDS: those words that the check does not find.
lacks() {
	for word in $3; do
		"$2" "$1" "$word" || echo "$word"
	done
}

for entry in send:nightmail-send.1 sendmail:sendmail.8 mailq:mailq.1 nightmaild:nightmaild.8 \
	dns-check:dns-check.1 header-trace:header-trace.1 smtp-probe:smtp-probe.1 \
	nightmail:nightmail.1 nightmail-deliver:nightmaild.8 \
	nightmail-session:nightmail-session.8 nightmail-resolve:nightmail-resolve.8 nightmail-fetch:nightmail-fetch.8 \
	nightmail-secret:nightmail-secret.8; do
	program=${entry%:*}
	page=man/${entry#*:}
	words=$(options "$program")
	is "the help of $program fits a screen" "$(too_large "$program")" ''
	if [ "$program" = nightmail ]; then
		commands=$("$bin/nightmail" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p')
		for command in $commands; do
			case $command in queue | dns | trace | probe) continue ;; esac # mailq, dns-check, header-trace, smtp-probe: have their own page
			words="$words $(options nightmail "$command")"
			is "the help of nightmail $command fits a screen" "$(too_large nightmail "$command")" ''
		done
	fi
	words=$(printf '%s\n' $words | sort -u)
	is "$program has a --help" "$(echo "$words" | grep -x -e --help)" --help
	case $program in
	nightmail-deliver | nightmail-session | nightmail-resolve | nightmail-fetch | nightmail-secret) continue ;; # started by the daemon alone
	esac
	is "$page has every option of $program" "$(lacks "$page" in_manual "$words")" ''
	for shell in bash zsh fish; do
		is "the $shell completion has every option of $program" \
			"$(lacks "completions/$program.$shell" in_completion "$words")" ''
	done
	# What the page tells but the help does not, at least the program must take.
	unknown=
	for word in $(grep '^\.It ' "$page" | grep -o -e 'Fl -[a-z][a-z-]*' |
		sed 's/Fl -/--/' | sort -u); do
		echo "$words" | grep -qx -e "$word" || unknown="$unknown $word"
	done
	is "$page tells of no option that the help of $program lacks" "$unknown" ''
done

for entry in mailq:mailq.1 nightmail:nightmail.1; do
	program=${entry%:*}
	case $program in
	mailq) words='list show flush hold release delete bounce check' ;;
	nightmail) words=$("$bin/nightmail" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p') ;;
	esac
	for file in "man/${entry#*:}" "completions/$program.bash" "completions/$program.zsh" \
		"completions/$program.fish"; do
		missing=
		for word in $words; do
			grep -qw -e "$word" "$file" || missing="$missing $word"
		done
		is "$file has every command of $program" "$missing" ''
	done
done

if command -v mandoc >/dev/null; then
	is 'the manual pages have no flaw that mandoc knows' "$(mandoc -Tlint -W warning man/* 2>&1)" ''
else
	skip 'the manual pages have no flaw that mandoc knows' 'no mandoc'
fi
done_testing
