#!/bin/bash
# conclude.sh - ends the job with the gate's exit code CODE; "cannot tell" (4) only warns if FAIL_ON_INCONCLUSIVE is false.
case ${CODE:-} in
0) ;;
4)
	[ "${FAIL_ON_INCONCLUSIVE:-true}" != false ] || { echo "::warning::too few seeds to tell"; exit 0; }
	echo "::error::too few seeds to tell"
	;;
3) echo "::error::a gate failed" ;;
*) echo "::error::the gates cannot be judged"; exit "${CODE:-1}" ;;
esac
exit "$CODE"
