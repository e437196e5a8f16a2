/* cases_images.c - stored pictures against the formula, and odd PNG and JPEG files against Pillow. */
#include "tests/metrics_cases/cases.h"

#include "metrics/sources/sources.h"
#include "tests/common/formula.h"
#include "model/data/image_decode.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* DIR/images/KIND/KIND_00017.png is picture 17 of its kind. */
static void one_kind(struct cases *c, const char *kind)
{
	SCOPED(free) char *dir = xstrfmt("%s/images/%s", c->dir, kind);
	SCOPED(source) struct source *s = NULL;
	SCOPED(image_u8) struct image_u8 im = { 0 };
	struct err e = ERR_INIT;
	if (!io_is_dir(dir)) {
		cases_skip(c, kind, "no such folder in images/; made by formula where needed");
		return;
	}
	if (source_open(&s, dir, &e)) {
		cases_broken(c, kind, &e);
		return;
	}
	int64_t wrong = 0;
	for (int64_t i = 0; i < s->n; i++) {
		SCOPED(free) char *path = source_item(s, i);
		const char *number = strrchr(path, '_');
		SCOPED(free) char *name = xstrfmt("%s%c/%ld", kind, c->letter, number ? strtol(number + 1, NULL, 10) : -1);
		int h, w;
		SCOPED(free) uint8_t *want = formula_image_named(name, &h, &w);
		if (source_read(s, i, &im, &e)) {
			cases_broken(c, name, &e);
			return;
		}
		wrong += !want || im.h != h || im.w != w || memcmp(im.px, want, (size_t)(3 * h * w)) != 0;
	}
	char what[64];
	(void)snprintf(what, sizeof what, "%lld pictures, %lld differ from the formula", (long long)s->n, (long long)wrong);
	cases_equal(c, kind, wrong == 0, what);
}

void family_images(struct cases *c)
{
	static const char *const kinds[] = { "A32", "B32", "C64", "D75x53", "E401x350" };
	SCOPED(free) char *dir = xstrfmt("%s/images", c->dir);
	if (!io_is_dir(dir)) {
		cases_skip(c, "images", "absent");
		return;
	}
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		one_kind(c, kinds[i]);
}

static void one_mode(struct cases *c, struct npz *z, const char *name)
{
	SCOPED(free) char *path = xstrfmt("%s/png_modes/%s", c->dir, name);
	SCOPED(str) struct str bytes = { 0 };
	SCOPED(image_u8) struct image_u8 im = { 0 };
	struct err e = ERR_INIT;
	int64_t n;
	SCOPED(free) double *want = cases_doubles(c, "png_modes", z, name, &n);
	if (!want)
		return;
	if (io_read(&bytes, path, SOURCE_MAX_FILE, &e) ||
	    image_u8_decode(&im, (const uint8_t *)bytes.data, bytes.len, name, &e)) {
		cases_broken(c, name, &e);
		return;
	}
	double worst = (int64_t)im.h * im.w * 3 == n ? 0 : NAN;
	for (int64_t i = 0; worst >= 0 && i < n; i++)
		worst = fmax(worst, fabs(im.px[i] - want[i]));
	cases_value(c, name, worst, 0, strstr(name, ".jp") ? 2 : 0);
}

void family_png_modes(struct cases *c)
{
	SCOPED(npz) struct npz *z = NULL;
	if (!cases_npz(&z, c, "png_modes/expected_rgb.npz"))
		return;
	for (int i = 0; i < npz_count(z); i++) {
		const char *member = npz_name(z, i);
		if (!member)
			continue;
		SCOPED(free) char *name = xstrndup(member, strlen(member) - 4);
		one_mode(c, z, name);
	}
}
