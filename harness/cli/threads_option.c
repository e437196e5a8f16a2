/* threads_option.c - see threads_option.h. */
#include "harness/cli/threads_option.h"

#include "harness/record/host.h"
#include "model/base/str.h"

int threads_of(const struct cli *c, int fallback)
{
	int wanted = (int)cli_int(c, "threads", fallback), most = host_cpus();
	if (wanted <= (most > fallback ? most : fallback))
		return wanted;
	wanted = most > fallback ? most : fallback;
	cli_warn(c, "--threads %lld: this process may use %d processor%s (see `ablate doctor`); %d thread%s",
	         (long long)cli_int(c, "threads", 0), most, str_plural(most), wanted, str_plural(wanted));
	return wanted;
}
