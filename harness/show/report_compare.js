/* report_compare.js - the page of one cell, alone or beside another, and the way to it: the address after the '#'. */
(function () {
	const { data, by, $, make, number, text, list, choice, check, title, address, plot } = report;
	let only = false; /* differences only; stays from page to page */

	function grid(name, head, lines, none) {
		const shown = only ? lines.filter((l) => l.mark) : lines;
		if (!shown.length) {
			return make("p", { class: "soft" }, lines.length ? "no differences" : none || "none");
		}
		const tr = make("tr"), tb = make("tbody");
		head.forEach((h) => tr.append(make("th", { scope: "col" }, h)));
		for (const l of shown) {
			const r = make("tr", l.mark ? { class: "other" } : {});
			l.cells.forEach((c, i) => r.append(make(i ? "td" : "th", i ? { class: "wrap" } : { scope: "row" }, c)));
			tb.append(r);
		}
		return make("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": name }, make("table", { class: "results" }, make("thead", {}, tr), tb));
	}

	/* Curves [number of its steps, values] of a cell and of the one beside it. */
	function curve(host, name, cells) {
		const lines = cells.map((c, i) => ({ c: c, i: i, v: c.curves && c.curves[name] })).filter((l) => l.v);
		const y = plot.scale(lines.flatMap((l) => l.v[1]), 4), x = plot.scale(lines.flatMap((l) => data.steps[l.v[0]]), 5, true), points = [];
		const place = make("div");
		function draw() {
			points.length = 0;
			const f = plot.frame(place, x, y, "step", name, name + " against step; arrow keys go from point to point");
			f.svg.classList.add("curve");
			for (const l of lines) {
				f.svg.append(plot.line(f, x, y, data.steps[l.v[0]], l.v[1], l.i, l.i > 0,
				                       (px, py, step, v) => points.push({ x: px, y: py, words: (cells.length > 1 ? title(l.c) + "\n" : "") + "step " + step + ": " + number(v) })));
			}
			plot.walk(f.svg, points);
			place.replaceChildren(f.svg);
		}
		host.append(make("h4", {}, name), place);
		plot.fit(place, draw);
	}

	/* The pictures of an arm, as the section of samples has them. */
	function pictures(c) {
		return Array.from(document.querySelectorAll("#sample-figures figure")).filter((f) => Number(f.dataset.arm) === c.arm && f.querySelector("img"))
			.map((f) => make("figure", {}, make("img", { src: f.querySelector("img").src, alt: f.querySelector("img").alt }),
			                 make("figcaption", {}, data.arms[c.arm].label + ", seed " + f.dataset.seed + ", " + f.dataset.nfe + " step" + (f.dataset.nfe === "1" ? "" : "s"))));
	}

	/* A setting as TOML writes it, without the quotes of a text. */
	const plain = (v) => v.startsWith("\"") ? text(JSON.parse(v)) : v;
	const what = (s) => s.name + (s.nfe ? "@" + s.nfe : "") + (s.weights ? ":" + s.weights : "") + " at step " + s.step + "|" + s.protocol;
	const scores = (c) => new Map(c.scores.map((s) => [what(data.scores[s[0]]), s]));

	function facts(c) {
		const arm = data.arms[c.arm];
		return [["state", c.state], ["reason", c.reason], ["label", arm.label], ["labels", arm.labels.join("; ")], ["seed", c.seed], ["preset", arm.preset], ["arm", arm.h], ["cell", c.h],
		        ["attempt", c.attempt], ["attempts", c.attempts], ["fingerprint", c.fingerprint], ["started", c.started], ["ended", c.ended],
		        ["seconds", c.seconds ? c.seconds.toFixed(1) : ""], ["step", c.step], ["host", c.host], ["signed", c.signed]];
	}

	function union(a, b) {
		return [...new Set([...a, ...b])];
	}

	function show(index, other) {
		const c = data.cells[index], o = other === null ? null : data.cells[other], both = o ? [c, o] : [c], arm = data.arms[c.arm];
		const page = $("page"), heads = o ? [title(c), title(o)] : ["value"];
		const pair = (name, a, b, more) => ({ mark: Boolean(o) && a !== b, cells: [name, a].concat(o ? [b] : [], more || []) });
		page.replaceChildren(make("h2", { id: "page-title", tabindex: "-1" }, o ? title(c) + " and " + title(o) : title(c)), make("p", {}, make("a", { href: "#cells" }, "all cells")));
		const bar = make("div", { class: "controls" });
		bar.append(choice("compare", "compare with", [["", [["", "nothing"], ...data.arms.map((a, i) => [i, a.label])]]], o ? o.arm : "", (v) => {
			const there = v === "" ? [] : data.arms[Number(v)].cells.filter((i) => i !== index), same = there.find((i) => data.cells[i].seed === c.seed);
			location.hash = address(c, there.length ? data.cells[same === undefined ? there[0] : same] : null);
		}));
		if (o) {
			bar.append(choice("compare-seed", "seed", [["", data.arms[o.arm].cells.filter((i) => i !== index).map((i) => [i, data.cells[i].seed])]], other, (v) => {
				location.hash = address(c, data.cells[Number(v)]);
			}), check("only", "differences only", only, (v) => {
				only = v;
				show(index, other);
				$("only").focus();
			}));
		}
		page.append(bar);
		if (o) {
			const theirs = facts(o);
			page.append(grid("facts", ["", ...heads], facts(c).map(([k, v], i) => pair(k, String(v ?? ""), String(theirs[i][1] ?? ""))).filter((l) => l.cells[1] || l.cells[2])));
		} else {
			page.append(list(facts(c).map(([k, v]) => [k, k === "state" ? make("span", { class: "state " + v }, v) : v])));
		}
		const names = union(Object.keys(c.curves || {}), Object.keys((o && o.curves) || {}));
		if (names.length) {
			const place = make("div", { class: "curves" });
			page.append(make("h3", {}, "Curves"));
			if (o) {
				page.append(plot.legend([[0, title(c)], [1, title(o), true]], "only"));
			}
			page.append(place);
			names.forEach((n) => {
				const one = make("div");
				place.append(one);
				curve(one, n, both);
			});
		}
		const shown = o && o.arm !== c.arm ? [...pictures(c), ...pictures(o)] : pictures(c);
		if (shown.length) {
			page.append(make("h3", {}, "Samples of the arm" + (o && o.arm !== c.arm ? "s" : "")), make("div", { class: "samples" }, ...shown));
			const near = both.filter((x, i) => $("nearest-" + x.arm) && (!i || x.arm !== c.arm));
			near.forEach((x) => page.append(make("p", {}, make("a", { href: "#nearest-" + x.arm }, "nearest training images of " + data.arms[x.arm].label))));
		}
		const mine = scores(c), theirs = o ? scores(o) : new Map();
		page.append(make("h3", {}, "Scores"), grid("scores", ["score", ...heads, "evaluations", "images", "protocol"], union(mine.keys(), theirs.keys()).map((k) => {
			const a = mine.get(k), b = theirs.get(k), s = a || b, [name, protocol] = [k.slice(0, k.indexOf("|")), k.slice(k.indexOf("|") + 1)];
			return pair(name, a ? number(a[1]) : "", b ? number(b[1]) : "", [String(s[2]), s[3] ? String(s[3]) : "", protocol]);
		})));
		const config = arm.config, against = o ? data.arms[o.arm].config : {}, paper = new Map(arm.papers.map((i) => [data.papers[i][0], data.papers[i]]));
		page.append(make("h3", {}, "Settings"), grid("settings", ["setting", ...heads, "paper, where it differs"], union(Object.keys(config), Object.keys(against)).sort().map((k) => {
			const said = paper.get(k);
			return pair(k, text(config[k]), o ? text(against[k]) : "", [said ? make("span", { tabindex: 0, "data-more": said[2] }, plain(said[1])) : ""]);
		})));
		const files = (x) => new Map((x.files || []).map((f) => [f[0] + " " + f[1], f[2]])), a = files(c), b = o ? files(o) : new Map();
		page.append(make("h3", {}, "Inputs and files"), grid("files", ["file", ...(o ? heads : ["SHA-256"])], union(a.keys(), b.keys()).map((k) => pair(k, a.get(k) || "", b.get(k) || "")), "none recorded"));
		const env = c.env === undefined ? {} : data.envs[c.env].facts, e2 = o && o.env !== undefined ? data.envs[o.env].facts : {};
		const keys = union(Object.keys(env), Object.keys(e2)).sort();
		if (keys.length) {
			page.append(make("h3", {}, "Environment"), grid("environment", ["fact", ...heads], keys.map((k) => pair(k, k in env ? text(env[k]) : "", k in e2 ? text(e2[k]) : ""))));
		}
	}

	function route() {
		const m = /^#cell-([0-9a-f]{12})(?:\+([0-9a-f]{12}))?$/.exec(location.hash), on = m && by.has(m[1]);
		report.hide();
		$("overview-all").hidden = Boolean(on);
		$("page").hidden = !on;
		if (on) {
			show(by.get(m[1]), m[2] && m[2] !== m[1] && by.has(m[2]) ? by.get(m[2]) : null);
			window.scrollTo(0, 0);
			$("page-title").focus({ preventScroll: true });
		} else if (location.hash.length > 1 && $(location.hash.slice(1))) {
			$(location.hash.slice(1)).scrollIntoView();
		}
	}
	window.addEventListener("hashchange", route);
	route();
}());
