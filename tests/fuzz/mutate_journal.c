/* mutate_journal.c - journals for fuzz_journal.c: lines left out, doubled, moved, values of a line changed; three times
 * of four with a seal that fits, so that what reads sealed journals is reached. */
#include "model/base/sha256.h"
#include "tests/fuzz/mutate.h"

#include <string.h>

/* Kinds of lines, columns, and values that some column takes. */
static const char *const words[] = {
	"t",     "env",          "arm",      "cell",           "attempt",    "curve",      "beat",     "note",
	"end",   "seal",         "input",    "output",         "artifact",   "checkpoint", "metric",   "verify",
	"grid",  "grid_cell",    "verdict",  "pruned",         "statement",  "cell_note",  "baseline", "paper_value",
	"shard", "meta",         "values",   "baseline_value", "hash",       "id",         "step",     "value",
	"hex",   "resumed_step", "training", "signal",         "generation", "done",       "failed",   "running",
	"lost",  "nan",          "-inf",     "0x1p+3",         "u-1",        "u-2",
};

static void mutate_line(struct piece *line, struct str *text, struct dice *d)
{
	json_t *o = json_loadb(line->s, line->n, 0, NULL);
	if (!o)
		return;
	mutate_json(o, d, WORDS(words));
	SCOPED(free) char *dump = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (!dump)
		return;
	str_add(text, dump);
	str_addc(text, '\n');
	*line = (struct piece){ str_text(text), text->len };
}

static bool is_seal(const struct piece *line)
{
	static const char front[] = "{\"t\":\"seal\"";
	return line->n >= sizeof front - 1 && memcmp(line->s, front, sizeof front - 1) == 0;
}

static void write_sealed(struct str *out, const struct pieces *lines)
{
	struct sha256 sha;
	char hex[SHA256_HEX];
	int n = 0;
	for (size_t i = 0; i < lines->n; i++)
		if (!is_seal(&lines->v[i])) {
			str_addn(out, lines->v[i].s, lines->v[i].n);
			n++;
		}
	sha256_init(&sha);
	sha256_add(&sha, str_text(out), out->len);
	sha256_hex(hex, &sha);
	str_addf(out, "{\"t\":\"seal\",\"lines\":%d,\"sha256\":\"%s\"}\n", n, hex);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct dice d = { seed };
	SCOPED(str) struct str out = { 0 }, text = { 0 };
	SCOPED(pieces) struct pieces lines = { 0 };
	if (!size || dice_one_in(&d, 8))
		return LLVMFuzzerMutate(data, size, max);
	pieces_lines(&lines, (const char *)data, size);
	if (dice_one_in(&d, 3))
		pieces_mutate(&lines, &d);
	if (lines.n)
		mutate_line(&lines.v[dice_below(&d, (uint32_t)lines.n)], &text, &d);
	if (dice_one_in(&d, 4))
		pieces_join(&out, &lines);
	else
		write_sealed(&out, &lines);
	return mutate_give(data, size, max, &out);
}
