/* cmd-features.c - `ablate features`: the features of a source as an .npz, for later scores here or elsewhere. */
#include "harness/text/json_out.h"
#include "harness/commands/score_cli.h"
#include "metrics/sources/class_match.h"

#include <stdio.h>

static const struct opt options[] = {
	SCORE_EXTRACTOR_OPTIONS,
	{ .name = "output", .letter = 'o', .kind = OPT_STRING, .arg = "F.npz", .help = "file to write (required)" },
	{ .name = "stats-only", .kind = OPT_FLAG, .help = "mu and sigma alone: the reference statistics of pytorch-fid" },
	{ .name = "logits", .kind = OPT_FLAG, .help = "class scores too, for the Inception Score" },
	{ .name = "spatial", .kind = OPT_FLAG, .help = "spatial features too, for sFID" },
	{ .name = "labels", .kind = OPT_FLAG, .help = "class labels too, as numbers, for `ablate fid --per-class`" },
	{ 0 },
};

/* The classes of the pictures as the numbers that they count as against other numbers. */
static int read_labels(int32_t **out, struct source *s, const struct cli *c, struct err *e)
{
	SCOPED(class_labels) struct class_labels l = { 0 };
	SCOPED(str) struct str notes = { 0 };
	if (source_labels(&l, s, e))
		return -1;
	SCOPED(free) int32_t *number = xcalloc((size_t)l.n_names + 1, sizeof *number);
	if (l.name && class_names_to_numbers(number, &l, s->path, &notes, e))
		return -1;
	for (int64_t i = 0; l.name && i < l.n; i++)
		l.of[i] = number[l.of[i]];
	cli_warn_lines(c, str_text(&notes));
	*out = l.of;
	l.of = NULL;
	return 0;
}

static int work(struct score_side *s, const struct cli *c, const char *path, struct err *e)
{
	bool all = !cli_flag(c, "stats-only");
	unsigned bits = 1u << FEATURE_POOL | (cli_flag(c, "logits") ? 1u << FEATURE_LOGITS : 0) |
	                (cli_flag(c, "spatial") ? 1u << FEATURE_SPATIAL : 0),
			 keep = all ? bits : 0;
	if (score_side_open(s, c, c->args[0], e))
		return -1;
	if (!s->source)
		return err_code(e, EXIT_USAGE, "%s: already holds features", c->args[0]);
	if (s->statistics.origin)
		cli_warn(c, "%s: its own mu and sigma are not used; the features are those of its pictures", c->args[0]);
	SCOPED(free) int32_t *labels = NULL;
	if (io_atomic_possible(path, e) || score_side_draw(s, c, e) ||
	    (cli_flag(c, "labels") && read_labels(&labels, s->source, c, e)) ||
	    score_extract(s, 1, c, &keep, &bits, false, e))
		return -1;
	s->set.labels = labels;
	labels = NULL;
	return feature_set_save(&s->set, path, all, e);
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	struct score_side s = { 0 };
	const char *path = cli_string(c, "output", NULL);
	if (!path)
		return cli_usage(c, "-o F.npz is missing: the file to write the features to");
	if (cli_flag(c, "labels") && cli_flag(c, "stats-only"))
		return cli_usage(c, "--labels belong to features; leave --stats-only out");
	int code;
	if (work(&s, c, path, &e)) {
		code = cli_fail(c, &e);
	} else if (c->json) {
		code = cli_print_json(c,
		                      json_pack("{s:s, s:I, s:i, s:s, s:s}", "output", path, "n", (json_int_t)s.set.n, "dim",
		                                s.set.dim[FEATURE_POOL], "features", s.set.protocol, "sha256", s.set.sha256));
	} else {
		printf("%s: %lld x %d, %s\n", path, (long long)s.set.n, s.set.dim[FEATURE_POOL], s.set.protocol);
		code = EXIT_OK;
	}
	score_side_release(&s);
	return code;
}

static const struct json_key json_keys[] = {
	JSON_KEY("output", "string", "the file that was written"),
	JSON_KEY("n", "integer", "images", .unit = "images"),
	JSON_KEY("dim", "integer", "dimensions of the features"),
	JSON_KEY("features", "string", "their protocol"),
	JSON_KEY("sha256", "string", "of the images"),
	{ 0 },
};

static const struct json_form json[] = { JSON_FORM("", json_keys), { 0 } };

const struct cmd cmd_features = {
	.name = "features",
	.args = "A",
	.summary = "write the features of a set of images",
	.help = SCORE_SOURCES_HELP
	"\n\nThe file holds features, mu, sigma, n, and the protocol, with --labels the classes too; "
	"pytorch-fid reads it as statistics.",
	.options = options,
	.computes = true,
	.json = json,
	.run = run,
};
