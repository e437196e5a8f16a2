/* report_cells.js - the table of cells: sorting, filtering, and pages, so that ten thousand rows are as quick as ten; and
 * the choice of two cells to compare. All rows are printed. */
(function () {
	const { data, $, make, choice } = report;
	const table = $("cells-table"), PAGE = Number(table.dataset.page), body = table.tBodies[0], heads = Array.from(table.tHead.rows[0].cells);
	let rows = Array.from(body.rows, (el) => ({ el: el, state: el.dataset.state, text: "", shown: !el.hidden, out: false })), page = 0;

	function value(row, k) {
		const td = row.el.cells[k], v = td.dataset.v;
		return v === undefined ? td.textContent.trim() : v === "" ? NaN : Number(v);
	}

	/* What the filter keeps, in the order of the sort; of these, one page is shown. */
	function show() {
		const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean), state = $("state").value;
		const matches = (r) => {
			r.text = r.text || (words.length ? r.el.textContent.toLowerCase() : "");
			return (!state || r.state === state) && words.every((w) => r.text.includes(w));
		};
		const kept = rows.filter(matches), pages = Math.max(1, Math.ceil(kept.length / PAGE));
		page = Math.min(page, pages - 1);
		const here = new Set(kept.slice(page * PAGE, (page + 1) * PAGE)), matching = new Set(kept);
		for (const r of rows) {
			const shown = here.has(r), out = !matching.has(r);
			if (shown !== r.shown) {
				r.el.hidden = !shown;
				r.shown = shown;
			}
			if (out !== r.out) {
				r.el.classList.toggle("out", out);
				r.out = out;
			}
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
		heads.forEach((h) => h.removeAttribute("aria-sort"));
		heads[k].setAttribute("aria-sort", up ? "ascending" : "descending");
		let values = rows.map((r) => value(r, k));
		if (values.some((v) => typeof v === "string")) {
			/* texts by their rank among the different ones, which are few */
			const ranked = [...new Set(values)].sort(new Intl.Collator("en", { numeric: true }).compare), rank = new Map(ranked.map((v, i) => [v, i]));
			values = values.map((v) => rank.get(v));
		}
		/* what has no value stays at the end, whichever way */
		const order = values.map((v, i) => i).sort((a, b) => Number.isNaN(values[a]) - Number.isNaN(values[b]) || sign * (values[a] - values[b]) || a - b);
		rows = order.map((i) => rows[i]);
		body.append(...rows.map((r) => r.el));
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
