/* test_weights.c - known weights, imported into a cache folder of the test's own, checked, opened, damaged. */
#include "tests/common/formula_weights.h"
#include "metrics/features/extractor.h"
#include "metrics/weights/imported.h"
#include "metrics/weights/weights.h"
#include "model/base/mem.h"
#include "model/frozen/lpips.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *dir;

static void setup(void)
{
	dir = tempdir_make();
	cr_assert_eq(setenv("ABLATE_CACHE", dir, 1), 0);
}

static void teardown(void)
{
	tempdir_remove(dir);
}

TestSuite(weights, .init = setup, .fini = teardown);

static const struct weights_row *row_of(const char *name)
{
	const struct weights_row *row;
	struct err e = ERR_INIT;
	cr_assert_eq(weights_row_find(&row, name, &e), 0, "%s", e.msg);
	return row;
}

/* Formula heads of SqueezeNet, with one tensor more than is needed. */
static char *heads_file(int drop)
{
	struct safetensors st = { 0 };
	struct err e = ERR_INIT;
	char name[96];
	int n_dims;
	int64_t dims[ST_MAX_DIMS];
	for (int i = 0; lpips_head_weight(LPIPS_SQUEEZE, i, name, &n_dims, dims); i++)
		if (i != drop)
			formula_weights_add(&st, name, n_dims, dims);
	formula_weights_add(&st, "extra.weight", 2, (int64_t[]){ 4, 4 });
	char *path = tempdir_file(dir, "heads.safetensors", NULL, 0);
	const struct st_meta meta = { "input_range", "[0,1]" };
	cr_assert_eq(safetensors_write(path, st.tensors, st.n_tensors, &meta, 1, NULL, &e), 0, "%s", e.msg);
	formula_weights_release(&st);
	return path;
}

Test(weights, every_row_has_tensors_and_a_licence)
{
	int n = 0, total = 0;
	for (const struct weights_row *row = weights_rows; row->name; row++, n++) {
		SCOPED(weights_list) struct weights_list list = weights_list(row);
		cr_assert(list.n > 0 && row->licence && *row->text, "%s", row->name);
		cr_assert(!row->sha256 || strlen(row->sha256) == SHA256_HEX - 1, "%s", row->name);
		cr_assert(!row->url || strncmp(row->url, "https://", 8) == 0, "%s", row->name);
		total += list.n;
	}
	cr_assert_eq(n, 13);
	cr_assert_eq(total, 472 + 472 + 2 * (5 + 13 + 25) + 5 + 5 + 7 + 416 + 421 + 541 + 342 + 296, "%d tensors", total);
}

Test(weights, an_import_keeps_what_is_needed_and_says_where_it_came_from)
{
	SCOPED(free) char *file = heads_file(-1);
	const struct weights_row *row = row_of("lpips-squeeze");
	char sha[SHA256_HEX], again[SHA256_HEX];
	bool official = true;
	struct err e = ERR_INIT;
	cr_assert(!weights_here(row));
	cr_assert_eq(weights_import(row, file, false, sha, &e), -1,
	             "a file that is not the published one was taken for it");
	cr_assert(strstr(e.msg, row->sha256) && strstr(e.msg, "--other") && !weights_here(row), "%s", e.msg);
	cr_assert_eq(weights_import(row, file, true, sha, &e), 0, "%s", e.msg);
	cr_assert(weights_here(row));
	cr_assert_eq(weights_check(row, &official, again, &e), 0, "%s", e.msg);
	cr_assert_str_eq(sha, again);
	cr_assert(!official);
	SCOPED(weights) struct weights *w = NULL;
	cr_assert_eq(weights_open(&w, "lpips-squeeze", NULL, &e), 0, "%s", e.msg);
	cr_assert_eq(w->st->n_tensors, 7, "tensors that are not needed are left out");
	cr_assert_str_eq(w->sha256, sha);
	cr_assert_str_eq(safetensors_meta(w->st, "source_file"), "heads.safetensors");
	cr_assert_str_eq(safetensors_meta(w->st, "input_range"), "[0,1]");
}

Test(weights, what_is_missing_or_damaged_is_told)
{
	SCOPED(free) char *incomplete = heads_file(3);
	const struct weights_row *row = row_of("lpips-squeeze");
	char sha[SHA256_HEX];
	bool official;
	struct weights *w;
	struct err e = ERR_INIT;
	cr_assert_eq(weights_open(&w, "lpips-squeeze", NULL, &e), -1);
	cr_assert(strstr(e.msg, "ablate weights fetch lpips-squeeze"), "%s", e.msg);
	cr_assert_eq(weights_open(&w, "lpips-resnet", NULL, &e), -1);
	cr_assert(e.code == EXIT_USAGE && strstr(e.msg, "lpips-alex"), "%s", e.msg);
	cr_assert_eq(weights_import(row, incomplete, true, sha, &e), -1);
	cr_assert(strstr(e.msg, "no tensor named lin3.model.1.weight") && !weights_here(row), "%s", e.msg);
	SCOPED(free) char *file = heads_file(-1);
	cr_assert_eq(weights_import(row, file, true, sha, &e), 0, "%s", e.msg);
	SCOPED(free) char *path = weights_path(row);
	SCOPED(str) struct str bytes = { 0 };
	cr_assert_eq(io_read(&bytes, path, 1 << 20, &e), 0);
	bytes.data[bytes.len - 2] ^= 1;
	cr_assert_eq(io_write_atomic(path, bytes.data, bytes.len, &e), 0);
	cr_assert_eq(weights_check(row, &official, sha, &e), -1);
	cr_assert(e.code == EXIT_RECORD && strstr(e.msg, "weights import lpips-squeeze FILE"), "%s", e.msg);
}

/* Writes the copy of a row anew: other values, names, or metadata, as somebody would who wants it to pass for what it
 * is not. */
struct forgery {
	const char *source, *eps, *name; /* NULL: as it is; name: of the first tensor */
	bool zeroed;
};

static void forge(const struct weights_row *row, struct forgery f)
{
	SCOPED(free) char *path = weights_path(row);
	struct safetensors *st;
	struct err e = ERR_INIT;
	cr_assert_eq(safetensors_open(&st, path, &e), 0, "%s", e.msg);
	SCOPED(free) struct st_tensor *t = xcalloc(st->n_tensors, sizeof *t);
	SCOPED(free) struct st_meta *meta = xcalloc(st->n_meta + 1, sizeof *meta);
	SCOPED(free) void *zeros = xcalloc(1, st->payload_bytes);
	memcpy(t, st->tensors, st->n_tensors * sizeof *t);
	memcpy(meta, st->meta, st->n_meta * sizeof *meta);
	size_t n_meta = st->n_meta;
	char payload[SHA256_HEX];
	if (f.zeroed)
		t[0].data = zeros;
	if (f.name)
		t[0].name = f.name;
	safetensors_hash(payload, t, st->n_tensors);
	for (size_t i = 0; i < st->n_meta; i++)
		if (strcmp(meta[i].key, "payload_sha256") == 0)
			meta[i].value = payload;
		else if (f.source && strcmp(meta[i].key, "source_sha256") == 0)
			meta[i].value = f.source;
	if (f.eps)
		meta[n_meta++] = (struct st_meta){ "bn_eps", f.eps };
	SCOPED(free) char *forged = xstrfmt("%s.new", path);
	cr_assert_eq(safetensors_write(forged, t, st->n_tensors, meta, n_meta, NULL, &e), 0, "%s", e.msg);
	safetensors_free(st);
	cr_assert_eq(rename(forged, path), 0);
}

static void expect_refused(const char *name, const char *why)
{
	struct weights *w;
	struct err e = ERR_INIT;
	cr_assert_eq(weights_open(&w, name, NULL, &e), -1, "forged weights were opened");
	cr_expect(e.code == EXIT_RECORD && strstr(e.msg, why), "%s", e.msg);
}

static void expect_opens(const char *name)
{
	struct weights *w;
	struct err e = ERR_INIT;
	cr_assert_eq(weights_open(&w, name, NULL, &e), 0, "%s", e.msg);
	weights_free(w);
}

/* What a copy says of itself proves nothing: a score would carry the published protocol over other weights. */
/* What a network computes hangs on names, shapes, values and two settings; each alone is another content. */
Test(weights, content_is_all_that_a_network_reads)
{
	static const float values[4] = { 1, 2, 3, 4 }, others[4] = { 1, 2, 3, 5 };
	static const struct {
		struct st_tensor t;
		struct st_meta meta;
	} cases[] = {
		{ { .name = "w", .dtype = ST_F32, .n_dims = 2, .dims = { 2, 2 }, .data = values }, { "source_file", "a" } },
		{ { .name = "w", .dtype = ST_F32, .n_dims = 2, .dims = { 4, 1 }, .data = values }, { "source_file", "a" } },
		{ { .name = "w", .dtype = ST_I64, .n_dims = 1, .dims = { 2 }, .data = values }, { "source_file", "a" } },
		{ { .name = "v", .dtype = ST_F32, .n_dims = 2, .dims = { 2, 2 }, .data = values }, { "source_file", "a" } },
		{ { .name = "w", .dtype = ST_F32, .n_dims = 2, .dims = { 2, 2 }, .data = others }, { "source_file", "a" } },
		{ { .name = "w", .dtype = ST_F32, .n_dims = 2, .dims = { 2, 2 }, .data = values }, { "bn_eps", "0.001" } },
		{ { .name = "w", .dtype = ST_F32, .n_dims = 2, .dims = { 2, 2 }, .data = values }, { "input_range", "[0,1]" } },
		{ { .name = "w", .dtype = ST_F32, .n_dims = 2, .dims = { 2, 2 }, .data = values }, { "source_file", "b" } },
	};
	enum { N = sizeof cases / sizeof *cases };
	char hex[N][SHA256_HEX];
	SCOPED(free) char *path = tempdir_file(dir, "content.safetensors", NULL, 0);
	for (int i = 0; i < N; i++) {
		struct safetensors *st;
		struct err e = ERR_INIT;
		cr_assert_eq(safetensors_write(path, &cases[i].t, 1, &cases[i].meta, 1, NULL, &e) ||
		                 safetensors_open(&st, path, &e),
		             0, "%s", e.msg);
		weights_content(hex[i], st);
		safetensors_free(st);
		for (int k = 0; k < i; k++) /* the last is the first from another file */
			cr_expect_eq(strcmp(hex[k], hex[i]) == 0, k == 0 && i == N - 1, "%d and %d", k, i);
	}
}

Test(weights, values_that_are_not_finite_are_not_imported)
{
	SCOPED(free) char *file = heads_file(-1);
	const struct weights_row *row = row_of("lpips-squeeze");
	char sha[SHA256_HEX];
	struct err e = ERR_INIT;
	SCOPED(str) struct str bytes = { 0 };
	cr_assert_eq(io_read(&bytes, file, 1 << 24, &e), 0, "%s", e.msg);
	uint64_t header;
	memcpy(&header, bytes.data, sizeof header);
	for (size_t at = 8 + header; at + 4 <= bytes.len; at += 4)
		memcpy(bytes.data + at, &(float){ NAN }, 4);
	SCOPED(free) char *broken = tempdir_file(dir, "broken.safetensors", bytes.data, bytes.len);
	cr_assert_eq(weights_import(row, broken, true, sha, &e), -1);
	cr_assert(strstr(e.msg, "broken.safetensors") && strstr(e.msg, "value 0 is not finite"), "%s", e.msg);
	cr_assert(!weights_here(row));
}

/* What an import left is two hashes and nothing else: a note that was half written, or written on, says nothing. */
Test(weights, a_note_of_an_import_is_whole)
{
	struct imported in = { 0 }, out;
	struct err e = ERR_INIT;
	SCOPED(str) struct str text = { 0 };
	SCOPED(free) char *path = xstrfmt("%s/x.imported", dir);
	io_sha256(in.source, "a", 1);
	io_sha256(in.content, "b", 1);
	cr_assert_eq(imported_write(path, &in, &e), 0, "%s", e.msg);
	cr_assert(imported_read(&out, path));
	cr_assert(strcmp(out.source, in.source) == 0 && strcmp(out.content, in.content) == 0);
	cr_assert_eq(io_read(&text, path, 1 << 10, &e), 0, "%s", e.msg);
	for (size_t n = 0; n + 1 < text.len; n++) {
		free(tempdir_file(dir, "x.imported", text.data, n));
		cr_assert(!imported_read(&out, path), "%zu bytes", n);
	}
	str_add(&text, "more");
	free(tempdir_file(dir, "x.imported", text.data, text.len));
	cr_assert(!imported_read(&out, path));
}

Test(weights, a_forged_copy_does_not_open)
{
	const struct weights_row *row = row_of("lpips-squeeze");
	SCOPED(free) char *file = heads_file(-1);
	char sha[SHA256_HEX];
	struct err e = ERR_INIT;
	static const char published_by_lpips[] = "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76";
	cr_assert_eq(weights_import(row, file, true, sha, &e), 0, "%s", e.msg);
	expect_opens(row->name);
	forge(row, (struct forgery){ .zeroed = true });
	expect_refused(row->name, "its content differs");
	cr_assert_eq(weights_import(row, file, true, sha, &e), 0, "%s", e.msg);
	expect_opens(row->name);
	forge(row, (struct forgery){ .source = published_by_lpips });
	expect_refused(row->name, "not that of the published weights");
	forge(row, (struct forgery){ .source = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2" });
	expect_refused(row->name, "another source");
	cr_assert_eq(weights_import(row, file, true, sha, &e), 0, "%s", e.msg);
	forge(row, (struct forgery){ .eps = "0.5" });
	expect_refused(row->name, "its content differs");
}

/* A cache that another program, or an older ablate, has filled. */
Test(weights, a_copy_that_nobody_imported_here_does_not_open)
{
	const struct weights_row *row = row_of("lpips-alex-backbone");
	SCOPED(free) char *heads = heads_file(-1);
	char sha[SHA256_HEX];
	struct err e = ERR_INIT;
	cr_assert_eq(weights_import(row_of("lpips-squeeze"), heads, true, sha, &e), 0, "%s", e.msg);
	SCOPED(free) char *record = xstrfmt("%s/weights/lpips-squeeze.imported", dir);
	cr_assert_eq(unlink(record), 0);
	expect_refused("lpips-squeeze", "nothing says that these were imported here");
	/* a copy without a source, of formula tensors */
	struct safetensors st = { 0 };
	SCOPED(weights_list) struct weights_list list = weights_list(row);
	for (int i = 0; i < list.n; i++)
		formula_weights_add(&st, list.v[i].name, list.v[i].n_dims, list.v[i].dims);
	SCOPED(free) char *path = weights_path(row);
	cr_assert_eq(safetensors_write(path, st.tensors, st.n_tensors, NULL, 0, NULL, &e), 0, "%s", e.msg);
	formula_weights_release(&st);
	expect_refused(row->name, "does not name its source");
}

/* Same size and same time of change: only the inode's own time, which no program sets, tells. */
Test(weights, a_change_that_hides_its_time_is_seen)
{
	SCOPED(free) char *file = heads_file(-1);
	const struct weights_row *row = row_of("lpips-squeeze");
	char sha[SHA256_HEX];
	struct err e = ERR_INIT;
	struct stat before;
	cr_assert_eq(weights_import(row, file, true, sha, &e), 0, "%s", e.msg);
	expect_opens(row->name);
	SCOPED(free) char *path = weights_path(row);
	cr_assert_eq(stat(path, &before), 0);
	SCOPED(file) FILE *f = fopen(path, "r+b");
	cr_assert(f && !fseek(f, -4, SEEK_END) && fputc(1, f) == 1 && !fflush(f));
	const struct timespec times[2] = { before.st_atim, before.st_mtim };
	cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
	expect_refused(row->name, "its content differs");
}

/* Lengths whose first bytes look like the start of a pickle, and like "PK". */
Test(weights, a_safetensors_header_of_any_length_is_no_checkpoint)
{
	static const size_t lengths[] = { 0x80, 0x280, 0x580, 0x4b50 };
	static const char header[] = "{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		SCOPED(str) struct str bytes = { 0 };
		struct weights_file *w;
		struct err e = ERR_INIT;
		uint64_t n = lengths[i];
		str_addn(&bytes, (const char *)&n, 8);
		str_addf(&bytes, "%-*s", (int)n, header);
		str_addn(&bytes, "\7", 1);
		SCOPED(free) char *path = tempdir_file(dir, "x.safetensors", bytes.data, bytes.len);
		cr_assert_eq(weights_file_open(&w, path, &e), 0, "length %zu: %s", lengths[i], e.msg);
		cr_expect(w->st->n_tensors == 1 && *(const uint8_t *)w->st->tensors[0].data == 7);
		weights_file_free(w);
	}
}

Test(weights, a_checkpoint_with_other_tensors_is_refused)
{
	char sha[SHA256_HEX];
	struct err e = ERR_INIT;
	cr_assert_eq(weights_import(row_of("lpips-alex"), FIXTURES "/pth/new.pth", true, sha, &e), -1);
	cr_assert(strstr(e.msg, "new.pth: no tensor named lin0.model.1.weight"), "%s", e.msg);
	cr_assert_eq(weights_import(row_of("lpips-alex"), FIXTURES "/pth/evil.pth", true, sha, &e), -1);
	cr_assert(strstr(e.msg, "nothing was executed"), "%s", e.msg);
}

Test(weights, nothing_is_fetched_without_an_address)
{
	struct err e = ERR_INIT;
	cr_assert_eq(weights_fetch(row_of("inception-keras"), true, &e), -1);
	cr_assert(strstr(e.msg, "ablate weights import inception-keras"), "%s", e.msg);
}

static void curl_is(const char *script)
{
	SCOPED(free) char *curl = tempdir_file(dir, "curl", script, strlen(script));
	SCOPED(free) char *path = xstrfmt("%s:%s", dir, getenv("PATH"));
	cr_assert(chmod(curl, 0755) == 0 && setenv("PATH", path, 1) == 0);
}

/* A program named curl that writes what it is told to, or fails: what comes from the network is judged, and nothing is
 * left. */
Test(weights, a_download_that_is_not_the_published_file_is_thrown_away)
{
	static const char script[] =
		"#!/bin/sh\nwhile [ \"$1\" != --output ]; do [ \"$1\" = =http ] && exit 9; shift; done\n"
		"echo not weights > \"$2\"\ncase $3 in https://*vgg.pth) exit 0;; *) exit 22;; esac\n";
	struct err e = ERR_INIT;
	curl_is(script);
	cr_assert_eq(weights_fetch(row_of("lpips-vgg"), true, &e), -1);
	cr_assert(strstr(e.msg, "SHA-256 is") && strstr(e.msg, row_of("lpips-vgg")->sha256), "%s", e.msg);
	cr_assert_eq(weights_fetch(row_of("lpips-alex"), true, &e), -1);
	cr_assert(strstr(e.msg, "curl failed (exit 22)"), "%s", e.msg);
	SCOPED(free) char *folder = xstrfmt("%s/weights", dir);
	struct dirent **list;
	int n = scandir(folder, &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		cr_assert(*list[i]->d_name == '.', "%s was left behind", list[i]->d_name);
		free(list[i]);
	}
	cr_assert_eq(n, 2);
	free(list);
}

/* Of a row without a published hash, the copy named our temporary file as its source. */
Test(weights, a_fetched_file_is_known_by_its_published_name)
{
	SCOPED(free) char *file = heads_file(-1);
	SCOPED(free)
	char *script = xstrfmt("#!/bin/sh\nwhile [ \"$1\" != --output ]; do shift; done\ncp %s \"$2\"\n", file);
	struct weights_row row = *row_of("lpips-squeeze");
	struct err e = ERR_INIT;
	row.sha256 = row.content = NULL;
	row.url = "https://example.org/v1/heads-v1.pth";
	curl_is(script);
	cr_assert_eq(weights_fetch(&row, true, &e), 0, "%s", e.msg);
	SCOPED(weights) struct weights *w = NULL;
	cr_assert_eq(weights_open(&w, "lpips-squeeze", NULL, &e), 0, "%s", e.msg);
	cr_expect_str_eq(safetensors_meta(w->st, "source_file"), "heads-v1.pth");
}

/* The extractor: a picture's features through the whole path, from a file of weights. */
Test(weights, the_inception_extractor_reads_any_weights_file)
{
	struct safetensors st = { 0 };
	struct err e = ERR_INIT;
	formula_inception(&st);
	SCOPED(free) char *path = tempdir_file(dir, "inception.safetensors", NULL, 0);
	cr_assert_eq(safetensors_write(path, st.tensors, st.n_tensors, NULL, 0, NULL, &e), 0, "%s", e.msg);
	formula_weights_release(&st);
	SCOPED(extractor) struct extractor *x = NULL;
	struct extractor_options o = { .weights = path, .resize = "tf-bilinear" };
	cr_assert_eq(extractor_open(&x, "inception-2015", &o, &e), 0, "%s", e.msg);
	cr_assert(x->dim == 2048 && x->logits_dim == 1008 && x->spatial_dim == 2023 && !x->published);
	cr_assert_str_eq(x->resize, "tf-bilinear");
	uint8_t grey[32 * 32], rgb[32 * 32 * 3];
	for (int i = 0; i < 32 * 32; i++)
		rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] = grey[i] = (uint8_t)(i * 7);
	struct image_u8 images[2] = { { .h = 32, .w = 32, .c = 1, .px = grey }, { .h = 32, .w = 32, .c = 3, .px = rgb } };
	SCOPED(free) float *f = xcalloc(2 * 2048, sizeof *f), *logits = xcalloc(2 * 1008, sizeof *logits);
	cr_assert_eq(x->features(x, f, logits, NULL, images, 2, &e), 0, "%s", e.msg);
	cr_assert_arr_eq(f, f + 2048, 2048 * sizeof *f, "a grey picture and its RGB copy differ");
	float sum = 0;
	for (int i = 0; i < 2048; i++)
		sum += f[i];
	cr_assert(sum > 0 && isfinite(sum));
	o.resize = "nearest";
	struct extractor *none;
	cr_assert_eq(extractor_open(&none, "inception-keras", &o, &e), -1);
	cr_assert(strstr(e.msg, "no resize 'nearest'"), "%s", e.msg);
}

/* A state dict as EDM's network has it, with its prefix and tensors that we do not use, imported by the row's name. */
Test(weights, a_diffusion_network_is_imported_into_our_names)
{
	const struct weights_row *row;
	struct err e = ERR_INIT;
	cr_assert_eq(weights_row_find(&row, "edm-cifar10-uncond-vp", &e), 0, "%s", e.msg);
	struct st_tensor t[512];
	struct arena own = { 0 };
	size_t n = 0;
	SCOPED(weights_list) struct weights_list list = weights_list(row);
	for (int i = 0; i < list.n; i++) {
		const struct weights_tensor *of = &list.v[i];
		t[n] = (struct st_tensor){ .name = arena_strfmt(&own, "model.%s", of->name),
			                       .dtype = ST_F32,
			                       .n_dims = of->n_dims };
		memcpy(t[n].dims, of->dims, sizeof of->dims);
		t[n].data = arena_alloc(&own, st_bytes(&t[n]) + 1);
		((float *)(uintptr_t)t[n].data)[0] = (float)i;
		n++;
	}
	cr_assert_eq(n, 416);
	t[n] = (struct st_tensor){
		.name = "model.map_augment.weight", .dtype = ST_F32, .n_dims = 1, .dims = { 1 }, .data = arena_alloc(&own, 4)
	};
	n++;
	SCOPED(free) char *file = xstrfmt("%s/edm.safetensors", dir);
	char sha256[SHA256_HEX];
	cr_assert_eq(safetensors_write(file, t, n, NULL, 0, NULL, &e), 0, "%s", e.msg);
	cr_assert_eq(weights_import(row, file, false, sha256, &e), 0, "%s", e.msg);
	bool official;
	cr_assert_eq(weights_check(row, &official, sha256, &e), 0, "%s", e.msg);
	SCOPED(weights) struct weights *w = NULL;
	cr_assert_eq(weights_open(&w, row->name, NULL, &e), 0, "%s", e.msg);
	const struct st_tensor *first = safetensors_find(w->st, "enc.32x32_conv.weight");
	cr_assert(first && ((const float *)first->data)[0] == 4, "the fifth tensor");
	cr_expect(!safetensors_find(w->st, "map_augment.weight"));
	arena_release(&own);
}
