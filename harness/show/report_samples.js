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

	/* Of an arm the last picture until that training step; its first, where that comes later. */
	function moment_of(arm) {
		const own = figures.filter((f) => Number(f.dataset.arm) === arm && Number(f.dataset.nfe) === nfe).map(step_of);
		const until = own.filter((s) => s <= moments[at_moment]);
		return !on_the_way || !until.length ? Math.min(...own) : Math.max(...until);
	}

	function draw() {
		const arms = new Set();
		for (const family of families.values()) {
			(family.length > 1 ? family.filter((i) => length(i) === lengths[at_length]) : family).forEach((i) => arms.add(i));
		}
		for (const f of figures) {
			const arm = Number(f.dataset.arm);
			f.hidden = Number(f.dataset.nfe) !== nfe || !arms.has(arm) || step_of(f) !== moment_of(arm);
		}
	}

	if (steps.length > 1) {
		at.append(choice("samples-nfe", "sampling steps", [["", steps.map((n) => [n, n])]], nfe, (v) => {
			nfe = Number(v);
			draw();
		}));
	}
	if (on_the_way) {
		const words = () => "step " + moments[at_moment];
		const slider = make("input", { id: "samples-step", type: "range", min: 0, max: moments.length - 1, step: 1, value: at_moment, "aria-valuetext": words() });
		const output = make("output", { for: "samples-step" }, words());
		slider.addEventListener("input", () => {
			at_moment = Number(slider.value);
			output.textContent = words();
			slider.setAttribute("aria-valuetext", words());
			draw();
		});
		at.append(make("label", { for: "samples-step" }, "in training ", slider), output);
	}
	if (over) {
		const words = () => lengths[at_length] + " training steps";
		const slider = make("input", { id: "samples-length", type: "range", min: 0, max: lengths.length - 1, step: 1, value: at_length, "aria-valuetext": words() });
		const output = make("output", { for: "samples-length" }, words());
		slider.addEventListener("input", () => {
			at_length = Number(slider.value);
			output.textContent = words();
			slider.setAttribute("aria-valuetext", words());
			draw();
		});
		at.append(make("label", { for: "samples-length" }, "trained for ", slider), output,
		          make("span", { class: "soft" }, "each length is a training of its own, with its own schedule"));
	}
	at.hidden = !at.children.length;
	draw();
}());
