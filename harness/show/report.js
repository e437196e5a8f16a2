"use strict";
/* report.js - sorting, filtering, and the pages of single cells. The data lies in the element #data; nothing is fetched. */
(function () {
	const data = JSON.parse(document.getElementById("data").textContent);
	const by = new Map(data.cells.map((c, i) => [c.h.slice(0, 12), i]));
	const $ = (id) => document.getElementById(id);

	function make(name, attributes, ...children) {
		const el = document.createElement(name);
		for (const [k, v] of Object.entries(attributes || {})) {
			el.setAttribute(k, v);
		}
		for (const c of children) {
			el.append(c);
		}
		return el;
	}

	/* --- the table of cells --- */
	const table = $("cells-table"), body = table.tBodies[0], heads = Array.from(table.tHead.rows[0].cells);
	const rows = Array.from(body.rows);

	function value(row, k) {
		const td = row.cells[k], v = td.dataset.v;
		return v === undefined ? td.textContent : v === "" ? NaN : Number(v);
	}

	function sort(k) {
		const up = heads[k].getAttribute("aria-sort") !== "ascending", sign = up ? 1 : -1;
		heads.forEach((h) => h.removeAttribute("aria-sort"));
		heads[k].setAttribute("aria-sort", up ? "ascending" : "descending");
		rows.map((r, i) => [value(r, k), i, r]).sort((a, b) => {
			const x = a[0], y = b[0];
			if (typeof x === "string") {
				return sign * x.localeCompare(y, "en", { numeric: true }) || a[1] - b[1];
			}
			/* what has no value stays at the end, whichever way */
			return Number.isNaN(x) - Number.isNaN(y) || sign * (x - y) || a[1] - b[1];
		}).forEach((x) => body.append(x[2]));
	}
	heads.forEach((h, k) => h.querySelector("button").addEventListener("click", () => sort(k)));

	function filter() {
		const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean), state = $("state").value;
		let shown = 0;
		for (const r of rows) {
			const text = r.dataset.text || (r.dataset.text = r.textContent.toLowerCase());
			const yes = (!state || r.dataset.state === state) && words.every((w) => text.includes(w));
			r.hidden = !yes;
			shown += yes;
		}
		$("shown").textContent = shown + " of " + rows.length + " cells";
	}
	$("filter").addEventListener("input", filter);
	$("state").addEventListener("change", filter);
	filter();

	/* --- one cell --- */
	function number(x) {
		return x === null || x === undefined ? "" : typeof x === "number" ? String(Number(x.toPrecision(6))) : String(x);
	}

	function list(pairs) {
		const dl = make("dl");
		for (const [k, v] of pairs) {
			if (v !== "" && v !== null && v !== undefined) {
				dl.append(make("dt", {}, k), make("dd", {}, v instanceof Node ? v : String(v)));
			}
		}
		return dl;
	}

	function grid(head, lines) {
		const t = make("table"), tr = make("tr");
		head.forEach((h) => tr.append(make("th", { scope: "col" }, h)));
		t.append(make("thead", {}, tr));
		const tb = make("tbody");
		for (const l of lines) {
			const r = make("tr", l.mark ? { class: "other" } : {});
			l.cells.forEach((c) => r.append(make("td", { class: "wrap" }, c)));
			tb.append(r);
		}
		t.append(tb);
		return make("div", { class: "scroll" }, t);
	}

	function svg(name, attributes, text) {
		const el = document.createElementNS("http://www.w3.org/2000/svg", name);
		for (const [k, v] of Object.entries(attributes)) {
			el.setAttribute(k, v);
		}
		if (text !== undefined) {
			el.textContent = text;
		}
		return el;
	}

	/* Curves [[steps], [values]] of this cell and of the one it is compared with; a log axis where all are positive. */
	function curve(name, mine, other) {
		const all = [mine, other].filter(Boolean), ys = all.flatMap((c) => c[1]).filter((y) => y !== null), xs = all.flatMap((c) => c[0]);
		if (!ys.length) {
			return make("p", { class: "soft" }, "no values");
		}
		const log = ys.every((y) => y > 0), f = (y) => log ? Math.log10(y) : y;
		const x0 = Math.min(...xs), x1 = Math.max(...xs), y0 = Math.min(...ys.map(f)), y1 = Math.max(...ys.map(f));
		const px = (x) => 60 + 520 * (x1 > x0 ? (x - x0) / (x1 - x0) : .5), py = (y) => 190 - 170 * (y1 > y0 ? (f(y) - y0) / (y1 - y0) : .5);
		const s = svg("svg", { class: "curve", viewBox: "0 0 600 225", role: "img", "aria-label": name + " against step" });
		for (const q of [0, .5, 1]) {
			const raw = y0 + q * (y1 - y0), y = 190 - 170 * q;
			s.append(svg("line", { x1: 60, x2: 580, y1: y, y2: y }), svg("text", { x: 54, y: y + 4, "text-anchor": "end" }, number(log ? 10 ** raw : raw)));
		}
		s.append(svg("text", { x: 60, y: 208 }, x0), svg("text", { x: 580, y: 208, "text-anchor": "end" }, x1),
		         svg("text", { x: 320, y: 220, "text-anchor": "middle" }, "step"));
		all.forEach((c, i) => {
			const points = c[0].map((x, k) => c[1][k] === null ? "" : px(x).toFixed(1) + "," + py(c[1][k]).toFixed(1)).join(" ");
			s.append(svg("polyline", { points: points, class: all.length > 1 && i ? "other" : "" }));
		});
		return s;
	}

	function title(c) {
		return data.arms[c.arm].label + ", seed " + c.seed;
	}

	function score_name(s) {
		return s.name + (s.nfe ? "@" + s.nfe : "") + (s.weights ? ":" + s.weights : "") + " at step " + s.step;
	}

	function show(index, other) {
		const c = data.cells[index], arm = data.arms[c.arm], o = other === null ? null : data.cells[other];
		const page = $("page");
		page.replaceChildren();
		const back = make("a", { href: "#cells" }, "all cells");
		const choose = make("select", { id: "compare" });
		choose.append(make("option", { value: "" }, "nothing"));
		data.cells.forEach((d, i) => {
			if (i !== index) {
				const opt = make("option", { value: d.h.slice(0, 12) }, title(d) + " (" + d.state + ")");
				opt.selected = i === other;
				choose.append(opt);
			}
		});
		choose.addEventListener("change", () => {
			location.hash = "#cell-" + c.h.slice(0, 12) + (choose.value ? "+" + choose.value : "");
		});
		page.append(make("h2", { id: "page-title", tabindex: "-1" }, title(c)), make("p", {}, back, "  "),
		            make("div", { class: "controls" }, make("label", { for: "compare" }, "compare with"), choose));
		page.append(list([
			["state", make("span", { class: "state " + c.state }, c.state)], ["reason", c.reason], ["arm", make("code", {}, arm.h)],
			["labels", arm.labels.join("; ")], ["preset", arm.preset], ["cell", make("code", {}, c.h)], ["attempt", make("code", {}, c.attempt)],
			["attempts", c.attempts], ["started", c.started], ["ended", c.ended], ["seconds", c.seconds ? c.seconds.toFixed(1) : ""],
			["step", c.step], ["host", c.host], ["signed", c.signed]]));
		const names = Object.keys(c.curves || {});
		if (names.length) {
			page.append(make("h3", {}, "Curves"));
			names.forEach((n) => page.append(make("p", {}, n), curve(n, c.curves[n], o && o.curves ? o.curves[n] : null)));
		}
		if (arm.picture) {
			page.append(make("h3", {}, "Samples of the arm"), make("img", { src: $(arm.picture).src, alt: "samples of " + arm.label }));
		}
		page.append(make("h3", {}, "Scores"));
		const theirs = new Map(((o && o.scores) || []).map((s) => [score_name(s), s]));
		page.append(c.scores.length ? grid(["score", "value"].concat(o ? ["other"] : [], ["evaluations", "images", "protocol"]), c.scores.map((s) => ({
			cells: [score_name(s), number(s.value)].concat(o ? [number((theirs.get(score_name(s)) || {}).value)] : [],
				[String(s.evals), s.n ? String(s.n) : "", data.protocols[s.protocol]]) }))) : make("p", { class: "soft" }, "none"));
		page.append(make("h3", {}, o ? "Settings (differences marked)" : "Settings"));
		const config = arm.config, against = o ? data.arms[o.arm].config : null, paper = new Map(arm.deviations.map((d) => [d[0], d[1]]));
		const keys = Object.keys(config).sort();
		page.append(grid(["setting", "value"].concat(o ? ["other"] : [], ["paper, where it differs"]), keys.map((k) => ({
			mark: against && JSON.stringify(config[k]) !== JSON.stringify(against[k]),
			cells: [k, JSON.stringify(config[k])].concat(o ? [JSON.stringify(against[k])] : [], [paper.get(k) || ""]) }))));
		page.append(make("h3", {}, "Inputs and files"));
		page.append((c.files || []).length ? grid(["role", "name", "SHA-256"], c.files.map((f) => ({ cells: [f[0], f[1], make("code", {}, f[2])] })))
			: make("p", { class: "soft" }, "none recorded"));
		const env = data.envs[c.env];
		if (env) {
			const e2 = o ? data.envs[o.env] || {} : null;
			page.append(make("h3", {}, "Environment"), make("p", {}, make("code", {}, c.env)),
			            grid(["fact", "value"].concat(o ? ["other"] : []), Object.keys(env).sort().map((k) => ({
				            mark: e2 && JSON.stringify(env[k]) !== JSON.stringify(e2[k]),
				            cells: [k, typeof env[k] === "string" ? env[k] : JSON.stringify(env[k])].concat(o ? [JSON.stringify(e2[k]) || ""] : []) }))));
		}
	}

	function route() {
		const m = /^#cell-([0-9a-f]{12})(?:\+([0-9a-f]{12}))?$/.exec(location.hash), on = m && by.has(m[1]);
		$("overview-all").hidden = Boolean(on);
		$("page").hidden = !on;
		if (on) {
			show(by.get(m[1]), m[2] && by.has(m[2]) ? by.get(m[2]) : null);
			window.scrollTo(0, 0);
			$("page-title").focus({ preventScroll: true });
		} else if (location.hash.length > 1 && document.getElementById(location.hash.slice(1))) {
			document.getElementById(location.hash.slice(1)).scrollIntoView();
		}
	}
	window.addEventListener("hashchange", route);
	route();

	/* --- light and dark --- */
	$("theme").addEventListener("click", () => {
		const root = document.documentElement, dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
		root.dataset.theme = dark ? "light" : "dark";
	});
}());
