/* test_cmd_lpips.c - `ablate lpips` and `ablate weights` as a user calls them, on formula weights. */
#include "tests/common/formula.h"
#include "tests/common/formula_weights.h"
#include "harness/commands/commands.h"
#include "harness/cli/cmd.h"
#include "model/formats/npz.h"
#include "model/base/mem.h"
#include "model/frozen/lpips.h"
#include "tests/common/json_against.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static char *dir, *backbone, *heads;

static char *save(struct safetensors *st, const char *name)
{
	struct err e = ERR_INIT;
	char *path = tempdir_file(dir, name, NULL, 0);
	cr_assert_eq(safetensors_write(path, st->tensors, st->n_tensors, NULL, 0, NULL, &e), 0, "%s", e.msg);
	formula_weights_release(st);
	return path;
}

static void setup(void)
{
	struct safetensors b = { 0 }, h = { 0 };
	char name[96];
	int n_dims;
	int64_t dims[ST_MAX_DIMS];
	dir = tempdir_make();
	cr_assert_eq(setenv("ABLATE_CACHE", dir, 1), 0);
	for (int i = 0; lpips_backbone_weight(LPIPS_SQUEEZE, i, name, &n_dims, dims); i++)
		formula_weights_add(&b, name, n_dims, dims);
	for (int i = 0; lpips_head_weight(LPIPS_SQUEEZE, i, name, &n_dims, dims); i++)
		formula_weights_add(&h, name, n_dims, dims);
	backbone = save(&b, "backbone.safetensors");
	heads = save(&h, "heads.safetensors");
	cr_redirect_stdout();
	cr_redirect_stderr();
}

static void teardown(void)
{
	tempdir_remove(dir);
	free(backbone);
	free(heads);
}

TestSuite(cmd_lpips, .init = setup, .fini = teardown);

/* Pictures first..first+n of A32 or B32 as guided-diffusion's .npz. */
static char *pictures(const char *kind, int first, int n, const char *name)
{
	enum { PER = 32 * 32 * 3 };
	SCOPED(free) uint8_t *px = xmalloc((size_t)n * PER);
	char *path = tempdir_file(dir, name, NULL, 0);
	for (int i = 0; i < n; i++) {
		char picture[32];
		int h, w;
		(void)snprintf(picture, sizeof picture, "%sp/%d", kind, first + i);
		SCOPED(free) uint8_t *one = formula_image_named(picture, &h, &w);
		memcpy(px + i * PER, one, PER);
	}
	struct npz_writer z;
	struct err e = ERR_INIT;
	cr_assert(npz_create(&z, path, &e) == 0 &&
	              npz_add(&z, "arr_0", "|u1", (int64_t[]){ n, 32, 32, 3 }, 4, px, &e) == 0 && npz_commit(&z, &e) == 0,
	          "%s", e.msg);
	return path;
}

static int call(char **words)
{
	int argc = 0;
	while (words[argc])
		argc++;
	return cli_main(&commands, argc, words);
}
#define CALL(...) call((char *[]){ (char[]){ "ablate" }, __VA_ARGS__, NULL })

static void text_of(struct str *s, FILE *f)
{
	char buf[4096];
	for (size_t n; (n = fread(buf, 1, sizeof buf, f)) > 0;)
		str_addn(s, buf, n);
}

Test(cmd_lpips, pairs_are_compared_and_described)
{
	SCOPED(free) char *a = pictures("A32", 0, 3, "a.npz"), *b = pictures("B32", 0, 3, "b.npz");
	cr_assert_eq(CALL("lpips", a, b, "--net", "squeeze", "--backbone", backbone, "--heads", heads, "--json", "-q"),
	             EXIT_OK);
	(void)fflush(stdout);
	SCOPED(str) struct str s = { 0 };
	text_of(&s, cr_get_redirected_stdout());
	json_t *j = json_loads(str_text(&s), 0, NULL);
	cr_assert(j, "%s", str_text(&s));
	json_t *schema = json_keys_schema(cmds_find(&commands, "lpips")->json);
	struct json_found found;
	(void)json_against(&found, schema, j);
	cr_assert_eq(found.n_wrong, 0, "not as its keys say:\n%s", str_text(&found.wrong));
	json_found_release(&found);
	json_decref(schema);
	const json_t *pairs = json_object_get(j, "pairs"), *layers = json_object_get(j, "layers");
	cr_assert(json_array_size(pairs) == 3 && json_array_size(layers) == 7);
	const json_t *second = json_array_get(json_object_get(j, "names"), 1);
	cr_assert(strstr(json_string_value(json_array_get(second, 0)), "a.npz[1]") &&
	          strstr(json_string_value(json_array_get(second, 1)), "b.npz[1]"));
	double mean = 0, sum = 0;
	for (size_t i = 0; i < 3; i++)
		mean += json_real_value(json_array_get(pairs, i)) / 3;
	for (size_t k = 0; k < 7; k++)
		sum += json_real_value(json_array_get(layers, k));
	cr_assert(fabs(json_real_value(json_object_get(j, "lpips")) - mean) <= 1e-12);
	cr_assert(fabs(sum - mean) <= 1e-12, "the parts add up to %g, not %g", sum, mean);
	const char *protocol = json_string_value(json_object_get(j, "protocol"));
	cr_assert(strncmp(protocol, "lpips:v0.1:squeeze@", 19) == 0 && strstr(protocol, "+heads@") &&
	              strstr(protocol, ":u8:n3"),
	          "%s", protocol);
	json_decref(j);
}

/* Pictures of two sizes compare once both are resampled, and a side that has the size already is taken as it is. A name
 * with a newline stays one line of --each. */
Test(cmd_lpips, resized_pictures_of_two_sizes_compare)
{
	struct err e = ERR_INIT;
	SCOPED(str) struct str rgb = { 0 }, small = { 0 }, out = { 0 };
	cr_assert_eq(io_read(&rgb, FIXTURES "/png_modes/rgb.png", 1 << 20, &e) ||
	                 io_read(&small, FIXTURES "/png_modes/p_short.png", 1 << 20, &e),
	             0, "%s", e.msg);
	SCOPED(free) char *x = tempdir_file(dir, "x.png", rgb.data, rgb.len);
	SCOPED(free) char *y = tempdir_file(dir, "y\nz.png", small.data, small.len);
	cr_assert_eq(
		CALL("lpips", x, y, "--net", "squeeze", "--backbone", backbone, "--heads", heads, "--resize", "32", "--each"),
		EXIT_OK);
	cr_assert_eq(CALL("lpips", x, x, "--net", "squeeze", "--backbone", backbone, "--heads", heads, "--resize", "40"),
	             EXIT_OK);
	(void)fflush(stdout);
	text_of(&out, cr_get_redirected_stdout());
	const char *text = str_text(&out), *first = strchr(text, '\n');
	cr_assert(first && strncmp(first + 1, "lpips ", 6) == 0, "two lines, not %s", text);
	cr_assert(strstr(text, "x.png  ") && strstr(text, "y z.png\n") && strstr(text, ":resize32:u8:n1"), "%s", text);
	cr_assert(strtod(text, NULL) != 0, "%s", text); /* of either sign: formula weights */
	cr_assert(strstr(text, "lpips 0.000000  lpips:") && strstr(text, ":resize40:u8:n1"), "%s", text);
}

/* As the network resamples by itself: the same number, whoever does it. */
Test(cmd_lpips, resizing_is_the_networks_own)
{
	enum { PER = 32 * 32 * 3 };
	struct err e = ERR_INIT;
	int h, w;
	SCOPED(free) char *a = pictures("A32", 0, 1, "a.npz"), *b = pictures("B32", 0, 1, "b.npz");
	SCOPED(free) uint8_t *pa = formula_image_named("A32p/0", &h, &w), *pb = formula_image_named("B32p/0", &h, &w);
	float in[2][PER];
	double want;
	for (int i = 0; i < PER; i++) {
		in[0][i] = (float)pa[i] / 127.5f - 1;
		in[1][i] = (float)pb[i] / 127.5f - 1;
	}
	struct safetensors *sb, *sh;
	struct lpips *l;
	struct lpips_options o = { .net = LPIPS_SQUEEZE, .h = 32, .w = 32, .resize = 48 };
	cr_assert_eq(safetensors_open(&sb, backbone, &e) || safetensors_open(&sh, heads, &e) ||
	                 lpips_open(&l, &o, sb, sh, &e) || lpips_run(l, &want, NULL, NULL, in[0], in[1], 1, &e),
	             0, "%s", e.msg);
	lpips_free(l);
	safetensors_free(sb);
	safetensors_free(sh);
	cr_assert_eq(CALL("lpips", a, b, "--net", "squeeze", "--backbone", backbone, "--heads", heads, "--resize", "48",
	                  "--device", "cpu", "--json", "-q"),
	             EXIT_OK);
	(void)fflush(stdout);
	SCOPED(str) struct str s = { 0 };
	text_of(&s, cr_get_redirected_stdout());
	json_t *j = json_loads(str_text(&s), 0, NULL);
	cr_assert(json_real_value(json_object_get(j, "lpips")) == want);
	json_decref(j);
}

Test(cmd_lpips, what_cannot_be_compared_is_told)
{
	SCOPED(free) char *a = pictures("A32", 0, 3, "a.npz"), *b = pictures("B32", 0, 2, "b.npz");
	cr_assert_eq(CALL("lpips", a, b, "--net", "squeeze", "--backbone", backbone, "--heads", heads), EXIT_INCOMPLETE);
	cr_assert_eq(CALL("lpips", a, a), EXIT_INCOMPLETE);
	cr_assert_eq(CALL("lpips", a, a, "--net", "resnet"), EXIT_USAGE);
	cr_assert_eq(CALL("lpips", a), EXIT_USAGE);
	SCOPED(str) struct str rgb = { 0 }, grey = { 0 };
	struct err e = ERR_INIT;
	cr_assert_eq(io_read(&rgb, FIXTURES "/png_modes/rgb.png", 1 << 20, &e), 0, "%s", e.msg);
	cr_assert_eq(io_read(&grey, FIXTURES "/png_modes/p_short.png", 1 << 20, &e), 0, "%s", e.msg);
	SCOPED(free) char *large = tempdir_file(dir, "large.png", rgb.data, rgb.len);
	SCOPED(free) char *small = tempdir_file(dir, "small.png", grey.data, grey.len);
	cr_assert_eq(CALL("lpips", large, small, "--net", "squeeze", "--backbone", backbone, "--heads", heads),
	             EXIT_INCOMPLETE);
	cr_assert_eq(CALL("lpips", small, small, "--net", "squeeze", "--backbone", backbone, "--heads", heads),
	             EXIT_INCOMPLETE);
	cr_assert_eq(CALL("lpips", a, heads, "--backbone", backbone, "--heads", heads), EXIT_INCOMPLETE);
	(void)fflush(stderr);
	SCOPED(str) struct str s = { 0 };
	text_of(&s, cr_get_redirected_stderr());
	cr_assert(strstr(str_text(&s), "has 3 pictures and"), "%s", str_text(&s));
	cr_assert(strstr(str_text(&s), "ablate weights fetch lpips-alex-backbone"), "%s", str_text(&s));
	cr_assert(strstr(str_text(&s), "small.png is 16 x 12: LPIPS compares pictures of one size"), "%s", str_text(&s));
	cr_assert(strstr(str_text(&s), "small.png: LPIPS squeeze needs pictures of at least"), "%s", str_text(&s));
}

Test(cmd_lpips, weights_are_listed_imported_and_checked)
{
	cr_assert_eq(CALL("weights", "import", "lpips-squeeze", heads, "-q"), EXIT_INCOMPLETE);
	cr_assert_eq(CALL("weights", "import", "lpips-squeeze", heads, "--other", "-q"), EXIT_OK);
	cr_assert_eq(CALL("weights", "import", "lpips-squeeze-backbone", backbone, "--other", "-q"), EXIT_OK);
	cr_assert_eq(CALL("weights", "check"), EXIT_OK);
	cr_assert_eq(CALL("weights", "check", "lpips-alex"), EXIT_INCOMPLETE);
	cr_assert_eq(CALL("weights", "import", "lpips-squeeze"), EXIT_USAGE);
	cr_assert_eq(CALL("weights", "fetch"), EXIT_USAGE);
	cr_assert_eq(CALL("weights", "steal"), EXIT_USAGE);
	cr_assert_eq(CALL("weights", "check", "lpips-resnet"), EXIT_USAGE);
	SCOPED(free) char *a = pictures("A32", 0, 1, "a.npz"), *b = pictures("B32", 0, 1, "b.npz");
	cr_assert_eq(CALL("lpips", a, b, "--net", "squeeze", "-q"), EXIT_OK, "the cache is used");
	cr_assert_eq(CALL("weights", "list", "--json"), EXIT_OK);
}
