#!/bin/bash
# report.sh - the HTML report in a real browser: no message on its console, sorting, filtering, pages of cells and the
# theme switch work by script as by hand, nothing is fetched, links resolve. Installs Debian's chromium where it is missing.
# With KEEP_SCREENSHOTS=DIR pictures of it are left there, to be looked at.
# ctest: slow, a study trained for its pages
. "$(dirname "$0")/lib.sh"
BROWSER=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)

reports() {
	if [ -z "$BROWSER" ]; then
		"$SOURCE/ci/setup.sh" browser >setup.log 2>&1 || skip "chromium cannot be installed here"
		BROWSER=$(command -v chromium)
	fi
	ABLATE_KEEP_REPORT=$PWD "$BUILD/tests/test_report" >log 2>&1 || fail "$(tail -3 log)"
}

# No network: every host name fails to resolve, which would show on the console.
chrome() {
	timeout 120 "$BROWSER" --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars --user-data-dir="$PWD/profile" \
		--host-resolver-rules='MAP * ~NOTFOUND' --virtual-time-budget=8000 --enable-logging=stderr --v=0 "$@" 2>>console
}
console_is_silent() { ! grep -E 'CONSOLE|net::ERR' console || fail "the console has messages"; }

# What a person does, as a script appended to a copy; what it finds goes into the page, which is then dumped.
steps() { cat <<'JS'
<script>
window.addEventListener("load", async () => {
	const out = [], say = (name, ok) => out.push((ok ? "ok " : "FAIL ") + name), $ = (id) => document.getElementById(id);
	const wait = () => new Promise((r) => setTimeout(r, 50));
	try {
		const rows = () => Array.from($("cells-table").tBodies[0].rows), shown = () => rows().filter((r) => !r.hidden).length;
		const heads = Array.from($("cells-table").tHead.rows[0].cells), k = heads.findIndex((h) => h.textContent.startsWith("FID"));
		const values = () => rows().map((r) => r.cells[k].dataset.v).filter((v) => v !== "").map(Number);
		const all = rows().length;
		heads[k].querySelector("button").click();
		say("sort up", values().every((v, i, a) => !i || a[i - 1] <= v) && heads[k].getAttribute("aria-sort") === "ascending");
		heads[k].querySelector("button").click();
		say("sort down", values().every((v, i, a) => !i || a[i - 1] >= v) && heads[k].getAttribute("aria-sort") === "descending");
		say("rows without a value stay last", rows().slice(values().length).every((r) => r.cells[k].dataset.v === ""));
		$("filter").value = "l2 blocked"; $("filter").dispatchEvent(new Event("input"));
		say("filter by words", shown() === 2);
		$("filter").value = ""; $("filter").dispatchEvent(new Event("input"));
		$("state").value = "failed"; $("state").dispatchEvent(new Event("change"));
		say("filter by state", shown() === 1 && $("shown").textContent === "1 of " + all + " cells");
		$("state").value = ""; $("state").dispatchEvent(new Event("change"));
		say("filter taken back", shown() === all);
		const links = Array.from(document.querySelectorAll('a[href^="#"]'));
		let dead = 0;
		for (const a of links) {
			const id = a.getAttribute("href").slice(1);
			dead += !(id.startsWith("cell-") ? JSON.parse($("data").textContent).cells.some((c) => "cell-" + c.h.slice(0, 12) === id) : $(id));
		}
		say("links resolve", dead === 0 && links.length > 10);
		rows()[0].querySelector("a").click(); await wait();
		say("a cell's page", !$("page").hidden && $("overview-all").hidden && $("page").textContent.includes("loss.kind"));
		say("its curve", $("page").querySelectorAll("svg.curve polyline").length === 1);
		say("its heading has the focus", document.activeElement === $("page-title"));
		$("compare").value = Array.from($("compare").options).find((o) => o.textContent.startsWith("base")).value;
		$("compare").dispatchEvent(new Event("change")); await wait();
		say("differences are marked", Array.from(document.querySelectorAll("tr.other")).some((r) => r.textContent.includes("noise.dist")));
		say("both curves", $("page").querySelectorAll("svg.curve polyline").length === 2);
		location.hash = "#cells"; await wait();
		say("back to all", $("page").hidden && !$("overview-all").hidden);
		const before = getComputedStyle(document.body).backgroundColor;
		$("theme").click();
		say("theme", getComputedStyle(document.body).backgroundColor !== before);
		say("pictures load", Array.from(document.images).every((i) => i.complete && i.naturalWidth > 0) && document.images.length > 3);
		say("nothing wider than the page", document.documentElement.scrollWidth <= innerWidth);
		say("every control has a name", Array.from(document.querySelectorAll("button, input, select")).every((e) => e.textContent.trim() || (e.labels && e.labels.length)));
	} catch (error) {
		out.push("FAIL " + error);
	}
	document.body.append(Object.assign(document.createElement("pre"), { id: "verdict", textContent: out.join("\n") }));
});
</script>
JS
}

use_it() { # WIDTH,HEIGHT
	reports
	{ cat four.html; steps; } >steps.html
	chrome --window-size="$1" --dump-dom "file://$PWD/steps.html" >dom
	sed -n '/<pre id="verdict">/,/<\/pre>/p' dom | sed 's/.*<pre id="verdict">//; s/<\/pre>.*//' >verdict
	! grep FAIL verdict || fail "see above"
	[ "$(grep -c '^ok ' verdict)" -ge 16 ] || fail "the steps did not run to their end: $(cat verdict)"
	console_is_silent
}

test_a_person_at_a_desk() { use_it 1200,900; }
test_a_person_with_a_phone() { use_it 390,800; }

test_an_empty_study() {
	reports
	chrome --dump-dom "file://$PWD/empty.html" >dom
	says dom '12 of 12 cells'
	console_is_silent
}

test_pictures_for_a_look() {
	[ -n "${KEEP_SCREENSHOTS:-}" ] || skip "KEEP_SCREENSHOTS names no folder"
	reports
	mkdir -p "$KEEP_SCREENSHOTS"
	chrome --window-size=1200,2600 --screenshot="$KEEP_SCREENSHOTS/report.png" "file://$PWD/four.html" >/dev/null
	chrome --window-size=420,2400 --screenshot="$KEEP_SCREENSHOTS/report-phone.png" "file://$PWD/four.html" >/dev/null
	chrome --window-size=1200,2600 --force-dark-mode --screenshot="$KEEP_SCREENSHOTS/report-dark.png" "file://$PWD/four.html" >/dev/null
	chrome --print-to-pdf="$KEEP_SCREENSHOTS/report.pdf" "file://$PWD/four.html" >/dev/null
	for f in report.png report-phone.png report-dark.png report.pdf; do check test -s "$KEEP_SCREENSHOTS/$f"; done
}

run_tests
