/* net_kind.h - the kinds of networks, for settings that name one; net.h builds them. */
#ifndef ABLATE_NET_KIND_H
#define ABLATE_NET_KIND_H

enum net_kind { NET_DDPMPP, NET_NCSNPP, NET_ADM };
enum { NET_LEVELS_MAX = 8 }; /* resolutions of a U-Net */

#endif
