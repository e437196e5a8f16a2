/* test_doctor_next.c - what doctor advises to type: one list of remedies on machines of several kinds, as text and as
 * JSON. */
#include "harness/commands/doctor_next.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct remedy blas = { REMEDY_PACKAGE, "libopenblas0-pthread", "OpenBLAS (libopenblas.so.0)", "scores",
	                                false };
static const struct remedy mpi = { REMEDY_PACKAGE, "openmpi-bin", "Open MPI", "--ranks", false };
static const struct remedy core = { REMEDY_SHELL, "export OPENBLAS_CORETYPE=Haswell", .gives = "fast kernels" };
static const struct remedy fetch = { REMEDY_ABLATE, "weights fetch inception-2015", .gives = "FID as published" };
static const struct remedy solver = { REMEDY_PACKAGE, "libcusolver-13-0", "NVIDIA's cuSOLVER", "on the card", true };

/* All of them, in an order that is not that of the lines; MPI is asked for twice. */
static void collect(struct next *n, const struct next_machine *m)
{
	next_add(n, m, "inception-2015", &fetch);
	next_add(n, m, "OpenBLAS", &blas);
	next_add(n, m, "kernels", &core);
	next_add(n, m, "MPI", &mpi);
	next_add(n, m, "cuSOLVER", &solver);
	next_add(n, m, "mpirun", &mpi);
	next_finish(n, m);
}

static void expect_text(const struct next_machine *m, const char *want)
{
	SCOPED(next) struct next n = { 0 };
	SCOPED(str) struct str got = { 0 };
	collect(&n, m);
	next_text(&got, &n, "build/ablate run x.toml", "a study");
	SCOPED(free) char *whole = xstrfmt("%s  build/ablate run x.toml                      # a study\n", want);
	cr_expect_str_eq(str_text(&got), whole);
}

static char self[] = "build/ablate";

Test(doctor_next, as_root_and_by_sudo_packages_are_one_command)
{
	struct next_machine m = { .apt = true, .apt_lists = false, .self = self, .root = true };
	/* too long for the column: the others have their own column */
	expect_text(&m, "  apt-get update && apt-get install libopenblas0-pthread openmpi-bin    # scores; --ranks\n"
	                "  export OPENBLAS_CORETYPE=Haswell             # fast kernels\n"
	                "  build/ablate weights fetch inception-2015    # FID as published\n");
	m.root = false;
	m.sudo = true;
	expect_text(&m,
	            "  sudo apt-get update && sudo apt-get install libopenblas0-pthread openmpi-bin    # scores; --ranks\n"
	            "  export OPENBLAS_CORETYPE=Haswell             # fast kernels\n"
	            "  build/ablate weights fetch inception-2015    # FID as published\n");
}

Test(doctor_next, somebody_else_is_told_what_a_user_cannot_do)
{
	struct next_machine m = { .apt = true, .self = self };
	expect_text(&m,
	            "  as root: apt-get update && apt-get install libopenblas0-pthread openmpi-bin    # scores; --ranks\n"
	            "  export OPENBLAS_CORETYPE=Haswell             # fast kernels\n"
	            "  build/ablate weights fetch inception-2015    # FID as published\n");
}

Test(doctor_next, without_apt_the_software_is_named)
{
	struct next_machine m = { .sudo = true, .self = self };
	expect_text(&m, "  # install OpenBLAS (libopenblas.so.0)        # scores\n"
	                "  # install Open MPI                           # --ranks\n"
	                "  export OPENBLAS_CORETYPE=Haswell             # fast kernels\n"
	                "  build/ablate weights fetch inception-2015    # FID as published\n");
}

Test(doctor_next, what_a_card_needs_is_said_where_there_is_a_card)
{
	struct next_machine m = { .self = self, .card = true };
	expect_text(&m, "  # install OpenBLAS (libopenblas.so.0)        # scores\n"
	                "  # install Open MPI                           # --ranks\n"
	                "  # install NVIDIA's cuSOLVER                  # on the card\n"
	                "  export OPENBLAS_CORETYPE=Haswell             # fast kernels\n"
	                "  build/ablate weights fetch inception-2015    # FID as published\n");
}

Test(doctor_next, nothing_to_do_is_said_with_what_to_begin_with)
{
	SCOPED(next) struct next n = { 0 };
	SCOPED(str) struct str got = { 0 };
	struct next_machine m = { .self = self };
	next_add(&n, &m, "cuSOLVER", &solver); /* of no use without a card */
	next_finish(&n, &m);
	next_text(&got, &n, "build/ablate run x.toml", "a study");
	cr_expect_str_eq(str_text(&got), "  nothing to do; to begin with:\n  build/ablate run x.toml    # a study\n");
}

Test(doctor_next, json_tells_the_same)
{
	SCOPED(next) struct next n = { 0 };
	struct next_machine m = { .apt = true, .self = self };
	collect(&n, &m);
	json_t *got = next_json(&n);
	json_t *want = json_pack("[{s:s, s:b, s:[s,s], s:[s,s,s]}, {s:s, s:[s], s:[s]}, {s:s, s:[s], s:[s]}]", "command",
	                         "apt-get update && apt-get install libopenblas0-pthread openmpi-bin", "as_root", 1,
	                         "gives", "scores", "--ranks", "for", "OpenBLAS", "MPI", "mpirun", "command",
	                         "export OPENBLAS_CORETYPE=Haswell", "gives", "fast kernels", "for", "kernels", "command",
	                         "build/ablate weights fetch inception-2015", "gives", "FID as published", "for",
	                         "inception-2015");
	SCOPED(free) char *text = json_dumps(got, 0);
	cr_expect(json_equal(got, want), "%s", text);
	json_decref(got);
	json_decref(want);
}

Test(doctor_next, what_apt_cache_says_of_a_package)
{
	static const char policy[] =
		"curl:\n  Installed: (none)\n  Candidate: 7.88.1-10\n  Version table:\n     7.88.1-10 500\n"
		"libfoo:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\nlibfoo-dev:\n  Installed: 1\n  "
		"Candidate: 1\n";
	cr_expect(next_apt_has(policy, "curl"));
	cr_expect(next_apt_has(policy, "libfoo-dev"));
	cr_expect_not(next_apt_has(policy, "libfoo"), "known, but there is none to install");
	cr_expect_not(next_apt_has(policy, "libf"));
	cr_expect_not(next_apt_has(policy, "cur"), "the beginning of one that there is");
	cr_expect_not(next_apt_has(policy, "Candidate"));
	cr_expect_not(next_apt_has("", "curl"));
}

Test(doctor_next, words_of_a_shell)
{
	static const char *const cases[][2] = { { "build/ablate", "build/ablate" },
		                                    { "/opt/my tools/ablate", "'/opt/my tools/ablate'" },
		                                    { "it's", "'it'\\''s'" },
		                                    { "$HOME", "'$HOME'" },
		                                    { "", "''" },
		                                    { "~/x", "'~/x'" } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		SCOPED(free) char *got = next_quoted(cases[i][0]);
		cr_expect_str_eq(got, cases[i][1]);
	}
}

/* ---- the machine ----------------------------------------------------------------------------- */

static char *dir;

static void put(const char *name, const char *text)
{
	struct err e = ERR_INIT;
	SCOPED(free)
	char *path = xstrfmt("%s/%s", dir, name), *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	cr_assert(io_mkdirs(folder, &e) == 0 && io_write_atomic(path, text, strlen(text), &e) == 0, "%s", e.msg);
}

static struct next_machine look(void)
{
	struct next_machine m;
	next_machine_read(&m);
	free(m.self);
	m.self = NULL;
	return m;
}

static void begin(void)
{
	dir = tempdir_make();
	put("bin/apt-get", "");
	SCOPED(free) char *bin = xstrfmt("%s/bin", dir), *tool = xstrfmt("%s/apt-get", bin);
	cr_assert(chmod(tool, 0755) == 0 && setenv("PATH", bin, 1) == 0 && setenv("ABLATE_DOCTOR_ROOT", dir, 1) == 0);
}

static void end(void)
{
	tempdir_remove(dir);
}

Test(doctor_next, debian_and_what_is_made_from_it, .init = begin, .fini = end)
{
	static const struct {
		const char *os;
		bool apt;
	} cases[] = {
		{ "NAME=\"Debian GNU/Linux\"\nID=debian\n", true },    { "ID=ubuntu\nID_LIKE=debian\n", true },
		{ "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", true }, { "ID=fedora\nID_LIKE=\"rhel centos\"\n", false },
		{ "ID=notdebian\nHOME_URL=\"debian\"\n", false },      { "", false },
	};
	cr_expect_not(look().apt, "no os-release at all");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		put("etc/os-release", cases[i].os);
		cr_expect_eq(look().apt, cases[i].apt, "%s", cases[i].os);
	}
	put("etc/os-release", "ID=debian\n");
	cr_assert_eq(setenv("PATH", "/nonexistent", 1), 0);
	cr_expect_not(look().apt, "no apt-get in PATH");
}

Test(doctor_next, what_apt_knows_lies_in_its_lists, .init = begin, .fini = end)
{
	cr_expect_not(look().apt_lists);
	put("var/lib/apt/lists/lock", "");
	cr_expect_not(look().apt_lists);
	put("var/lib/apt/lists/x_dists_bookworm_main_binary-amd64_Packages.lz4", "");
	cr_expect(look().apt_lists);
}

Test(doctor_next, a_card_is_one_that_shows_pictures, .init = begin, .fini = end)
{
	put("sys/bus/pci/devices/0000:00:01.0/vendor", "0x8086\n");
	put("sys/bus/pci/devices/0000:00:01.0/class", "0x030000\n");
	put("sys/bus/pci/devices/0000:01:00.1/vendor", "0x10de\n");
	put("sys/bus/pci/devices/0000:01:00.1/class", "0x040300\n");
	cr_expect_not(look().card, "another maker's card, and sound of NVIDIA's");
	put("sys/bus/pci/devices/0000:01:00.0/vendor", "0x10de\n");
	put("sys/bus/pci/devices/0000:01:00.0/class", "0x030200\n");
	cr_expect(look().card);
}

Test(doctor_next, a_driver_tells_of_a_card, .init = begin, .fini = end)
{
	put("proc/driver/nvidia/version", "x\n");
	cr_expect(look().card);
}
