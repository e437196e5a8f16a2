/* wilson.h - the interval of a share (Wilson 1927). */
#ifndef ABLATE_WILSON_H
#define ABLATE_WILSON_H

#include <stdint.h>

/* Half-width, in percent, of the 95 % interval of a share of n independent trials: the wider side of Wilson's interval,
 * so it is more than 0 where the share is 0 or 100. */
double wilson_half_width(double percent, int64_t n);

#endif
