#!/bin/bash
# report.sh - the HTML report in a real browser, at three widths, light and dark: no message on its console, no request, nothing wider
# than the page; sorting, charts, slider, comparison and printing by keys and pointer (report.py). Installs Debian's chromium where it
# is missing. With KEEP_SCREENSHOTS=DIR pictures of it are left there, to be looked at.
# ctest: slow, a study trained for its pages
. "$(dirname "$0")/lib.sh"
BROWSER=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
PERSON="$SOURCE/tests/e2e/report.py"

browser() {
	command -v python3 >/dev/null || skip "no python3 to drive a browser with"
	if [ -z "$BROWSER" ]; then
		"$SOURCE/ci/setup.sh" browser >setup.log 2>&1 || skip "chromium cannot be installed here"
		BROWSER=$(command -v chromium)
	fi
}

reports() { # FILTER: tests of test_report that leave the pages
	browser
	ABLATE_KEEP_REPORT=$PWD "$BUILD/tests/test_report" --filter "report/$1" >log 2>&1 || fail "$(tail -3 log)"
}

# PAGE WIDTH light|dark AT_LEAST: lines that must be there, so that a script which ends early is noticed
person() {
	local picture=()
	[ -z "${KEEP_SCREENSHOTS:-}" ] || { mkdir -p "$KEEP_SCREENSHOTS"; picture=("$KEEP_SCREENSHOTS/${1%.html}-$2-$3.png"); }
	timeout 300 python3 "$PERSON" "$BROWSER" "file://$PWD/$1" "$2" "$3" "${@:5}" "${picture[@]}" >did 2>err || fail "$(grep FAIL did; tail -3 err)"
	tail -1 did | grep -qx end || fail "the steps did not run to their end: $(tail -3 did err)"
	[ "$(grep -c '^ok ' did)" -ge "$4" ] || fail "too few steps: $(cat did)"
}

test_a_phone() { reports shows_what_only_some_studies_have; person rich.html 390 light 56; }
test_a_phone_in_the_dark() { reports shows_what_only_some_studies_have; person rich.html 390 dark 56; }
test_a_desk() { reports shows_what_only_some_studies_have; person rich.html 1280 light 56; }
test_a_desk_in_the_dark() { reports shows_what_only_some_studies_have; person rich.html 1280 dark 56; }
test_a_large_screen() { reports shows_what_only_some_studies_have; person rich.html 1920 light 56; }
test_a_large_screen_in_the_dark() { reports shows_what_only_some_studies_have; person rich.html 1920 dark 56; }

test_ten_thousand_cells() { reports ten_thousand_cells_come_in_pages; person very-many.html 1280 light 11 --look; }

# A study of failures, blocks and hostile labels; one of which nothing has run; and a thousand cells.
test_other_studies_are_in_order() {
	local page
	reports '[!t]*'
	for page in four.html empty.html many.html; do
		person $page 390 light 7 --look
		person $page 1280 dark 7 --look
	done
}

# The same latents over a training (eval.every).
test_a_training_that_was_looked_at() {
	browser
	small_grid 100
	run ablate run g.toml --set eval.every=20 --threads 1 -q; exits 0
	run ablate report small -o looked.html; exits 0
	person looked.html 390 light 12 --look
}

# A picture that is too large to be inside is a link, which leads there from where the report lies; a report that lies elsewhere has no
# link, for that would tell how folders are named on this machine.
test_a_large_picture_is_a_link() {
	local picture
	small_grid 20
	run ablate run g.toml --threads 1 -q; exits 0
	picture=$(ls ablate.db-runs/*/*/samples@1.png | head -1)
	head -c 5000000 /dev/zero >"$picture"
	run ablate report g.toml; exits 0
	says report.html 'a file beside the database'
	picture=$(sed -n 's/.*<a href="\([^"]*\)">picture<.*/\1/p' report.html)
	check test -s "$picture"
	mkdir sub
	run ablate report g.toml -o sub/report.html; exits 0
	says sub/report.html 'left out to keep the file small'
	says_not sub/report.html 'ablate.db-runs'
}

run_tests
