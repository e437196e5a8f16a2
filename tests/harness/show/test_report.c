/* test_report.c - the HTML report: everything inside, everything escaped, links that lead somewhere, small and quick.
 * With ABLATE_KEEP_REPORT=DIR the files are left there, for tests/e2e/report.sh to open in a browser. */
#include "model/data/dataset.h"
#include "model/data/png_grid.h"
#include "harness/show/report.h"
#include "model/base/io.h"
#include "model/base/progress.h"
#include "tests/common/study_fixture.h"

#include <jansson.h>

static struct fixture_result all_done(int arm, int64_t seed)
{
	struct fixture_result r = fixture_default(arm, seed);
	r.state = "done", r.reason = "";
	return r;
}

/* A sample picture of each arm's first seed, as a worker leaves it, for 1 to n_nfe sampling steps. */
static void add_pictures_of(struct db *db, const struct plan *p, const char *runs, int n_nfe)
{
	OK(db_begin(db, e));
	for (int k = 0; k < n_nfe * p->n_cells; k += p->grid->seeds.n_train) {
		struct png_grid *g;
		char attempt[64], hash[SHA256_HEX];
		int i = k % p->n_cells, nfe = k / p->n_cells + 1;
		snprintf(attempt, sizeof attempt, "%08d-0000-4000-8000-000000000000", i);
		SCOPED(free) char *dir = xstrfmt("%s/%.12s/%s", runs, p->cells[i].hash, attempt);
		SCOPED(free) char *name = xstrfmt("picture-%d.png", nfe), *path = xstrfmt("%s/%s", dir, name);
		SCOPED(free) char *role = xstrfmt("picture@%d", nfe);
		OK(io_mkdirs(dir, e));
		OK(png_grid_open(&g, path, 4, 4, 16, 16, 3, 1, e));
		for (int t = 0; t < 16; t++) {
			uint8_t px[16 * 16 * 3];
			for (int j = 0; j < 16 * 16 * 3; j++)
				px[j] = (uint8_t)(16 * t + j % 3 * 60 + 8 * i + 40 * nfe + j / 48);
			OK(png_grid_add(g, px, e));
		}
		OK(png_grid_close(g, e));
		OK(io_sha256_file(hash, path, e));
		OK(db_exec(db, e, "INSERT OR IGNORE INTO artifact(hash, kind, name) VALUES(?, 'picture', ?)", "ss", hash,
		           name));
		OK(db_exec(db, e, "INSERT INTO output(attempt, role, artifact) VALUES(?, ?, ?)", "sss", attempt, role, hash));
	}
	OK(db_commit(db, e));
}

static void add_pictures(struct db *db, const struct plan *p, const char *runs)
{
	add_pictures_of(db, p, runs, 1);
}

static void keep(const char *name, const struct str *html)
{
	const char *dir = getenv("ABLATE_KEEP_REPORT");
	if (!dir)
		return;
	SCOPED(free) char *path = xstrfmt("%s/%s", dir, name);
	OK(io_write_atomic(path, html->data, html->len, e));
}

/* The whole of a report over that grid; gates judged; with pictures if asked. */
static void make(struct str *html, const char *toml, fixture_fn *fn, int points, bool pictures)
{
	struct plan *p = fixture_plan(toml);
	struct db *db = fixture_db("report.db", p, fn, points);
	struct study *s;
	struct gates g;
	SCOPED(published) struct published *pub = NULL;
	char *runs = TMP("report.db-runs");
	if (pictures)
		add_pictures(db, p, runs);
	OK(published_read(&pub, NULL, e));
	OK(study_load(&s, p, db, e));
	OK(gates_judge(&g, s, &(struct gates_ask){ .baselines = "/nonexistent" }, e));
	OK(report_html(
		html, s,
		&(struct report_ask){
			.command = "ablate report <four>.toml", .runs = runs, .version = "ablate 0", .gates = &g, .pub = pub },
		e));
	gates_release(&g);
	study_free(s);
	db_close(db);
	plan_free(p);
}

static json_t *data_of(const struct str *html)
{
	static const char open[] = "<script type=\"application/json\" id=\"data\">";
	const char *from = strstr(html->data, open);
	cr_assert_not_null(from);
	from += sizeof open - 1;
	const char *to = strstr(from, "</script>");
	json_error_t je;
	json_t *j = json_loadb(from, (size_t)(to - from), 0, &je);
	cr_assert_not_null(j, "%s at %d", je.text, je.position);
	return j;
}

Test(report, holds_every_section_and_escapes_what_comes_from_outside)
{
	SCOPED(str) struct str html = { 0 };
	make(&html, fixture_grid, fixture_default, 40, true);
	keep("four.html", &html);
	static const char *const sections[] = {
		"overview", "tables", "gates", "charts", "samples", "cells", "page", "data"
	};
	for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
		SCOPED(free) char *id = xstrfmt("id=\"%s\"", sections[i]);
		cr_assert_not_null(strstr(html.data, id), "%s", id);
	}
	static const char *const never[] = { "<i>50%",   "out of <memory>", "a <b>CPU", "<four>", "http://",
		                                 "https://", "<script src",     "@import",  "nan" };
	for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
		const char *at = strstr(html.data, never[i]);
		/* the script names SVG's namespace, and that is not an address */
		cr_assert(!at || (strcmp(never[i], "http://") == 0 && strncmp(at, "http://www.w3.org/2000/svg", 26) == 0),
		          "%.60s", at);
	}
	cr_assert_not_null(strstr(html.data, "uniform noise &amp; &lt;i&gt;50%&lt;/i&gt;"));
	cr_assert_not_null(strstr(html.data, "out of &lt;memory&gt;"));
	json_t *j = data_of(&html);
	cr_assert_eq(json_array_size(json_object_get(j, "cells")), 12);
	cr_assert_eq(json_array_size(json_object_get(j, "arms")), 4);
	json_t *cell = json_array_get(json_object_get(j, "cells"), 0),
		   *loss = json_object_get(json_object_get(cell, "curves"), "loss");
	json_t *steps = json_array_get(json_object_get(j, "steps"), (size_t)json_integer_value(json_array_get(loss, 0)));
	cr_assert_eq(json_array_size(json_array_get(loss, 1)), 40);
	cr_assert_eq(json_array_size(steps), 40);
	cr_assert_eq(json_integer_value(json_array_get(steps, 1)), 20);
	json_decref(j);
}

Test(report, links_within_the_file_lead_somewhere)
{
	SCOPED(str) struct str html = { 0 };
	make(&html, fixture_grid, all_done, 3, true);
	json_t *j = data_of(&html);
	int links = 0;
	for (const char *at = strstr(html.data, "href=\"#"); at; at = strstr(at + 1, "href=\"#")) {
		char name[80];
		size_t n = strcspn(at + 7, "\"");
		cr_assert(n < sizeof name);
		memcpy(name, at + 7, n);
		name[n] = '\0';
		links++;
		if (strncmp(name, "cell-", 5) == 0) {
			bool found = false;
			size_t i;
			json_t *c;
			json_array_foreach(json_object_get(j, "cells"), i, c)
				found = found || strncmp(json_string_value(json_object_get(c, "h")), name + 5, 12) == 0;
			cr_assert(found, "%s", name);
			continue;
		}
		SCOPED(free) char *id = xstrfmt("id=\"%s\"", name);
		cr_assert_not_null(strstr(html.data, id), "%s", id);
	}
	cr_assert_gt(links, 16);
	json_decref(j);
}

Test(report, the_same_database_gives_the_same_bytes)
{
	SCOPED(str) struct str a = { 0 }, b = { 0 };
	struct plan *p = fixture_plan(fixture_grid);
	struct db *db = fixture_db("same.db", p, fixture_default, 5);
	for (int i = 0; i < 2; i++) {
		struct study *s;
		OK(study_load(&s, p, db, e));
		OK(report_html(i ? &b : &a, s, &(struct report_ask){ .command = "x", .runs = "", .version = "v" }, e));
		study_free(s);
	}
	cr_assert(a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
	db_close(db);
	plan_free(p);
}

Test(report, nothing_run_yet_is_a_report_too)
{
	struct plan *p = fixture_plan(fixture_grid);
	struct study *s;
	SCOPED(str) struct str html = { 0 };
	OK(study_load(&s, p, NULL, e));
	OK(report_html(&html, s, &(struct report_ask){ .command = "x", .runs = "", .version = "v" }, e));
	json_decref(data_of(&html));
	cr_assert_null(strstr(html.data, "id=\"samples\""));
	/* an empty chart is a sentence, not axes */
	cr_assert_not_null(strstr(html.data, "Nothing to draw yet: loss, chain single."));
	cr_assert_not_null(strstr(html.data, "Nothing to draw yet: metric by arm, chain single."));
	cr_assert_not_null(strstr(html.data, "<figcaption>noise levels, chain single</figcaption>"));
	keep("empty.html", &html);
	study_free(s);
	plan_free(p);
}

/* Two lengths of training, two numbers of sampling steps, a label that would like to be a script, and a repetition of
 * the first cells by a later build of another commit. */
static const char rich_grid[] = "schema = 1\n"
								"[grid]\n"
								"name = \"rich\"\n"
								"seeds = { train = [1, 2, 3], eval = [101, 102], paired = true }\n"
								"[base]\n"
								"preset = \"ict-cifar10-small\"\n"
								"[[axis]]\n"
								"key = \"train.steps\"\n"
								"values = [1000, 2000]\n"
								"[[axis]]\n"
								"key = \"loss.kind\"\n"
								"values = [\"pseudo-huber\", \"l2\"]\n"
								"[[include]]\n"
								"label = \"\\\"><script>alert(1)</script><img src=x>\"\n"
								"set = { \"noise.dist\" = \"uniform\", \"net.patch\" = 2 }\n"
								"[[metric]]\n"
								"name = \"fid\"\n"
								"samples = 10000\n"
								"nfe = [1, 2]\n";

static void repeat_by_another_build(struct db *db, const struct plan *p)
{
	OK(db_begin(db, e));
	OK(db_exec(db, e, "INSERT INTO env VALUES(?, '{\"commit\":\"def456\"}')", "s",
	           "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"));
	for (int i = 0; i < 3; i++) {
		char attempt[64];
		snprintf(attempt, sizeof attempt, "%08d-0000-4000-9000-000000000000", i);
		OK(db_exec(
			db, e,
			"INSERT INTO attempt(id, cell, n, purpose, state, started, ended, step, wall_s, env, fingerprint) "
			"VALUES(?, ?, 2, 'verify', 'done', '2026-02-01T00:00:00.000Z', '2026-02-01T00:10:00.000Z', 1000, 600, "
			"?, ?)",
			"ssss", attempt, p->cells[i].hash, "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
			"feedfeedfeedfeedfeedfeedfeedfeedfeedfeedfeedfeedfeedfeedfeedfeed"));
		fixture_metric(db, attempt, "fid", 1, 1000, 101, 9.5 + 0.1 * i,
		               "fid:inception-2015:tf-bilinear:u8:n10000:ref=cifar10-train");
	}
	OK(db_commit(db, e));
}

Test(report, shows_what_only_some_studies_have)
{
	struct plan *p = fixture_plan(rich_grid);
	struct db *db = fixture_db("rich.db", p, all_done, 30);
	struct study *s;
	SCOPED(str) struct str html = { 0 };
	char *runs = TMP("rich.db-runs");
	add_pictures_of(db, p, runs, 2);
	repeat_by_another_build(db, p);
	OK(study_load(&s, p, db, e));
	OK(report_html(&html, s, &(struct report_ask){ .command = "x", .runs = runs, .version = "v" }, e));
	keep("rich.html", &html);
	/* pictures of each arm at both numbers of steps, by arm and seed */
	cr_assert_not_null(strstr(html.data, "<figure data-arm=\"4\" data-nfe=\"2\" data-seed=\"1\"><img alt="));
	/* builds in order of time, the repetition among them, and each score with the build that made it */
	const char *old = strstr(html.data, "<td><code>abc123</code></td>"),
			   *new = strstr(html.data, "<td><code>def456</code></td><td><code>feedfeedfeed</code></td>");
	cr_assert(old && new &&old < new);
	json_t *j = data_of(&html), *history = json_object_get(j, "history"), *point;
	size_t i, repeated = 0;
	cr_assert_eq(json_integer_value(json_object_get(history, "builds")), 2);
	json_array_foreach(json_object_get(history, "points"), i, point)
		repeated += json_integer_value(json_array_get(point, 1)) == 1;
	cr_assert_eq(repeated, 3);
	/* an arm has what differs from the first, and what a paper says where it differs: nothing that no paper says */
	json_t *arm = json_array_get(json_object_get(j, "arms"), 3), *set = json_object_get(arm, "set"), *number;
	cr_assert_eq(json_object_size(set), 2);
	cr_assert_str_eq(json_string_value(json_object_get(set, "loss.kind")), "l2");
	cr_assert_eq(json_integer_value(json_object_get(set, "train.steps")), 2000);
	bool steps = false;
	json_array_foreach(json_object_get(j, "papers"), i, number)
		cr_assert(json_string_length(json_array_get(number, 2)), "%s", json_string_value(json_array_get(number, 0)));
	json_array_foreach(json_object_get(arm, "papers"), i, number)
	{
		json_t *said = json_array_get(json_object_get(j, "papers"), (size_t)json_integer_value(number));
		steps = steps || strcmp(json_string_value(json_array_get(said, 0)), "train.steps") == 0;
	}
	cr_assert(steps);
	cr_assert_null(strstr(html.data, "<script>alert"));
	cr_assert_null(strstr(html.data, "<img src=x"));
	json_decref(j);
	study_free(s);
	db_close(db);
	plan_free(p);
}

/* What does not fit is a link to the file where one leads there, with every character that an address cannot have
 * escaped; else a sentence. Nothing is left out without a word. */
Test(report, pictures_beyond_the_limit_are_links)
{
	SCOPED(str) struct str big = { 0 };
	struct plan *p = fixture_plan(fixture_grid);
	struct db *db = fixture_db("links.db", p, all_done, 2);
	struct study *s;
	char *runs = TMP("links.db-runs");
	add_pictures(db, p, runs);
	SCOPED(free)
	char *path = xstrfmt("%s/%.12s/00000003-0000-4000-8000-000000000000/picture-1.png", runs, p->cells[3].hash);
	for (int i = 0; i < REPORT_PICTURES_MAX; i++)
		str_addc(&big, 'x');
	OK(io_write_atomic(path, big.data, big.len, e));
	OK(study_load(&s, p, db, e));
	for (int linked = 0; linked < 2; linked++) {
		SCOPED(str) struct str html = { 0 };
		OK(report_html(&html, s,
		               &(struct report_ask){
						   .command = "x", .runs = runs, .runs_link = linked ? "a b#.db-runs" : NULL, .version = "v" },
		               e));
		SCOPED(free)
		char *link = xstrfmt("<a href=\"a%%20b%%23.db-runs/%.12s/00000003-0000-4000-8000-000000000000/"
		                     "picture-1.png\">picture</a>",
		                     p->cells[3].hash);
		cr_assert_eq(strstr(html.data, link) != NULL, linked == 1);
		cr_assert_eq(strstr(html.data, "left out to keep the file small") != NULL, linked == 0);
		cr_assert_not_null(strstr(html.data, "<figure data-arm=\"2\" data-nfe=\"1\" data-seed=\"1\"><img alt="));
	}
	study_free(s);
	db_close(db);
	plan_free(p);
}

static struct fixture_result mixed(int arm, int64_t seed)
{
	struct fixture_result r = all_done(arm, seed);
	r.protocol = arm ? "fid:<other>" : "fid:one";
	return r;
}

Test(report, a_refused_table_says_why_in_its_place)
{
	SCOPED(str) struct str html = { 0 };
	make(&html, fixture_grid, mixed, 2, false);
	cr_assert_not_null(strstr(html.data, "mixes protocols"));
	cr_assert_not_null(strstr(html.data, "fid:&lt;other&gt;"));
}

/* Beside samples stand images of the very data that was trained on, by its recorded hash, or a sentence; and a sample
 * that was changed since is not shown. */
Test(report, real_images_and_samples_are_those_of_the_record)
{
	static const char toml[] = "schema = 1\n[grid]\nname = \"real\"\nseeds = { train = [1], eval = [7] }\n"
							   "[base]\npreset = \"ict-cifar10-tiny\"\ndata.name = \"shapes8\"\nnet.attn = []\n"
							   "[[metric]]\nname = \"fid\"\nsamples = 100\nnfe = [1]\nref = \"shapes8-train\"\n"
							   "extractor = \"pixels\"\n";
	struct plan *p = fixture_plan(toml);
	struct dataset d;
	OK(dataset_open(&d, "shapes8", SPLIT_TRAIN, e));
	for (int changed = 0; changed < 3; changed++) { /* nothing, the data, the sample too */
		SCOPED(str) struct str html = { 0 };
		SCOPED(free) char *name = xstrfmt("real-%d.db", changed), *folder = xstrfmt("%s-runs", name);
		struct db *db = fixture_db(name, p, all_done, 2);
		struct study *s;
		char *runs = TMP(folder);
		const char *hash = changed ? "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" : d.sha256;
		add_pictures(db, p, runs);
		OK(db_exec(db, e, "INSERT INTO artifact(hash, kind, name) VALUES(?, 'dataset', 'shapes8')", "s", hash));
		OK(db_exec(db, e, "INSERT INTO input VALUES('00000000-0000-4000-8000-000000000000', 'dataset', ?)", "s", hash));
		if (changed == 2) {
			SCOPED(free)
			char *path = xstrfmt("%s/%.12s/00000000-0000-4000-8000-000000000000/picture-1.png", runs, p->cells[0].hash);
			OK(io_write_atomic(path, "x", 1, e));
		}
		OK(study_load(&s, p, db, e));
		OK(report_html(&html, s, &(struct report_ask){ .command = "x", .runs = runs, .version = "v" }, e));
		cr_assert_eq(strstr(html.data, "alt=\"real images of shapes8\" src=\"data:image/png") != NULL, changed == 0);
		cr_assert_eq(strstr(html.data, "shapes8 on this machine is not the data that was trained on") != NULL,
		             changed != 0);
		cr_assert_eq(strstr(html.data, "<img alt=\"samples of base, 1 step\"") != NULL, changed < 2);
		cr_assert_eq(strstr(html.data, "The file is not what was recorded.") != NULL, changed == 2);
		cr_assert_not_null(strstr(html.data, "derive from the evaluation seed alone (7)"));
		study_free(s);
		db_close(db);
	}
	dataset_release(&d);
	plan_free(p);
}

/* A grid of an axis of that many values besides the four arms, all done; *html: its report. Returns the cells. */
static int of_many_arms(struct str *html, const char *stop, int points, double *took, const char *kept_as)
{
	SCOPED(str) struct str toml = { 0 };
	str_addf(&toml, "%s[[axis]]\nkey = \"loss.c\"\nrange = { start = 0.001, stop = %s, step = 0.001 }\n", fixture_grid,
	         stop);
	struct plan *p = fixture_plan(str_text(&toml));
	struct db *db = fixture_db(kept_as, p, all_done, points);
	struct study *s;
	double start = monotonic_s();
	OK(study_load(&s, p, db, e));
	OK(report_html(html, s, &(struct report_ask){ .command = "x", .runs = "", .version = "v" }, e));
	*took = monotonic_s() - start;
	int n = p->n_cells;
	cr_log_info("%d cells: %.2f s, %.2f MB", n, *took, (double)html->len / 1e6);
	keep(kept_as, html);
	study_free(s);
	db_close(db);
	plan_free(p);
	return n;
}

/* Issue: 1,000 cells under 2 s and under 10 MB. The time here is for a machine that others use as well. */
Test(report, a_thousand_cells_stay_small)
{
	SCOPED(str) struct str html = { 0 };
	double took;
	cr_assert_geq(of_many_arms(&html, "0.330", 100, &took, "many.html"), 1000);
	cr_assert_lt(html.len, 10u << 20, "%zu bytes", html.len);
#ifndef ABLATE_SANITIZED
	cr_assert_lt(took, 6, "%.2f s", took);
#endif
}

/* What cells share is there once, and curves have fewer points, so that ten times the cells are no ten times the bytes;
 * and a browser has to lay out one page of them only, before any script has run. */
Test(report, ten_thousand_cells_come_in_pages)
{
	SCOPED(str) struct str html = { 0 };
	double took;
	size_t hidden = 0;
	int n = of_many_arms(&html, "3.330", 60, &took, "very-many.html");
	cr_assert_geq(n, 10000);
	cr_assert_lt(html.len, 14u << 20, "%zu bytes", html.len);
	for (const char *at = strstr(html.data, "\" hidden><th scope=\"row\">"); at;
	     at = strstr(at + 1, "\" hidden><th scope=\"row\">"))
		hidden++;
	cr_assert_eq(hidden, (size_t)n - 200);
	json_t *j = data_of(&html);
	json_t *loss = json_object_get(json_object_get(json_array_get(json_object_get(j, "cells"), 9999), "curves"),
	                               "loss");
	cr_assert_eq(json_array_size(json_array_get(loss, 1)), 20); /* every third: there is room for 29 of the 60 */
	json_decref(j);
}
