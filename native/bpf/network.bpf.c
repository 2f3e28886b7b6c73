/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Sockets by their kind, and where their packets go. */
#include "report.h"
#include "task.h"

#include <bpf/bpf_endian.h>

#define AF_UNSPEC 0
#define AF_INET 2
#define AF_INET6 10
#define PROTOCOL_MPTCP 262
#define PROTOCOL_UDPLITE 136

/* The number by which rules know a protocol: that of its kind, where it has a number of its own. */
static __always_inline __u32 kind_of_protocol(__u32 type, __u32 protocol)
{
	if (protocol == 0)
		return type == SOCK_STREAM ? IPPROTO_TCP : type == SOCK_DGRAM ? IPPROTO_UDP : 0;
	return protocol == PROTOCOL_MPTCP ? IPPROTO_TCP : protocol == PROTOCOL_UDPLITE ? IPPROTO_UDP : protocol;
}

static __always_inline bool holds(__u64 set, __u32 number)
{
	return set == 0 || (number < 64 && set >> number & 1);
}

static __always_inline bool open_sockets(struct loop *loop)
{
	loop->table = loop->scratch->record;
	return true;
}

static long match_socket_rule(__u32 round, struct loop *loop)
{
	const struct varmor_socket_rule *rules = (const void *)loop->table;
	struct socket_match *match = &loop->scratch->sockets;
	const struct varmor_socket_rule *rule;
	__u32 number = match->at++;

	if (number >= VARMOR_SOCKET_RULES)
		return 1;
	rule = &rules[number];
	if (holds(rule->domains, match->domain) && holds(rule->types, match->type) && holds(rule->protocols, match->protocol))
		match->verdict |= rule->verdict;
	return 0;
}

LONG_LOOP(match_sockets, VARMOR_SOCKET_RULES, open_sockets, match_socket_rule)

static __always_inline __u32 verdict_of_socket(struct varmor_profile *profile, __u32 domain, __u32 type, __u32 protocol)
{
	struct loop loop = {};
	__u32 verdict;

	if (!profile->socket_rules)
		return 0;
	loop.scratch = take_scratch();
	if (!loop.scratch)
		return VARMOR_DENY;
	loop.table = keep(loop.scratch, profile->sockets, sizeof(profile->sockets));
	loop.scratch->sockets.domain = domain;
	loop.scratch->sockets.type = type;
	loop.scratch->sockets.protocol = kind_of_protocol(type, protocol);
	loop.scratch->sockets.at = 0;
	loop.scratch->sockets.verdict = 0;
	match_sockets(&loop, profile->socket_rules);
	verdict = loop.scratch->sockets.verdict;
	leave_scratch(loop.scratch);
	return verdict;
}

SEC("lsm/socket_create")
int BPF_PROG(varmor_socket_create, int family, int type, int protocol, int kernel)
{
	struct varmor_profile *profile = current_profile();
	struct body body = { { (__u32)family, (__u32)type, (__u32)protocol } };
	__u32 verdict;

	if (!profile || kernel || (!profile->socket_rules && !profile->mode))
		return 0;
	verdict = verdict_of_socket(profile, (__u32)family, (__u32)type, (__u32)protocol);
	REFUSE_IF(judge(profile, verdict, VARMOR_EVENT_KIND_SOCKET, 3 * sizeof(__u32), &body));
	return 0;
}

struct bisection {
	struct varmor_port_key at;
	__u32 low, high; /* [low, high) */
	__u32 key;       /* protocol and port, as in struct varmor_port_range */
	__u32 verdict;
};

static long halve(__u32 round, struct bisection *search)
{
	struct varmor_port_range *range;

	if (search->low >= search->high)
		return 1;
	search->at.index = search->low + (search->high - search->low) / 2;
	range = bpf_map_lookup_elem(&varmor_ports, &search->at);
	if (!range) {
		search->verdict = VARMOR_DENY | VARMOR_AUDIT;
		return 1;
	}
	if (search->key < range->first) {
		search->high = search->at.index;
	} else if (search->key > range->last) {
		search->low = search->at.index + 1;
	} else {
		search->verdict = range->verdict;
		return 1;
	}
	return 0;
}

static __noinline __u32 verdict_of_ports(__u32 egress, const struct varmor_port_ranges *ranges, __u32 key)
{
	struct bisection search = { .at = { .egress = egress }, .key = key };

	if (!ranges)
		return 0;
	search.low = ranges->first + varmor_unknown_zero;
	search.high = ranges->first + ranges->count + varmor_unknown_zero;
	REPEAT(32, 32, halve, &search);
	return search.verdict;
}

static __noinline __u32 verdict_of_v4(const struct varmor_profile *profile, const __u8 *address, __u32 key)
{
	struct varmor_v4_key prefix = { .bits = 64 };

	if (!profile || !address)
		return 0;
	prefix.egress = profile->egress;
	__builtin_memcpy(prefix.address, address, sizeof(prefix.address));
	return verdict_of_ports(profile->egress, bpf_map_lookup_elem(&varmor_v4, &prefix), key);
}

/* An IPv6 address may stand for an IPv4 one: ::ffff:0:0/96, and 64:ff9b::/96 behind a NAT64 gateway. */
static __always_inline bool is_v4_in_v6(const __u8 *address)
{
	const __u32 *words = (const void *)address;

	if (words[0] == 0 && words[1] == 0 && words[2] == bpf_htonl(0xffff))
		return true;
	return words[0] == bpf_htonl(0x0064ff9b) && words[1] == 0 && words[2] == 0;
}

static __noinline __u32 verdict_of_v6(const struct varmor_profile *profile, const __u8 *address, __u32 key)
{
	struct varmor_v6_key prefix = { .bits = 160 };
	__u32 verdict;

	if (!profile || !address)
		return 0;
	prefix.egress = profile->egress;
	__builtin_memcpy(prefix.address, address, sizeof(prefix.address));
	verdict = verdict_of_ports(profile->egress, bpf_map_lookup_elem(&varmor_v6, &prefix), key);
	return is_v4_in_v6(prefix.address) ? verdict | verdict_of_v4(profile, prefix.address + 12, key) : verdict;
}

static __always_inline __u32 key_of(struct socket *socket, __u16 port)
{
	__u32 type = BPF_CORE_READ(socket, type), protocol;
	struct sock *sock = BPF_CORE_READ(socket, sk);

	protocol = kind_of_protocol(type, BPF_CORE_READ_BITFIELD_PROBED(sock, sk_protocol));
	return (protocol == IPPROTO_TCP ? VARMOR_TCP : protocol == IPPROTO_UDP ? VARMOR_UDP : VARMOR_OTHER) << 16 | port;
}

/* Whether a socket must not send to the address. It is a copy of the kernel's, which the task cannot change any more. */
static __noinline bool refuses_address(struct socket *socket, const void *given, int length, __u32 call)
{
	struct varmor_profile *profile = current_profile();
	struct sockaddr_in6 address = {};
	struct sockaddr_in *v4 = (void *)&address;
	struct body body = {};
	__u32 family, key, verdict, port;
	bool is_v6;

	if (!profile || !given || length < (int)sizeof(address.sin6_family) || (!profile->egress && !profile->mode))
		return false;
	/* The copy has room for any address, and IPv6 takes one without its last field, too. */
	if (bpf_probe_read_kernel(&address, sizeof(address), given))
		return false;
	family = address.sin6_family;
	/* sendto(2) on a socket of IPv4 takes it for that; connect(2) ends a connection by it. */
	if (family == AF_UNSPEC && call == VARMOR_EVENT_CALL_SENDMSG)
		family = BPF_CORE_READ(socket, ops, family);
	if (family != AF_INET && family != AF_INET6)
		return false;
	is_v6 = family == AF_INET6;
	port = bpf_ntohs(address.sin6_port);
	key = key_of(socket, port);
	verdict = is_v6 ? verdict_of_v6(profile, address.sin6_addr.in6_u.u6_addr8, key) : verdict_of_v4(profile, (void *)&v4->sin_addr, key);
	body.numbers[0] = call | port << 16;
	body.numbers[1] = family;
	if (is_v6)
		__builtin_memcpy(body.numbers + 2, &address.sin6_addr, sizeof(address.sin6_addr));
	else
		__builtin_memcpy(body.numbers + 2, &v4->sin_addr, sizeof(v4->sin_addr));
	return judge(profile, verdict, VARMOR_EVENT_KIND_ADDRESS, sizeof(struct varmor_event_address), &body);
}

SEC("lsm/socket_connect")
int BPF_PROG(varmor_socket_connect, struct socket *socket, struct sockaddr *address, int length)
{
	REFUSE_IF(refuses_address(socket, address, length, VARMOR_EVENT_CALL_CONNECT));
	return 0;
}

/* Packets without a connection, and connections that begin with data (MSG_FASTOPEN). */
SEC("lsm/socket_sendmsg")
int BPF_PROG(varmor_socket_sendmsg, struct socket *socket, struct msghdr *message, int size)
{
	REFUSE_IF(refuses_address(socket, BPF_CORE_READ(message, msg_name), BPF_CORE_READ(message, msg_namelen), VARMOR_EVENT_CALL_SENDMSG));
	return 0;
}
