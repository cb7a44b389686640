/* filter.bpf.c - the XDP program on a media device: UDP to our media addresses and ports goes to
 * the relay's socket; everything else (ARP, ND, SIP, fragments, options, extension headers, VLANs)
 * stays with the kernel. Addresses and port ranges are filled in at start (af_xdp.c).
 * SPDX-License-Identifier: Apache-2.0 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "filter.h"

/* The driver looks for this name. */
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct filter_address);
	__type(value, struct filter_ranges);
} media_map SEC(".maps");

static __always_inline int is_media(const struct filter_address *address, __u16 port)
{
	const struct filter_ranges *ranges = bpf_map_lookup_elem(&media_map, address);
	if (!ranges)
		return 0;
#pragma unroll
	for (int i = 0; i < FILTER_RANGES_MAX; i++)
		if (port >= ranges->range[i].first && port <= ranges->range[i].last)
			return 1;
	return 0;
}

SEC("xdp")
int postern_media(struct xdp_md *context)
{
	void *data = (void *)(long)context->data;
	void *end = (void *)(long)context->data_end;
	struct ethhdr *ethernet = data;
	struct filter_address address = {};
	struct udphdr *udp;

	if ((void *)(ethernet + 1) > end)
		return XDP_PASS;
	if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = (void *)(ethernet + 1);
		if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_UDP || ip->ihl != 5 ||
		    (ip->frag_off & bpf_htons(0x3fff)))
			return XDP_PASS;
		address.family = 4;
		address.word[0] = ip->daddr;
		udp = (void *)(ip + 1);
	} else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = (void *)(ethernet + 1);
		if ((void *)(ip + 1) > end || ip->nexthdr != IPPROTO_UDP)
			return XDP_PASS;
		address.family = 6;
		__builtin_memcpy(address.word, &ip->daddr, sizeof(address.word));
		udp = (void *)(ip + 1);
	} else {
		return XDP_PASS;
	}
	if ((void *)(udp + 1) > end || !is_media(&address, bpf_ntohs(udp->dest)))
		return XDP_PASS;
	/* a queue without a socket of ours: to the kernel */
	return bpf_redirect_map(&xsks_map, context->rx_queue_index, XDP_PASS);
}

char LICENSE[] SEC("license") = "Apache-2.0";
