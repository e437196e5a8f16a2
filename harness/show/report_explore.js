/* report_explore.js - any setting against any metric, settings and metrics on parallel axes, and a metric over builds.
 * Arms are never pooled: a mark is a cell, or the mean of one arm's seeds. */
(function () {
	const { data, $, make, svg, number, text, choice, check, plot } = report, COLOURED = 16, LINES = 3000;
	const metrics = data.metrics.map((m, i) => ({ key: "m" + i, name: m.title, of: (c) => c.m[i] }));
	const differ = [...new Set(data.arms.flatMap((a) => Object.keys(a.set)))].sort();
	const settings = differ.map((k) => ({ key: "k" + k, name: k, setting: true, of: (c) => data.arms[c.arm].config[k] === undefined ? "not set" : data.arms[c.arm].config[k] }));
	const arm = { key: "arm", name: "arm", setting: true, of: (c) => data.arms[c.arm].label };
	const seed = { key: "seed", name: "seed", of: (c) => c.seed }, seconds = { key: "s", name: "seconds", of: (c) => c.seconds || null };
	const all = [arm, ...settings, seed, seconds, ...metrics], named = new Map(all.map((v) => [v.key, v]));
	const done = data.cells.filter((c) => c.state === "done"), arms = [...new Set(done.map((c) => c.arm))];
	const series = new Map(arms.map((a, i) => [a, arms.length > COLOURED ? 0 : i]));
	const legend = (lines) => arms.length > COLOURED ? make("p", { class: "soft" }, arms.length + " arms, too many for colours: each mark says which it is.")
		: plot.legend(arms.map((a) => [series.get(a), data.arms[a].label]), lines);
	const groups = (v) => [["settings", v.filter((x) => x.setting).map((x) => [x.key, x.name])], ["metrics", v.filter((x) => x.key[0] === "m").map((x) => [x.key, x.name])],
	                       ["other", v.filter((x) => !x.setting && x.key[0] !== "m").map((x) => [x.key, x.name])]];

	function mean(values) {
		const v = values.filter((x) => typeof x === "number"), m = v.reduce((a, b) => a + b, 0) / v.length;
		return { n: v.length, mean: v.length ? m : null, sd: v.length > 1 ? Math.sqrt(v.reduce((a, b) => a + (b - m) ** 2, 0) / (v.length - 1)) : null };
	}
	const spread = (s) => number(s.mean) + (s.sd === null ? "" : " \u00b1 " + number(s.sd)) + " (" + s.n + " seed" + (s.n === 1 ? "" : "s") + ")";

	/* --- a scatter --- */
	function scatter() {
		const host = $("scatter"), state = { x: (settings[0] || arm).key, y: metrics.length ? "m0" : "s", means: false }, place = make("div");
		if (!host) {
			return;
		}
		function draw() {
			const X = named.get(state.x), Y = named.get(state.y);
			/* a mark: where it is, whose it is, and what it says */
			let marks = done.map((c) => ({ x: X.of(c), y: Y.of(c), arm: c.arm, go: report.address(c),
			                               words: report.title(c) + "\n" + X.name + ": " + (typeof X.of(c) === "number" ? number(X.of(c)) : text(X.of(c))) + "\n" + Y.name + ": " + number(Y.of(c)) }));
			if (state.means) {
				marks = arms.map((a) => {
					const cells = done.filter((c) => c.arm === a), y = mean(cells.map(Y.of)), x = X.setting ? null : mean(cells.map(X.of));
					return { x: x ? x.mean : X.of(cells[0]), y: y.mean, sd: y.sd, arm: a,
					         words: data.arms[a].label + "\n" + X.name + ": " + (x ? spread(x) : text(X.of(cells[0]))) + "\n" + Y.name + ": " + spread(y) };
				});
			}
			const drawn = marks.filter((m) => m.x !== null && m.x !== undefined && typeof m.y === "number");
			if (!drawn.length) {
				place.replaceChildren(make("p", { class: "soft" }, "No finished cell has both values."));
				return;
			}
			const x = plot.scale(drawn.map((m) => m.x)), y = plot.scale(drawn.flatMap((m) => m.sd ? [m.y - m.sd, m.y, m.y + m.sd] : [m.y]), 5);
			const f = plot.frame(place, x, y, X.name, Y.name, Y.name + " against " + X.name + ", " + drawn.length + " marks; arrow keys go from mark to mark");
			const points = [], seats = new Map();
			for (const m of drawn) {
				/* marks of one category side by side, not on top of each other */
				const q = x.at(m.x), arms_there = seats.get(q) || new Map();
				seats.set(q, arms_there);
				m.seat = x.names ? arms_there.get(m.arm) ?? (arms_there.set(m.arm, arms_there.size), arms_there.size - 1) : 0;
			}
			for (const m of drawn) {
				const q = x.at(m.x), n = seats.get(q).size, room = x.names ? .7 / x.names.length : 0;
				const px = f.px(q + (x.names ? room * ((m.seat + .5) / n - .5) : 0)), py = f.py(y.at(m.y)), i = series.get(m.arm);
				if (m.sd) {
					f.svg.append(svg("line", { class: "whisker " + plot.colour(i), x1: px, x2: px, y1: f.py(y.at(m.y - m.sd)), y2: f.py(y.at(m.y + m.sd)) }));
				}
				f.svg.append(plot.mark(i, px, py));
				points.push({ x: px, y: py, words: m.words, go: m.go });
			}
			plot.walk(f.svg, points);
			const without = marks.length - drawn.length;
			place.replaceChildren(f.svg, legend(false), make("p", { class: "soft" }, (state.means ? "A mark is an arm: its mean and standard deviation over training seeds." : "A mark is a cell.") +
				(without ? " " + without + " without both values are not shown." : "")));
		}
		host.append(make("div", { class: "controls" }, choice("scatter-x", "across", groups(all), state.x, (v) => {
			state.x = v;
			draw();
		}), choice("scatter-y", "up", groups([...metrics, seconds]), state.y, (v) => {
			state.y = v;
			draw();
		}), check("scatter-means", "means over seeds", false, (v) => {
			state.means = v;
			draw();
		})), place);
		plot.fit(place, draw);
	}

	/* --- parallel axes --- */
	function parallel() {
		const host = $("parallel"), axes = [...(settings.length ? settings : [arm]), ...metrics], lines = done.slice(0, LINES);
		if (!host) {
			return;
		}
		const kept = make("p", { class: "soft", role: "status" }), place = make("div"), bounds = make("div", { class: "bounds" });
		for (const a of axes) {
			a.scale = plot.scale(lines.map(a.of), 4);
			a.q = lines.map((c) => a.scale.at(a.of(c)));
			a.lo = 0;
			a.hi = 1;
		}
		let paths = [];
		const inside = (i) => axes.every((a) => (a.lo <= 0 && a.hi >= 1) || (a.q[i] >= a.lo && a.q[i] <= a.hi));
		function mark_kept() {
			let n = 0;
			paths.forEach((p, i) => {
				const on = inside(i);
				n += on;
				p.classList.toggle("off", !on);
			});
			for (const a of axes) {
				if (a.brush) {
					const full = a.lo <= 0 && a.hi >= 1;
					a.brush.setAttribute("visibility", full ? "hidden" : "visible");
					a.brush.setAttribute("y", a.py(a.hi));
					a.brush.setAttribute("height", Math.max(0, a.py(a.lo) - a.py(a.hi)));
				}
				a.inputs.forEach((el, k) => {
					const q = k ? a.hi : a.lo;
					el.value = Math.round(1000 * q);
					el.setAttribute("aria-valuetext", a.scale.text(q));
				});
				a.output.textContent = a.lo <= 0 && a.hi >= 1 ? "all" : a.scale.text(a.lo) + " to " + a.scale.text(a.hi);
			}
			kept.textContent = n + " of " + lines.length + " cells within all bounds" + (done.length > lines.length ? "; the first " + LINES + " of " + done.length + " finished cells are drawn" : "");
		}
		for (const a of axes) {
			a.inputs = ["lowest", "highest"].map((name, k) => {
				const el = make("input", { type: "range", min: 0, max: 1000, step: 10, "aria-label": a.name + ", " + name });
				el.addEventListener("input", () => {
					const q = Number(el.value) / 1000;
					if (k) {
						a.hi = Math.max(q, a.lo);
					} else {
						a.lo = Math.min(q, a.hi);
					}
					mark_kept();
				});
				return el;
			});
			a.output = make("output", {}, "all");
			bounds.append(make("fieldset", {}, make("legend", {}, a.name), ...a.inputs, a.output));
		}
		const reset = make("button", { type: "button", id: "parallel-reset" }, "no bounds");
		reset.addEventListener("click", () => {
			axes.forEach((a) => {
				a.lo = 0;
				a.hi = 1;
			});
			mark_kept();
		});
		function draw() {
			const w = Math.max(place.clientWidth || 640, 104 * axes.length), h = 330, top = 44, bottom = h - 24, px = (k) => 52 + (w - 104) * (axes.length > 1 ? k / (axes.length - 1) : .5);
			const s = svg("svg", { class: "plot parallel", viewBox: "0 0 " + w + " " + h, width: w, height: h, role: "img",
			                       "aria-label": "a line for each finished cell over " + axes.map((a) => a.name).join(", ") });
			const group = svg("g", {});
			paths = lines.map((c, i) => {
				let d = "", pen = false;
				axes.forEach((a, k) => {
					if (Number.isNaN(a.q[i])) {
						pen = false;
						return;
					}
					d += (pen ? "L" : "M") + px(k).toFixed(1) + " " + (bottom - (bottom - top) * a.q[i]).toFixed(1);
					pen = true;
				});
				const p = svg("path", { class: "line " + plot.colour(series.get(c.arm)), d: d || "M0 0" });
				p.dataset.more = report.title(c) + "\n" + axes.map((a) => a.name + ": " + (typeof a.of(c) === "number" ? number(a.of(c)) : text(a.of(c) ?? "none"))).join("\n");
				p.addEventListener("click", () => {
					location.hash = report.address(c);
				});
				return p;
			});
			group.append(...paths);
			s.append(group);
			axes.forEach((a, k) => {
				const x = px(k), name = a.name.length > 17 ? a.name.slice(0, 16) + "\u2026" : a.name;
				a.py = (q) => bottom - (bottom - top) * q;
				s.append(svg("line", { class: "axis", x1: x, x2: x, y1: top, y2: bottom }), svg("text", { class: "name", x: x, y: k % 2 ? 14 : 28, "text-anchor": "middle" }, svg("title", {}, a.name), name));
				for (const [q, t] of a.scale.ticks) {
					s.append(svg("line", { class: "axis", x1: x - 3, x2: x + 3, y1: a.py(q), y2: a.py(q) }), svg("text", { class: "tick", x: x + 6, y: a.py(q) + 4 }, t.length > 13 ? t.slice(0, 12) + "\u2026" : t));
				}
				a.brush = svg("rect", { class: "brush", x: x - 8, width: 16, y: top, height: 0, visibility: "hidden" });
				const grip = svg("rect", { class: "grip", x: x - 14, width: 28, y: top, height: bottom - top });
				let from = null;
				const at = (e) => {
					const box = s.getBoundingClientRect();
					return Math.max(0, Math.min(1, (bottom - (e.clientY - box.top) * h / box.height) / (bottom - top)));
				};
				grip.addEventListener("pointerdown", (e) => {
					from = at(e);
					grip.setPointerCapture(e.pointerId);
				});
				grip.addEventListener("pointermove", (e) => {
					if (from !== null) {
						a.lo = Math.min(from, at(e));
						a.hi = Math.max(from, at(e));
						mark_kept();
					}
				});
				grip.addEventListener("pointerup", () => {
					if (a.hi - a.lo < .02) {
						a.lo = 0;
						a.hi = 1;
						mark_kept();
					}
					from = null;
				});
				s.append(a.brush, grip);
			});
			place.replaceChildren(make("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "parallel axes" }, s), legend("only"));
			mark_kept();
		}
		host.append(kept, place, make("details", {}, make("summary", {}, "bounds, by keyboard or pointer"), bounds, reset));
		plot.fit(place, draw);
	}

	/* --- training curves --- */
	function curves() {
		const host = $("curves"), names = [...new Set(data.cells.flatMap((c) => Object.keys(c.curves || {})))].sort(), MOST = 64;
		if (!host || !names.length) {
			return;
		}
		const state = { name: names.includes("loss") ? "loss" : names[0], all: false }, place = make("div");
		function draw() {
			const there = data.cells.filter((c) => c.curves && c.curves[state.name] && series.has(c.arm)), seen = new Set();
			const wanted = there.filter((c) => state.all || (!seen.has(c.arm) && seen.add(c.arm))), cells = wanted.slice(0, MOST), points = [];
			const x = plot.scale(cells.flatMap((c) => data.steps[c.curves[state.name][0]]), 5, true), y = plot.scale(cells.flatMap((c) => c.curves[state.name][1]), 5);
			const f = plot.frame(place, x, y, "step", state.name, state.name + " against step; arrow keys go from point to point");
			for (const c of cells) {
				f.svg.append(plot.line(f, x, y, data.steps[c.curves[state.name][0]], c.curves[state.name][1], series.get(c.arm), false,
				                       (px, py, step, v) => points.push({ x: px, y: py, go: report.address(c), words: report.title(c) + "\nstep " + step + ": " + number(v) })));
			}
			plot.walk(f.svg, points);
			place.replaceChildren(f.svg, legend("only"), make("p", { class: "soft" }, (state.all ? "Every cell." : "The first seed of each arm.") +
				(wanted.length > MOST ? " The first " + MOST + " of " + wanted.length + " curves." : "")));
		}
		host.append(make("div", { class: "controls" }, choice("curve-name", "curve", [["", names.map((n) => [n, n])]], state.name, (v) => {
			state.name = v;
			draw();
		}), check("curve-all", "all seeds", false, (v) => {
			state.all = v;
			draw();
		})), place);
		plot.fit(place, draw);
	}

	/* --- a metric over builds --- */
	function history() {
		const host = $("history-chart"), h = data.history, place = make("div");
		if (!host) {
			return;
		}
		const name = (s) => s.name + (s.nfe ? "@" + s.nfe : "") + (s.weights ? ":" + s.weights : "") + " at step " + s.step + " (" + s.protocol + ")";
		const seeds_of = (p) => p.seeds.map((s) => s[0]).sort((a, b) => a - b).join(", ");
		/* at first the score that most builds have */
		const builds_of = h.scores.map(() => new Set());
		h.points.forEach((p) => builds_of[p[2]].add(p[1]));
		let score = builds_of.reduce((best, v, i) => v.size > builds_of[best].size ? i : best, 0);
		function draw() {
			const per = new Map();
			for (const [a, b, s, seed, v] of h.points) {
				if (s === score && v !== null) {
					const builds = per.get(a) || new Map();
					per.set(a, builds);
					builds.set(b, (builds.get(b) || []).concat([[seed, v]]));
				}
			}
			const lines = [...per].map(([a, builds]) => [a, [...builds].sort((x, y) => x[0] - y[0]).map(([b, v]) => ({ b: b, seeds: v, ...mean(v.map((x) => x[1])) }))]);
			const y = plot.scale(lines.flatMap((l) => l[1].flatMap((p) => p.sd ? [p.mean - p.sd, p.mean + p.sd] : [p.mean])), 5);
			const names = Array.from({ length: h.builds }, (x, i) => String(i + 1));
			const x = { at: (b) => (b + .5) / h.builds, names: names, ticks: names.map((t, i) => [(i + .5) / h.builds, t]).filter((t, i) => i % Math.ceil(h.builds / 20) === 0) };
			const f = plot.frame(place, { ...x, names: null }, y, "build", h.scores[score].name, name(h.scores[score]) + " by build; arrow keys go from point to point"), points = [];
			lines.forEach(([a, v], i) => {
				const k = lines.length > COLOURED ? 0 : i, shift = ((i + .5) / lines.length - .5) * .5 / h.builds;
				f.svg.append(svg("path", { class: "line " + plot.colour(k), d: v.map((p, j) => (j && seeds_of(p) === seeds_of(v[j - 1]) ? "L" : "M") + f.px(x.at(p.b) + shift).toFixed(1) + " " + f.py(y.at(p.mean)).toFixed(1)).join("") }));
				for (const p of v) {
					const px = f.px(x.at(p.b) + shift), py = f.py(y.at(p.mean));
					if (p.sd) {
						f.svg.append(svg("line", { class: "whisker " + plot.colour(k), x1: px, x2: px, y1: f.py(y.at(p.mean - p.sd)), y2: f.py(y.at(p.mean + p.sd)) }));
					}
					f.svg.append(plot.mark(k, px, py));
					points.push({ x: px, y: py, words: data.arms[a].label + ", build " + (p.b + 1) + "\n" + spread(p) + "\nseeds " + seeds_of(p) });
				}
			});
			plot.walk(f.svg, points);
			place.replaceChildren(f.svg, lines.length > COLOURED ? make("p", { class: "soft" }, lines.length + " arms, too many for colours: each point says whose it is.")
				: plot.legend(lines.map(([a], i) => [i, data.arms[a].label]), true));
		}
		host.append(make("div", { class: "controls" }, choice("history-score", "score", [["", h.scores.map((s, i) => [i, name(s)])]], score, (v) => {
			score = Number(v);
			draw();
		})), place);
		plot.fit(place, draw);
	}

	scatter();
	parallel();
	curves();
	history();
}());
