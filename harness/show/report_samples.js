/* report_samples.js - which sample pictures are shown: a number of sampling steps, and, where arms differ in nothing but
 * their length of training, a slider over it. */
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
	let nfe = steps[0], at_length = lengths.length - 1;

	function draw() {
		const arms = new Set();
		for (const family of families.values()) {
			(family.length > 1 ? family.filter((i) => length(i) === lengths[at_length]) : family).forEach((i) => arms.add(i));
		}
		for (const f of figures) {
			f.hidden = Number(f.dataset.nfe) !== nfe || !arms.has(Number(f.dataset.arm));
		}
	}

	if (steps.length > 1) {
		at.append(choice("samples-nfe", "sampling steps", [["", steps.map((n) => [n, n])]], nfe, (v) => {
			nfe = Number(v);
			draw();
		}));
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
