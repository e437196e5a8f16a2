/* test_slurm_site.c - what a site's Slurm is like, and what users may ask of sbatch. */
#include "harness/slurm/slurm_site.h"
#include "harness/slurm/slurm_submission.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct {
	const char *config;
	int max_array, max_tasks;
	bool exit;
} sites[] = {
	{ "", 1001, 1001, false },
	{ "X = 1\nMaxArraySize            = 50\nMaxDBDMsgs = 2\n", 50, 50, false },
	{ "MaxArraySize = none\nRequeueExit = (null)\n", 1001, 1001, false },
	{ "RequeueExit             = 75\nRequeueExitHold         = (null)\n", 1001, 1001, true },
	{ "RequeueExit = 1-10,70-80,99", 1001, 1001, true },
	{ "RequeueExit = 1-10,175,750", 1001, 1001, false },
	{ "RequeueExit = 75\nRequeueExitHold = 70-80\n", 1001, 1001, false }, /* it would be held */
	{ "MaxArraySize = 4000\nSchedulerParameters = bf_interval=1,max_array_tasks=300\nOther = max_array_tasks=2", 4000,
	  300, false },
	{ "OtherMaxArraySize = 7\n", 1001, 1001, false },
};

Test(slurm_site, a_site_is_read_from_its_configuration)
{
	for (size_t i = 0; i < sizeof sites / sizeof *sites; i++) {
		struct slurm_site s;
		slurm_site_read(&s, sites[i].config);
		cr_expect_eq(s.max_array, sites[i].max_array, "%s", sites[i].config);
		cr_expect_eq(s.max_tasks, sites[i].max_tasks, "%s", sites[i].config);
		cr_expect_eq(slurm_way(&s, SLURM_REQUEUE_AUTO) == SLURM_REQUEUE_EXIT, sites[i].exit, "%s", sites[i].config);
		cr_expect_eq(slurm_way(&s, SLURM_REQUEUE_CHAIN), SLURM_REQUEUE_CHAIN);
	}
}

static const struct {
	const char *word, *said; /* said: of the refusal; NULL: it may be given */
} words[] = {
	{ "--partition=gpu", NULL },
	{ "--exclusive", NULL },
	{ "-N1", NULL },
	{ "-t10", NULL },
	{ "mine.sh", "not an option" },
	{ "-", "not an option" },
	{ "--", "not an option" },
	{ "", "not an option" },
	{ "--array=0-3", "--array itself" },
	{ "--arr=0-3", "--array itself" },
	{ "-a0-3", "--array itself" },
	{ "--job-name=x", "--job-name itself" },
	{ "-Jx", "--job-name itself" },
	{ "--wrap=true", "--wrap itself" },
	{ "--no-requeue", "--no-requeue itself" },
	{ "--requeue", "--requeue itself" },
	{ "--ntasks=2", "--ntasks itself" },
	{ "--ntasks-per-node=2", NULL },
	{ "--export=ALL", "--export itself" },
	{ "--export-file=x", NULL },
};

Test(slurm_site, what_the_program_sets_itself_is_refused)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		struct err e = ERR_INIT;
		int rc = slurm_check_options(&words[i].word, 1, "--sbatch", &e);
		cr_expect_eq(rc, words[i].said ? -1 : 0, "%s: %s", words[i].word, e.msg);
		cr_expect(!words[i].said || (e.code == EXIT_USAGE && strstr(e.msg, words[i].said)), "%s: %s", words[i].word,
		          e.msg);
	}
}
