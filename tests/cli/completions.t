#!/bin/sh
# What bash and fish offer when a word is completed: every option of a program's help and every
# command of nightmail and mailq; and that zsh and fish can read their files. zsh and fish are those of
# build/peers/shells, or the machine's.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/lib.sh
peers=$PWD/build/peers/shells
PATH=$bin:$PATH
export PATH NIGHTMAIL_CONFIG="$dir/none" HOME="$dir" XDG_CONFIG_HOME="$dir" XDG_DATA_HOME="$dir"
zsh=$(command -v "$peers/bin/zsh" || command -v zsh)
fish=$(command -v "$peers/usr/bin/fish" || command -v fish)

# A program of the peers comes with functions that it looks for below /usr/share.
functions=
[ "${fish#"$peers"}" = "$fish" ] || functions=$peers/usr/share/fish/functions

bash_offers() { # WORD...: the last one is completed
	bash -c '
		compopt() { :; }
		. "completions/$1.bash" || exit
		call=$(complete -p "$1")
		call=${call#* -F } call=${call%% *}
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		"$call" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
		printf "%s\n" "${COMPREPLY[@]}"' bash "$@" 2>&1
}
fish_offers() { # WORD...
	# shellcheck disable=SC2016
	"$fish" --no-config -c '
		test -z "$argv[1]"; or set fish_function_path $argv[1]
		source completions/$argv[2].fish; or exit
		complete -C "$argv[2..]"' "$functions" "$@" 2>&1 | cut -f1
}

# missing SHELL WORDS TYPED...: those of the words that the shell does not offer.
missing() {
	shell=$1 wanted=$2
	shift 2
	"${shell}_offers" "$@" >"$dir/offered"
	for word in $wanted; do
		grep -qx -e "$word" "$dir/offered" || echo "$word"
	done
}

options() { # PROGRAM [COMMAND]
	"$bin/$1" ${2:+"$2"} --help 2>&1 | grep -o -e '--[a-z][a-z-]*' | sort -u
}
commands() {
	"$bin/nightmail" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p'
}

check() { # SHELL
	for program in send sendmail mailq nightmaild dns-check header-trace smtp-probe; do
		is "$1 completes the options of $program" \
			"$(missing "$1" "$(options $program)" "$program" --)" ''
	done
	for command in $(commands); do
		case $command in queue | dns | trace | probe) continue ;; esac # have programs of their own
		wanted=$(options nightmail "$command")
		[ "$command" != config ] || wanted=$(echo "$wanted" | grep -v password) # of import alone
		is "$1 completes the options of nightmail $command" \
			"$(missing "$1" "$wanted" nightmail "$command" --)" ''
	done
	is "$1 completes the commands of nightmail" "$(missing "$1" "$(commands)" nightmail '')" ''
	is "$1 completes the commands of mailq" "$(missing "$1" \
		'list show flush hold release delete bounce edit check' mailq '')" ''
	is "$1 completes an option of config import" \
		"$("$1_offers" nightmail config import msmtp --pass)" --password-file
	is "$1 completes a word that has begun" "$("$1_offers" mailq --vers)" --version
}

for f in completions/*.bash; do
	bash -n "$f" 2>"$dir/err"
	is "$f can be read by bash" "$(cat "$dir/err")" ''
done
check bash
if [ -n "$zsh" ]; then
	for f in completions/*.zsh; do
		"$zsh" -f -n "$f" 2>"$dir/err"
		is "$f can be read by zsh" "$(cat "$dir/err")" ''
		name=${f#completions/}
		is 'and is for its program' "$(head -n 1 "$f")" "#compdef ${name%.zsh}"
	done
else
	skip 'the files for zsh' 'no zsh'
fi
if [ -n "$fish" ]; then
	for f in completions/*.fish; do
		"$fish" --no-config --no-execute "$f" 2>"$dir/err"
		is "$f can be read by fish" "$(cat "$dir/err")" ''
	done
	check fish
else
	skip 'the files for fish' 'no fish'
fi
done_testing
