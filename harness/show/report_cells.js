/* report_cells.js - the table of cells: sorting, filtering, and pages, so that ten thousand rows are as quick as ten; and
 * the choice of two cells to compare. All rows are printed. */
(function () {
	const { data, $, make, choice } = report, PAGE = 200;
	const table = $("cells-table"), body = table.tBodies[0], heads = Array.from(table.tHead.rows[0].cells);
	let rows = Array.from(body.rows), page = 0;

	function value(row, k) {
		const td = row.cells[k], v = td.dataset.v;
		return v === undefined ? td.textContent.trim() : v === "" ? NaN : Number(v);
	}

	/* What the filter keeps, in the order of the sort; of these, one page is shown. */
	function show() {
		const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean), state = $("state").value;
		const kept = rows.filter((r) => {
			const text = words.length ? r.dataset.text || (r.dataset.text = r.textContent.toLowerCase()) : "";
			return (!state || r.dataset.state === state) && words.every((w) => text.includes(w));
		});
		const pages = Math.max(1, Math.ceil(kept.length / PAGE));
		page = Math.min(page, pages - 1);
		const here = new Set(kept.slice(page * PAGE, (page + 1) * PAGE)), matching = new Set(kept);
		for (const r of rows) {
			r.hidden = !here.has(r);
			r.classList.toggle("out", !matching.has(r));
		}
		$("shown").textContent = kept.length + " of " + rows.length + " cells" +
			(pages > 1 ? ", " + (page * PAGE + 1) + " to " + Math.min(kept.length, (page + 1) * PAGE) + " shown" : "");
		turn(pages);
	}

	function turn(pages) {
		const at = $("pages"), focused = document.activeElement && at.contains(document.activeElement) ? document.activeElement.id : "";
		at.hidden = pages < 2;
		if (pages < 2) {
			return;
		}
		const button = (id, text, to) => {
			const b = make("button", { type: "button", id: id }, text);
			b.disabled = to < 0 || to >= pages;
			b.addEventListener("click", () => {
				page = to;
				show();
			});
			return b;
		};
		at.replaceChildren(button("page-back", "previous", page - 1),
		                   choice("page-number", "page", [["", Array.from({ length: pages }, (x, i) => [i, i + 1 + " of " + pages])]], page, (v) => {
			                   page = Number(v);
			                   show();
		                   }), button("page-on", "next", page + 1));
		if (focused && $(focused)) {
			$(focused).focus();
		}
	}

	function sort(k) {
		const up = heads[k].getAttribute("aria-sort") !== "ascending", sign = up ? 1 : -1;
		const compare = new Intl.Collator("en", { numeric: true }).compare;
		heads.forEach((h) => h.removeAttribute("aria-sort"));
		heads[k].setAttribute("aria-sort", up ? "ascending" : "descending");
		rows = rows.map((r, i) => [value(r, k), i, r]).sort((a, b) => {
			const x = a[0], y = b[0];
			if (typeof x === "string") {
				return sign * compare(x, y) || a[1] - b[1];
			}
			/* what has no value stays at the end, whichever way */
			return Number.isNaN(x) - Number.isNaN(y) || sign * (x - y) || a[1] - b[1];
		}).map((x) => x[2]);
		body.append(...rows);
		page = 0;
		show();
	}
	heads.forEach((h, k) => h.querySelector("button").addEventListener("click", () => sort(k)));
	const again = () => {
		page = 0;
		show();
	};
	$("filter").addEventListener("input", again);
	$("state").addEventListener("change", again);
	show();

	/* --- two cells --- */
	const form = $("compare-form");
	if (!form) {
		return;
	}
	const arms = data.arms.map((a, i) => [i, a.label]);
	const seeds = (n) => {
		const arm = data.arms[Number($("compare-arm-" + n).value)];
		$("compare-seed-" + n).replaceChildren(...arm.cells.map((i) => make("option", { value: i }, String(data.cells[i].seed))));
	};
	for (const n of [0, 1]) {
		$("compare-arm-" + n).append(...arms.map(([v, t]) => make("option", { value: v }, t)));
		$("compare-arm-" + n).addEventListener("change", () => seeds(n));
	}
	if (arms.length > 1) {
		$("compare-arm-1").value = 1;
	}
	seeds(0);
	seeds(1);
	if (arms.length === 1 && $("compare-seed-1").options.length > 1) {
		$("compare-seed-1").selectedIndex = 1;
	}
	form.hidden = false;
	form.addEventListener("submit", (e) => {
		const [a, b] = [0, 1].map((n) => data.cells[Number($("compare-seed-" + n).value)]);
		e.preventDefault();
		location.hash = report.address(a, a === b ? null : b);
	});
}());
