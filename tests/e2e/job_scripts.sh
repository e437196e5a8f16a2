#!/bin/bash
# job_scripts.sh - what is written for a shell of the cluster holds the words that were given and nothing that is run: names of devices are
# checked before anything is submitted, all else is quoted. The client programs of Slurm are stand-ins that keep what they get.
. "$(dirname "$0")/lib.sh"

begin() {
	small_grid 2
	mkdir bin
	cat >bin/sbatch <<'SH'
#!/bin/sh
[ "$1" = --version ] && { echo slurm 0; exit; }
printf '%s\n' "$@" >>submitted
echo 7
SH
	printf '#!/bin/sh\n[ "$2" = config ] && echo "MaxArraySize = 1001"; exit 0\n' >bin/scontrol
	printf '#!/bin/sh\nexit 0\n' >bin/squeue
	chmod +x bin/*
	export PATH="$PWD/bin:$PATH"
}
submit() { rm -f submitted; run ablate run g.toml --engine slurm "$@"; }
none_ran() { check [ ! -e x ]; }

test_a_device_is_a_name() {
	begin
	for device in 'cpu; touch x' $'cpu\ntouch x' "cpu'; touch x; '" '$(touch x)' '`touch x`' 'cuda:0,cuda:1; touch x' 'cuda:0,$(touch x)' '' -; do
		submit --device "$device"; exits 2; says err "--device"; lines_of err 1
		check [ ! -e submitted ]; none_ran
		check [ -z "$(find . -path '*/slurm/*')" ]
	done
	submit --device cuda:0,cuda:12; exits 0
	check grep -qxF -e "--array=0-1" submitted
	grep -hF -- "--device 'cuda:0,cuda:12'" ablate.db-runs/slurm/*/task-0.sh >/dev/null || fail "$(cat ablate.db-runs/slurm/*/task-0.sh)"
}

# The script's words, as a shell takes them, when the program's place is taken by one that prints them.
test_other_words_are_quoted() {
	begin
	local db="a'b; touch x \$(touch x) \`touch x\`.db"
	export ABLATE_NVIDIA="it's; touch x"
	submit --db "$db"; exits 0
	for script in task-0 merge; do
		sed -E "s/^(exec )?'[^']*ablate' slurm/printf '%s\\\\n' \"\$ABLATE_NVIDIA\" slurm/" "$db"-runs/slurm/*/$script.sh >words.sh
		env -i PATH="$PATH" sh words.sh >words || fail "$(cat words.sh)"
		none_ran
		check grep -qxF "it's; touch x" words
		check grep -qxF -- "$db" words
	done
}

# A word that is no option would be taken for the script.
test_what_goes_to_sbatch_is_an_option() {
	begin
	for word in mine.sh '' - --; do
		submit --sbatch="$word"; exits 2; says err "--sbatch"; lines_of err 1; check [ ! -e submitted ]
	done
	submit --sbatch=--comment=mine; exits 2; says err "sets --comment itself"; lines_of err 1; check [ ! -e submitted ]
	submit --sbatch='--gres=a; touch x'; exits 0; none_ran
	check grep -qxF -e '--gres=a; touch x' submitted
}

# What the plan shows is what is submitted, and it submits nothing.
test_the_plan_shows_what_is_submitted() {
	begin
	printf '[slurm]\ntime = "2h"\nthrottle = 3\nmem = "8G"\n' >>g.toml
	local asked="--engine slurm --threads 4 --device cuda --sbatch=--exclusive --db x.db"
	run ablate plan g.toml $asked; exits 0 # no card is needed here
	says out "2 pending cells in 2 tasks, 1 job and the merge"
	says out "each: 4 processors, 1 GPU, memory 8G, at most 2.0 h"
	check [ ! -e submitted ]; check [ ! -e x.db ]
	grep -o "^JOB[12]: .*" out | tr ' ' '\n' | grep -E '^--' | grep -vE '^--(job-name|dependency)' | sort >planned
	run ablate run g.toml $asked; exits 0
	grep -E '^--' submitted | grep -vE '^--(job-name|dependency|comment)' | sort >sent
	same planned sent
	# memory of this machine blocks nothing, and what is blocked is told
	run ablate plan g.toml --engine slurm --set train.batch=400000 --set 'net.channels=512' --json; exits 0
	check grep -q '"blocked": 0' out
	run ablate plan g.toml --engine slurm --set data.name=cifar10 --set preset=ict-cifar10; exits 0
	says out "2 cells are blocked: "
	# as long as it takes, by the rate that is given
	rm -r x.db*
	run ablate plan g.toml ${asked/--device cuda/} --rate 1 --json; exits 0
	check [ "$(sqlite3 :memory: "SELECT json_extract(t, '$.task_seconds') > 0 AND abs(json_extract(t, '$.seconds') / json_extract(t, '$.task_seconds') - 2) < 1e-9 FROM (SELECT CAST(readfile('out') AS TEXT) AS t)")" = 1 ]
}

# What [slurm] of a grid and of the site's file say: a key of the grid replaces the site's, a bad value names its place, nothing is written.
test_a_grid_and_a_site_say_what_jobs_ask_for() {
	begin
	printf '[slurm]\npartition = "cpu"\naccount = "physics"\ntime = "90m"\nenv = { A = "1", B = "it'"'"'s" }\n' >site.toml
	export ABLATE_SITE=$PWD/site.toml
	printf '[slurm]\npartition = "gpu"\nmem = "8G"\nenv = { A = "2" }\nprologue = ["echo $(expr 1 + 1) $A $B"]\nmerge = ["--partition=small"]\n' >>g.toml
	submit; exits 0
	for word in --partition=gpu --account=physics --time=90 --mem=8G --partition=small; do check grep -qxF -e $word submitted; done
	check [ "$(grep -cxF -e --mem=8G submitted)" = 1 ]
	check [ "$(grep -cxF -e --account=physics submitted)" = 2 ]
	sed -E "s/^(exec )?'[^']*ablate' slurm.*/:/" ablate.db-runs/slurm/*/merge.sh >words.sh
	check [ "$(env -i PATH="$PATH" sh words.sh)" = "2 2 it's" ]
	run ablate plan g.toml --engine slurm --json; exits 0
	check grep -q '"limit_s": 5400' out
	small_grid 2
	local line
	for line in 'partition = ""' 'account = "a b"' 'time = "10s"' 'requeue = "maybe"' 'env = { "A B" = "1" }' 'env = { SLURM_X = "1" }' \
		'prologue = ["a\nb"]' 'options = ["x"]' 'mem = 5' 'parttion = "x"' 'cpus = 0'; do
		printf '%s\n[slurm]\n%s\n' "$(cat g.toml)" "$line" >bad.toml
		run ablate run bad.toml --engine slurm --db bad.db; exits 2; lines_of err 1; says err "bad.toml:14:"
		printf '[slurm]\n%s\n' "$line" >site.toml
		run ablate run g.toml --engine slurm --db bad.db; exits 2; lines_of err 1; says err "site.toml:2:"
	done
	printf 'schema = 1\n' >site.toml
	run ablate run g.toml --engine slurm --db bad.db; exits 2; says err "a site's file has [slurm] and [command] alone"
	ABLATE_SITE=$PWD/none.toml run ablate run g.toml --engine slurm --db bad.db; exits 2; says err "none.toml"
	check [ -z "$(ls -d bad.db* 2>/dev/null)" ]
}

run_tests
