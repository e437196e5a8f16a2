#!/bin/bash
# completion.sh - what TAB makes of a command line, in real shells on a terminal; and the names that errors suggest.
. "$(dirname "$0")/lib.sh"
PTY=$BUILD/tests/pty_run

shell_command() {
	case $1 in
	bash) echo bash --norc --noprofile -i ;;
	zsh) echo zsh -f -i ;;
	esac
}

becomes() { # SHELL TYPED WANTED: the line after TAB
	local start
	read -ra start <<<"$(shell_command "$1")"
	rm -f line
	{
		echo "type PATH=$(dirname "$ABLATE"):\$PATH^M"
		echo "type source <(ablate completion $1)^M"
		echo "type $2^I"
		echo "type ^Aprintf '%s\\n' '^E' >line^M"
		echo "type exit^M"
	} | TERM=dumb HOME=$PWD timeout 60 "$PTY" "${start[@]}" >screen 2>&1
	local got
	got=$(sed 's/ *$//' line 2>/dev/null)
	[ "$got" = "$3" ] || fail "$1: '$2' became '$got', wanted '$3'"
}

study() {
	cat >g.toml <<-'END'
	schema = 1
	[grid]
	name = "my grid"
	seeds = { train = [1], eval = [101] }
	[base]
	preset = "ict-shapes8-ci"
	train.steps = 2
	train.batch = 4
	[variants]
	l2 = { label = "squared L2", set = { "loss.kind" = "l2" } }
	[[chain]]
	name = "c"
	mode = "one-at-a-time"
	steps = ["l2"]
	[[metric]]
	name = "kid"
	samples = 20
	END
	run ablate run g.toml --db r.db -q; exits 0
}

# Words with spaces and with = in them, values of settings, names per command, options' values, words of the database:
# each of these completed to nothing or to a broken line once.
completes() { # SHELL
	becomes "$1" 'ablate vers' 'ablate version'
	becomes "$1" 'ablate plan quickst' 'ablate plan quickstart'
	becomes "$1" 'ablate plan g.t' 'ablate plan g.toml'
	becomes "$1" 'ablate --color al' 'ablate --color always'
	becomes "$1" 'ablate plan g.toml --dev' 'ablate plan g.toml --device'
	becomes "$1" 'ablate plan --device cp' 'ablate plan --device cpu'
	becomes "$1" 'ablate plan --device=cp' 'ablate plan --device=cpu'
	becomes "$1" 'ablate explain loss.k' 'ablate explain loss.kind'
	becomes "$1" 'ablate run g.toml --set loss.ki' 'ablate run g.toml --set loss.kind='
	becomes "$1" 'ablate run g.toml --set loss.kind=pseu' 'ablate run g.toml --set loss.kind=pseudo-huber'
	becomes "$1" 'ablate weights fetch lpips-vgg-b' 'ablate weights fetch lpips-vgg-backbone'
	becomes "$1" 'ablate data fetch imagen' 'ablate data fetch imagenet64'
	becomes "$1" 'ablate diff-paper paper/ec' 'ablate diff-paper paper/ect'
	becomes "$1" 'ablate config ect-cifa' 'ablate config ect-cifar10'
	becomes "$1" 'ablate table --db r.db my' 'ablate table --db r.db my\ grid'
	becomes "$1" 'ablate --db r.db table my' 'ablate --db r.db table my\ grid'
	becomes "$1" 'ablate figure g.toml bars --db r.db -m k' 'ablate figure g.toml bars --db r.db -m kid@1'
	becomes "$1" 'ablate run g.toml --db r.db --only sq' 'ablate run g.toml --db r.db --only squared\ L2'
	becomes "$1" 'ablate run g.toml --db r.db --only "sq' 'ablate run g.toml --db r.db --only "squared L2"'
}

test_bash_completes() { study; completes bash; }

test_zsh_completes() {
	command -v zsh >/dev/null || skip "zsh is not installed"
	study
	completes zsh
	mkdir functions; ablate completion zsh >functions/_ablate # the other way to install it
	run zsh -fc 'fpath=(functions $fpath); autoload -Uz compinit; compinit -D -u; print $_comps[ablate]'; exits 0; says out _ablate
}

test_fish_completes() {
	command -v fish >/dev/null || skip "fish is not installed"
	study
	for pair in 'plan quickst=quickstart' 'run g.toml --set loss.ki=loss.kind=' 'weights fetch lpips-vgg-b=lpips-vgg-backbone' \
		'table --db r.db my=my grid' 'run g.toml --db r.db --only sq=squared L2' 'plan --device=cp=--device=cpu'; do
		typed=${pair%%=*} wanted=${pair#*=}
		[[ $pair != *--device=* ]] || typed='plan --device=cp' wanted='--device=cpu'
		run env PATH="$(dirname "$ABLATE"):$PATH" HOME="$PWD" fish -c 'ablate completion fish | source; complete -C "ablate $argv[1]"' "$typed"
		cut -f1 out >words; check grep -qxF -- "$wanted" words
	done
}

test_words_of_an_unknown_kind_are_refused() {
	run ablate completion words nothing; exits 2; says err "no words of kind 'nothing': it must be one of commands,"
	run ablate completion words cells --db none.db; exits 0; lines_of out 0; check test ! -e none.db
}

# `plan quickstrat` said "cannot open: No such file or directory", and --sett suggested the bare word "set".
test_near_names_are_suggested() {
	run ablate plan quickstart --sett seeds=3; exits 2; says err 'unknown option --sett; did you mean --set?'
	run ablate plan quickstrat; exits 2; says err 'quickstrat: no such file'; says err 'did you mean quickstart?'
	run ablate diff-paper ict-cifar; exits 2; says err 'did you mean ict-cifar10?'
	run ablate table quickstrat; exits 2; says err 'did you mean quickstart?'
	study
	run ablate table 'my grit' --db r.db; exits 2; says err 'did you mean my grid?'
	run ablate plan nothing-like-it; exits 2; says_not err 'did you mean'
}

run_tests
