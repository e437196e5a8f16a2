/* report.js - what the other parts of the script use: the data, making elements, tips, and light and dark. The data lies
 * in the element #data; nothing is fetched. */
const report = (function () {
	const data = JSON.parse(document.getElementById("data").textContent);
	const by = new Map(data.cells.map((c, i) => [c.h.slice(0, 12), i]));
	const $ = (id) => document.getElementById(id);

	/* The configuration of an arm: the first arm's and what differs from it. */
	for (const arm of data.arms) {
		arm.config = Object.assign({}, data.base, arm.set);
		for (const [k, v] of Object.entries(arm.set)) {
			if (v === null) {
				delete arm.config[k];
			}
		}
		arm.cells = [];
	}
	data.cells.forEach((c, i) => data.arms[c.arm].cells.push(i));

	function make(name, attributes, ...children) {
		const el = document.createElement(name);
		for (const [k, v] of Object.entries(attributes || {})) {
			el.setAttribute(k, v);
		}
		el.append(...children);
		return el;
	}

	function svg(name, attributes, ...children) {
		const el = document.createElementNS("http://www.w3.org/2000/svg", name);
		for (const [k, v] of Object.entries(attributes)) {
			el.setAttribute(k, v);
		}
		el.append(...children);
		return el;
	}

	function number(x) {
		return x === null || x === undefined ? "" : typeof x === "number" ? String(Number(x.toPrecision(5))) : String(x);
	}

	/* A setting's value as people write it. */
	const text = (v) => v === undefined ? "not set" : typeof v === "string" ? v : JSON.stringify(v);

	function list(pairs) {
		const dl = make("dl");
		for (const [k, v] of pairs) {
			if (v !== "" && v !== null && v !== undefined) {
				dl.append(make("dt", {}, k), make("dd", {}, v instanceof Node ? v : String(v)));
			}
		}
		return dl;
	}

	/* A labelled select of [value, text] pairs; groups are [[name, pairs], ...]. */
	function choice(id, label, groups, chosen, change) {
		const select = make("select", { id: id });
		for (const [name, pairs] of groups) {
			const into = name ? make("optgroup", { label: name }) : select;
			for (const [v, t] of pairs) {
				const option = make("option", { value: v }, t);
				option.selected = String(v) === String(chosen);
				into.append(option);
			}
			if (name && pairs.length) {
				select.append(into);
			}
		}
		select.addEventListener("change", () => change(select.value));
		return make("label", { for: id }, label + " ", select);
	}

	function check(id, label, on, change) {
		const box = make("input", { id: id, type: "checkbox" });
		box.checked = on;
		box.addEventListener("change", () => change(box.checked));
		return make("label", { for: id, class: "check" }, box, " " + label);
	}

	const title = (c) => data.arms[c.arm].label + ", seed " + c.seed;
	const address = (c, o) => "#cell-" + c.h.slice(0, 12) + (o ? "+" + o.h.slice(0, 12) : "");

	/* --- tips: what an element with data-more says while the pointer or the focus is on it --- */
	const tip = $("tip");
	let tipped = null, where = null;

	function hide() {
		tip.hidden = true;
		if (tipped) {
			tipped.removeAttribute("aria-describedby");
		}
		tipped = where = null;
	}

	function place() {
		if (!where) {
			return;
		}
		const box = where(), w = tip.offsetWidth, h = tip.offsetHeight;
		tip.style.left = Math.max(4, Math.min(box.left + box.width / 2 - w / 2, document.documentElement.clientWidth - w - 4)) + "px";
		tip.style.top = (box.top - h - 6 > 0 ? box.top - h - 6 : box.bottom + 6) + "px";
	}

	/* About an element, at the rectangle of the window that box() gives; it follows when the page scrolls, as a page does
	 * when the focus moves. */
	function say(words, box, el) {
		hide();
		tip.textContent = words;
		tip.hidden = false;
		where = box;
		tipped = el;
		el.setAttribute("aria-describedby", "tip");
		place();
	}

	const asked = (event) => event.target instanceof Element ? event.target.closest("[data-more]") : null;

	function about(event) {
		const el = asked(event);
		if (el) {
			say(el.dataset.more, () => el.getBoundingClientRect(), el);
		}
	}
	document.addEventListener("mouseover", about);
	document.addEventListener("focusin", about);
	document.addEventListener("mouseout", (event) => {
		const el = asked(event);
		if (el && el === tipped && el !== document.activeElement) {
			hide();
		}
	});
	document.addEventListener("focusout", hide);
	document.addEventListener("scroll", place, { capture: true, passive: true });
	document.addEventListener("keydown", (e) => {
		if (e.key === "Escape") {
			hide();
		}
	});

	/* --- light and dark --- */
	$("theme").addEventListener("click", () => {
		const root = document.documentElement;
		const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
		root.dataset.theme = dark ? "light" : "dark";
	});

	return { data, by, $, make, svg, number, text, list, choice, check, title, address, say, hide };
}());
