/* plan_duration.c - see plan_duration.h. */
#include "harness/plan/plan_duration.h"

void plan_add_duration(struct str *out, double s)
{
	const double day = 86400, year = 365.25 * day;
	if (s < 0.95)
		str_add(out, "less than 1 s");
	else if (s < 90)
		str_addf(out, "%.0f s", s);
	else if (s < 5400)
		str_addf(out, "%.0f min", s / 60);
	else if (s < 2 * day)
		str_addf(out, "%.1f h", s / 3600);
	else if (s < 3 * year)
		str_addf(out, s < 100 * day ? "%.1f d" : "%.0f d", s / day);
	else
		str_addf(out, s < 100 * year ? "%.1f years" : "%.0f years", s / year);
}
