/* test_row_methods.c - a setting that the method of its row does not have is refused where it stands: the row would be
 * trained as if it were not there, and its number read as if it were. */
#include "tests/harness/grid/grid_fixture.h"

#define SCT \
	"\"method.kind\" = \"sct\", \"precond.kind\" = \"trigflow\", \"loss.kind\" = \"l2\", \"weight.kind\" = \"learned\""
#define FLOW \
	"\"method.kind\" = \"meanflow\", \"precond.kind\" = \"flow\", \"loss.kind\" = \"l2\", \"weight.kind\" = " \
	"\"adaptive\""
#define CHAIN(steps) "[[chain]]\nname = \"c\"\nmode = \"cumulative\"\nsteps = [" steps "]\n"

Test(row_methods, a_step_of_another_method_is_refused_at_its_place)
{
	refused(
		GRID STUDY "[variants]\ns = { set = { " SCT ", \"disc.s1\" = 30 } }\n" CHAIN("\"s\""),
		"g.toml:8:114: disc.s1 is a setting of method.kind = \"ct\" or \"cd\"; \"sct\" has tangent.c, tangent.warmup");
	refused(GRID STUDY "[variants]\nm = { set = { " FLOW ", \"tangent.c\" = 0.2 } }\n" CHAIN("\"m\""),
	        "tangent.c is a setting of method.kind = \"sct\"; \"meanflow\" has meanflow.share");
	refused(GRID STUDY "[variants]\ns = { set = { \"tangent.c\" = 0.2 } }\n" CHAIN("\"s\""),
	        "tangent.c is a setting of method.kind = \"sct\"; \"ct\" has coupling.ema, ");
	refused(GRID STUDY "[variants]\ns = { set = { " SCT ", \"target.references\" = 8 } }\n" CHAIN("\"s\""),
	        "target.references is a setting of method.kind = \"ct\" or \"ect\"; \"sct\" has tangent.c, ");
	refused(GRID STUDY "[variants]\ns = { set = { " SCT ", \"coupling.generator_share\" = 0.5 } }\n" CHAIN("\"s\""),
	        "coupling.generator_share is a setting of method.kind = \"ct\" or \"ect\"; \"sct\" has tangent.c, ");
}

Test(row_methods, so_is_one_of_the_base_or_of_set_that_no_row_uses)
{
	struct err e = ERR_INIT;
	refused(GRID STUDY "ect.k = 4\n",
	        "g.toml:7:5: ect.k is a setting of method.kind = \"ect\" or \"tcm\"; \"ct\" has ");
	SCOPED(plan) struct plan *p = expand_text(GRID STUDY, "ect.k=4", &e);
	cr_assert_null(p);
	cr_expect(strstr(e.msg, "--set ect.k=4: ect.k is a setting of method.kind = \"ect\" or \"tcm\"; \"ct\" has "
	                        "coupling.ema, coupling.generator_share, "),
	          "%s", e.msg);
}

/* A base of several methods has the settings of all; so has a chain that changes the method on the way. */
Test(row_methods, what_some_row_uses_is_left_alone)
{
	plan_free(must(GRID STUDY "disc.s1 = 30\n[variants]\ns = { set = { " SCT " } }\n" CHAIN("\"s\"")));
	plan_free(must(GRID STUDY "[variants]\nd = { set = { \"disc.s1\" = 30 } }\ns = { set = { " SCT
	                          " } }\n" CHAIN("\"d\", \"s\"")));
	plan_free(must(GRID STUDY "[variants]\ns = { set = { " SCT ", \"tangent.c\" = 0.2 } }\n" CHAIN("\"s\"")));
	plan_free(must(GRID STUDY "target.references = 8\n[variants]\ns = { set = { " SCT " } }\n" CHAIN("\"s\"")));
	plan_free(must(GRID STUDY "ect.k = 8\nmethod.kind = \"ct\"\n"));                 /* its default */
	plan_free(must(GRID STUDY "disc.s1 = 40\nmethod.kind = \"ect\"\nloss.c = 0\n")); /* the preset's */
	/* taken back, which the method asks for */
	plan_free(must(GRID STUDY "teacher.ema = 0.9\n[variants]\ns = { set = { " SCT
	                          ", \"teacher.ema\" = 0 } }\n" CHAIN("\"s\"")));
}
