/* test_train_classifier.c - the two committed classifiers must share nothing: each sees its half of the training split
 * alone. A split whose even pictures are of one class and whose odd ones are of another shows which half was seen. */
#include "model/train/train_classifier.h"
#include "model/base/mem.h"
#include "model/cpu/devices.h"
#include "model/data/dataset_set.h"
#include "model/nets/classifier.h"
#include "model/train/model.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { SIDE = 8, N_TRAIN = 64, N_TEST = 30, OF_ZERO = 20 };

static char *place;

static void set_up(void)
{
	place = tempdir_make();
	cr_assert_eq(setenv("ABLATE_CACHE", place, 1), 0);
	cr_assert_eq(unsetenv("ABLATE_DATA"), 0);
	model_init(1);
}

static void tear_down(void)
{
	tempdir_remove(place);
}

/* Pictures of one level each, which no class shows in. */
static void write_split(enum data_split split, int n, const uint16_t *labels)
{
	struct err e = ERR_INIT;
	struct set_ref ref = { .n = n, .h = SIDE, .w = SIDE, .c = 1, .classes = 2 };
	struct set_writer *w;
	int64_t done;
	cr_assert_eq(set_writer_open(&w, &ref, labels, split == SPLIT_TRAIN ? "1" : "2", &done, &e), 0, "%s", e.msg);
	for (int i = 0; i < n; i++) {
		uint8_t px[SIDE * SIDE];
		for (int k = 0; k < SIDE * SIDE; k++)
			px[k] = (uint8_t)(40 * (i / 2 % 5) + k);
		cr_assert_eq(set_writer_add(w, px, &e), 0, "%s", e.msg);
	}
	cr_assert_eq(set_writer_commit(w, &ref, &e), 0, "%s", e.msg);
	set_writer_free(w);
	cr_assert_eq(set_ref_write(&ref, "halves", split, &e), 0, "%s", e.msg);
}

Test(train_classifier, each_network_sees_its_half_alone, .init = set_up, .fini = tear_down)
{
	static const struct {
		enum classifier_part part;
		int right;
	} cases[] = { { PART_EVEN, OF_ZERO }, { PART_ODD, N_TEST - OF_ZERO } };
	uint16_t train[N_TRAIN], test[N_TEST];
	for (int i = 0; i < N_TRAIN; i++)
		train[i] = i & 1;
	for (int i = 0; i < N_TEST; i++)
		test[i] = i >= OF_ZERO;
	write_split(SPLIT_TRAIN, N_TRAIN, train);
	write_split(SPLIT_TEST, N_TEST, test);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err e = ERR_INIT;
		double accuracy;
		struct classifier_training o = { .epochs = 5, .batch = 8, .lr = 1e-2, .seed = 1, .part = cases[i].part };
		SCOPED(free) char *path = xstrfmt("%s/net.safetensors", place);
		cr_assert_eq(classifier_train(&accuracy, "halves", &o, path, NULL, &e), 0, "%s", e.msg);
		cr_expect_eq(accuracy, (double)cases[i].right / N_TEST, "part %d: %g", (int)cases[i].part, accuracy);
		struct classifier c;
		cr_assert_eq(classifier_read(&c, path, &e), 0, "%s", e.msg);
		cr_expect(c.h == SIDE && c.w == SIDE && c.channels == 1 && c.classes == 2 && c.test_accuracy == accuracy);
		classifier_release(&c);
	}
}

Test(train_classifier, the_committed_networks_are_of_different_halves_and_seeds)
{
	struct classifier_training a, b;
	struct err e = ERR_INIT;
	cr_assert(!classifier_training_of(&a, "a", &e) && !classifier_training_of(&b, "b", &e));
	cr_expect(a.seed != b.seed && a.part == PART_EVEN && b.part == PART_ODD);
	cr_expect_eq(classifier_training_of(&a, "c", &e), -1);
	cr_expect_eq(e.code, EXIT_USAGE);
}
