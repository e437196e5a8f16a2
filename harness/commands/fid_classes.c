/* fid_classes.c - `ablate fid --per-class`: every label is read, and classes are matched, before the first image goes
 * through a network. */
#include "harness/commands/fid_classes.h"

#include "harness/text/json_out.h"
#include "metrics/scores/metric_classes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct job {
	struct cli *c;
	struct score_side side[2];
	struct class_labels labels[2];
	struct class_match match;
	struct class_scores scores;
};

static int open_side(struct job *j, int i, struct err *e)
{
	struct score_side *s = &j->side[i];
	if (score_side_open(s, j->c, j->c->args[i], e) || (i == 0 && score_side_draw(s, j->c, e)))
		return -1;
	if (s->set.mu[FEATURE_POOL])
		return err_set(e,
		               "%s: mean and covariance alone, of all classes together; --per-class needs the images, or the "
		               "features of each image",
		               s->path);
	if (s->statistics.origin) {
		cli_warn(j->c, "%s: its mu and sigma are of all classes together; not used with --per-class", s->path);
		feature_set_release(&s->statistics);
	}
	return s->source ? source_labels(&j->labels[i], s->source, e)
	                 : class_labels_of_features(&j->labels[i], s->path, s->set.n, e);
}

static int work(struct job *j, const struct metric_options *o, struct err *e)
{
	const unsigned bits[2] = { 1u << FEATURE_POOL, 1u << FEATURE_POOL };
	if (open_side(j, 0, e) || open_side(j, 1, e) ||
	    class_match_find(&j->match, &j->labels[0], j->side[0].path, &j->labels[1], j->side[1].path, e))
		return -1;
	cli_warn_lines(j->c, str_text(&j->match.notes));
	if (score_extract(j->side, 2, j->c, bits, bits, false, e))
		return -1;
	struct metric_options on = *o;
	if (score_device_open(&on.device, j->c, e))
		return -1;
	int rc = metric_classes(&j->scores, &j->match, &j->side[0].set, &j->side[1].set, &on, e);
	backend_free(on.device);
	return rc;
}

static json_t *class_json(const struct class_score *s)
{
	char hex[64];
	(void)snprintf(hex, sizeof hex, "%a", s->value);
	return json_pack("{s:o, s:I, s:I, s:o, s:s, s:o}", "class", json_out_text(s->name), "n", (json_int_t)s->n,
	                 "n_reference", (json_int_t)s->n_reference, "value", json_out_real(s->value), "hex", hex,
	                 "half_width", json_out_real(s->half));
}

const struct json_key per_class_keys[] = {
	JSON_KEY("scores", "object[]", "the mean over classes", .of = score_keys),
	JSON_KEY("classes", "object[]", "each class"),
	JSON_KEY("classes[].class", "string", "its name"),
	JSON_KEY("classes[].n", "integer", "images of the first source", .unit = "images"),
	JSON_KEY("classes[].n_reference", "integer", "images of the second source", .unit = "images"),
	JSON_KEY("classes[].value", "number?", "FID of these"),
	JSON_KEY("classes[].hex", "string", "the same as a hexadecimal floating-point number, bit for bit"),
	JSON_KEY("classes[].half_width", "number?", "half-width of its interval; null without one"),
	JSON_KEY("a", "object", "the first source", .of = score_side_keys),
	JSON_KEY("b", "object", "the second source", .of = score_side_keys),
	{ 0 },
};

static int tell_json(const struct job *j)
{
	json_t *classes = json_array();
	for (int k = 0; k < j->scores.n; k++)
		(void)json_array_append_new(classes, class_json(&j->scores.v[k]));
	return cli_print_json(j->c,
	                      json_pack("{s:[o], s:o, s:o, s:o}", "scores", score_json(&j->scores.mean), "classes", classes,
	                                "a", score_side_json(&j->side[0]), "b", score_side_json(&j->side[1])));
}

static void tell_value(double value, double half)
{
	printf("%.6g", value);
	if (!isnan(half))
		printf(" ± %.2g", half);
}

static int tell(const struct job *j)
{
	const struct score *mean = &j->scores.mean;
	int width = (int)strlen(mean->name);
	if (mean->warning[0])
		cli_warn(j->c, "%s", mean->warning);
	if (j->c->json)
		return tell_json(j);
	for (int k = 0; k < j->scores.n; k++) {
		int n = (int)strlen(j->scores.v[k].name);
		width = n > width ? n : width;
	}
	printf("%-*s %8s %8s  FID\n", width, "class", "n of A", "n of B");
	for (int k = 0; k < j->scores.n; k++) {
		const struct class_score *s = &j->scores.v[k];
		printf("%-*s %8lld %8lld  ", width, s->name, (long long)s->n, (long long)s->n_reference);
		tell_value(s->value, s->half);
		printf("\n");
	}
	printf("%-*s %8lld %8lld  ", width, mean->name, (long long)mean->n, (long long)j->side[1].set.n);
	tell_value(mean->value, mean->half);
	printf(", the plain mean over %d class%s, lower is better\n", j->scores.n, j->scores.n == 1 ? "" : "es");
	if (mean->half_text)
		printf("±: %s\n", mean->half_text);
	printf("%s\n", mean->protocol);
	return EXIT_OK;
}

int fid_classes(struct cli *c, const struct metric_options *o)
{
	struct err e = ERR_INIT;
	struct job j = { .c = c };
	int code = work(&j, o, &e) ? cli_fail(c, &e) : tell(&j);
	for (int i = 0; i < 2; i++) {
		score_side_release(&j.side[i]);
		class_labels_release(&j.labels[i]);
	}
	class_match_release(&j.match);
	class_scores_release(&j.scores);
	return code;
}
