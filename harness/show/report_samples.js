/* report_samples.js - which sample pictures are shown: a number of sampling steps; a slider over the training, where it was
 * looked at on its way; and, where arms differ in nothing but their length of training, a slider over that. */
(function () {
	const { data, $, make, choice } = report, at = $("samples-controls");
	if (!at) {
		return;
	}
	const figures = Array.from($("sample-figures").children);
	const steps = [...new Set(figures.map((f) => Number(f.dataset.nfe)))].sort((a, b) => a - b);
	const shown = [...new Set(figures.map((f) => Number(f.dataset.arm)))];

	/* Arms that are alike but for train.steps, by what they share. */
	const families = new Map();
	for (const i of shown) {
		const rest = Object.assign({}, data.arms[i].config);
		delete rest["train.steps"];
		const key = JSON.stringify(rest);
		families.set(key, (families.get(key) || []).concat(i));
	}
	const length = (i) => Number(data.arms[i].config["train.steps"]);
	const lengths = [...new Set([...families.values()].filter((f) => f.length > 1).flat().map(length))].sort((a, b) => a - b);
	const over = lengths.length > 1;
	const step_of = (f) => (f.dataset.step === undefined ? length(Number(f.dataset.arm)) : Number(f.dataset.step));
	const on_the_way = figures.some((f) => f.dataset.step !== undefined);
	const moments = [...new Set(figures.map(step_of))].sort((a, b) => a - b);
	let nfe = steps[0], at_length = lengths.length - 1, at_moment = moments.length - 1;

	/* The step of the picture that stands for each arm: its last until the chosen one, or its first, where that comes later. */
	function moments_of() {
		const own = new Map();
		for (const f of figures.filter((f) => Number(f.dataset.nfe) === nfe)) {
			own.set(Number(f.dataset.arm), (own.get(Number(f.dataset.arm)) || []).concat(step_of(f)));
		}
		for (const [arm, all] of own) {
			const until = all.filter((s) => s <= moments[at_moment]);
			own.set(arm, !on_the_way || !until.length ? Math.min(...all) : Math.max(...until));
		}
		return own;
	}

	function draw() {
		const arms = new Set(), moment = moments_of();
		for (const family of families.values()) {
			(family.length > 1 ? family.filter((i) => length(i) === lengths[at_length]) : family).forEach((i) => arms.add(i));
		}
		for (const f of figures) {
			const arm = Number(f.dataset.arm);
			f.hidden = Number(f.dataset.nfe) !== nfe || !arms.has(arm) || step_of(f) !== moment.get(arm);
		}
	}

	/* A slider over n places, and what it says of the one that it is at. */
	function slide(id, label, n, words, go) {
		const slider = make("input", { id, type: "range", min: 0, max: n - 1, step: 1, value: n - 1, "aria-valuetext": words() });
		const output = make("output", { for: id }, words());
		slider.addEventListener("input", () => {
			go(Number(slider.value));
			output.textContent = words();
			slider.setAttribute("aria-valuetext", words());
			draw();
		});
		at.append(make("label", { for: id }, label, slider), output);
	}

	if (steps.length > 1) {
		at.append(choice("samples-nfe", "sampling steps", [["", steps.map((n) => [n, n])]], nfe, (v) => {
			nfe = Number(v);
			draw();
		}));
	}
	if (on_the_way) {
		slide("samples-step", "in training ", moments.length, () => "step " + moments[at_moment], (i) => { at_moment = i; });
	}
	if (over) {
		slide("samples-length", "trained for ", lengths.length, () => lengths[at_length] + " training steps", (i) => { at_length = i; });
		at.append(make("span", { class: "soft" }, "each length is a training of its own, with its own schedule"));
	}
	at.hidden = !at.children.length;
	draw();
}());
