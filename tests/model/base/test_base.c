/* test_base.c - the base: errors, strings, whole-file i/o, Philox, the progress bar. */
#define _GNU_SOURCE
#include "model/base/err.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/base/rng.h"
#include "model/base/str.h"
#include "model/base/utf8.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

Test(err, layers_add_context_in_front)
{
	struct err e = ERR_INIT;
	cr_assert_eq(err_set(&e, "%s: cannot open", "x.ckpt"), -1);
	cr_assert_eq(err_in(&e, "cell %d", 3), -1);
	cr_assert_str_eq(e.msg, "cell 3: x.ckpt: cannot open");
	cr_assert_eq(err_exit_code(&e), EXIT_INCOMPLETE);
}

Test(err, an_overlong_message_stays_terminated)
{
	struct err e = ERR_INIT;
	char longer[2000];
	memset(longer, 'a', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	(void)err_set(&e, "%s", longer);
	(void)err_in(&e, "%s", longer);
	cr_assert_eq(strlen(e.msg), sizeof e.msg - 1);
}

Test(str, shortest_double_reads_back)
{
	char buf[32];
	cr_assert_str_eq(str_double(buf, 0.1), "0.1");
	cr_assert_str_eq(str_double(buf, 5e-1), "0.5");
	cr_assert_str_eq(str_double(buf, 80), "80");
	double x = 0.02993;
	cr_assert_eq(strtod(str_double(buf, x / 3), NULL), x / 3);
	/* integers take a way of their own: the same text as the general rule */
	static const double wholes[] = {
		0, 1, -1, 9, 10, 80, -100, 4096, 123456789012345, -999999999999999, 1e15, -1e15, 9007199254740992, 1e16, 1e300
	};
	for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++) {
		char general[32];
		(void)snprintf(general, sizeof general, fabs(wholes[i]) < 1e16 ? "%.0f" : "%.15g", wholes[i]);
		cr_assert_str_eq(str_double(buf, wholes[i]), general);
	}
	cr_assert_str_eq(str_double(buf, -0.0), "-0");
}

Test(str, only_one_is_singular)
{
	cr_assert_str_eq(str_plural(1), "");
	cr_assert_str_eq(str_plural(0), "s");
	cr_assert_str_eq(str_plural(2), "s");
	cr_assert_str_eq(str_plural(0x100000001), "s", "a count of 64 bits is not cut");
}

Test(str, suggests_near_names_first)
{
	static const char *const names[] = { "loss.kind", "loss.c", "noise.dist", "teacher.ema" };
	SCOPED(str) struct str s = { 0 };
	str_suggest(&s, "loss.knd", names, 4);
	cr_assert_str_eq(str_text(&s), "; did you mean loss.kind?");
	str_release(&s);
	str_suggest(&s, "zebra", names, 4);
	cr_assert_str_eq(str_text(&s), "");
	static const char *const several[] = { "train.kind", "kinds", "kind", "kinn" };
	str_suggest(&s, "kinds", several, 4);
	cr_assert_str_eq(str_text(&s), "; did you mean kinds, kind, kinn?", "%s", str_text(&s));
}

/* Overlong forms, surrogates and numbers beyond Unicode are no text, however they continue. */
Test(utf8, a_character_has_one_spelling)
{
	static const struct {
		const char *text;
		size_t len;
	} cases[] = { { "a", 1 },
		          { "\xc2\x80", 2 },
		          { "\xc1\xbf", 0 },
		          { "\xe0\xa0\x80", 3 },
		          { "\xe0\x9f\xbf", 0 },
		          { "\xed\x9f\xbf", 3 },
		          { "\xed\xa0\x80", 0 },
		          { "\xf0\x90\x80\x80", 4 },
		          { "\xf0\x8f\xbf\xbf", 0 },
		          { "\xf4\x8f\xbf\xbf", 4 },
		          { "\xf4\x90\x80\x80", 0 },
		          { "\xe2\x82", 0 },
		          { "\x80", 0 } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect_eq(utf8_len(cases[i].text, strlen(cases[i].text)), cases[i].len, "case %zu", i);
}

Test(io, atomic_write_leaves_no_temporary_behind)
{
	char *dir = tempdir_make();
	SCOPED(free) char *path = xstrfmt("%s/a/b/x", dir);
	SCOPED(free) char *sub = xstrfmt("%s/a/b", dir);
	struct err e = ERR_INIT;
	cr_assert_eq(io_write_atomic(path, "no", 2, &e), -1, "the folder is not there yet");
	cr_assert_eq(io_mkdirs(sub, &e), 0, "%s", e.msg);
	cr_assert_eq(io_write_atomic(path, "hello", 5, &e), 0, "%s", e.msg);
	SCOPED(str) struct str s = { 0 };
	cr_assert_eq(io_read(&s, path, 100, &e), 0, "%s", e.msg);
	cr_assert_str_eq(s.data, "hello");
	cr_assert_eq(io_read(&s, path, 4, &e), -1);
	char hex[SHA256_HEX];
	cr_assert_eq(io_sha256_file(hex, path, &e), 0);
	cr_assert_str_eq(hex, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
	tempdir_remove(dir);
}

/* FIPS 180-4's example of two blocks: whole, in pieces, and by a copy of a state half way. */
Test(sha256, pieces_and_copies_of_a_state_give_the_published_digest)
{
	static const char text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	static const char want[] = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
	size_t n = sizeof text - 1;
	char hex[SHA256_HEX], again[SHA256_HEX];
	io_sha256(hex, text, n);
	cr_assert_str_eq(hex, want);
	for (size_t at = 0; at <= n; at++) {
		struct sha256 h, copy;
		sha256_init(&h);
		sha256_add(&h, text, at);
		copy = h;
		sha256_add(&h, text + at, n - at);
		sha256_add(&copy, text + at, n - at);
		sha256_hex(hex, &h);
		sha256_hex(again, &copy);
		cr_assert_str_eq(hex, want);
		cr_assert_str_eq(again, want);
	}
}

/* In a folder of everybody's, somebody lays links where the temporary files of process N will be: what they lead to was
 * emptied and written. A leftover of a process that had our number does no harm either. */
Test(io, what_lies_in_the_place_of_a_temporary_file_is_left_alone)
{
	char *dir = tempdir_make(), *name = NULL;
	struct err e = ERR_INIT;
	SCOPED(free) char *path = xstrfmt("%s/x", dir), *victim = tempdir_file(dir, "victim", "precious", 8);
	SCOPED(free) char *none = xstrfmt("%s/none", dir), *planted = xstrfmt("%s.tmp-%ld", path, (long)getpid());
	const char *const to[] = { victim, none, dir, NULL }; /* NULL: a file of that name */
	for (size_t i = 0; i < sizeof to / sizeof *to; i++) {
		SCOPED(str) struct str kept = { 0 }, made = { 0 };
		cr_assert_eq(to[i] ? symlink(to[i], planted) : link(victim, planted), 0);
		cr_assert_eq(io_write_atomic(path, "hello", 5, &e), 0, "%s", e.msg);
		cr_assert(io_read(&made, path, 100, &e) == 0 && io_read(&kept, victim, 100, &e) == 0, "%s", e.msg);
		cr_assert_str_eq(str_text(&made), "hello");
		cr_assert_str_eq(str_text(&kept), "precious");
		cr_assert_not(io_exists(none), "a link to nothing is followed");
		cr_assert_eq(io_temporary_folder(&name, path, &e), 0, "%s", e.msg);
		cr_assert(strncmp(name, planted, strlen(planted)) == 0 && name[strlen(planted)] == '-', "%s", name);
		cr_assert_eq(rmdir(name), 0, "the folder is new, and no link");
		free(name);
		cr_assert(unlink(planted) == 0 && unlink(path) == 0);
	}
	cr_assert_eq(unlink(victim), 0);
	cr_assert_eq(rmdir(dir), 0, "nothing else is left");
	free(dir);
}

Test(io, a_device_is_written_to_and_never_replaced)
{
	struct err e = ERR_INIT;
	struct stat st;
	char got[4];
	/* a pipe first: a program that fails here, as root, must not come to a device of the machine's */
	char *dir = tempdir_make();
	SCOPED(free) char *pipe = xstrfmt("%s/pipe", dir);
	cr_assert_eq(mkfifo(pipe, 0600), 0);
	SCOPED(fd) int fd = open(pipe, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	cr_assert_eq(io_write_atomic(pipe, "gone", 4, &e), 0, "%s", e.msg);
	cr_assert_eq(stat(pipe, &st), 0);
	cr_assert(S_ISFIFO(st.st_mode), "it is no pipe any more");
	cr_assert_eq(read(fd, got, sizeof got), 4);
	cr_assert_eq(memcmp(got, "gone", 4), 0);
	cr_assert_eq(io_write_atomic("/dev/full", "much", 4, &e), -1, "a full device takes nothing");
	tempdir_remove(dir);
}

/* Known answers of Random123's kat_vectors for philox4x32-10. */
Test(rng, philox_known_answers)
{
	uint32_t out[4];
	rng_philox(out, (uint32_t[4]){ 0 }, (uint32_t[2]){ 0 });
	cr_assert_arr_eq(out, ((uint32_t[4]){ 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 }), sizeof out);
	rng_philox(out, (uint32_t[4]){ ~0u, ~0u, ~0u, ~0u }, (uint32_t[2]){ ~0u, ~0u });
	cr_assert_arr_eq(out, ((uint32_t[4]){ 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd }), sizeof out);
	rng_philox(out, (uint32_t[4]){ 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
	           (uint32_t[2]){ 0xa4093822, 0x299f31d0 });
	cr_assert_arr_eq(out, ((uint32_t[4]){ 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 }), sizeof out);
}

/* Every stream of training is made of these two: which word and which of its bits are part of the definition. */
Test(rng, uniforms_are_the_upper_bits_of_their_words)
{
	uint32_t r[4];
	for (uint64_t i = 0; i < 64; i++) {
		rng_block(r, 11, RNG_FLIP, 3, i / 4);
		float u = rng_uniform(11, RNG_FLIP, 3, i);
		cr_assert(u == (float)(r[i % 4] / 256) / 16777216 && u < 1, "%llu", (unsigned long long)i);
		rng_block(r, 11, RNG_FLIP, 3, i);
		double d = rng_uniform_double(11, RNG_FLIP, 3, i), bits = ldexp((double)r[0], 21) + (double)(r[1] / 2048);
		cr_assert(d == ldexp(bits + 0.5, -53) && d > 0 && d < 1, "%llu", (unsigned long long)i);
	}
}

Test(rng, a_permutation_is_of_its_seed_stream_and_step)
{
	enum { N = 257 };
	int same[3] = { 0 };
	for (uint64_t i = 0; i < N; i++) {
		uint64_t at = rng_permute(i, N, 5, RNG_ORDER, 2);
		same[0] += at == rng_permute(i, N, 6, RNG_ORDER, 2);
		same[1] += at == rng_permute(i, N, 5, RNG_EVAL, 2);
		same[2] += at == rng_permute(i, N, 5, RNG_ORDER, 3);
	}
	for (int k = 0; k < 3; k++) /* one in N agrees by chance */
		cr_expect(same[k] < 8, "%d: %d agree", k, same[k]);
}

Test(rng, normal_is_a_function_of_its_index)
{
	float all[37], part[10];
	rng_normal(all, 37, 7, RNG_NOISE, 3, 0);
	rng_normal(part, 10, 7, RNG_NOISE, 3, 13);
	cr_assert_arr_eq(part, all + 13, sizeof part);
}

Test(rng, normal_moments)
{
	enum { N = 100000 };
	float *x = xmalloc(N * sizeof *x);
	rng_normal(x, N, 1, RNG_NOISE, 0, 0);
	double m1 = 0, m2 = 0, m4 = 0;
	for (int i = 0; i < N; i++) {
		double v = x[i];
		m1 += v / N;
		m2 += v * v / N;
		m4 += v * v * v * v / N;
	}
	cr_assert_lt(fabs(m1), 0.016); /* 5 standard errors */
	cr_assert_lt(fabs(m2 - 1), 0.023);
	cr_assert_lt(fabs(m4 - 3), 0.16);
	free(x);
}

Test(rng, permute_is_a_bijection)
{
	static const uint64_t sizes[] = { 1, 2, 3, 10, 257, 1000 };
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		char *seen = xcalloc(sizes[s], 1);
		for (uint64_t i = 0; i < sizes[s]; i++) {
			uint64_t j = rng_permute(i, sizes[s], 5, RNG_ORDER, 2);
			cr_assert_lt(j, sizes[s]);
			cr_assert_not(seen[j]);
			seen[j] = 1;
		}
		free(seen);
	}
}

/* On a terminal of 30 columns the line is redrawn in place only if it is shorter than they are; the bar gives way to
 * the numbers. */
Test(progress, the_bar_fits_the_terminal)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), kept = dup(STDERR_FILENO);
	if (master < 0 || grantpt(master) || unlockpt(master))
		cr_skip("no pseudo-terminals here");
	int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	struct winsize w = { .ws_row = 24, .ws_col = 30 };
	cr_assert_geq(slave, 0);
	cr_assert_eq(ioctl(slave, TIOCSWINSZ, &w), 0);
	(void)dup2(slave, STDERR_FILENO);
	struct progress p;
	progress_start(&p,
	               "run gr\xc3\xbc\xc3\x9f"
	               "e",
	               "steps", 1000);
	snprintf(p.note, sizeof p.note, "a note that alone would fill the line");
	p.last_s -= 1;
	p.started_s -= 1;
	progress_step(&p, 500);
	fflush(stderr);
	(void)dup2(kept, STDERR_FILENO);
	char line[256];
	ssize_t n = read(master, line, sizeof line - 1);
	cr_assert_gt(n, 4);
	line[n] = '\0';
	cr_assert(p.tty);
	cr_expect_eq(strncmp(line,
	                     "\r\033[Krun gr\xc3\xbc\xc3\x9f"
	                     "e 500/1000 ",
	                     23),
	             0, "%s", line + 4);
	int columns = 0;
	for (const char *c = line + 4; *c; c++)
		columns += ((unsigned char)*c & 0xC0) != 0x80;
	cr_expect_eq(columns, 29, "%d columns: %s", columns, line + 4);
	close(slave);
	close(master);
	close(kept);
}
