/* test_cifar.c - batches of CIFAR-10's Python version that are none; good ones are read in test_data_import.c. */
#define _GNU_SOURCE
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/data/cifar.h"

#include <criterion/criterion.h>
#include <string.h>

Test(cifar, a_pickle_that_is_no_batch_is_refused_with_what_it_is)
{
	static const struct {
		const char *file, *says;
	} bad[] = {
		{ "rows2.pkl", "data is uint8 (3, 48); CIFAR-10 has uint8 (n, 3072)" },
		{ "p2.pkl", "not CIFAR-10's Python version" },
		{ "evil.pkl", "nothing was executed" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		SCOPED(free) char *path = xstrfmt(FIXTURES "/numpy/%s", bad[i].file);
		struct err e = ERR_INIT;
		struct cifar c;
		cr_assert_eq(cifar_open(&c, path, &e), -1, "%s", path);
		cr_assert(strstr(e.msg, bad[i].file) && strstr(e.msg, bad[i].says), "%s", e.msg);
	}
}

/* Each label must be a class, and there must be one for each picture: the bytes of a good batch, changed. */
Test(cifar, labels_of_a_pickle_are_checked)
{
	static const struct {
		const char *from, *to, *says;
	} cases[] = { { "K\x03K\x09", "K\x03K\x0a", "label 1 is not one of 0 to 9" },
		          { "K\x03K\x09", "K\x03NN", "3 labels for 2 pictures" } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		SCOPED(str) struct str batch = { 0 };
		struct err e = ERR_INIT;
		struct cifar c = { 0 };
		cr_assert_eq(io_read(&batch, FIXTURES "/numpy/cifar_batch", 1 << 20, &e), 0, "%s", e.msg);
		char *at = memmem(batch.data, batch.len, cases[i].from, 4);
		cr_assert(at);
		memcpy(at, cases[i].to, 4);
		size_t n = batch.len;
		cr_assert_eq(cifar_add_bytes(&c, (uint8_t *)str_detach(&batch), (int64_t)n, "b", &e), -1);
		cr_assert(strstr(e.msg, cases[i].says), "%s", e.msg);
		cifar_release(&c);
	}
}

/* A binary file is any file of the right length; a label beyond the classes tells that it is another. */
Test(cifar, a_record_of_another_label_is_refused)
{
	struct err e = ERR_INIT;
	struct cifar c = { 0 };
	uint8_t px[CIFAR_PIXELS], *records = xcalloc(2, CIFAR_RECORD);
	int label;
	records[0] = 9;
	records[CIFAR_RECORD] = 10;
	cr_assert_eq(cifar_add_bytes(&c, records, 2 * CIFAR_RECORD, "b", &e), 0, "%s", e.msg);
	cr_assert_eq(cifar_read(&c, 0, px, &label, &e), 0, "%s", e.msg);
	cr_assert_eq(label, 9);
	cr_assert_eq(cifar_read(&c, 1, px, &label, &e), -1);
	cr_assert(strstr(e.msg, "record 1 has label 10"), "%s", e.msg);
	cifar_release(&c);
}
