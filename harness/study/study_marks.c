/* study_marks.c - numbers of different builds of the numerics carry marks, "[1]", wherever they are shown together. See
 * study.h. */
#include "harness/study/study.h"

#include <string.h>

/* 0-based; the last stands for all that have no room. */
static int mark_of(const struct study *s, const char *fingerprint)
{
	int i = 0;
	while (i < s->n_marked - 1 && strcmp(s->marked[i], fingerprint) != 0)
		i++;
	return i;
}

bool study_is_mixed(const struct study *s)
{
	return s->n_marked > 1 || (s->n_marked == 1 && strchr(s->marked[0], '+'));
}

static const char *mark_text(struct arena *a, const bool *is, int n)
{
	const char *text = "";
	for (int i = 0; i < n; i++)
		if (is[i])
			text = arena_strfmt(a, "%s%s%d", text, *text ? ", " : "", i + 1);
	return *text ? arena_strfmt(a, " [%s]", text) : "";
}

const char *study_mark(const struct study *s, struct arena *a, const char *const *builds, int n)
{
	bool is[STUDY_MARKS_MAX] = { false };
	for (int i = 0; i < n && study_is_mixed(s); i++)
		is[mark_of(s, builds[i])] = true;
	return mark_text(a, is, s->n_marked);
}

const char *study_arm_mark(const struct study *s, struct arena *a, int arm)
{
	bool is[STUDY_MARKS_MAX] = { false };
	for (int i = s->first[arm]; i < s->first[arm + 1] && study_is_mixed(s); i++)
		if (s->cells[s->of_arm[i]].state == RECORD_DONE)
			is[mark_of(s, s->cells[s->of_arm[i]].fingerprint)] = true;
	return mark_text(a, is, s->n_marked);
}

const char *study_mark_note(const struct study *s, struct arena *a, int i)
{
	if (!study_is_mixed(s) || i >= s->n_marked)
		return NULL;
	SCOPED(free) char *text = builds_text(s->marked[i]);
	return arena_strfmt(a, "[%d]: %s%s.", i + 1, *s->marked[i] ? "numerics fingerprint " : "", text);
}

const char *study_stat_builds(struct study *s, const struct study_stat *stat)
{
	const char *all = stat->n_builds ? stat->builds[0] : "";
	for (int i = 1; i < stat->n_builds; i++)
		all = arena_strfmt(&s->arena, "%s+%s", *all ? all : "none", *stat->builds[i] ? stat->builds[i] : "none");
	return all;
}
