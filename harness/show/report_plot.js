/* report_plot.js - axes, marks and legends of the charts that the script draws, and how a keyboard walks over their
 * points. */
report.plot = (function () {
	const { make, svg, number } = report, COLOURS = 8;

	/* Numbers about n apart, round ones. */
	function round_ticks(lo, hi, n) {
		const raw = (hi - lo) / n, power = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 5, 10].find((s) => s * power >= raw) * power;
		const out = [];
		for (let v = Math.ceil(lo / step - 1e-9) * step; v <= hi + step * 1e-9; v += step) {
			out.push(Math.abs(v) < step * 1e-9 ? 0 : v);
		}
		return out;
	}

	/* Where values lie between 0 and 1, and what is written beside them. Texts are places in order of appearance; positive
	 * numbers over more than one and a half decades are logarithmic, unless they are to be linear. */
	function scale(values, n, linear) {
		const there = values.filter((v) => v !== null && v !== undefined && !Number.isNaN(v));
		if (!there.every((v) => typeof v === "number")) {
			const names = [...new Set(there.map(report.text))];
			const at = new Map(names.map((t, i) => [t, (i + .5) / names.length]));
			return { at: (v) => v === null || v === undefined ? NaN : at.get(report.text(v)), text: (q) => names[Math.min(names.length - 1, Math.max(0, Math.floor(q * names.length)))],
			         ticks: names.map((t) => [at.get(t), t]), names: names };
		}
		let lo = Infinity, hi = -Infinity;
		for (const v of there) {
			lo = Math.min(lo, v);
			hi = Math.max(hi, v);
		}
		if (!there.length) {
			return { at: () => NaN, text: () => "", ticks: [], log: false };
		}
		const log = !linear && lo > 0 && hi / lo > 30, f = log ? Math.log10 : (v) => v, g = log ? (v) => 10 ** v : (v) => v;
		let a = f(lo), b = f(hi);
		const pad = b > a ? (b - a) * .05 : Math.abs(a) * .1 || 1;
		a -= pad;
		b += pad;
		let ticks = log ? [] : round_ticks(a, b, n || 4);
		for (let d = Math.ceil(a); log && d <= b; d++) {
			ticks.push(10 ** d);
		}
		if (log && ticks.length < 3) {
			ticks = [1, 2, 5].flatMap((m) => Array.from({ length: Math.ceil(b - a) + 2 }, (x, i) => m * 10 ** (Math.floor(a) + i)))
				.filter((v) => f(v) >= a && f(v) <= b).sort((x, y) => x - y);
		}
		return { at: (v) => v === null || v === undefined ? NaN : (f(v) - a) / (b - a), text: (q) => number(g(a + q * (b - a))),
		         ticks: ticks.map((v) => [(f(v) - a) / (b - a), number(v)]), log: log };
	}

	/* An empty chart with its axes, as wide as its place; { svg, px, py } with px(q), py(q) for 0..1. */
	function frame(host, x, y, x_name, y_name, words) {
		const w = Math.max(280, Math.min(host.clientWidth || 640, 820)), narrow = w < 500, h = narrow ? 260 : 330;
		const left = 58, right = 12, top = 12, slant = Boolean(x.names) && x.names.length > (narrow ? 2 : 4), bottom = slant ? 92 : 46;
		const px = (q) => left + (w - left - right) * q, py = (q) => h - bottom - (h - top - bottom) * q;
		const s = svg("svg", { class: "plot", viewBox: "0 0 " + w + " " + h, width: w, height: h, role: "group", tabindex: 0, "aria-label": words });
		for (const [q, t] of y.ticks) {
			s.append(svg("line", { x1: left, x2: w - right, y1: py(q), y2: py(q) }),
			         svg("text", { x: left - 6, y: py(q) + 4, "text-anchor": "end" }, t.length > 8 ? t.slice(0, 7) + "\u2026" : t));
		}
		let last = -Infinity;
		for (const [q, t] of x.ticks) {
			if (!x.names && px(q) - last < 44) {
				continue;
			}
			last = px(q);
			s.append(slant ? svg("text", { transform: "translate(" + (px(q) + 4) + " " + (h - bottom + 14) + ") rotate(-35)", "text-anchor": "end" },
			                     t.length > 16 ? t.slice(0, 15) + "\u2026" : t)
			               : svg("text", { x: px(q), y: h - bottom + 16, "text-anchor": "middle" }, t));
			s.append(svg("line", { x1: px(q), x2: px(q), y1: h - bottom, y2: h - bottom + 4 }));
		}
		s.append(svg("line", { class: "axis", x1: left, x2: w - right, y1: h - bottom, y2: h - bottom }), svg("line", { class: "axis", x1: left, x2: left, y1: top, y2: h - bottom }),
		         svg("text", { class: "name", x: (left + w - right) / 2, y: h - 6, "text-anchor": "middle" }, x_name + (x.log ? " (log)" : "")),
		         svg("text", { class: "name", transform: "translate(12 " + (top + h - bottom) / 2 + ") rotate(-90)", "text-anchor": "middle" }, y_name + (y.log ? " (log)" : "")));
		return { svg: s, px: px, py: py };
	}

	/* Series i by colour, and by shape, for those who see no colours. */
	const shapes = ["M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0", "M-4 -4h8v8h-8z", "M0 -5l5 9h-10z", "M0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z", "M0 5l5 -9h-10z",
	                "M-1.5 -5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5v-3h3.5z"];
	const colour = (i) => "s" + i % COLOURS;
	function mark(i, x, y) {
		return svg("path", { class: "mark " + colour(i), d: shapes[i % shapes.length], transform: "translate(" + x.toFixed(1) + " " + y.toFixed(1) + ")" });
	}

	/* A curve of series i, with gaps where there is no value; each(px, py, x, y) is called for every point. */
	function line(f, x, y, xs, ys, i, dashed, each) {
		let d = "", pen = false;
		xs.forEach((at, k) => {
			if (ys[k] === null) {
				pen = false;
				return;
			}
			const px = f.px(x.at(at)), py = f.py(y.at(ys[k]));
			d += (pen ? "L" : "M") + px.toFixed(1) + " " + py.toFixed(1);
			pen = true;
			each(px, py, at, ys[k]);
		});
		return svg("path", { class: "line " + colour(i) + (dashed ? " dashed" : ""), d: d || "M0 0" });
	}

	/* What is what: of [series, label] pairs; lines: as lines. */
	function legend(pairs, lines) {
		const ul = make("ul", { class: "legend" });
		for (const [i, label, dashed] of pairs) {
			const key = svg("svg", { viewBox: "0 0 26 14", width: 26, height: 14, "aria-hidden": "true" });
			if (lines) {
				key.append(svg("path", { class: "line " + colour(i) + (dashed ? " dashed" : ""), d: "M1 7h24" }));
			}
			if (lines !== "only") {
				key.append(mark(i, 13, 7));
			}
			ul.append(make("li", {}, key, " " + label));
		}
		return ul;
	}

	/* Points of a chart, [{x, y, words, go}], in the chart's own units: the nearest one to the pointer says its words; on the
	 * keyboard arrows, Home and End walk, and Enter follows. */
	function walk(s, points) {
		if (!points.length) {
			return;
		}
		points = points.slice().sort((a, b) => a.x - b.x || a.y - b.y);
		const ring = svg("circle", { class: "ring", r: 8, visibility: "hidden" });
		let at = -1, pointed = false;
		s.append(ring);
		function go_to(i, by_pointer) {
			at = i;
			pointed = by_pointer;
			const p = points[i];
			ring.setAttribute("cx", p.x);
			ring.setAttribute("cy", p.y);
			ring.setAttribute("visibility", "visible");
			report.say(p.words, () => {
				const box = s.getBoundingClientRect(), k = box.width / s.viewBox.baseVal.width || 1, y = box.top + p.y * k;
				return { left: box.left + p.x * k, width: 0, top: y - 6, bottom: y + 6 };
			}, s);
		}
		const leave = () => {
			ring.setAttribute("visibility", "hidden");
			report.hide();
		};
		/* a pointer that rests while the page scrolls beneath it takes nothing from the keyboard */
		const left = () => {
			if (pointed) {
				leave();
			}
		};
		s.addEventListener("pointermove", (e) => {
			if (!e.movementX && !e.movementY && !pointed) {
				return;
			}
			const box = s.getBoundingClientRect(), k = box.width / s.viewBox.baseVal.width || 1, x = (e.clientX - box.left) / k, y = (e.clientY - box.top) / k;
			let best = -1, near = 24 * 24;
			points.forEach((p, i) => {
				const d = (p.x - x) ** 2 + (p.y - y) ** 2;
				if (d < near) {
					near = d;
					best = i;
				}
			});
			if (best >= 0) {
				go_to(best, true);
			} else {
				left();
			}
		});
		s.addEventListener("pointerleave", left);
		s.addEventListener("blur", leave);
		s.addEventListener("click", () => {
			if (at >= 0 && points[at].go && ring.getAttribute("visibility") === "visible") {
				location.hash = points[at].go;
			}
		});
		s.addEventListener("keydown", (e) => {
			const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: points.length - 1 }[e.key];
			if (to !== undefined) {
				e.preventDefault();
				go_to(Math.max(0, Math.min(points.length - 1, to)), false);
			} else if (e.key === "Enter" && at >= 0 && points[at].go) {
				location.hash = points[at].go;
			}
		});
	}

	/* Draws now, and again when its place has another width. */
	function fit(host, draw) {
		let width = -1;
		new ResizeObserver(() => {
			if (host.clientWidth && host.clientWidth !== width) {
				width = host.clientWidth;
				draw();
			}
		}).observe(host);
	}

	return { scale, frame, mark, line, colour, legend, walk, fit };
}());
