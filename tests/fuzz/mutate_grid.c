/* mutate_grid.c - grid files for fuzz_grid.c, with lines from the tables of the grid language, of knobs and of metrics:
 * a key or a knob that is added there is tried here. */
#include "harness/grid/grid_keys.h"
#include "metrics/scores/score.h"
#include "model/config/config.h"
#include "tests/fuzz/mutate.h"

static bool is_number(enum knob_type type)
{
	return type != KNOB_EXPR && type != KNOB_CHOICE && type != KNOB_STRING && type != KNOB_NUMBER_OR_NAME;
}

static void add_lines_of_grid(struct pieces *p)
{
	for (int part = 0; part < KEYS_SET; part++) { /* KEYS_SET is of the command line */
		if (grid_keys[part].example)
			pieces_add(p, xstrdup(grid_keys[part].example), 0);
		for (size_t i = 0; i < grid_keys[part].n; i++)
			if (grid_keys[part].v[i].example)
				pieces_add(p, xstrdup(grid_keys[part].v[i].example), 0);
	}
}

static void add_lines_of_knobs(struct pieces *p)
{
	int n, presets, metrics;
	const struct knob *k = config_knobs(&n);
	const struct preset *preset = config_presets(&presets);
	const struct metric *m = metric_rows(&metrics);
	for (int i = 0; i < n; i++) {
		const char *quote = is_number(k[i].type) ? "" : "\"", *def = k[i].def ? k[i].def : "";
		pieces_add(p, xstrfmt("%s = %s%s%s", k[i].key, quote, def, quote), 0);
		pieces_add(p, xstrfmt("[[axis]]\nkey = \"%s\"\nvalues = [%s%s%s, %g]", k[i].key, quote, def, quote, k[i].max),
		           0);
	}
	for (int i = 0; i < presets; i++)
		pieces_add(p, xstrfmt("preset = \"%s\"", preset[i].name), 0);
	for (int i = 0; i < metrics; i++)
		pieces_add(p, xstrfmt("[[metric]]\nname = \"%s\"\nsamples = 100", m[i].name), 0);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	static const char **lines; /* made once, for as long as the fuzzer runs */
	static size_t n;
	if (!lines) {
		SCOPED(pieces) struct pieces p = { 0 };
		add_lines_of_grid(&p);
		add_lines_of_knobs(&p);
		lines = xcalloc(p.n, sizeof *lines);
		for (; n < p.n; n++)
			lines[n] = p.v[n].s;
	}
	return mutate_toml(data, size, max, seed, (struct words){ lines, n });
}
