/* export_tb.c - TensorBoard event files (export.h), written by hand: a file is a row of records
 *     uint64 length, uint32 crc(length), bytes, uint32 crc(bytes)        little-endian, crc = masked CRC-32C
 * and a record is a protocol buffer message Event { 1: double wall_time; 2: int64 step; 3: string file_version;
 * 5: Summary { 1: Value { 1: string tag; 2: float simple_value } } } (tensorflow/core/util/event.proto,
 * summary.proto). */
#define _GNU_SOURCE
#include "harness/show/export.h"

#include "harness/record/host.h"
#include "harness/record/query_attempt.h"
#include "harness/record/score_key.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint32_t crc32c(const void *data, size_t n)
{
	static uint32_t table[256];
	if (!table[1])
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t c = i;
			for (int k = 0; k < 8; k++)
				c = c & 1 ? c >> 1 ^ 0x82f63b78U : c >> 1;
			table[i] = c;
		}
	uint32_t c = 0xffffffffU;
	for (const uint8_t *p = data; n--; p++)
		c = table[(c ^ *p) & 0xff] ^ c >> 8;
	return c ^ 0xffffffffU;
}

static void little(struct str *s, uint64_t x, int bytes)
{
	for (int i = 0; i < bytes; i++)
		str_addc(s, (char)(x >> 8 * i & 0xff));
}

static void masked_crc(struct str *s, const void *data, size_t n)
{
	uint32_t c = crc32c(data, n);
	little(s, (uint32_t)((c >> 15 | c << 17) + 0xa282ead8U), 4);
}

static void record(struct str *file, const struct str *message)
{
	struct str length = { 0 };
	little(&length, message->len, 8);
	str_addn(file, length.data, 8);
	masked_crc(file, length.data, 8);
	str_addn(file, message->data, message->len);
	masked_crc(file, message->data, message->len);
	str_release(&length);
}

static void varint(struct str *s, uint64_t x)
{
	for (; x >= 0x80; x >>= 7)
		str_addc(s, (char)((x & 0x7f) | 0x80));
	str_addc(s, (char)x);
}

static void bytes_field(struct str *s, int field, const void *data, size_t n)
{
	varint(s, (uint64_t)field << 3 | 2);
	varint(s, n);
	str_addn(s, data, n);
}

static void double_field(struct str *s, int field, double x)
{
	uint64_t bits;
	memcpy(&bits, &x, 8);
	varint(s, (uint64_t)field << 3 | 1);
	little(s, bits, 8);
}

static void float_field(struct str *s, int field, float x)
{
	uint32_t bits;
	memcpy(&bits, &x, 4);
	varint(s, (uint64_t)field << 3 | 5);
	little(s, bits, 4);
}

static void scalar(struct str *file, double wall, int64_t step, const char *tag, double x)
{
	struct str value = { 0 }, summary = { 0 }, event = { 0 };
	bytes_field(&value, 1, tag, strlen(tag));
	float_field(&value, 2, (float)x);
	bytes_field(&summary, 1, value.data, value.len);
	double_field(&event, 1, wall);
	varint(&event, 2 << 3);
	varint(&event, (uint64_t)step);
	bytes_field(&event, 5, summary.data, summary.len);
	record(file, &event);
	str_release(&value);
	str_release(&summary);
	str_release(&event);
}

/* A label as a folder's name. */
static char *folder_name(const char *dir, const char *label, int64_t seed, const char *cell)
{
	char *name = xstrdup(label);
	for (char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("+-=.,", *p))
			*p = '_';
	char *path = xstrfmt("%s/%.80s-seed%lld-%.8s", dir, name, (long long)seed, cell);
	free(name);
	return path;
}

static int write_events(struct db *db, const char *attempt, const char *started, const char *folder, struct err *e)
{
	SCOPED(str) struct str file = { 0 };
	struct str version = { 0 };
	struct db_rows rows;
	double wall = host_seconds_between("1970-01-01T00:00:00.000Z", started);
	wall = isfinite(wall) ? wall : 0;
	double_field(&version, 1, wall);
	bytes_field(&version, 3, "brain.Event:2", 13);
	record(&file, &version);
	str_release(&version);
	struct curve_row point;
	struct mean_row mean;
	if (query_curve_by_step(&rows, db, attempt, e))
		return -1;
	while (query_curve_next(&point, &rows)) {
		SCOPED(free) char *tag = xstrfmt("train/%s", point.name);
		scalar(&file, wall, point.step, tag, point.value);
	}
	if (db_done(&rows, e) || query_means(&rows, db, attempt, e))
		return -1;
	while (query_mean_next(&mean, &rows)) {
		char of[SCORE_EXTRACTOR_MAX]; /* two extractors are two tags */
		score_extractor(of, mean.protocol);
		SCOPED(free)
		char *tag = xstrfmt("score/%s%s%s@%lld %s", mean.name, *of ? "/" : "", of, (long long)mean.nfe, mean.weights);
		scalar(&file, wall, mean.step, tag, mean.value);
	}
	SCOPED(free) char *path = xstrfmt("%s/events.out.tfevents.ablate", folder);
	return db_done(&rows, e) || io_mkdirs(folder, e) || io_write_atomic(path, file.data, file.len, e) ? -1 : 0;
}

int export_tensorboard(int *n, struct db *db, const char *dir, struct err *e)
{
	struct db_rows rows;
	struct used_row r;
	int rc = 0;
	*n = 0;
	if (query_used(&rows, db, e))
		return -1;
	while (!rc && query_used_next(&r, &rows)) {
		SCOPED(free) char *folder = folder_name(dir, r.label, r.seed, r.cell);
		rc = write_events(db, r.attempt, r.started, folder, e);
		*n += !rc;
	}
	return db_done(&rows, rc ? NULL : e) || rc ? -1 : 0;
}
