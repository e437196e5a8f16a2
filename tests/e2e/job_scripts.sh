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
		sed "s/^exec '[^']*'/printf '%s\\\\n' \"\$ABLATE_NVIDIA\"/" "$db"-runs/slurm/*/$script.sh >words.sh
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
	submit --sbatch='--comment=a; touch x'; exits 0; none_ran
	check grep -qxF -e '--comment=a; touch x' submitted
}

run_tests
