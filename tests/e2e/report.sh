#!/bin/bash
# report.sh - the HTML report in a real browser: no message on its console, sorting, filtering, pages of cells and the
# theme switch work by script as by hand, nothing is fetched, links resolve. Needs Debian's chromium; without one it says
# "skipped" and exits 77.
#
# usage: report.sh [BUILD_DIR [KEEP_DIR]]     screenshots are left in KEEP_DIR, to be looked at
# ctest: slow
set -u
build=${1:-${ABLATE_BUILD:?usage: report.sh BUILD_DIR [KEEP_DIR]}}
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || { echo "skipped: no chromium"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

ABLATE_KEEP_REPORT=$work "$build/tests/test_report" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }

# No network: every host name fails to resolve, which would show on the console.
chrome() {
	timeout 120 "$browser" --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars --user-data-dir="$work/profile" \
		--host-resolver-rules='MAP * ~NOTFOUND' --virtual-time-budget=8000 --enable-logging=stderr --v=0 "$@" 2>>"$work/console"
}

# The steps of a person, as a script appended to a copy; what it finds goes into the page, which is then dumped.
cat >"$work/steps.js" <<'JS'
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
for size in 1200,900 390,800; do
	cat "$work/four.html" "$work/steps.js" >"$work/steps.html"
	chrome --window-size=$size --dump-dom "file://$work/steps.html" >"$work/dom"
	verdict=$(sed -n '/<pre id="verdict">/,/<\/pre>/p' "$work/dom" | sed 's/.*<pre id="verdict">//; s/<\/pre>.*//')
	echo "$verdict" | sed "s/^/$size: /"
	echo "$verdict" | grep -q FAIL && failed=1
	[ "$(echo "$verdict" | grep -c '^ok ')" -ge 16 ] || { echo "$size: the steps did not run to their end"; failed=1; }
done
chrome --dump-dom "file://$work/empty.html" >"$work/dom"
grep -q '12 of 12 cells' "$work/dom" || { echo "FAIL an empty study has no report"; failed=1; }
if grep -E 'CONSOLE|net::ERR' "$work/console"; then echo "FAIL the console has messages"; failed=1; else echo "ok no message on the console"; fi
if [ $# -gt 1 ]; then
	mkdir -p "$2"
	chrome --window-size=1200,2600 --screenshot="$2/report.png" "file://$work/four.html" >/dev/null
	chrome --window-size=420,2400 --screenshot="$2/report-phone.png" "file://$work/four.html" >/dev/null
	chrome --window-size=1200,2600 --force-dark-mode --screenshot="$2/report-dark.png" "file://$work/four.html" >/dev/null
	chrome --print-to-pdf="$2/report.pdf" "file://$work/four.html" >/dev/null
fi
exit $failed
