/* table_leaks.c - whose score is too good because the network that scores it taught it; see table_private.h. Alone in
 * its file, so that a test can put its own answer in its place. */
#include "harness/show/table_private.h"

bool table_leaks(const struct build *b, int arm, const struct metric_ref *ref)
{
	(void)b, (void)arm, (void)ref;
	return false;
}
