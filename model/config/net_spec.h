/* net_spec.h - the network that a config asks for. */
#ifndef ABLATE_NET_SPEC_H
#define ABLATE_NET_SPEC_H

#include "model/config/config.h"
#include "model/nets/net.h"

/* Of a finished config: its net.* and the shape of its data. */
struct net_spec net_spec_of(const struct run_config *c);

#endif
