/* parity_metrics.c - runs every family of metric fixtures that a folder holds through the project's own code and says,
 * array by array, how far it is from the reference in double, beside how far the peer's own float32 was.
 *
 *     parity_metrics DIR [FAMILY]...
 *
 * Ends with "N passed, N failed, N skipped"; exit code 1 when anything failed or nothing passed, 2 for a bad
 * command. */
#include "tests/metrics_cases/cases.h"
#include "tests/common/formula.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	void (*run)(struct cases *c);
} families[] = {
	{ "images", family_images },
	{ "png_modes", family_png_modes },
	{ "pytorch_fid_block_stats", family_block_stats },
	{ "features", family_features },
	{ "clean_fid", family_clean },
	{ "features_A32_B32", family_feature_sets },
	{ "fid_sets_stats", family_fid_sets },
	{ "fid_synthetic", family_fid_synthetic },
	{ "kid_is_prc", family_kid_is_prc },
	{ "lpips", family_lpips },
	{ "lpips_openai_variant", family_lpips_openai },
};

/* The letter in the first picture name of a text: "A32p/0" gives 'p'; 0 when there is none. */
static char letter_in(const char *text)
{
	static const char *const kinds[] = { "A32", "B32", "C64", "D75x53", "E401x350" };
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		for (const char *p = strstr(text, kinds[i]); p; p = strstr(p + 1, kinds[i])) {
			const char *at = p + strlen(kinds[i]);
			if (*at >= 'a' && *at <= 'z' && at[1] == '/')
				return *at;
		}
	return 0;
}

/* From any JSON of the folder. */
static char find_letter(const char *dir)
{
	struct dirent **list;
	char letter = 0;
	int n = scandir(dir, &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		SCOPED(free) char *path = xstrfmt("%s/%s", dir, list[i]->d_name);
		SCOPED(str) struct str text = { 0 };
		size_t len = strlen(path);
		if (!letter && len > 5 && strcmp(path + len - 5, ".json") == 0 && io_read(&text, path, 1 << 24, NULL) == 0)
			letter = letter_in(text.data);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return letter ? letter : 'p';
}

static bool asked(int argc, char **argv, const char *name)
{
	for (int i = 2; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc == 2;
}

int main(int argc, char **argv)
{
	if (argc < 2 || !io_is_dir(argv[1])) {
		(void)fprintf(stderr, "usage: parity_metrics DIR [FAMILY]...\n");
		return 2;
	}
	struct cases c = { .dir = argv[1], .letter = find_letter(argv[1]) };
	printf("%s, pictures of seed letter '%c'\n", c.dir, c.letter);
	for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
		if (!asked(argc, argv, families[i].name))
			continue;
		printf("%s\n", families[i].name);
		families[i].run(&c);
		(void)fflush(stdout);
	}
	inception_free(c.net);
	for (int k = 0; k < 2; k++) {
		free(c.tf_features[k]);
		free(c.tf_logits[k]);
	}
	printf("%d passed, %d failed, %d skipped\n", c.passed, c.failed, c.skipped);
	return c.failed || !c.passed ? 1 : 0;
}
