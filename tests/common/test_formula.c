/* test_formula.c - the fixture formulas give their published known answers. */
#include "tests/common/formula.h"
#include "model/base/mem.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

Test(formula, hash_known_answers)
{
	cr_assert_eq(formula_fnv(""), 0xcbf29ce484222325u);
	cr_assert_eq(formula_fnv("Conv2d_1a_3x3.conv.weight"), 0xb233eed710c5459du);
	cr_assert_eq(formula_splitmix(0), 0xe220a8397b1dcdafu);
	cr_assert_eq(formula_splitmix(UINT64_MAX), 0xe4d971771b652c20u);
	cr_assert_eq(formula_u("Conv2d_1a_3x3.conv.weight", 0), -0.32240772247314453);
}

static uint32_t weight_bits(const char *key, const int64_t *dims, int n_dims, size_t at)
{
	size_t n = 1;
	for (int i = 0; i < n_dims; i++)
		n *= (size_t)dims[i];
	SCOPED(free) float *w = xmalloc(n * sizeof *w);
	formula_weight(w, key, dims, n_dims);
	uint32_t bits;
	memcpy(&bits, &w[at], 4);
	return bits;
}

Test(formula, weight_known_answers)
{
	static const int64_t conv[] = { 32, 3, 3, 3 }, bn[] = { 32 }, fc[] = { 1008, 2048 }, fcb[] = { 1008 };
	static const int64_t alex[] = { 64, 3, 11, 11 };
	cr_assert_eq(weight_bits("Conv2d_1a_3x3.conv.weight", conv, 4, 863), 0xbd837f07u);
	cr_assert_eq(weight_bits("Conv2d_1a_3x3.bn.weight", bn, 1, 0), 0x3f83b77fu);
	cr_assert_eq(weight_bits("Conv2d_1a_3x3.bn.bias", bn, 1, 0), 0x3d7a5a96u);
	cr_assert_eq(weight_bits("Conv2d_1a_3x3.bn.running_mean", bn, 1, 0), 0x3daf5812u);
	cr_assert_eq(weight_bits("Conv2d_1a_3x3.bn.running_var", bn, 1, 0), 0x3f901a87u);
	cr_assert_eq(weight_bits("fc.weight", fc, 2, 2064383), 0xbc60c697u);
	cr_assert_eq(weight_bits("fc.bias", fcb, 1, 0), 0xbb9276e6u);
	cr_assert_eq(weight_bits("features.0.weight", alex, 4, 0), 0x3dbb57aeu);
}

Test(formula, image_known_answers)
{
	static const struct {
		const char *name;
		uint64_t wsum;
	} want[] = {
		{ "A32p/0", 0xf0f09a896d38c192u }, { "A32p/299", 0x2246f0762a7fcb14u },  { "B32p/0", 0x3dfc373d6ffb488cu },
		{ "C64p/0", 0x9482cafcd322d6a1u }, { "D75x53p/0", 0x0d232a992aeb737fu }, { "E401x350p/0", 0x699f54d3820a23bau },
		{ "A32h/0", 0x63b7ec200567c814u },
	};
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		int h, w;
		uint8_t *px = formula_image_named(want[i].name, &h, &w);
		cr_assert(px, "%s", want[i].name);
		cr_assert_eq(formula_wsum_u8(px, (size_t)(3 * h * w)), want[i].wsum, "%s", want[i].name);
		free(px);
	}
	int h, w;
	cr_assert_null(formula_image_named("Z9p/0", &h, &w));
	cr_assert_null(formula_image_named("A32p", &h, &w));
}

Test(formula, vector_known_answers)
{
	enum { N = 4096, D = 64 };
	SCOPED(free) double *x = xmalloc(sizeof(double) * N * D);
	formula_ih12(x, "synXp.g", N, D);
	double sum = 0;
	for (int i = 0; i < N * D; i++)
		sum += x[i];
	cr_assert_eq(x[0], 0.13301366567611694);
	cr_assert_eq(x[N * D - 1], -0.42557257413864136);
	cr_assert(fabs(sum - 176.24706143140793) <= 1e-9);
	formula_lower(x, "synXp.L", D);
	cr_assert_eq(x[63 * D + 62], -0.064691492915153498);
	formula_set(x, "synXp", N, D);
	cr_assert(fabs(x[0] - -0.8168648665066115) <= 1e-14);
	cr_assert(fabs(x[N * D - 1] - 1.2707786467644098) <= 1e-14);
}
