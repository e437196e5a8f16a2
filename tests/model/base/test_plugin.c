/* test_plugin.c - which libraries are opened: nobody else can have written them, and their note tells this build. All
 * others are refused in a line with the file and the remedy, before their constructors run: that of the strange plugin
 * leaves a mark. */
#define _GNU_SOURCE
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/plugin.h"
#include "model/base/plugin_note.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STRANGER = 54321 }; /* a uid and a gid that nobody has */

static char *root, *file;

static void setup(void)
{
	root = tempdir_make();
	file = xstrfmt("%s/plugin.so", root);
	cr_assert(chdir(root) == 0);
}

static void teardown(void)
{
	cr_assert(chdir("/") == 0);
	free(file);
	tempdir_remove(root);
}

TestSuite(plugin, .init = setup, .fini = teardown);

static void copy(const char *from, size_t cut)
{
	SCOPED(str) struct str s = { 0 };
	struct err e = ERR_INIT;
	cr_assert(io_read(&s, from, 1u << 30, &e) == 0, "%s", e.msg);
	cr_assert(io_write_atomic(file, s.data, cut ? cut : s.len, &e) == 0 && chmod(file, 0755) == 0, "%s", e.msg);
}

static void is_opened(const char *path)
{
	struct err e = ERR_INIT;
	void *library = NULL;
	cr_assert(plugin_open(&library, path, RTLD_NOW | RTLD_LOCAL, &e) == 0, "%s", e.msg);
	cr_assert(dlsym(library, "ablate_backend_plugin") != NULL);
	cr_assert(dlclose(library) == 0);
}

/* In one line that begins with WHERE, a file or a folder, and has both parts. */
static void is_refused(const char *path, const char *where, const char *why, const char *remedy)
{
	struct err e = ERR_INIT;
	void *library = NULL;
	cr_assert(plugin_open(&library, path, RTLD_NOW | RTLD_LOCAL, &e) == -1 && !library, "%s is opened", path);
	cr_assert(strncmp(e.msg, where, strlen(where)) == 0 && e.msg[strlen(where)] == ':', "%s: %s", where, e.msg);
	cr_assert(strstr(e.msg, why) && strstr(e.msg, remedy) && !strchr(e.msg, '\n'), "'%s', '%s' in: %s", why, remedy,
	          e.msg);
	cr_assert(!io_exists("strange-plugin-ran"), "%s: code of it ran", path);
}

/* Also by a path without a folder, with the folder's link, and for a program that opens it twice. */
Test(plugin, one_of_this_build_is_opened)
{
	copy(CUDA_EMU, 0);
	is_opened(file);
	is_opened("plugin.so");
	SCOPED(free) char *link = xstrfmt("%s-link", root);
	cr_assert(symlink(root, link) == 0);
	SCOPED(free) char *through = xstrfmt("%s/plugin.so", link);
	is_opened(through);
	cr_assert(unlink(link) == 0);
}

/* Two files of one name in two folders: the linker takes a name that it has seen for the library that it has. */
Test(plugin, two_of_one_name_are_two)
{
	struct err e = ERR_INIT;
	void *one, *two;
	copy(CUDA_EMU, 0);
	cr_assert(plugin_open(&one, file, RTLD_NOW | RTLD_LOCAL, &e) == 0, "%s", e.msg);
	cr_assert(mkdir("other", 0700) == 0);
	free(file);
	file = xstrfmt("%s/other/plugin.so", root);
	copy(CUDA_EMU, 0);
	cr_assert(plugin_open(&two, file, RTLD_NOW | RTLD_LOCAL, &e) == 0 && one != two, "%s", e.msg);
}

/* The mark by which the other tests see that nothing ran is left, indeed, where something runs. */
Test(plugin, a_constructor_leaves_its_mark)
{
	cr_assert(dlopen(STRANGE_PLUGIN, RTLD_NOW | RTLD_LOCAL) && io_exists("strange-plugin-ran"));
}

Test(plugin, another_build_is_refused_by_its_note)
{
	copy(STRANGE_PLUGIN, 0);
	is_refused(file, file, "built from other sources (0123456789ab, the program's are ", "rebuild both");
}

Test(plugin, what_others_can_write_is_refused)
{
	static const struct {
		mode_t file, folder;
		const char *why;
	} cases[] = {
		{ 0757, 0755, "others may write it (mode 0757)" },
		{ 0755, 0757, "others may write into this folder (mode 0757)" },
		{ 0755, 01777, "everybody may put files into it (mode 1777)" },
	};
	copy(CUDA_EMU, 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool own = cases[i].folder == 0755;
		cr_assert(chmod(file, cases[i].file) == 0 && chmod(root, cases[i].folder) == 0);
		is_refused(file, own ? file : root, cases[i].why,
		           cases[i].folder & 01000 ? "move the plugin to a folder of your own" : "chmod go-w ");
	}
	cr_assert(chmod(root, 0755) == 0 && chmod(file, 0755) == 0);
	is_opened(file);
}

/* A group is others, unless it is the one that Debian makes for a user alone. */
Test(plugin, what_a_group_can_write_is_refused)
{
	if (geteuid() != 0)
		cr_skip_test("only root gives files to other groups");
	copy(CUDA_EMU, 0);
	cr_assert(chown(file, 0, STRANGER) == 0 && chmod(file, 0775) == 0);
	is_refused(file, file, "others may write it (mode 0775)", "chmod go-w ");
	cr_assert(chown(file, 0, 0) == 0 && chmod(file, 0775) == 0);
	is_opened(file);
	cr_assert(chown(root, 0, STRANGER) == 0 && chmod(root, 0775) == 0);
	is_refused(file, root, "others may write into this folder (mode 0775)", "chmod go-w ");
}

Test(plugin, what_belongs_to_somebody_else_is_refused)
{
	if (geteuid() != 0)
		cr_skip_test("only root gives files away");
	copy(CUDA_EMU, 0);
	cr_assert(chown(file, STRANGER, STRANGER) == 0);
	is_refused(file, file, "it belongs to uid 54321, neither to you (uid 0) nor to root", "chown 0 ");
	cr_assert(chown(file, 0, 0) == 0 && chown(root, STRANGER, STRANGER) == 0);
	is_refused(file, root, "it belongs to uid 54321", "chown 0 ");
}

Test(plugin, links_and_other_things_than_files_are_refused)
{
	copy(CUDA_EMU, 0);
	cr_assert(symlink("plugin.so", "link.so") == 0 && mkfifo("fifo.so", 0600) == 0 && mkdir("folder.so", 0700) == 0);
	is_refused("link.so", "link.so", "it is a symbolic link", "name or copy the file it leads to");
	is_refused("fifo.so", "fifo.so", "not a file", "");
	is_refused("folder.so", "folder.so", "not a file", "");
	is_refused("none.so", "none.so", "No such file", "");
	is_refused("none/none.so", "none/none.so", "No such file", "");
}

Test(plugin, what_is_no_library_is_refused)
{
	struct err e = ERR_INIT;
	cr_assert(io_write_atomic(file, "", 0, &e) == 0);
	is_refused(file, file, "not a shared library", "");
	cr_assert(io_write_atomic(file, "#!/bin/sh\n", 10, &e) == 0);
	is_refused(file, file, "not a shared library", "");
	copy("/proc/self/exe", 0); /* no note of ablate */
	is_refused(file, file, "does not say which build of ablate it belongs to", "rebuild both");
	static const size_t cuts[] = { 4, 63, 64, 100, 300 };
	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		copy(CUDA_EMU, cuts[i]);
		is_refused(file, file, "cut short after ", "again");
	}
	copy(CUDA_EMU, 20000); /* its note is there: the linker would die of what it maps and the file has not */
	is_refused(file, file, "cut short after 20000 bytes", "again");
}

/* ---- notes, byte by byte --------------------------------------------------------------------- */

enum { NOTES_AT = 0x80, FILE_BYTES = 512 };

/* A library of one segment of notes: HEAD of it first. */
static int read_notes(char id[PLUGIN_ID], Elf64_Nhdr head, const char *owner, const char *text, uint64_t align)
{
	unsigned char bytes[FILE_BYTES] = { 0 };
	struct err e = ERR_INIT;
	const size_t mask = align == 8 ? 7 : 3;
	const Elf64_Ehdr elf = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB },
		                     .e_type = ET_DYN,
		                     .e_phoff = sizeof elf,
		                     .e_phentsize = sizeof(Elf64_Phdr),
		                     .e_phnum = 1 };
	const Elf64_Phdr segment = {
		.p_type = PT_NOTE, .p_offset = NOTES_AT, .p_filesz = FILE_BYTES - NOTES_AT, .p_align = align
	};
	memcpy(bytes, &elf, sizeof elf);
	memcpy(bytes + sizeof elf, &segment, sizeof segment);
	memcpy(bytes + NOTES_AT, &head, sizeof head);
	memcpy(bytes + NOTES_AT + sizeof head, owner, strlen(owner));
	memcpy(bytes + NOTES_AT + ((sizeof head + 7 + mask) & ~mask), text, strlen(text));
	return plugin_note_read(id, bytes, sizeof bytes, "x", &e);
}

Test(plugin, a_note_is_read_as_far_as_it_can_be_believed)
{
	char id[PLUGIN_ID] = "";
	const Elf64_Nhdr good = { .n_namesz = 7, .n_descsz = 5, .n_type = 1 };
	cr_assert(read_notes(id, good, "ablate", "0abc", 4) == 0);
	cr_assert_str_eq(id, "0abc");
	cr_assert(read_notes(id, good, "ablate", "1abc", 8) == 0);
	cr_assert_str_eq(id, "1abc");
	cr_assert(read_notes(id, good, "others", "0abc", 4) == -1, "the owner");
	cr_assert(read_notes(id, (Elf64_Nhdr){ 7, 5, 2 }, "ablate", "0abc", 4) == -1, "the type");
	cr_assert(read_notes(id, good, "ablate", "0a\nb", 4) == -1, "an id for a message has digits alone");
	cr_assert(read_notes(id, good, "ablate", "0abcd", 4) == -1, "an id ends");
	cr_assert(read_notes(id, (Elf64_Nhdr){ 7, 0, 1 }, "ablate", "", 4) == -1, "an id has digits");
	cr_assert(read_notes(id, (Elf64_Nhdr){ 7, UINT32_MAX, 1 }, "ablate", "0abc", 4) == -1);
	cr_assert(read_notes(id, (Elf64_Nhdr){ UINT32_MAX, 5, 1 }, "ablate", "0abc", 4) == -1);
	cr_assert(read_notes(id, (Elf64_Nhdr){ 7, 200, 1 }, "ablate", "0abc", 4) == -1, "longer than an id");
}
