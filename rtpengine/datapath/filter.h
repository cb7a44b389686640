/* filter.h - the map entry that filter.bpf.c and af_xdp.c agree on.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <linux/types.h>

#define FILTER_RANGES_MAX 8

struct filter_address {
	__u32 family;  /* 4 or 6 */
	__u32 word[4]; /* network byte order; IPv4 in the first */
};

struct filter_ranges {
	struct {
		__u16 first, last; /* host byte order; unused: first > last */
	} range[FILTER_RANGES_MAX];
};
