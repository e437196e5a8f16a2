#!/bin/bash
# cli.sh - the program as a script meets it: exit codes, what goes to stdout and stderr, JSON, a full stdout.
. "$(dirname "$0")/lib.sh"

test_no_command_is_a_usage_error() { run ablate; exits 2; lines_of out 0; says err "no command"; }

test_unknown_command_names_the_nearest() { run ablate vershon; exits 2; says err "did you mean version"; lines_of out 0; }

test_help_goes_to_stdout() {
	run ablate --help; exits 0; says out "usage: ablate"; lines_of err 0
	for c in $(ablate completion words commands); do
		run ablate "$c" --help; exits 0; says out "usage: ablate $c"; lines_of err 0
		run ablate help "$c"; exits 0; says out "usage: ablate $c"
	done
}

test_an_error_is_json_when_asked() {
	run ablate version --jsn --json; exits 2
	says out '"code": 2'; says out 'did you mean --json'; says err "unknown option --jsn"
}

test_versions() {
	run ablate --version; exits 0; lines_of out 1
	run ablate --version --json; exits 0; says out '"numerics"'; says out '"commit"'
}

test_a_full_stdout_is_a_failure() { run bash -c "'$ABLATE' --help >/dev/full"; exits 1; says err "stdout"; }

test_a_closed_pipe_is_not_an_error_message() { run bash -c "'$ABLATE' man | head -1"; exits 0; lines_of err 0; }

test_the_log_keeps_what_was_said() {
	run ablate plan no-such-grid.toml --log said.log
	check test "$code" -ne 0
	says said.log no-such-grid.toml
	check grep -qE '^20[0-9]{2}-.*Z ablate: ' said.log
}

test_an_unwritable_log_is_told() { run ablate version --log "$PWD/no/such/folder/x"; exits 2; says err "cannot open"; }

test_completion_scripts_parse() {
	ablate completion bash >c.bash; check bash -n c.bash
	for shell in zsh fish; do
		run ablate completion $shell; exits 0; says out completion
		! command -v $shell >/dev/null || check $shell -n out
	done
}

test_manual_pages() {
	for page in 1 5-grid 5-json 5-db; do
		run ablate man $page; exits 0; says out ".SH NAME"
		! command -v groff >/dev/null || { groff -man -ww -z -Tutf8 out >said 2>&1; check test ! -s said; }
	done
	for c in $(ablate completion words commands); do
		run ablate man; check grep -qF "ablate ${c//-/\\-}" out
	done
}

test_doctor() { run ablate doctor; exits 0; says out oneDNN; run ablate doctor --json; exits 0; says out '"checks"'; }

test_doctor_sees_a_damaged_database() {
	head -c 4096 /dev/urandom >x.db
	run ablate doctor --db x.db; exits 1; says out "bad"
}

# Whatever the machine has, each library, MPI and Slurm is a row, and one that was left out says what that means.
test_doctor_tells_of_every_library() {
	ABLATE_CUSOLVER=none ABLATE_NCCL=none ABLATE_CUDNN=$PWD/none-such.so run ablate doctor
	says out 'left out (ABLATE_CUSOLVER=none): the host computes singular values of FID'
	says out 'left out (ABLATE_NCCL=none): several GPUs cannot share a cell'
	says out 'none-such.so: own kernels compute convolutions'
	for what in cuBLASLt cuDNN cuSOLVER NCCL MPI mpirun Slurm lpips-vgg; do check grep -qE "^  (ok|note|missing) +$what " out; done
	PATH=/none run "$ABLATE" doctor
	says out 'sbatch is not installed here'
}

grid() { # EXTRA [NAME]
	printf 'schema = 1\n[grid]\nname = "%s"\nseeds = { train = [1], eval = [101] }\n[base]\npreset = "ict-shapes8-ci"\n"train.steps" = 3\n"train.batch" = 4\n%b' "${2:-small}" "$1" >g.toml
}

# What cannot be trained or scored is told by the plan, not by a cell that fails.
test_a_plan_blocks_what_a_run_would_fail_at() {
	grid '"net.classes" = 2\n'
	run ablate plan g.toml; exits 0; says out '1 blocked'; says out 'net.classes = 2, but shapes8 has 4 classes'
	run ablate run g.toml; exits 1
	grid '"net.classes" = 4\n'
	run ablate plan g.toml; exits 0; says out '0 blocked'
	grid '"loss.kind" = "lpips-classifier"\n'
	run ablate plan g.toml; exits 0; says out 'no classifier a for data set shapes8'
	grid '[[metric]]\nname = "fid"\nsamples = 100\nextractor = "classifier"\n'
	run ablate plan g.toml; exits 0; says out '1 pending'
	grid '"data.name" = "cifar10"\n' # with a path in it, a reason was once cut off
	ABLATE_DATA=$PWD/$(printf 'long%.0s' {1..30}) run ablate plan g.toml --json; exits 0; says out 'cache/data/cifar10)"'
}

# One list of all that is missing, each once with the cells that wait and the commands; and what a plan would cost of which every cell is blocked.
test_a_blocked_plan_says_what_is_missing_and_what_it_costs() {
	export ABLATE_CACHE=$PWD/empty ABLATE_DATA=$PWD/empty
	cat >g.toml <<-'END'
	schema = 1
	grid = { name = "blocked", seeds = { train = [1, 2], eval = [101] } }
	base.preset = "ict-cifar10-tiny"
	[[axis]]
	key = "loss.kind"
	values = ["pseudo-huber", "lpips"]
	[[metric]]
	name = "fid"
	samples = 1000
	nfe = [1, 2]
	extractor = "inception-2015"
	END
	run ablate plan g.toml; exits 0; says out '0 pending, 4 blocked'; says_not out 'blocked: '
	says out '  data set cifar10 (4 cells): '; says out '    ablate data fetch cifar10'; says out '    or: ablate data import cifar10 FILE'
	says out '  weights lpips-vgg (2 cells): '; says out '    ablate weights fetch lpips-vgg-backbone'; says out '  weights inception-2015 (4 cells): '
	check [ "$(grep -c 'data fetch cifar10' out)" = 1 ]
	says out 'nothing to run'; says out 'once nothing blocks the 4 cells, all 4 together take:'
	says out 'FLOP for 4 trainings, '; says out '  estimated time: unknown'; says out '  on one NVIDIA H100 SXM at 30 % of its peak: '; says out ' of disk'
	run ablate plan g.toml --rate 100 --card rtx-4090 --share 50; exits 0; says out ' on this machine, at 100 GFLOP/s'; says out 'on one NVIDIA GeForce RTX 4090 at 50 % of its peak: '
	run ablate plan g.toml --card voodoo; exits 2
	run ablate plan g.toml --json --rate 100; exits 0
	cost() { sql :memory: "SELECT round(json_extract(CAST(readfile('out') AS TEXT), '\$.totals.cost.$1'), 3)"; }
	check [ "$(cost pending.cells)" = 0.0 ]; check [ "$(cost unblocked.trainings)" = 4.0 ]
	check [ "$(sql :memory: "SELECT round(j->>'here_s' / ((j->>'training_gflop') + (j->>'sampling_gflop')), 6) FROM (SELECT CAST(readfile('out') AS TEXT)->'\$.totals.cost.unblocked' j)")" = 0.01 ]
	check [ "$(sql :memory: "SELECT group_concat(value->>'cells' || ' ' || (value->>'what'), '; ') FROM json_each(CAST(readfile('out') AS TEXT), '\$.missing')")" = \
		'4 data set cifar10; 4 weights inception-2015; 2 weights lpips-vgg-backbone; 2 weights lpips-vgg' ]
	run ablate data list; exits 0; says out 'get it: ablate data fetch cifar10'
	run ablate data list cifar10 --json; exits 0; says out '"ablate data fetch cifar10"'
}

# What trained may not score, whatever name it has; who wants to see it says so.
test_a_scorer_that_the_loss_is_made_of_is_refused() {
	leak='"data.name" = "fashion-mnist@14"\n"loss.kind" = "lpips-classifier"\n[[metric]]\nname = "fid"\nsamples = 100\nextractor ='
	grid "$leak \"classifier:a\"\n"
	run ablate plan g.toml; exits 2; says err g.toml:11:; says err "the network that its loss is made of"; says err allow_leak
	grid "$leak \"classifier:a\"\nallow_leak = true\n"
	run ablate plan g.toml; exits 0
	grid "$leak \"classifier:b\"\n"
	run ablate plan g.toml; exits 0
	mkdir -p own/model/weights own/results
	cp "$SOURCE"/results/published.toml own/results/
	for which in a b; do cp "$SOURCE/model/weights/classifier-fashion-mnist@14-a.safetensors" "own/model/weights/classifier-fashion-mnist@14-$which.safetensors"; done
	ABLATE_DATA=$PWD/own run ablate plan g.toml; exits 2; says err "the network that its loss is made of"
}

# Whoever insists sees the mark, at that row alone, and at no score by another network.
test_a_score_by_the_losss_own_network_is_marked() {
	mkdir -p own/model/weights own/results; cp "$SOURCE"/results/published.toml own/results/
	for which in a b; do check ablate classifier shapes8 --network $which --epochs 1 -o own/model/weights/classifier-shapes8-$which.safetensors >/dev/null; done
	grid '[variants]\nlearned = { label = "learned", set = { "loss.kind" = "lpips-classifier" } }\n[[chain]]\nname = "c"\nmode = "one-at-a-time"\nsteps = ["learned"]\n'
	for which in a b; do printf '[[metric]]\nname = "fid"\nsamples = 40\nextractor = "classifier:%s"\n%s\n' $which "$([ $which = b ] || echo allow_leak = true)" >>g.toml; done
	export ABLATE_DATA=$PWD/own
	check ablate run g.toml -q 2>/dev/null
	run ablate table g.toml --format md; exits 0; says out "scored by the network that its loss was made of"
	check test "$(grep -c '^| .*†' out)" -eq 1
	check grep -q '^| learned | [0-9.]*† | .* | [0-9.]* |' out
	run ablate table g.toml --format latex; exits 0; says out dagger
	run ablate report g.toml -o r.html; exits 0; says r.html †
	# a protocol writes classifier-b, and from it a score is asked again
	run ablate verify "$(sql ablate.db "SELECT hash FROM cell LIMIT 1")"; exits 0
}

# Every data set has its references by name, those of the user's own and those made smaller, too.
test_references_by_name() {
	mkdir -p pics/a pics/b; cp "$SOURCE"/tests/fixtures/png_modes/{rgb,l}.png pics/a/; cp "$SOURCE"/tests/fixtures/png_modes/{p,la}.png pics/b/
	check ablate data import mine pics >/dev/null
	for ref in mine-train fashion-mnist@7-test; do
		grid "[[metric]]\nname = \"fid\"\nsamples = 100\nref = \"$ref\"\n"
		run ablate plan g.toml; exits 0
	done
	grid '[[metric]]\nname = "fid"\nsamples = 100\nref = "nobodys-train"\n'
	run ablate plan g.toml; exits 2; says err "unknown ref 'nobodys-train'"
	grid '[[metric]]\nname = "fid"\nsamples = 100\nref = "mine@1-train"\n'
	run ablate plan g.toml; exits 2; says err "g.toml:12:"; says err "only square ones are made smaller"
	# what no score could be made against is told by the plan, not by the first cell that is trained
	grid '[[metric]]\nname = "fid"\nsamples = 100\nref = "pics/a"\n'
	run ablate plan g.toml; exits 2; says err "g.toml:12:"; says err "ablate data import NAME pics/a"
	check ablate features pics/a -e pixels -o ref.npz --quiet >/dev/null
	grid '[[metric]]\nname = "fid"\nsamples = 100\nref = "ref.npz"\n'
	run ablate plan g.toml; exits 0; says_not out "features or statistics in"
	printf 'PK' >ref.npz
	run ablate plan g.toml; says out 'features or statistics in ref = "ref.npz"'
}

test_names_that_act_on_a_terminal_are_shown() {
	grid '' 'a\u202eb'
	run ablate plan g.toml; exits 2; says err 'holds a control character'
	grid ''
	local odd=$'x\x1b[31m\xe2\x80\xae'
	run ablate plan "$odd.toml"; exits 2; says err 'x\x1b[31m\u202e.toml: cannot open'
	run ablate doctor --db "$odd.db"; says out 'x\x1b[31m\u202e.db'
	run ablate run g.toml --db "$odd.db"; exits 0
	run ablate show "$(sql "$odd.db" 'SELECT hash FROM cell')" --db "$odd.db"; exits 0
	says out 'folder: x\x1b[31m\u202e.db-runs/'
	LC_ALL=C check [ "$(cat out err | tr -dc '\033' | wc -c)" -eq 0 ]
	run ablate status --db "$(printf 'bad\xff')" --json; exits 5
}

test_status_takes_the_grid_file() {
	grid ''
	run ablate run g.toml; exits 0
	run ablate run g.toml --set train.steps=4; exits 0
	run ablate status g.toml --cells; exits 0; lines_of out 2; says out '1 done'
	run ablate status g.toml --set train.steps=5; exits 2; says err "no grid 'g.toml'"
	run ablate status small; exits 0; lines_of out 2
	run ablate resume g.toml; exits 2; says err '`ablate run g.toml`'
	run ablate table g.toml --set train.steps=5 --set train.batch=2; exits 0; says out 'train.steps = 5 (preset: 400)'
}

# Results of an older program are read as they are; a run brings the file up to date and keeps a copy.
test_an_older_database_is_read_then_brought_up_to_date() {
	grid '[[metric]]\nname = "fid"\nsamples = 20\n'
	run ablate run g.toml; exits 0
	ablate table g.toml >new.txt
	mv ablate.db new.db
	for v in 1 2 3 4; do
		rm -f ablate.db ablate.db-wal ablate.db-shm ablate.db.v*
		make_older $v new.db ablate.db
		sha256sum ablate.db >before
		for c in "table g.toml" "status g.toml" "plan g.toml" "export --csv" "report g.toml -o r.html" "show $(sql ablate.db 'SELECT hash FROM cell')" note; do
			run ablate $c; exits 0
		done
		ablate table g.toml >old.txt; same old.txt new.txt
		check sha256sum -c --quiet before
		run ablate run g.toml; exits 0; says err "cached"; says err "brought from $v up to date"
		check [ "$(sql ablate.db 'PRAGMA user_version')" = 5 ]
		ablate table g.toml >again.txt; same again.txt new.txt
		check [ "$(sql ablate.db 'SELECT length(training) FROM cell')" = 64 ]
		check [ -e ablate.db.v$v*.bak ]
	done
}

test_the_cache_without_a_home() {
	unset ABLATE_CACHE
	cache() { env -u HOME -u XDG_CACHE_HOME "$@" "$ABLATE" doctor | awk '$2 == "cache" { print $3 }'; }
	check [ "$(cache HOME="$PWD")" = "$PWD/.cache/ablate" ]
	check [ "$(cache HOME="$PWD" XDG_CACHE_HOME="$PWD/x")" = "$PWD/x/ablate" ]
	check [ "$(cache HOME="$PWD" XDG_CACHE_HOME=relative)" = "$PWD/.cache/ablate" ]
	check [ ! -e relative/ablate ] # fontconfig puts its own there
	check [ "$(cache HOME=)" = "$(getent passwd "$(id -u)" | cut -d: -f6)/.cache/ablate" ]
}

# A database in memory would be lost with its journals beside it on disk; a folder that is not there was made silently, so that a
# mistyped --db began anew.
test_a_database_is_a_file_in_a_folder_that_is_there() {
	grid ''
	run ablate plan g.toml --db :memory:; exits 2; says err "--db ':memory:' is no file"
	run ablate run g.toml --db resluts/x.db; exits 5; says err 'there is no folder resluts to make this database in; `mkdir -p resluts` makes it'
	run ablate merge --db resluts/x.db g.toml; exits 5; says err 'there is no folder resluts'
	check test ! -e resluts
	mkdir results; run ablate run g.toml --db results/x.db -q; exits 0
}

test_a_reference_names_its_split() {
	grid '[[metric]]\nname = "fid"\nsamples = 20\nref = "shapes8"\n'
	for command in plan run table; do
		run ablate $command g.toml; exits 2; says err 'g.toml:9:3: ref = "shapes8" of fid leaves open which images: write "shapes8-train" or "shapes8-test"'
	done
	check test ! -e ablate.db
	run ablate plan g.toml --set metric.ref=shapes8-test; exits 0
}

test_settings_that_are_rarely_meant_are_warned_of() {
	grid ''
	run ablate plan g.toml; exits 0; says_not err warning
	run ablate plan g.toml --set optim.lr=0; exits 0; says err 'warning: optim.lr = 0: training changes no weight (base)'
	run ablate plan g.toml --set ema.decay=1; exits 0; says err 'warning: ema.decay = 1:'
	run ablate plan g.toml --set ema.decay=1 --set sample.weights=student; exits 0; says_not err warning
	run ablate run g.toml --set train.steps=0 --dry-run; exits 0; says err 'warning: train.steps = 0:'
}

# A pattern had to match the chain's name, too.
test_only_finds_labels_by_pattern() {
	run ablate plan quickstart --only 'sq*' --json; exits 0
	check test "$(jq -r '[.rows[].label] | join(",")' out)" = 'squared L2'
	run ablate plan quickstart --only 'reversions/sq*' --json; exits 0; check test "$(jq '.rows | length' out)" = 1
	run ablate plan quickstart --only 'qs*'; exits 2; says err "no row is called 'qs*'"
	# cells of the database, by the same rule
	grid '[variants]\nl2 = { label = "squared L2", set = { "loss.kind" = "l2" } }\n[[chain]]\nname = "c"\nmode = "one-at-a-time"\nsteps = ["l2"]\n'
	run ablate run g.toml -q; exits 0
	run ablate note --only 'sq*' -m seen; exits 0; says err '1 cell: 1 added'
	run ablate status --cells --only 'sq*'; exits 0; says out 'squared L2'; says_not out c/base
}

test_show_lists_what_there_is() {
	grid ''
	run ablate run g.toml -q; exits 0
	run ablate show; exits 0; lines_of out 2
	run ablate show "$(awk 'NR == 2 { print $1 }' out)"; exits 0; says out 'optim.lr'
	run ablate show; run ablate show "$(awk 'NR == 2 { print $2 }' out)"; exits 0; says out 'optim.lr'
	run ablate show --json; exits 0; check test "$(jq -r '.cells[0] | .labels + " " + .state + " " + (.cell | length | tostring)' out)" = 'base done 64'
}

run_tests
