/* score_cli.c - see score_cli.h. Everything that can be wrong with either side is found before the first image goes
 * through a network. */
#include "harness/commands/score_cli.h"

#include "harness/cli/device_option.h"
#include "harness/text/json_out.h"
#include "harness/text/terminal.h"
#include "metrics/features/published_stats.h"
#include "model/cpu/devices.h"
#include "model/config/config.h"
#include "model/base/mem.h"
#include "model/base/str.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void score_side_release(struct score_side *s)
{
	feature_set_release(&s->set);
	feature_set_release(&s->statistics);
	source_free(s->source);
	s->source = NULL;
}

int score_side_open(struct score_side *s, const struct cli *c, const char *path, struct err *e)
{
	*s = (struct score_side){ .path = path };
	const char *published = stats_named(path);
	struct feature_set found = { 0 };
	enum feature_content content;
	if (published)
		return stats_open(&s->set, published, e);
	if (feature_set_find(&found, &content, path, e))
		return -1;
	*(content == CONTENT_FEATURES ? &s->set : &s->statistics) = found;
	if (content != CONTENT_OTHER && !found.protocol[0])
		cli_warn(c, "%s: carries no protocol; make sure that it was made like the other side", path);
	if (content == CONTENT_FEATURES)
		return 0;
	if (source_find(&s->source, path, SPLIT_TRAIN, e))
		return -1;
	s->source->mixed_sizes = cli_flag(c, "mixed-sizes") > 0;
	cli_warn_lines(c, str_text(&s->source->notes));
	if (s->source->n < 2) {
		SCOPED(free) char *only = source_item(s->source, 0);
		return err_set(e, "%s: one image (%s); scores need at least 2", path, only);
	}
	return 0;
}

int score_side_draw(struct score_side *s, const struct cli *c, struct err *e)
{
	int64_t n = cli_int(c, "limit", 0);
	uint32_t seed = (uint32_t)cli_int(c, "seed", 0);
	if (!n)
		return cli_given(c, "seed") ? err_code(e, EXIT_USAGE, "--seed belongs to -n: it draws the subset") : 0;
	if (!s->source)
		return err_code(e, EXIT_USAGE, "-n %lld: %s holds features already; -n draws from pictures", (long long)n,
		                s->path);
	if (n > s->source->n)
		return err_code(e, EXIT_USAGE, "-n %lld: %s has %lld pictures", (long long)n, s->path, (long long)s->source->n);
	if (n == s->source->n)
		return 0;
	if (s->statistics.origin) {
		cli_warn(c, "%s: its mu and sigma are of all its pictures; not used with -n", s->path);
		feature_set_release(&s->statistics);
	}
	(void)protocol_drawn(s->drawn, s->source->n, seed);
	source_sample(&s->source, n, seed);
	return 0;
}

/* A loaded side with another protocol is refused before the work, not after it. */
static int check_loaded(const struct score_side *sides, int n, const struct extractor *x, struct err *e)
{
	char text[PROTOCOL_TEXT];
	protocol_features(text, x, "u8");
	for (int i = 0; i < n; i++) {
		const struct feature_set *f = sides[i].statistics.origin ? &sides[i].statistics : &sides[i].set;
		if (!f->origin)
			continue;
		if (protocol_check(f->protocol, sides[i].path, text, "the images of the other side", e))
			return -1;
		if (f->dim[FEATURE_POOL] != x->dim)
			return err_code(e, EXIT_RECORD, "%s has features of %d dimensions, but %s gives %d", sides[i].path,
			                f->dim[FEATURE_POOL], x->name, x->dim);
	}
	return 0;
}

static int extract_one(struct score_side *s, const struct cli *c, struct extractor *x, unsigned keep, unsigned want,
                       struct err *e)
{
	struct progress p;
	int64_t n = s->source->n;
	terminal_progress(&p, s->path, "images", n);
	p.quiet = c->quiet;
	struct feature_options o = { .keep = keep, .want = want, .progress = &p };
	int bad = feature_set_extract(&s->set, s->source, x, &o, e);
	memcpy(s->set.drawn, s->drawn, sizeof s->drawn);
	progress_end(&p);
	if (!bad)
		cli_verbose(c, "%s: %lld image%s in %.2f s", s->path, (long long)n, str_plural(n), monotonic_s() - p.started_s);
	source_free(s->source);
	s->source = NULL;
	return bad;
}

static int check_wanted(const struct score_side *sides, int n, const unsigned *want, const struct extractor *x,
                        struct err *e)
{
	for (int i = 0; i < n; i++) {
		if (!sides[i].source)
			continue;
		if ((want[i] & 1u << FEATURE_LOGITS) && !x->logits_dim)
			return err_code(e, EXIT_USAGE, "the extractor '%s' gives no class scores", x->name);
		if ((want[i] & 1u << FEATURE_SPATIAL) && !x->spatial_dim)
			return err_code(e, EXIT_USAGE, "the extractor '%s' gives no spatial features", x->name);
	}
	return 0;
}

static bool to_extract(const struct score_side *s, unsigned want)
{
	return s->source && (want || !s->statistics.origin);
}

int score_extract(struct score_side *sides, int n, const struct cli *c, const unsigned *keep, const unsigned *want,
                  bool optional, struct err *e)
{
	struct source *first = NULL;
	for (int i = 0; i < n && !first; i++)
		first = to_extract(&sides[i], want[i]) ? sides[i].source : NULL;
	if (!first)
		return 0;
	SCOPED(image_u8) struct image_u8 im = { 0 };
	if (!first->h && source_read(first, 0, &im, e)) /* for its size */
		return -1;
	SCOPED(extractor) struct extractor *x = NULL;
	struct extractor_options o = { .weights = cli_string(c, "weights", NULL),
		                           .resize = cli_string(c, "resize", NULL),
		                           .bf16 = cli_flag(c, "bf16") > 0,
		                           .batch = (int)cli_int(c, "batch", 0),
		                           .device = cli_string(c, "device", "auto"),
		                           .h = first->h,
		                           .w = first->w,
		                           .c = first->c,
		                           .mixed_sizes = first->mixed_sizes,
		                           .say = cli_say_line,
		                           .say_ctx = c };
	device_warn(c, "auto");
	if (extractor_open(&x, cli_string(c, "extractor", SCORE_EXTRACTOR), &o, e) || check_loaded(sides, n, x, e) ||
	    (!optional && check_wanted(sides, n, want, x, e)))
		return -1;
	for (int i = 0; i < n; i++)
		if (to_extract(&sides[i], want[i]) && extract_one(&sides[i], c, x, keep[i], want[i], e))
			return -1;
	return 0;
}

/* Of a side's two sets, the one that m is computed from: statistics where it has those that m can do with, as
 * guided-diffusion's evaluator.py does. The limit of fid_infinity is of the first set's features. */
static struct feature_set *set_of(struct score_side *s, const struct metric *m, int side)
{
	bool moments = m->needs == NEEDS_MOMENTS || (side == 1 && strcmp(m->name, "fid_infinity") == 0);
	bool given = (moments && s->statistics.mu[FEATURE_POOL]) ||
	             (m->needs == NEEDS_SPATIAL && s->statistics.mu[FEATURE_SPATIAL]);
	return given ? &s->statistics : &s->set;
}

static unsigned wanted(struct score_side *s, const struct metric *m, int side)
{
	if (side >= m->sides || set_of(s, m, side) == &s->statistics)
		return 0;
	return m->needs == NEEDS_LOGITS    ? 1u << FEATURE_LOGITS
	       : m->needs == NEEDS_SPATIAL ? 1u << FEATURE_SPATIAL
	                                   : 1u << FEATURE_POOL;
}

/* Which scores are of what, of a side that holds both. */
static void tell_use(const struct cli *c, struct score_side *s, const struct metric *const *metrics, int n, int side)
{
	SCOPED(str) struct str given = { 0 }, pictures = { 0 };
	if (!s->statistics.origin)
		return;
	for (int k = 0; k < n; k++) {
		struct str *to = set_of(s, metrics[k], side) == &s->statistics ? &given : &pictures;
		if (side < metrics[k]->sides)
			str_addf(to, "%s%s", to->len ? ", " : "", metrics[k]->name);
	}
	cli_say(c,
	        "%s holds statistics and pictures: its mu and sigma (sfid: mu_s, sigma_s) are used for %s, its %lld "
	        "pictures for %s",
	        s->path, given.len ? str_text(&given) : "no score", (long long)s->source->n,
	        pictures.len ? str_text(&pictures) : "no score");
}

/* Do these sides support m? Called after extraction. */
static const char *lacking(const struct metric *m, struct score_side *sides)
{
	for (int i = 0; i < m->sides; i++) {
		const struct feature_set *f = set_of(&sides[i], m, i);
		if (m->needs == NEEDS_LOGITS && !f->dim[FEATURE_LOGITS])
			return "class scores";
		if (m->needs == NEEDS_SPATIAL && !f->dim[FEATURE_SPATIAL])
			return "spatial features";
		if (m->needs == NEEDS_FEATURES && f->mu[FEATURE_POOL] && f == &sides[i].set)
			return "the features of each image";
	}
	return NULL;
}

const struct json_key score_keys[] = {
	JSON_KEY("metric", "string", "its name: fid, kid, is, precision, ..."),
	JSON_KEY("value", "number?", "the score; null where it is not finite"),
	JSON_KEY("hex", "string", "the same as a hexadecimal floating-point number, bit for bit"),
	JSON_KEY("half_width", "number?", "half-width of its interval; null without one"),
	JSON_KEY("half_width_is", "string?", "what half_width is; null without one"),
	JSON_KEY("no_half_width", "string?", "why there is no interval; null where there is one"),
	JSON_KEY("n", "integer?", "images that it is of; null where statistics do not say", .unit = "images"),
	JSON_KEY("better", "string?", "lower or higher; null where neither is better"),
	JSON_KEY("protocol", "string",
	         "all that a comparable value has to share: metric, extractor, preprocessing, images, reference"),
	JSON_KEY("warning", "string?", "what to know before trusting it; null for nothing"),
	JSON_KEY("parts", "object", "numbers that it is made of; none for many metrics"),
	JSON_KEY("parts.*", "number?", "the part of that name"),
	JSON_KEY("computed_by", "string?", "what computed it instead of the CPU; null for the CPU"),
	{ 0 },
};

const struct json_key score_side_keys[] = {
	JSON_KEY("path", "string", "the source, as it was given"),
	JSON_KEY("n", "integer?", "its images; null where statistics do not say", .unit = "images"),
	JSON_KEY("sha256", "string?", "of its content; null where nothing of it was read"),
	JSON_KEY("features", "string?", "protocol of its features; null where nothing of it was read"),
	JSON_KEY("drawn", "string?", "which of its images were drawn; null where all are used"),
	JSON_KEY("statistics_sha256", "string", "of the mu and sigma that it holds beside images",
	         .absent = "where it does not hold both"),
	{ 0 },
};

json_t *score_json(const struct score *s)
{
	char hex[64];
	(void)snprintf(hex, sizeof hex, "%a", s->value);
	json_t *parts = json_object();
	for (int i = 0; i < s->n_parts; i++)
		(void)json_object_set_new(parts, s->part[i].name, json_out_real(s->part[i].value));
	return json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "metric", s->name, "value",
	                 json_out_real(s->value), "hex", hex, "half_width", json_out_real(s->half), "half_width_is",
	                 json_out_text(isnan(s->half) ? NULL : s->half_text), "no_half_width",
	                 json_out_text(isnan(s->half) ? s->half_text : NULL), "n", s->n ? json_integer(s->n) : json_null(),
	                 "better",
	                 json_out_text(s->better < 0   ? "lower"
	                               : s->better > 0 ? "higher"
	                                               : NULL),
	                 "protocol", s->protocol, "warning", json_out_text(s->warning[0] ? s->warning : NULL), "parts",
	                 parts, "computed_by", json_out_text(s->computed_by[0] ? s->computed_by : NULL));
}

json_t *score_side_json(const struct score_side *s)
{
	json_t *out = json_pack("{s:s, s:o, s:o, s:o, s:o}", "path", s->path, "n",
	                        s->set.n ? json_integer(s->set.n) : json_null(), "sha256",
	                        json_out_text(s->set.sha256[0] ? s->set.sha256 : NULL), "features",
	                        json_out_text(s->set.protocol[0] ? s->set.protocol : NULL), "drawn",
	                        json_out_text(s->set.drawn[0] ? s->set.drawn : NULL));
	if (s->statistics.origin)
		(void)json_object_set_new(out, "statistics_sha256", json_out_text(s->statistics.sha256));
	return out;
}

void score_print_spread(const struct score *s)
{
	if (!isnan(s->half))
		printf(" ± %.2g (%s)", s->half, s->half_text);
}

void score_print_no_spread(const struct score *s)
{
	if (isnan(s->half) && s->half_text)
		printf("; no interval: %s", s->half_text);
}

const struct json_key scores_keys[] = {
	JSON_KEY("scores", "object[]", "the scores", .of = score_keys),
	JSON_KEY("a", "object", "the first source", .of = score_side_keys),
	JSON_KEY("b", "object", "the second source", .absent = "where there is one source", .of = score_side_keys),
	{ 0 },
};
const struct json_form score_forms[] = { JSON_FORM("", scores_keys), { 0 } };

static int tell(const struct cli *c, const struct score_list *list, const struct score_side *sides, int n_sides)
{
	for (int i = 0; i < list->n; i++)
		if (list->v[i].warning[0] && (i == 0 || strcmp(list->v[i].warning, list->v[i - 1].warning) != 0))
			cli_warn(c, "%s", list->v[i].warning);
	if (c->json) {
		json_t *scores = json_array(), *out = json_object();
		for (int i = 0; i < list->n; i++)
			(void)json_array_append_new(scores, score_json(&list->v[i]));
		(void)json_object_set_new(out, "scores", scores);
		(void)json_object_set_new(out, "a", score_side_json(&sides[0]));
		if (n_sides > 1)
			(void)json_object_set_new(out, "b", score_side_json(&sides[1]));
		return cli_print_json(c, out);
	}
	for (int i = 0; i < list->n; i++) {
		const struct score *s = &list->v[i];
		printf("%-13s %.6g", s->name, s->value);
		score_print_spread(s);
		if (s->n)
			printf(", n %lld", (long long)s->n);
		printf(", %s is better", s->better < 0 ? "lower" : "higher");
		score_print_no_spread(s);
		printf("\n%13s %s\n", "", s->protocol);
	}
	return EXIT_OK;
}

int score_device_open(struct backend **out, const struct cli *c, struct err *e)
{
	if (backend_open(out, cli_string(c, "device", "auto"), DTYPE_FP32, e))
		return -1;
	if ((*out)->ops->host_memory) /* the CPU's is never freed */
		*out = NULL;
	return 0;
}

/* The same; NULL also where no distance is wanted. */
static int open_device(struct backend **out, const struct cli *c, const struct metric *const *metrics, int n,
                       struct err *e)
{
	bool distance = false;
	for (int k = 0; k < n; k++)
		distance |= strstr(metrics[k]->name, "fid") != NULL;
	*out = NULL;
	return distance ? score_device_open(out, c, e) : 0;
}

static int compute(struct score_list *list, struct score_side *sides, int n_sides, const struct cli *c,
                   const struct metric *const *metrics, int n, bool optional, const struct metric_options *o,
                   struct err *e)
{
	unsigned keep[2] = { 0 }, want[2] = { 0 };
	for (int i = 0; i < n_sides; i++) {
		if (score_side_open(&sides[i], c, c->args[i], e) || (i == 0 && score_side_draw(&sides[i], c, e)))
			return -1;
		for (int k = 0; k < n; k++) {
			unsigned bits = wanted(&sides[i], metrics[k], i);
			keep[i] |= bits ? metric_keep(metrics[k], i, o) : 0;
			want[i] |= bits;
		}
		tell_use(c, &sides[i], metrics, n, i);
	}
	if (score_extract(sides, n_sides, c, keep, want, optional, e))
		return -1;
	struct metric_options on = *o;
	if (open_device(&on.device, c, metrics, n, e))
		return -1;
	int rc = 0;
	for (int k = 0; rc == 0 && k < n; k++) {
		const char *what = optional ? lacking(metrics[k], sides) : NULL;
		if (what)
			cli_say(c, "%s left out: it needs %s", metrics[k]->name, what);
		else
			rc = metric_run(list, metrics[k], set_of(&sides[0], metrics[k], 0),
			                n_sides > 1 ? set_of(&sides[1], metrics[k], 1) : NULL, &on, e);
	}
	backend_free(on.device);
	if (rc)
		return -1;
	return list->n ? 0 : err_set(e, "none of the scores can be computed from these sources");
}

int score_command(struct cli *c, const struct metric *const *metrics, int n, bool optional,
                  const struct metric_options *o)
{
	struct err e = ERR_INIT;
	struct score_side sides[2] = { { 0 }, { 0 } };
	struct score_list list = { .n = 0 };
	int code = compute(&list, sides, c->n_args, c, metrics, n, optional, o, &e) ? cli_fail(c, &e)
	                                                                            : tell(c, &list, sides, c->n_args);
	for (int i = 0; i < c->n_args; i++)
		score_side_release(&sides[i]);
	return code;
}
