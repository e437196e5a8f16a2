#!/bin/bash
# results.sh - what results/STUDY holds: made by one command, and checked against its records by another.
#   ci/results.sh make STUDY     run what is missing of the study, take its records, and draw its tables and figures from them
#   ci/results.sh draw STUDY     tables and figures again from the records that are there, after a change of how they are drawn
#   ci/results.sh check STUDY    a database from results/STUDY/records alone; the same tables and figures must come out of it
# Records are the ledger, every attempt's journal and the sample pictures of the first training seed. $ABLATE is the program.
. "$(dirname "$0")/lib.sh"

# study      grid file                      settings      figures: KIND[@METRIC][~KNOB].FORMAT, in whose file names / and : become -
studies() { cat <<'LIST'
quickstart   ablations/quickstart.toml      -             curves.svg bars@fid/classifier:b@1.svg bars@fid/all-pixels@1.svg sigma.svg steps.svg samples.png
budgets      ablations/budgets.toml         -             sweep@fid/classifier:b@1~train.steps.svg sweep@fid/all-pixels@1~train.steps.svg
four-axes    ablations/four-axes.toml       -             curves.svg bars@fid/classifier:b@1.svg bars@fid/all-pixels@1.svg samples.png
after-ict    ablations/after-ict.toml     -             bars@fid/classifier:b@1.svg bars@fid/all-pixels@1.svg curves.svg samples.png
pictures     ablations/pictures.toml        -             samples.png curves.svg
ci-gate      ablations/ci-gate.toml         -             curves.svg bars@fid@1.svg
LIST
}

[ $# -eq 2 ] || die "usage: ci/results.sh make|draw|check STUDY; studies: $(studies | awk '{ printf "%s%s", NR > 1 ? ", " : "", $1 }')"
study=$2
read -r name grid settings figures <<<"$(studies | awk -v s="$study" '$1 == s')"
[ -n "$name" ] || die "no study '$study'; there are $(studies | awk '{ printf "%s%s", NR > 1 ? ", " : "", $1 }')"
ABLATE=${ABLATE:-build/ablate}
sets=()
[ "$settings" = - ] || sets=(--set "$settings")
dir=results/$study
drawn_by=1.16 # the cairo whose SVG is committed: another version draws the same with other bytes

# The database of the records, rebuilt by the program itself from journals.
rebuild() { # INTO: a folder; leaves INTO/STUDY.db
	mkdir -p "$1"
	cp -r "$dir/records" "$1/$study.db-runs"
	"$ABLATE" merge --rebuild --db "$1/$study.db" --quiet >&2
}

# Tables and figures of a database into a folder. The grid is opened by its name: what was recorded is what is shown.
draw() { # DB INTO
	local f kind metric knob
	"$ABLATE" table "$study" --db "$1" --dir "$2" --quiet
	for f in $figures; do
		kind=${f%%[@.]*} metric='' knob=''
		[[ $f != *~* ]] || { knob=${f#*\~}; knob=${knob%.*}; }
		[[ $f != *@* ]] || { metric=${f#*@}; metric=${metric%%\~*}; [ -n "$knob" ] || metric=${metric%.*}; }
		"$ABLATE" figure "$study" "$kind" ${metric:+--metric "$metric"} ${knob:+--knob "$knob"} --db "$1" -o "$2/${f//[\/:]/-}" >/dev/null
	done
}

make_results() {
	local db=build/results/$study.db journal first
	mkdir -p build/results
	"$ABLATE" run "$grid" "${sets[@]}" --db "$db" --jobs "$(nproc)"
	step "records of $study"
	rm -rf "$dir/records"
	mkdir -p "$dir/records"
	cp "$db-runs/ledger.jsonl" "$dir/records/"
	first=$(sqlite3 -readonly "$db" "SELECT min(seed) FROM cell")
	while IFS='|' read -r cell id seed; do
		journal=${cell:0:12}/$id
		mkdir -p "$dir/records/$journal"
		cp "$db-runs/$journal/journal.jsonl" "$dir/records/$journal/"
		[ "$seed" != "$first" ] || cp "$db-runs/$journal"/samples@*.png "$dir/records/$journal/" 2>/dev/null || true
	done < <(sqlite3 -readonly "$db" "SELECT a.cell, a.id, c.seed FROM attempt a JOIN cell c ON c.hash = a.cell WHERE a.purpose = 'run' ORDER BY 1, 2")
	draw_results
	du -sh "$dir" >&2
}

draw_results() {
	step "tables and figures of $study"
	rebuild "$work"
	draw "$work/$study.db" "$dir"
}

check_results() {
	local made cairo bad=0
	[ -d "$dir/records" ] || die "$dir/records is not there: ci/results.sh make $study"
	rebuild "$work"
	draw "$work/$study.db" "$work/drawn"
	cairo=$(pkg-config --modversion cairo)
	for made in "$work"/drawn/*; do
		if [[ $made = *.svg && $cairo != $drawn_by.* ]]; then
			echo "${made##*/}: not compared, as cairo $cairo does not write what $drawn_by wrote" >&2
			continue
		fi
		cmp "$made" "$dir/${made##*/}" || bad=1
	done
	for made in "$dir"/*.md; do
		name=$(basename "$made" .md)
		[ "$name" = README ] && continue
		choice=(--table "$name") # a grid without [[table]] has one of its own name, which needs no choice
		[ "$name" != "$study" ] || choice=()
		"$ABLATE" table "$study" "${choice[@]}" --check "$made" --db "$work/$study.db" >&2 || bad=1
	done
	[ $bad -eq 0 ] && echo "$dir is what its records say"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case $1 in
make) make_results ;;
draw) draw_results ;;
check) check_results ;;
*) die "usage: ci/results.sh make|draw|check STUDY" ;;
esac
