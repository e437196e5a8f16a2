/* gate_markdown.h - verdicts as a Markdown table, for the summary of a CI job or a comment on a change request.
 *
 *     **3 passed, 0 failed, 1 inconclusive**
 *
 *     | gate | verdict | difference | margin | seeds | test | why |
 *
 * One row per gate. The difference is candidate - baseline in the metric's units with its one-sided bounds; "cannot
 * tell" is the verdict of too few seeds, "cannot be judged" that of an error. Texts are escaped. */
#ifndef ABLATE_GATE_MARKDOWN_H
#define ABLATE_GATE_MARKDOWN_H

#include "harness/judge/gate.h"

/* Appends the summary and the table of `n` results. */
void gate_markdown(struct str *out, const struct gate_result *results, int n);

#endif
