/* mutate.h - what the mutators share. A file mutate_NAME.c gives the target fuzz_NAME.c an LLVMFuzzerCustomMutator:
 * it takes an input apart, changes a part, and puts it together again with lengths, offsets and checksums that fit, so
 * that the code behind these is reached, too. What cannot be taken apart, and one input in eight anyway, is changed
 * byte by byte. Linked only where libFuzzer is (preset fuzz). */
#ifndef ABLATE_MUTATE_H
#define ABLATE_MUTATE_H

#include "model/base/mem.h"
#include "model/base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max); /* libFuzzer's own */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

/* Chance: begins with libFuzzer's seed, so that a run can be repeated. */
struct dice {
	uint64_t state;
};
uint32_t dice_below(struct dice *d, uint32_t n); /* 0 .. n - 1; 0 for n = 0 */
bool dice_one_in(struct dice *d, uint32_t n);
/* A number at which sizes and counts go wrong: small, or about a power of two. */
int64_t dice_number(struct dice *d);

/* Texts to choose from. */
struct words {
	const char *const *v;
	size_t n;
};
#define WORDS(array) ((struct words){ (array), sizeof(array) / sizeof *(array) })
const char *dice_word(struct dice *d, struct words w); /* "" of none */

/* Changes or lengthens s, byte by byte. */
void mutate_bytes(struct str *s);
/* What a mutator returns: `out` where it is not empty and fits, else data changed byte by byte. */
size_t mutate_give(uint8_t *data, size_t size, size_t max, const struct str *out);

/* --- a sequence of pieces: lines, tokens, instructions --- */

struct piece {
	const char *s; /* borrowed */
	size_t n;
};
struct pieces {
	struct piece *v;
	size_t n, cap;
};
void pieces_release(struct pieces *p);
void scoped_pieces(struct pieces *p);
void pieces_add(struct pieces *p, const void *s, size_t n);
void pieces_lines(struct pieces *p, const char *s, size_t n);  /* each with its newline */
void pieces_tokens(struct pieces *p, const char *s, size_t n); /* words, quoted texts, blanks, single characters */
void pieces_put(struct pieces *p, size_t at, const char *s);   /* before piece `at` */
void pieces_join(struct str *out, const struct pieces *p);
/* Leaves out, doubles, moves or overwrites a piece by another one. */
void pieces_mutate(struct pieces *p, struct dice *d);

/* --- texts --- */

/* Changes tokens of s: by pieces_mutate, or to a number or one of the words. */
void mutate_tokens(struct str *s, struct dice *d, struct words words);
/* A mutator of TOML: lines and tokens; `lines` are whole ones ("key = value", "[header]") to put in. */
size_t mutate_toml(uint8_t *data, size_t size, size_t max, unsigned seed, struct words lines);
/* Changes one value under root: to a number, a word, another value of the tree; leaves it out or doubles it. */
void mutate_json(json_t *root, struct dice *d, struct words words);

/* --- binary formats: mutate_zip.c, mutate_pickle.c --- */

/* Changes the instructions of a pickle, which may have other bytes after it. */
void mutate_pickle(struct str *s, struct dice *d);
/* A mutator of zip archives, stored or deflated, with or without zip64: `member` changes the data of one of them;
 * or names, methods and the directory are changed. False when the bytes are no zip. */
typedef void mutate_member_fn(struct str *data, const char *name, struct dice *d);
bool mutate_zip(struct str *out, const void *bytes, size_t n, struct dice *d, struct words names,
                mutate_member_fn *member);

#endif
