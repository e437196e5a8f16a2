/* gate_markdown.c - see gate_markdown.h. */
#include "harness/judge/gate_markdown.h"

#include "harness/text/escape.h"

#include <math.h>

static void row(struct str *out, const struct gate_result *r)
{
	static const char *const verdicts[] = { [GATE_PASS] = "pass",
		                                    [GATE_FAIL] = "**fail**",
		                                    [GATE_INCONCLUSIVE] = "cannot tell",
		                                    [GATE_ERROR] = "**cannot be judged**" };
	bool judged = r->verdict != GATE_ERROR;
	str_add(out, "| ");
	escape_markdown(out, r->rule->name);
	str_addf(out, " | %s", verdicts[r->verdict]);
	if (r->verdict == GATE_INCONCLUSIVE)
		str_addf(out, " (%s)", r->rule->fail_on_inconclusive ? "fails the job" : "a warning");
	str_add(out, " | ");
	if (judged && isfinite(r->diff))
		str_addf(out, "%+.4g [%+.4g, %+.4g]", r->diff, r->lo, r->hi);
	str_add(out, " | ");
	if (judged && r->rule->kind == GATE_NON_INFERIORITY && isfinite(r->margin))
		str_addf(out, "%.4g", r->margin);
	str_add(out, " | ");
	if (judged)
		str_addf(out, "%d against %d", r->n_cand, r->n_base);
	str_addf(out, " | %s", gate_kind_name(r->rule->kind));
	if (judged)
		str_addf(out, ", %s", gate_test_name(r->test));
	str_add(out, " | ");
	escape_markdown(out, r->why);
	str_add(out, " |\n");
}

void gate_markdown(struct str *out, const struct gate_result *results, int n)
{
	char summary[120];
	gate_summary(summary, sizeof summary, results, n);
	str_addf(out, "**%s**\n\n| gate | verdict | difference | margin | seeds | test | why |\n", summary);
	str_add(out, "|---|---|---|---|---|---|---|\n");
	for (int i = 0; i < n; i++)
		row(out, &results[i]);
}
