/* slurm_submission.c - see slurm_submission.h. */
#define _GNU_SOURCE
#include "harness/slurm/slurm_submission.h"

#include "harness/slurm/slurm_script.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARRAY_RUNS_MAX = 4000 }; /* "0-3,7,9-12": some 50 KiB */

char *slurm_dir(const char *db, const char *plan_hash)
{
	return xstrfmt("%s-runs/slurm/%.12s", db, plan_hash);
}

char *slurm_shard(const char *db, const char *training_key)
{
	return xstrfmt("%s-runs/slurm/shards/%.12s.db", db, training_key);
}

/* ---- options of the user's own ---------------------------------------------------------------------------------- */

/* What becomes of an option of sbatch that the user gives; those without a row are the tasks'. */
enum fate { FATE_TASKS, FATE_ALL /* the merge job's, too */, FATE_OURS, FATE_DEPENDENCY, FATE_GPUS };
static const struct {
	const char *name;
	char letter;
	enum fate fate;
} fates[] = {
	/* a name before those that it begins */
	{ "partition", 'p', FATE_ALL },
	{ "account", 'A', FATE_ALL },
	{ "qos", 'q', FATE_ALL },
	{ "reservation", 0, FATE_ALL },
	{ "wckey", 0, FATE_ALL },
	{ "mail-type", 0, FATE_ALL },
	{ "mail-user", 0, FATE_ALL },
	{ "nice", 0, FATE_ALL },
	{ "exclude", 'x', FATE_ALL },
	{ "dependency", 'd', FATE_DEPENDENCY },
	{ "gpus", 'G', FATE_GPUS },
	{ "gpus-per-task", 0, FATE_GPUS },
	{ "gpus-per-node", 0, FATE_GPUS },
	{ "gres", 0, FATE_GPUS },
	{ "array", 'a', FATE_OURS },
	{ "chdir", 'D', FATE_OURS },
	{ "clusters", 'M', FATE_OURS },
	{ "comment", 0, FATE_OURS },
	{ "export", 0, FATE_OURS },
	{ "job-name", 'J', FATE_OURS },
	{ "kill-on-invalid-dep", 0, FATE_OURS },
	{ "no-requeue", 0, FATE_OURS },
	{ "ntasks", 'n', FATE_OURS },
	{ "open-mode", 0, FATE_OURS },
	{ "output", 'o', FATE_OURS },
	{ "parsable", 0, FATE_OURS },
	{ "requeue", 0, FATE_OURS },
	{ "signal", 0, FATE_OURS },
	{ "test-only", 0, FATE_OURS },
	{ "wait", 'W', FATE_OURS },
	{ "wrap", 0, FATE_OURS },
};
enum { N_FATES = sizeof fates / sizeof *fates };

/* The row of a word like --partition=gpu, --part=gpu or -pgpu: the first that its name begins. -1: none. */
static int fate_row(const char *word)
{
	size_t n = strcspn(word, "=");
	for (int i = 0; i < N_FATES; i++)
		if (word[1] == '-' ? n > 4 && strncmp(fates[i].name, word + 2, n - 2) == 0 : word[1] == fates[i].letter)
			return i;
	return -1;
}

static enum fate fate_of(const char *word)
{
	int row = fate_row(word);
	return row < 0 ? FATE_TASKS : fates[row].fate;
}

int slurm_check_options(const char *const *words, int n, const char *where, struct err *e)
{
	for (int i = 0; i < n; i++) {
		if (words[i][0] != '-' || words[i][1] == '\0' || strcmp(words[i], "--") == 0)
			return err_code(e, EXIT_USAGE, "%s %s: not an option of sbatch, as in --sbatch=--partition=gpu", where,
			                words[i]);
		if (fate_of(words[i]) == FATE_OURS)
			return err_code(e, EXIT_USAGE, "%s %s: `ablate run` sets --%s itself", where, words[i],
			                fates[fate_row(words[i])].name);
	}
	return 0;
}

/* ---- words of sbatch -------------------------------------------------------------------------------------------- */

static void word(struct slurm_job *j, const char *text)
{
	VEC_PUSH(j->word, j->n_words, j->cap_words) = text;
}

/* The user's options, in the order of who comes last: [slurm] options, --sbatch. */
static void words_of_user(struct slurm_submission *s, struct slurm_job *j, const char *const *v, int n)
{
	for (int i = 0; i < n; i++) {
		enum fate fate = fate_of(v[i]);
		if (fate == FATE_DEPENDENCY) {
			free(s->user_dependency);
			s->user_dependency = xstrdup(v[i][1] == '-' ? v[i] + strcspn(v[i], "=") + (strchr(v[i], '=') != NULL)
			                                            : v[i] + 2);
		} else if (j->n || fate == FATE_ALL) {
			word(j, v[i]);
		}
	}
}

static bool asks_for_gpus(const struct slurm_options *o)
{
	bool asks = o->slurm.word[SLURM_GRES] != NULL;
	for (int i = 0; i < o->slurm.options.n; i++)
		asks |= fate_of(o->slurm.options.v[i]) == FATE_GPUS;
	for (int i = 0; i < o->n_extra; i++)
		asks |= fate_of(o->extra[i]) == FATE_GPUS;
	return asks;
}

static int threads_asked(const struct slurm_options *o)
{
	return o->threads > 0 ? o->threads : o->slurm.cpus;
}

static void words_of_resources(struct slurm_submission *s, struct slurm_job *j, const struct slurm_options *o)
{
	int ranks = o->ranks > 1 ? o->ranks : 1, threads = threads_asked(o);
	if (ranks > 1)
		word(j, "--nodes=1"); /* across nodes their sums may come in another order, and bits with them */
	word(j, arena_strfmt(&s->arena, "--ntasks=%d", ranks));
	if (threads > 0)
		word(j, arena_strfmt(&s->arena, "--cpus-per-task=%d", threads));
	if (strncmp(o->device, "cuda", 4) == 0 && !asks_for_gpus(o))
		word(j, "--gpus-per-task=1");
	if (o->slurm.time_s > 0)
		word(j, arena_strfmt(&s->arena, "--time=%.0f", ceil(o->slurm.time_s / 60)));
}

/* Slurm reads % in the name of an output as the beginning of a number of its own. */
static const char *log_word(struct slurm_submission *s, const char *dir, const char *name)
{
	struct str text = { 0 };
	str_add(&text, "--output=");
	for (const char *p = dir; *p; p++)
		str_addf(&text, *p == '%' ? "%%%%" : "%c", *p);
	str_addf(&text, "/log/%s", name);
	const char *kept = arena_strdup(&s->arena, text.data);
	str_release(&text);
	return kept;
}

/* Before its time limit, and not at the very beginning of a short one. */
static int warn_s(const struct slurm_options *o)
{
	double limit = o->slurm.time_s;
	return limit > 0 && limit < 4 * SLURM_WARN_S ? (int)(limit / 4) : SLURM_WARN_S;
}

static void add_words(struct slurm_submission *s, struct slurm_job *j, const char *plan_hash, const char *id,
                      const char *dir, const char *array, const struct slurm_options *o, const char *cwd)
{
	static const char *const always[] = { "sbatch", "--parsable", "--open-mode=append", "--export=NIL",
		                                  "--kill-on-invalid-dep=yes" };
	SCOPED(free) char *name = slurm_job_name(id, plan_hash, j->n ? j->base : -1);
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		word(j, always[i]);
	word(j, s->way == SLURM_NEVER || s->way == SLURM_REQUEUE_CHAIN ? "--no-requeue" : "--requeue");
	word(j, arena_strfmt(&s->arena, "--job-name=%s", name));
	word(j, arena_strfmt(&s->arena, "--comment=ablate database %s, plan %.12s", id, plan_hash));
	word(j, arena_strfmt(&s->arena, "--chdir=%s", cwd));
	word(j, log_word(s, dir, j->n ? "%A_%a.out" : "merge-%j.out"));
	if (j->n) {
		word(j, arena_strdup(&s->arena, array));
		word(j, arena_strfmt(&s->arena, "--signal=B:TERM@%d", warn_s(o)));
		words_of_resources(s, j, o);
	} else {
		word(j, "--ntasks=1");
		word(j, "--cpus-per-task=1");
		word(j, "--mem=512M");
	}
	for (int i = 0; i < SLURM_WORDS; i++)
		if (o->slurm.word[i] && (j->n || i <= SLURM_RESERVATION))
			word(j, arena_strfmt(&s->arena, "--%s=%s", slurm_word_names[i], o->slurm.word[i]));
	words_of_user(s, j, o->slurm.options.v, o->slurm.options.n);
	words_of_user(s, j, o->extra, o->n_extra);
	for (int i = 0; i < o->slurm.merge.n && !j->n; i++)
		word(j, o->slurm.merge.v[i]);
}

void slurm_array_text(struct str *out, const int *index, int n, int base)
{
	for (int i = 0, last; i < n; i = last + 1) {
		for (last = i; last + 1 < n && index[last + 1] == index[last] + 1; last++)
			;
		str_addf(out, "%s%d", i ? "," : "", index[i] - base);
		if (last > i)
			str_addf(out, "-%d", index[last] - base);
	}
}

/* ---- jobs ------------------------------------------------------------------------------------------------------- */

static int add_job(struct slurm_submission *s, const struct slurm_job *like, const char *plan_hash, const char *id,
                   const int *index, const struct slurm_options *o, struct err *e)
{
	char cwd[PATH_MAX];
	SCOPED(free) char *dir = slurm_dir(o->db, plan_hash);
	SCOPED(free) char *plan = xstrfmt("%s-runs/plans/%s.plan.json", o->db, plan_hash);
	SCOPED(str) struct str array = { 0 };
	struct str text = { 0 };
	if (!getcwd(cwd, sizeof cwd))
		return err_set(e, "the working directory has no path");
	VEC_PUSH(s->v, s->n, s->cap) = *like;
	struct slurm_job *j = &s->v[s->n - 1];
	if (slurm_script(&text, plan, j->n ? j->base : -1, s->way, o, e))
		return -1;
	j->text = str_detach(&text);
	j->script = j->n ? xstrfmt("%s/task-%d.sh", dir, j->base) : xstrfmt("%s/merge.sh", dir);
	str_add(&array, "--array=");
	slurm_array_text(&array, index + j->first, j->n, j->base);
	int throttle = o->jobs > 0 ? o->jobs : o->slurm.throttle;
	if (throttle > 0)
		str_addf(&array, "%%%d", throttle);
	add_words(s, j, plan_hash, id, dir, array.data, o, cwd);
	return 0;
}

/* Where the array that begins with cell `first` ends: of indices that the site allows, of cells that wait for the same,
 * and whose text is no longer than sbatch can be given. */
static int end_of_array(const int *index, const long long *behind, int first, int n, const struct slurm_site *site)
{
	int last = first + 1, runs = 1;
	while (last < n && index[last] - index[first] < site->max_array && last - first < site->max_tasks &&
	       (!behind || behind[last] == behind[first])) {
		runs += index[last] != index[last - 1] + 1;
		if (runs > ARRAY_RUNS_MAX)
			break;
		last++;
	}
	return last;
}

/* Arrays of what the site allows, and behind each its chain. */
static int add_arrays(struct slurm_submission *s, const char *plan_hash, const char *id, const int *index,
                      const long long *behind, int n, const struct slurm_options *o, struct err *e)
{
	int links = s->way != SLURM_REQUEUE_CHAIN ? 1 : o->slurm.chain ? o->slurm.chain : SLURM_CHAIN;
	for (int first = 0, last; first < n; first = last) {
		long long wait = behind ? behind[first] : 0;
		last = end_of_array(index, behind, first, n, &o->site);
		for (int link = 0; link < links; link++) {
			struct slurm_job job = { .first = first,
				                     .n = last - first,
				                     .base = index[first],
				                     .behind = link ? s->n - 1 : -1,
				                     .behind_job = link ? 0 : wait };
			if (add_job(s, &job, plan_hash, id, index, o, e))
				return -1;
		}
		s->tasks += last - first;
	}
	return 0;
}

int slurm_compose(struct slurm_submission *out, const char *plan_hash, const char *id, const int *index,
                  const long long *behind, int n, const struct slurm_options *o, struct err *e)
{
	*out = (struct slurm_submission){ .way = slurm_way(&o->site, o->slurm.requeue), .processors = threads_asked(o) };
	out->gpus = strncmp(o->device, "cuda", 4) == 0 ? 1 : 0;
	if (slurm_check_options(o->slurm.options.v, o->slurm.options.n, "[slurm] options", e) ||
	    slurm_check_options(o->slurm.merge.v, o->slurm.merge.n, "[slurm] merge", e) ||
	    slurm_check_options(o->extra, o->n_extra, "--sbatch", e) ||
	    add_arrays(out, plan_hash, id, index, behind, n, o, e) ||
	    add_job(out, &(struct slurm_job){ .behind = -1 }, plan_hash, id, index, o, e)) {
		slurm_submission_release(out);
		return -1;
	}
	return 0;
}

void slurm_dependency(struct str *out, const struct slurm_submission *s, int i, const char *const *ids)
{
	const struct slurm_job *j = &s->v[i];
	const char *user = s->user_dependency, *glue = "";
	if (j->behind >= 0 || j->behind_job) {
		str_add(out, "afterany:");
		if (j->behind >= 0)
			str_add(out, ids[j->behind]);
		else
			str_addf(out, "%lld", j->behind_job);
		glue = ",";
	} else if (!j->n) {
		for (int k = 0; k < i; k++)
			str_addf(out, "%s:%s", k ? "" : "afterany", ids[k]);
		glue = ",";
	}
	/* "?" is "any of these", which cannot be joined with ours: then the tasks alone wait for it, and the rest for
	 * them */
	if (user && (!*glue || !strchr(user, '?')))
		str_addf(out, "%s%s", glue, user);
}

void slurm_job_line(struct str *out, const struct slurm_submission *s, int i)
{
	SCOPED(free) const char **ids = xcalloc((size_t)s->n, sizeof *ids);
	SCOPED(str) struct str after = { 0 };
	struct arena names = { 0 };
	for (int k = 0; k < s->n; k++)
		ids[k] = arena_strfmt(&names, "JOB%d", k + 1);
	for (int k = 0; k < s->v[i].n_words; k++) {
		const char *w = s->v[i].word[k];
		if (k)
			str_addc(out, ' ');
		if (w[strspn(w, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=./:,@%+")])
			slurm_quote(out, w);
		else
			str_add(out, w);
	}
	slurm_dependency(&after, s, i, ids);
	if (after.len)
		str_addf(out, " --dependency=%s", after.data);
	str_addc(out, ' ');
	slurm_quote(out, s->v[i].script);
	arena_release(&names);
}

void slurm_submission_release(struct slurm_submission *s)
{
	for (int i = 0; i < s->n; i++) {
		free(s->v[i].script);
		free(s->v[i].text);
		free(s->v[i].word);
	}
	free(s->v);
	free(s->user_dependency);
	arena_release(&s->arena);
	*s = (struct slurm_submission){ 0 };
}

void scoped_slurm_submission(struct slurm_submission *s)
{
	slurm_submission_release(s);
}
