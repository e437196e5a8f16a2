#!/bin/bash
# engine_command.sh - --engine command, whose scheduler is three commands of the user's: a stand-in that runs tasks in the background of
# this machine, one after the other. Results are those of a local run, whatever stopped and came back meanwhile; what is in the queue is
# not submitted again; and the two examples (ci/engines) do the same against stand-ins of ssh and kubectl.
. "$(dirname "$0")/lib.sh"
command -v jq >/dev/null || { echo "    jq is missing, by which the commands read their requests (ci/setup.sh test)"; echo "0 passed, 0 failed, 1 skipped"; exit 77; }

# The stand-in: a job is a folder of jobs/; `hold` keeps them pending, `accept` is how many it takes at once. A task that exits 75 is
# started again.
engine() {
	mkdir -p jobs
	cat >engine.sh <<'SH'
#!/bin/bash
cd "$(dirname "$0")" || exit 1
cat >"$1.json"
echo "$1" >>calls
run_all() { # one after the other, as they were submitted
	exec 9>lock; flock 9
	for job in $(ls jobs | sort -n); do
		j=jobs/$job
		[ ! -e "$j/cancelled" ] || echo failed >"$j/state"
		[ "$(cat "$j/state")" = pending ] || continue
		echo running >"$j/state"
		mapfile -t words < <(jq -r '.command[]' "$j/task.json")
		while :; do
			"${words[@]}" >>"$(jq -r .log "$j/task.json")" 2>&1 9>&- & echo $! >"$j/pid"
			wait $!; code=$?
			echo "$code" >>"$j/codes"
			[ $code -eq 75 ] && [ ! -e "$j/cancelled" ] || break
		done
		[ $code -eq 0 ] && echo done >"$j/state" || echo failed >"$j/state"
	done
}
case $1 in
submit)
	[ ! -e refuse ] || { cat refuse >&2; exit 3; }
	n=0
	while read -r task; do
		[ $n -lt "$(cat accept 2>/dev/null || echo 1000)" ] || { echo "the queue is full" >&2; break; }
		n=$((n + 1)); id=$(($(ls jobs | wc -l) + 1))
		mkdir "jobs/$id" && echo "$task" >"jobs/$id/task.json" && echo pending >"jobs/$id/state"
		echo "$task" | jq -c --arg id "$id" '{index, id: $id}'
	done < <(jq -c '.tasks[]' submit.json) >answer
	jq -s '{jobs: .}' answer
	[ -e hold ] || { run_all </dev/null >/dev/null 2>&1 & } ;;
query)
	for id in $(jq -r '.jobs[]' query.json); do jq -n --arg id "$id" --arg s "$(cat "jobs/$id/state")" '{id: $id, state: $s, reason: "as it is"}'; done | jq -s '{jobs: .}' ;;
cancel)
	for id in $(jq -r '.jobs[]' cancel.json); do
		touch "jobs/$id/cancelled"
		if [ "$(cat "jobs/$id/state")" = running ]; then kill -TERM "$(cat "jobs/$id/pid")"; else echo failed >"jobs/$id/state"; fi
	done ;;
go) rm -f hold; run_all </dev/null >/dev/null 2>&1 & ;;
esac
SH
	chmod +x engine.sh
}
command_table() { printf '[command]\nsubmit = ["./engine.sh", "submit"]\nquery = ["./engine.sh", "query"]\ncancel = ["./engine.sh", "cancel"]\n'; }
begin() { engine; small_grid "$@"; command_table >>g.toml; }
teardown() { # tasks of a test that failed
	local pid
	for pid in $(cat jobs/*/pid */c.db-runs/batch/*/ssh/*/pid k8s/*.pid 2>/dev/null) ${held-}; do kill -CONT "$pid" 2>/dev/null; kill "$pid" 2>/dev/null; done
}
calls() { grep -cx "$1" calls; }
same_as_local() { # DB
	run ablate run g.toml --db local.db --threads 1; exits 0
	results local.db >local.txt; results "$1" >here.txt
	same local.txt here.txt
	check test "$(wc -l <local.txt)" -ge 1
}

test_results_are_those_of_a_local_run() {
	begin 4
	run ablate run g.toml --db c.db --engine command --wait; exits 0
	says err "submitted 2 tasks: 1 2;"; says err "2 cells: 2 done, 0 missing, 0 blocked"
	same_as_local c.db
	# once more: nothing to do, nothing called but for what was in the list
	run ablate run g.toml --db c.db --engine command --wait; exits 0
	check test "$(calls submit)" = 1
	run ablate status --db c.db; exits 0; says_not out "tasks of"
	run ablate merge --check --db c.db; exits 0
}

# Trainings stand still at their first checkpoints: on a busy machine they would be done before anything reaches them.
hold_some() { # DB: holds those that are there and not held yet
	local journal pid
	for journal in $(grep -ls '"checkpoint"' "$1"-runs/slurm/shards/*.db-runs/*/*/journal.jsonl); do
		pid=$(grep -oE '"pid": *[0-9]+' "$journal" | grep -oE '[0-9]+' | head -1)
		[[ " $held " = *" $pid "* ]] || { kill -STOP "$pid" && held="$held $pid"; }
	done
	[ "$(wc -w <<<"$held")" -ge "$2" ]
}
hold_at_checkpoint() { # DB HOW-MANY
	held=
	await 120 "hold_some $1 $2"
}
let_go() { kill -CONT $held 2>/dev/null || true; }
# TERM to a task, or to the process that passes it on, whose training is held: it goes on to stop.
stop_task() { # DB INDEX [PID]
	local key worker
	key=$(jq -r --argjson i "$2" '.engines[].jobs[] | select(.index == $i).key' "$1-runs/batch/jobs.json")
	worker=$(grep -hoE '"pid": *[0-9]+' "$1-runs/slurm/shards/$key".db-runs/*/*/journal.jsonl | grep -oE '[0-9]+' | tail -1)
	[[ " $held " = *" $worker "* ]] || fail "no training of task $2 is held"
	check kill -TERM "${3:-$(ps -o ppid= -p "$worker" | tr -d ' ')}"
	check kill -CONT "$worker"
}
states() { sql "$1" "SELECT group_concat(state) FROM (SELECT state FROM attempt ORDER BY started)"; }

test_a_task_that_is_told_to_stop_goes_on() {
	begin 800
	sed -i 's/train = \[1, 2\]/train = [1]/' g.toml
	run ablate run g.toml --db c.db --engine command; exits 0
	hold_at_checkpoint c.db 1
	run ablate status --db c.db; exits 0; says out "1 running, 0 pending, 0 over: as it is"
	stop_task c.db 0 "$(cat jobs/1/pid)"
	await 120 '[ "$(cat jobs/1/state)" = done ]'
	check test "$(paste -sd, jobs/1/codes)" = 75,0
	run ablate status --db c.db; exits 0; says out "0 running, 0 pending, 1 over"; says out "ablate resume --engine command"
	run ablate run g.toml --db c.db --engine command; exits 0; says err "1 done, 0 missing"
	check test "$(states c.db)" = stopped,done
	check test "$(sql c.db "SELECT resumed_step > 0 FROM attempt WHERE state = 'done'")" = 1
	same_as_local c.db
	check test "$(calls submit)" = 1
}

test_what_is_cancelled_writes_a_checkpoint_and_can_go_on() {
	begin 800
	run ablate cancel --db c.db; exits 5
	run ablate run g.toml --db c.db --engine command; exits 0
	hold_at_checkpoint c.db 1
	run ablate cancel --db c.db --json; exits 0
	check test "$(jq -c '[.slurm, .command]' out)" = "[0,2]"
	await 60 'grep -qs "write their checkpoints" c.db-runs/batch/*/log/0.out'
	let_go
	await 120 '[ "$(cat jobs/1/state)$(cat jobs/2/state)" = failedfailed ]'
	check test "$(cat jobs/1/codes)" = 75
	run ablate cancel --db c.db; exits 0; says err "nothing is running"
	run ablate run g.toml --db c.db --engine command --wait; exits 0; says err "2 done, 0 missing"
	check test "$(sql c.db "SELECT count(*) FROM attempt WHERE state = 'done' AND resumed_step > 0")" = 1
	same_as_local c.db
}

test_what_is_in_the_queue_is_not_submitted_again() {
	begin 4
	touch hold
	run ablate run g.toml --db c.db --engine command --json; exits 0
	check test "$(jq -c '[.tasks, .already, .waiting, .behind, .refused, .jobs]' out)" = '[2,false,0,0,0,"1 2"]'
	check test "$(jq -c '[.engines[].jobs[].id]' c.db-runs/batch/jobs.json)" = '["1","2"]'
	run ablate run g.toml --db c.db --engine command --json; exits 0
	check test "$(jq -c '[.tasks, .already, .waiting]' out)" = '[0,true,2]'
	# one more cell: that alone. Its plan is another one
	run ablate run g.toml --set 'seeds=[1,2,3]' --db c.db --engine command; exits 0
	says err "submitted 1 task: 3;"; says err "2 trainings are in the queue already"
	# more scores of the same cells: tasks of them would train beside those that do
	run ablate run g.toml --set 'metric.nfe=[1,2]' --db c.db --engine command; exits 1
	says err "2 trainings are being worked on for another plan"
	check test "$(calls submit)" = 2
	# an answer with the id of one of them: which job is whose would not be known
	printf '#!/bin/sh\ncat >/dev/null; echo '"'"'{"jobs": [{"index": 3, "id": "2"}]}'"'"'\n' >submit.sh
	sed 's/^submit = .*/submit = ["sh", "submit.sh"]/' g.toml >bad.toml
	run ablate run bad.toml --set 'seeds=[1,2,3,4]' --db c.db --engine command; exits 2; says err "the id '2', which is that of a task in the queue"
	run ablate status --db c.db --json; exits 0
	check test "$(jq -c '[.command[] | [.tasks, .running, .pending, .over]]' out)" = '[[2,0,2,0],[1,0,1,0]]'
	# a plan whose file is gone: what its tasks train is not known, so nothing is submitted
	mv c.db-runs/plans plans; mkdir c.db-runs/plans
	run ablate run g.toml --set 'seeds=[1,2]' --set 'metric.nfe=[1,2]' --db c.db --engine command; exits 5; says err "cannot be read"
	rm -r c.db-runs/plans; mv plans c.db-runs/plans
	./engine.sh go </dev/null
	run ablate run g.toml --set 'metric.nfe=[1,2]' --db c.db --engine command --wait; exits 0; says err "2 done, 0 missing"
	run ablate run g.toml --set 'seeds=[1,2,3]' --db c.db --engine command; exits 0; says err "3 done, 0 missing"
	# one training each, whoever asked
	check test "$(sql c.db "SELECT count(*) FROM attempt WHERE resumed_from IS NULL")" = 3
}

test_a_part_that_is_accepted_is_told() {
	begin 4
	echo 1 >accept
	touch hold
	run ablate run g.toml --db c.db --engine command; exits 1
	says err "submitted 1 task: 1;"; says err "1 task was not accepted: the queue is full; run the same command again"
	check test "$(jq -c '[.engines[].jobs[] | [.id, .index]]' c.db-runs/batch/jobs.json)" = '[["1",0]]'
	./engine.sh go </dev/null
	# by itself while somebody waits: round by round
	run ablate run g.toml --set 'seeds=[1,2,3]' --db c.db --engine command --wait; exits 0; says err "3 done, 0 missing"
	check test "$(calls submit)" = 3
	# none at all, ever: that ends
	echo 0 >accept
	run ablate run g.toml --set 'seeds=[1,2,3,4]' --db c.db --engine command --wait; exits 1
	says err "1 task was not accepted"; says err "3 done, 1 missing"
}

test_what_a_command_does_wrong_is_said() {
	begin 4
	echo "no such project" >refuse
	run ablate run g.toml --db c.db --engine command; exits 2; says err "submit: ./engine.sh failed with exit code 3: no such project"; lines_of err 1
	check test "$(jq .unanswered c.db-runs/batch/jobs.json)" = 0
	rm refuse
	local answer
	while IFS='	' read -r answer why; do
		printf '#!/bin/sh\ncat >/dev/null; printf %%s '"'%s'"'\n' "$answer" >submit.sh; chmod +x submit.sh
		sed 's/^submit = .*/submit = ["sh", "submit.sh"]/' g.toml >bad.toml
		run ablate run bad.toml --db c.db --engine command; exits 2; says err "$why"; lines_of err 1
		says err "it is not known which of 2 tasks were accepted"
		run ablate run g.toml --db c.db --engine command --wait; exits 0
		says err "an earlier submission of 2 tasks was interrupted"; says err "2 done"
		rm -rf c.db* jobs; mkdir jobs
	done <<-'END'
	not json	is no JSON: line 1
	[]	JSON that is no object
	{"jobs": 5}	no list "jobs"
	{"jobs": [{"index": 0, "id": ""}]}	no "id"
	{"jobs": [{"index": 7, "id": "a"}]}	no "index" of a task
	{"jobs": [{"index": 0, "id": "a"}, {"index": 1, "id": "a"}]}	for two tasks
	END
	for line in 'submit = "x"' 'submit = [""]' 'query = [1]' 'memory = "a b"' 'gpus = 0' 'processors = 0' 'time = "0s"' 'quota = 1' 'env = { "A B" = "1" }'; do
		printf '%s\n' "$line" >line; small_grid 4; { printf '[command]\n'; cat line; } >>g.toml
		run ablate run g.toml --db bad.db --engine command; exits 2; lines_of err 1; says err "g.toml:14:"
	done
	small_grid 4
	run ablate run g.toml --db bad.db --engine command; exits 2; lines_of err 1; says err "needs submit in [command]"
	printf '[command]\nsubmit = ["./nowhere"]\nquery = ["x"]\ncancel = ["x"]\n' >>g.toml
	check [ -z "$(ls -d bad.db* 2>/dev/null)" ]
	run ablate run g.toml --db bad.db --engine command; exits 2; lines_of err 1; says err "submit: ./nowhere is not installed here"
	echo '{' >bad.db-runs/batch/jobs.json
	run ablate run g.toml --db bad.db --engine command; exits 5; lines_of err 1; says err "bad.db-runs/batch/jobs.json: not a list of jobs"
}

# A folder from elsewhere may name any command: none is started that this user has not run a grid with.
test_a_list_from_elsewhere_starts_nothing() {
	begin 4
	touch hold
	run ablate run g.toml --db c.db --engine command; exits 0
	: >calls
	export ABLATE_CACHE=$PWD/mine
	run ablate status --db c.db; exits 0
	says out "names a command that you have not run a grid with, so it is not started: './engine.sh'"
	run ablate cancel --db c.db; exits 2; lines_of err 1; says err "not started"
	check [ ! -s calls ]
	# with the grid it is this user's own
	run ablate run g.toml --db c.db --engine command; exits 0
	run ablate cancel --db c.db; exits 0
	check grep -qx cancel calls
}

# TERM while submit is asked: its answer is noted first. KILL: the next run says so, and what was accepted is not trained twice.
test_a_submission_that_is_interrupted() {
	begin 4
	sed -i '3a [ "$1" != submit ] || while [ -e slow ]; do sleep 0.05; done' engine.sh
	touch slow hold
	"$ABLATE" run g.toml --db c.db --engine command 2>err & local pid=$!
	await 60 'grep -qs "\"unanswered\": 2" c.db-runs/batch/jobs.json'
	kill -TERM $pid; sleep 0.3
	check kill -0 $pid
	rm slow
	code=0; wait $pid || code=$?; exits 143
	check test "$(jq -c '[.unanswered, [.engines[].jobs[].id]]' c.db-runs/batch/jobs.json)" = '[0,["1","2"]]'
	touch slow
	"$ABLATE" run g.toml --set 'seeds=[1,2,3]' --db c.db --engine command 2>err & pid=$!
	await 60 'grep -qs "\"unanswered\": 1" c.db-runs/batch/jobs.json'
	# another one meanwhile finds the list taken
	run ablate cancel --db c.db; exits 5; says err "is running on it"
	kill -KILL $pid; wait $pid 2>/dev/null
	rm slow
	await 60 '[ -e jobs/3/state ]'
	run ablate run g.toml --set 'seeds=[1,2,3]' --db c.db --engine command; exits 0
	says err "an earlier submission of 1 task was interrupted"; says err "submitted 1 task: 4;"
	./engine.sh go </dev/null
	run ablate run g.toml --set 'seeds=[1,2,3]' --db c.db --engine command --wait; exits 0; says err "3 done"
	await 60 '[ "$(cat jobs/*/state | sort -u)" = done ]'
	check test "$(sql c.db "SELECT count(*) FROM attempt")" = 3
}

test_a_plan_shows_what_would_be_submitted() {
	begin 4
	printf 'processors = 2\nmemory = "4G"\ntime = "90s"\nthrottle = 3\nenv = { A = "it'"'"'s" }\nprologue = ["echo $A"]\n' >>g.toml
	run ablate plan g.toml --db c.db --engine command; exits 0
	says out "command: 2 pending cells in 2 tasks"; says out "each: 2 processors, memory 4G, at most 2 min"; says out "'./engine.sh' 'submit' <<'END'"
	check [ ! -e calls ]; check [ -z "$(ls -d c.db* 2>/dev/null)" ]
	run ablate plan g.toml --db c.db --engine command --jobs 1 --json; exits 0
	check test "$(jq -c '[.tasks, .submit.throttle, .submit.resources]' out)" = \
		'[2,1,{"processes":1,"processors":2,"gpus":0,"memory":"4G","limit_s":90}]'
	# processors and GPUs are those of all processes
	touch hold
	run ablate plan g.toml --db gpu.db --engine command --device cuda:0 --ranks 2 --json; exits 0
	check test "$(jq -c .submit.resources out)" = '{"processes":2,"processors":4,"gpus":2,"memory":"4G","limit_s":90}'
	run ablate run g.toml --db gpu.db --engine command --device cuda:0 --ranks 2 --again --no-identity; exits 0
	check grep -q -- "--device 'cuda:0' --threads 2 --ranks 2.* --again" gpu.db-runs/batch/*/task-*.sh
	check grep -q NO_IDENTITY gpu.db-runs/batch/*/task-*.sh
	check test "$(jq -c .resources submit.json)" = '{"processes":2,"processors":4,"gpus":2,"memory":"4G","limit_s":90}'
	rm -r hold jobs; mkdir jobs
	# what is submitted is that, and its words are quoted
	run ablate run g.toml --db c.db --engine command --device cpu --wait; exits 0
	check test "$(jq -c '[.schema, .name, .plan[:12], .dir] | map(tostring) | join(" ")' submit.json)" = \
		"\"1 ablate-$(jq -r .database submit.json)-$(jq -r '.plan[:12]' submit.json) $(jq -r '.plan[:12]' submit.json) $PWD\""
	check test "$(jq -r '.tasks[0].name' submit.json)" = "$(jq -r .name submit.json)-0"
	check grep -qx "it's" c.db-runs/batch/*/log/0.out
	check grep -q -- '--device '"'cpu'"' --threads 2' c.db-runs/batch/*/task-*.sh
	# the site's file serves as well, and the grid's keys replace its own
	small_grid 4; command_table >site.toml; printf 'memory = "1G"\nthrottle = 9\n' >>site.toml
	printf '[command]\nthrottle = 5\n' >>g.toml
	ABLATE_SITE=$PWD/site.toml run ablate plan g.toml --db d.db --engine command --json; exits 0
	check test "$(jq -c '[.submit.throttle, .submit.resources.memory]' out)" = '[5,"1G"]'
}

# ---- the examples ----

test_the_example_for_ssh() {
	mkdir "it's" && cd "it's" || fail "no folder"
	small_grid 800
	mkdir bin home
	cat >bin/ssh <<'SH'
#!/bin/sh
while [ "${1#-}" != "$1" ]; do [ "$1" = -o ] && shift; shift; done
[ "$1" != down ] || { echo "ssh: connect to host down" >&2; exit 255; }
echo "$1" >>ssh.hosts
exec sh -c "$2"
SH
	chmod +x bin/ssh
	export PATH="$PWD/bin:$PATH" HOME=$PWD/home ABLATE_SSH_HOSTS="one two=1"
	printf '[command]\nsubmit = ["%s", "submit"]\nquery = ["%s", "query"]\ncancel = ["%s", "cancel"]\nprologue = ["echo on \\"$CUDA_VISIBLE_DEVICES\\""]\n' \
		"$SOURCE/ci/engines/ssh.sh" "$SOURCE/ci/engines/ssh.sh" "$SOURCE/ci/engines/ssh.sh" >>g.toml
	run ablate run g.toml --db c.db --engine command; exits 0; says err "submitted 2 tasks: one:"
	hold_at_checkpoint c.db 2
	check test "$(cat c.db-runs/batch/*/log/*.out | grep -x 'on 1' | wc -l)" = 1
	run ablate status --db c.db; exits 0; says out "2 running, 0 pending, 0 over"
	# the same names again, as after an interrupted submission: the same jobs
	cp c.db-runs/batch/jobs.json jobs.before; echo '{"schema": 1, "unanswered": 2, "engines": []}' >c.db-runs/batch/jobs.json
	run ablate run g.toml --db c.db --engine command; exits 0; says err "was interrupted"
	same c.db-runs/batch/jobs.json jobs.before
	# told to stop, not cancelled: it is started again
	stop_task c.db 0
	await 120 '[ "$(cat c.db-runs/batch/*/ssh/0/code 2>/dev/null)" = 0 ]'
	check test "$(grep -c '^on' c.db-runs/batch/*/log/0.out)" = 2
	run ablate cancel --db c.db; exits 0; says err "1 task is cancelled"
	await 60 'grep -qs "write their checkpoints" c.db-runs/batch/*/log/1.out'
	let_go
	await 60 '[ "$(cat c.db-runs/batch/*/ssh/1/code 2>/dev/null)" = 75 ]'
	ABLATE_SSH_HOSTS="down one" run ablate run g.toml --db c.db --engine command --wait; exits 1
	says err "1 task was not accepted"; says err "down did not start task 1"
	run ablate run g.toml --db c.db --engine command --wait; exits 0; says err "2 done, 0 missing"
	same_as_local c.db
}

# The stand-in keeps Jobs as files and runs the command of their only container, again as long as it exits 75 (what podFailurePolicy says).
kubernetes() {
	mkdir -p bin k8s
	cat >bin/kubectl <<'SH'
#!/bin/bash
cd "$(dirname "$0")/../k8s" || exit 1
finish() { jq ".status = {conditions: [{type: \"$2\", status: \"True\", message: \"$3\"}]}" "$1.json" >"$1.new" && mv "$1.new" "$1.json"; }
run_one() {
	local code=75 words
	mapfile -t words < <(jq -r '.spec.template.spec.containers[0].command[]' "$1.json")
	while [ $code -eq 75 ] && [ ! -e "$1.deleted" ]; do
		(cd "$(jq -r '.spec.template.spec.containers[0].workingDir' "$1.json")" && exec "${words[@]}") & echo $! >"$1.pid"
		jq '.status = {active: 1, ready: 1}' "$1.json" >"$1.new" && mv "$1.new" "$1.json"
		wait $!; code=$?; echo $code >>"$1.codes"
	done
	if [ -e "$1.deleted" ]; then rm -f "$1.json"; elif [ $code -eq 0 ]; then finish "$1" Complete ""; else finish "$1" Failed "exit code $code"; fi
}
verb=$1; shift
case $verb in
get) [ "$*" = "jobs -l app=ablate -o json" ] || exit 9; cat -- *.json 2>/dev/null | jq -s '{items: .}' ;;
create)
	[ "$1" = -f ] || exit 9
	code=0
	while read -r job; do
		name=$(jq -r .metadata.name <<<"$job")
		[ ! -e "$name.json" ] || { echo "Error from server (AlreadyExists): jobs.batch \"$name\" already exists" >&2; code=1; continue; }
		[ ! -e full ] || { echo "Error from server (Forbidden): exceeded quota" >&2; code=1; continue; }
		echo "$job" >"$name.json"; echo "job.batch/$name created"
		run_one "$name" </dev/null >/dev/null 2>&1 &
	done < <(jq -c '.items[]' "$2")
	exit $code ;;
delete)
	for name; do case $name in jobs | -*) continue ;; esac
		if jq -e '.status.active' "$name.json" >/dev/null; then touch "$name.deleted"; kill -TERM "$(cat "$name.pid")"; else rm -f "$name".*; fi
	done ;;
esac
SH
	chmod +x bin/kubectl
	export PATH="$PWD/bin:$PATH" ABLATE_K8S_IMAGE=registry/ablate:1 ABLATE_K8S_CLAIM=shared ABLATE_K8S_MOUNT=$PWD
}
test_the_example_for_kubernetes() {
	local engine=$SOURCE/ci/engines/kubectl.sh
	small_grid 800
	kubernetes
	printf '[command]\nsubmit = ["%s", "submit"]\nquery = ["%s", "query"]\ncancel = ["%s", "cancel"]\nmemory = "1Gi"\ntime = "1h"\nprocessors = 1\n' \
		"$engine" "$engine" "$engine" >>g.toml
	touch k8s/full
	run ablate run g.toml --db c.db --engine command; exits 1; says err "2 tasks were not accepted: Error from server (Forbidden): exceeded quota"
	rm k8s/full
	run ablate run g.toml --db c.db --engine command; exits 0; says err "submitted 2 tasks: ablate-"
	hold_at_checkpoint c.db 2
	local first=$(ls k8s/*-0.json)
	check test "$(jq -c '[.kind, .spec.template.spec.containers[0].resources, .spec.template.spec.volumes[0].persistentVolumeClaim.claimName,
		.spec.podFailurePolicy.rules[0].onExitCodes.values, .metadata.labels["ablate-plan"]]' "$first")" = \
		"[\"Job\",{\"requests\":{\"cpu\":\"1\",\"memory\":\"1Gi\"},\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"}},\"shared\",[75],\"$(basename c.db-runs/plans/*.json | cut -c1-12)\"]"
	run ablate status --db c.db; exits 0; says out "2 running, 0 pending, 0 over"
	# the same names again, as after an interrupted submission: the same jobs
	cp c.db-runs/batch/jobs.json jobs.before; echo '{"schema": 1, "unanswered": 2, "engines": []}' >c.db-runs/batch/jobs.json
	run ablate run g.toml --db c.db --engine command; exits 0; says err "was interrupted"
	same c.db-runs/batch/jobs.json jobs.before
	# a node is drained: another pod goes on
	stop_task c.db 0 "$(cat "${first%.json}.pid")"
	await 120 'grep -q Complete '"$first"
	check test "$(paste -sd, "${first%.json}.codes")" = 75,0
	run ablate cancel --db c.db; exits 0; says err "1 task is cancelled"
	await 60 'grep -qs "write their checkpoints" c.db-runs/batch/*/log/1.out'
	let_go
	await 60 '[ "$(ls k8s/*.json)" = '"$first"' ]'
	rm -f k8s/*.deleted
	# over, and the same name once more
	run ablate run g.toml --db c.db --engine command --wait; exits 0; says err "2 done, 0 missing"
	same_as_local c.db
	run ablate run g.toml --set metric.nfe='[1,2]' --db c.db --engine command --wait; exits 0; says err "2 done, 0 missing"
	check test "$(sql c.db "SELECT count(*) FROM attempt WHERE resumed_from IS NULL")" = 2
}

run_tests
