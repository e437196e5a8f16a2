/* ok.h - OK(call): a call that must succeed, for suites with a `static struct err e` that their calls are given. */
#ifndef ABLATE_TESTS_OK_H
#define ABLATE_TESTS_OK_H

#include "model/base/err.h"

#include <criterion/criterion.h>

#define OK(call) \
	do { \
		e = ERR_INIT; \
		if (call) \
			cr_assert_fail("%s: %s", #call, e.msg); \
	} while (0)

#endif
