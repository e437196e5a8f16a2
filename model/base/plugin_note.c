/* plugin_note.c - see plugin_note.h. Nothing that the file says about itself is believed beyond the file's end. */
#include "model/base/plugin_note.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>

enum { SEGMENTS_MAX = 128, MACHINE_CLASS = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32 };

struct bytes {
	const unsigned char *at;
	size_t n;
};

/* The part of `b` from `from` on, `n` bytes long; false: it is not inside. */
static bool part_of(struct bytes *out, struct bytes b, uint64_t from, uint64_t n)
{
	if (from > b.n || n > b.n - from)
		return false;
	*out = (struct bytes){ b.at + from, (size_t)n };
	return true;
}

static bool take(void *to, struct bytes b, uint64_t from, size_t n)
{
	struct bytes part;
	if (!part_of(&part, b, from, n))
		return false;
	memcpy(to, part.at, n);
	return true;
}

static bool is_id(struct bytes b)
{
	for (size_t i = 0; i + 1 < b.n; i++)
		if (!strchr("0123456789abcdef", b.at[i]) || !b.at[i])
			return false;
	return b.n > 1 && b.n <= PLUGIN_ID && !b.at[b.n - 1];
}

/* The id among the notes of a segment, which stand one behind the other, aligned to 4 bytes or to 8. */
static bool find_id(char id[PLUGIN_ID], struct bytes notes, uint64_t align)
{
	const uint64_t mask = align == 8 ? 7 : 3;
	ElfW(Nhdr) head;
	for (uint64_t at = 0; take(&head, notes, at, sizeof head);) {
		const uint64_t owner_at = at + sizeof head, text_at = (owner_at + head.n_namesz + mask) & ~mask;
		struct bytes owner, text;
		if (!part_of(&owner, notes, owner_at, head.n_namesz) || !part_of(&text, notes, text_at, head.n_descsz))
			return false;
		if (head.n_type == PLUGIN_NOTE_TYPE && owner.n == sizeof PLUGIN_NOTE_OWNER &&
		    memcmp(owner.at, PLUGIN_NOTE_OWNER, owner.n) == 0 && is_id(text)) {
			memcpy(id, text.at, text.n);
			return true;
		}
		at = (text_at + head.n_descsz + mask) & ~mask;
	}
	return false;
}

int plugin_note_read(char id[PLUGIN_ID], const void *file, size_t n, const char *path, struct err *e)
{
	const struct bytes all = { file, n };
	ElfW(Ehdr) head;
	ElfW(Phdr) segment;
	if (n < SELFMAG || memcmp(file, ELFMAG, SELFMAG) != 0)
		return err_set(e, "%s: not a shared library (ELF): a plugin of ablate is built with it", path);
	if (!take(&head, all, 0, sizeof head))
		return err_set(e, "%s: cut short after %zu bytes: copy or build it again", path, n);
	if (head.e_ident[EI_CLASS] != MACHINE_CLASS ||
	    head.e_ident[EI_DATA] != (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB) ||
	    head.e_type != ET_DYN || head.e_phentsize != sizeof segment || head.e_phnum > SEGMENTS_MAX)
		return err_set(e, "%s: not a shared library of this kind of machine: rebuild it here", path);
	bool found = false;
	for (unsigned i = 0; i < head.e_phnum; i++) { /* all of them: the linker dies of pages that the file has not */
		struct bytes part;
		uint64_t at = (uint64_t)i * sizeof segment; /* head.e_phoff may be anything */
		if (head.e_phoff > n || !take(&segment, all, head.e_phoff + at, sizeof segment) ||
		    !part_of(&part, all, segment.p_offset, segment.p_filesz))
			return err_set(e, "%s: cut short after %zu bytes: copy or build it again", path, n);
		found = found || (segment.p_type == PT_NOTE && find_id(id, part, segment.p_align));
	}
	if (found)
		return 0;
	return err_set(
		e, "%s: does not say which build of ablate it belongs to: not a plugin of this version; rebuild both", path);
}
