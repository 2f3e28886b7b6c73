/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Checks the creation of sockets, and the destinations of their packets. */
#include "report.h"
#include "task.h"

#include <bpf/bpf_endian.h>

#define AF_UNSPEC 0
#define AF_INET 2
#define AF_INET6 10
#define PROTOCOL_MPTCP 262
#define PROTOCOL_UDPLITE 136
#define AF_PACKET 17
#define AF_RXRPC 33
#define AF_SMC 43
#define AF_XDP 44
#define PROTOCOL_SMC 256
#define LAST_PROTOCOL 63 /* src/profile/bpf/allowed-sockets.ts */
#define SOCK_RAW_TYPE 3

/*
 * Returns the protocol number that rules use. Protocol 0 becomes the default of the socket's type, MPTCP becomes TCP,
 * and UDP-Lite becomes UDP.
 */
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
	if (holds(rule->domains, match->domain) && holds(rule->types, match->type) &&
	    holds(rule->protocols, match->protocol))
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
	protocol = kind_of_protocol(type, protocol);
	loop.scratch = take_scratch();
	if (!loop.scratch)
		return VARMOR_DENY;
	loop.table = keep(loop.scratch, profile->sockets, sizeof(profile->sockets));
	loop.scratch->sockets.domain = domain;
	loop.scratch->sockets.type = type;
	/*
	 * A set has 64 bits. The last bit stands for all larger protocol numbers: rules do not name it, but a list of
	 * allowed protocols may contain it.
	 */
	loop.scratch->sockets.protocol = protocol < LAST_PROTOCOL ? protocol : LAST_PROTOCOL;
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

	if (!profile || kernel || (!profile->socket_rules && !profile->egress && !profile->mode))
		return 0;
	verdict = verdict_of_socket(profile, (__u32)family, (__u32)type, (__u32)protocol);
	/*
	 * An AF_XDP socket sends frames from memory that it shares with the kernel, and the kernel calls no hook for
	 * these frames.
	 */
	if (family == AF_XDP && profile->egress)
		verdict |= VARMOR_DENY | VARMOR_AUDIT;
	REFUSE_IF(judge(profile, verdict, VARMOR_EVENT_KIND_SOCKET, 3 * sizeof(__u32), &body));
	return 0;
}

struct bisection {
	struct varmor_port_key at;
	__u32 low, high; /* [low, high) */
	__u32 key; /* protocol and port, as in struct varmor_port_range */
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

/* A global function that takes only numbers: every kernel verifies it only once. */
__weak __noinline int varmor_verdict_of_ranges(__u32 egress, __u32 first, __u32 count, __u32 key)
{
	struct bisection search = { .at = { .egress = egress }, .key = key };

	search.low = first + varmor_unknown_zero;
	search.high = first + count + varmor_unknown_zero;
	REPEAT(32, 32, halve, &search);
	return search.verdict;
}

static __always_inline __u32 verdict_of_ports(__u32 egress, const struct varmor_port_ranges *ranges, __u32 key)
{
	return ranges ? varmor_verdict_of_ranges(egress, ranges->first, ranges->count, key) : 0;
}

/* Rules about the pod itself apply to the pod's addresses, which are stored under the container's number. */
static __noinline __u32 verdict_of_v4(const struct varmor_profile *profile, __u32 container, const __u8 *address,
				      __u32 key)
{
	struct varmor_v4_key prefix = { .bits = 64 };
	__u32 verdict;

	if (!profile || !address)
		return 0;
	prefix.egress = profile->egress;
	__builtin_memcpy(prefix.address, address, sizeof(prefix.address));
	verdict = verdict_of_ports(profile->egress, bpf_map_lookup_elem(&varmor_v4, &prefix), key);
	if (!profile->own.count)
		return verdict;
	prefix.egress = VARMOR_OWN | container;
	if (bpf_map_lookup_elem(&varmor_v4, &prefix))
		verdict |= verdict_of_ports(profile->egress, &profile->own, key);
	return verdict;
}

/* Whether an IPv6 address contains an IPv4 address: in ::ffff:0:0/96, or in 64:ff9b::/96 for a NAT64 gateway. */
static __always_inline bool is_v4_in_v6(const __u8 *address)
{
	const __u32 *words = (const void *)address;

	if (words[0] == 0 && words[1] == 0 && words[2] == bpf_htonl(0xffff))
		return true;
	return words[0] == bpf_htonl(0x0064ff9b) && words[1] == 0 && words[2] == 0;
}

static __noinline __u32 verdict_of_v6(const struct varmor_profile *profile, __u32 container, const __u8 *address,
				      __u32 key)
{
	struct varmor_v6_key prefix = { .bits = 160 };
	__u32 verdict;

	if (!profile || !address)
		return 0;
	prefix.egress = profile->egress;
	__builtin_memcpy(prefix.address, address, sizeof(prefix.address));
	verdict = verdict_of_ports(profile->egress, bpf_map_lookup_elem(&varmor_v6, &prefix), key);
	prefix.egress = VARMOR_OWN | container;
	if (profile->own.count && bpf_map_lookup_elem(&varmor_v6, &prefix))
		verdict |= verdict_of_ports(profile->egress, &profile->own, key);
	return is_v4_in_v6(prefix.address) ? verdict | verdict_of_v4(profile, container, prefix.address + 12, key)
					   : verdict;
}

static __always_inline __u32 key_of(struct socket *socket, __u16 port)
{
	__u32 type = BPF_CORE_READ(socket, type), protocol;
	struct sock *sock = BPF_CORE_READ(socket, sk);

	protocol = kind_of_protocol(type, BPF_CORE_READ_BITFIELD_PROBED(sock, sk_protocol));
	/* SMC begins as a TCP connection, and RxRPC uses UDP. */
	if (BPF_CORE_READ(socket, ops, family) == AF_SMC || protocol == PROTOCOL_SMC)
		protocol = IPPROTO_TCP;
	else if (BPF_CORE_READ(socket, ops, family) == AF_RXRPC)
		protocol = IPPROTO_UDP;
	protocol = protocol == IPPROTO_TCP ? VARMOR_TCP : protocol == IPPROTO_UDP ? VARMOR_UDP : VARMOR_OTHER;
	return protocol << 16 | port;
}

#define RXRPC_TRANSPORT 8
/* setsockopt(2) accepts no more addresses than this. */
#define MOST_ADDRESSES 65536

/*
 * Whether the profile refuses to send from the socket to the address. The task can no longer change the address,
 * because this is the kernel's copy.
 */
static __noinline bool refuses_address(struct socket *socket, const void *given, int length, __u32 call)
{
	__u32 container = container_of_task(current_task());
	struct varmor_profile *profile = profile_of(container_numbered(container));
	struct sockaddr_in6 address = {};
	struct sockaddr_in *v4 = (void *)&address;
	struct body body = {};
	__u32 family, key, verdict, port;
	bool is_v6;

	if (!profile || !given || length < (int)sizeof(address.sin6_family) || (!profile->egress && !profile->mode))
		return false;
	/*
	 * The kernel's copy always has room for a whole sockaddr_in6, even if the task gave an address without the last
	 * field.
	 */
	if (bpf_probe_read_kernel(&address, sizeof(address), given))
		return false;
	family = address.sin6_family;
	/* sendto(2) treats AF_UNSPEC as IPv4 on an IPv4 socket; connect(2) with AF_UNSPEC disconnects. */
	if (family == AF_UNSPEC && call == VARMOR_EVENT_CALL_SENDMSG)
		family = BPF_CORE_READ(socket, ops, family);
	/* In struct sockaddr_rxrpc, the transport's address follows. */
	if (family == AF_RXRPC) {
		if (bpf_probe_read_kernel(&address, sizeof(address), given + RXRPC_TRANSPORT))
			return false;
		family = address.sin6_family;
	}
	if (family != AF_INET && family != AF_INET6)
		return false;
	is_v6 = family == AF_INET6;
	port = bpf_ntohs(address.sin6_port);
	key = key_of(socket, port);
	verdict = is_v6 ? verdict_of_v6(profile, container, address.sin6_addr.in6_u.u6_addr8, key)
			: verdict_of_v4(profile, container, (void *)&v4->sin_addr, key);
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

struct inet_sock___bit {
	__u8 hdrincl : 1;
} __attribute__((preserve_access_index));

struct inet_sock___flags {
	unsigned long inet_flags;
} __attribute__((preserve_access_index));

/* Since Linux 6.7. */
#define FLAG_HDRINCL (1UL << 12)

static __always_inline bool has_own_headers(struct sock *sock)
{
	if (bpf_core_field_exists(((struct inet_sock___flags *)0)->inet_flags))
		return BPF_CORE_READ((struct inet_sock___flags *)sock, inet_flags) & FLAG_HDRINCL;
	return BPF_CORE_READ_BITFIELD_PROBED((struct inet_sock___bit *)sock, hdrincl);
}

/*
 * Whether the profile has rules about addresses, and the socket sends packets with headers that the task made. The task
 * could change the destination in such a header after the check.
 */
static __always_inline bool hides_address(struct socket *socket)
{
	struct varmor_profile *profile = current_profile();
	__u32 family, type;
	struct body body = {};

	if (!profile || !profile->egress)
		return false;
	family = BPF_CORE_READ(socket, ops, family);
	type = BPF_CORE_READ(socket, type);
	if (family != AF_PACKET && family != AF_XDP &&
	    !(type == SOCK_RAW_TYPE && (family == AF_INET || family == AF_INET6) &&
	      has_own_headers(BPF_CORE_READ(socket, sk))))
		return false;
	body.numbers[0] = family;
	body.numbers[1] = type;
	return judge(profile, VARMOR_DENY | VARMOR_AUDIT, VARMOR_EVENT_KIND_SOCKET, 3 * sizeof(__u32), &body);
}

static __always_inline bool has_egress(void)
{
	struct varmor_profile *profile = current_profile();

	return profile && profile->egress && !profile->mode;
}

#define SOL_IP 0
#define SOL_IPV6 41
#define SOL_SCTP 132
#define IP_HDRINCL 3
#define IP_OPTIONS 4
#define IP_RETOPTS 7
#define IPV6_2292RTHDR 5
#define IPV6_2292PKTOPTIONS 6
#define IPV6_FLOWLABEL_MGR 32
#define IPV6_HDRINCL 36
#define IPV6_RTHDR 57
#define SCTP_DSTADDRV4 7
#define SCTP_DSTADDRV6 8

/*
 * Options that send packets to another address than the call names: headers that the task makes, which another thread
 * could enable between the hook and the packet; source routes; and flow labels, which may contain a route.
 */
static __always_inline bool leads_elsewhere(__u32 level, __u32 option)
{
	if (level == SOL_IP)
		return option == IP_HDRINCL || option == IP_OPTIONS;
	if (level == SOL_IPV6)
		return option == IPV6_HDRINCL || option == IPV6_RTHDR || option == IPV6_2292RTHDR ||
		       option == IPV6_2292PKTOPTIONS || option == IPV6_FLOWLABEL_MGR;
	return false;
}

/* Refuses an operation that can hide the destination, if the profile has rules about addresses. */
static __always_inline bool refuses_to_hide(struct socket *socket)
{
	struct varmor_profile *profile = current_profile();
	struct body body = {};

	if (!profile || !profile->egress)
		return false;
	body.numbers[0] = BPF_CORE_READ(socket, ops, family);
	body.numbers[1] = BPF_CORE_READ(socket, type);
	return judge(profile, VARMOR_DENY | VARMOR_AUDIT, VARMOR_EVENT_KIND_SOCKET, 3 * sizeof(__u32), &body);
}

SEC("lsm/socket_setsockopt")
int BPF_PROG(varmor_socket_setsockopt, struct socket *socket, int level, int option)
{
	if (leads_elsewhere(level, option))
		REFUSE_IF(refuses_to_hide(socket));
	return 0;
}

/* A control message (struct cmsghdr); the kernel has copied it. */
struct control_walk {
	void *at;
	__u64 left;
	bool hides;
};

struct control {
	__u64 length; /* with the header */
	__u32 level;
	__u32 type;
};

#define MAX_CONTROLS 128

static long look_at_control(__u32 round, struct control_walk *walk)
{
	struct control control = {};
	__u64 size;

	if (walk->left < sizeof(control))
		return 1;
	if (bpf_probe_read_kernel(&control, sizeof(control), walk->at) || control.length < sizeof(control) ||
	    control.length > walk->left)
		return 1;
	if (leads_elsewhere(control.level, control.type) || (control.level == SOL_IP && control.type == IP_RETOPTS) ||
	    (control.level == SOL_SCTP && (control.type == SCTP_DSTADDRV4 || control.type == SCTP_DSTADDRV6))) {
		walk->hides = true;
		return 1;
	}
	size = (control.length + 7) & ~7ULL;
	walk->left = size < walk->left ? walk->left - size : 0;
	walk->at += size;
	return 0;
}

/* Whether a control message can send the data to another address: by a source route, or by additional addresses. */
static __noinline bool has_hiding_controls(struct msghdr *message)
{
	struct control_walk walk = {};

	if (!message)
		return false;
	walk.left = BPF_CORE_READ(message, msg_controllen) + varmor_unknown_zero;
	if (!walk.left)
		return false;
	walk.at = BPF_CORE_READ(message, msg_control);
	REPEAT(MAX_CONTROLS, MAX_CONTROLS, look_at_control, &walk);
	/* The walk has a limit of rounds. If unchecked control messages remain, they count as hiding the address. */
	return walk.hides || walk.left >= sizeof(struct control);
}

/* For packets without a connection, and for connections that start with data (MSG_FASTOPEN). */
SEC("lsm/socket_sendmsg")
int BPF_PROG(varmor_socket_sendmsg, struct socket *socket, struct msghdr *message, int size)
{
	REFUSE_IF(hides_address(socket));
	REFUSE_IF(has_egress() && has_hiding_controls(message) && refuses_to_hide(socket));
	REFUSE_IF(refuses_address(socket, BPF_CORE_READ(message, msg_name), BPF_CORE_READ(message, msg_namelen),
				  VARMOR_EVENT_CALL_SENDMSG));
	return 0;
}

struct packed_addresses {
	struct socket *socket;
	const void *at;
	int left;
	bool refused;
};

static long next_address(__u32 round, struct packed_addresses *list)
{
	__u16 family = 0;
	int size;

	if (list->left < (int)sizeof(struct sockaddr_in) || bpf_probe_read_kernel(&family, sizeof(family), list->at))
		return 1;
	size = family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	if (refuses_address(list->socket, list->at, size, VARMOR_EVENT_CALL_CONNECT)) {
		list->refused = true;
		return 1;
	}
	list->at += size;
	list->left -= size;
	return 0;
}

/*
 * Calls that concern the socket's own addresses, or parameters that a peer sent. The kernel handles a peer's parameters
 * while any task runs.
 */
#define SCTP_SET_PEER_PRIMARY_ADDR 5
#define SCTP_PRIMARY_ADDR 6
#define SCTP_SOCKOPT_BINDX_ADD 100
#define SCTP_PARAM_ADD_IP 0xc001
#define SCTP_PARAM_SET_PRIMARY 0xc004

static __always_inline bool sctp_connects(int option)
{
	switch (option) {
	case SCTP_SET_PEER_PRIMARY_ADDR:
	case SCTP_PRIMARY_ADDR:
	case SCTP_SOCKOPT_BINDX_ADD:
	case SCTP_PARAM_ADD_IP:
	case SCTP_PARAM_SET_PRIMARY:
		return false;
	default:
		return true;
	}
}

/* A socket option also connects an SCTP socket (sctp_connectx(3)), even to several addresses at once. */
SEC("lsm/sctp_bind_connect")
int BPF_PROG(varmor_sctp_bind_connect, struct sock *sock, int option, struct sockaddr *addresses, int length)
{
	struct packed_addresses list = {};

	if (!sctp_connects(option) || !container_of_task(current_task()))
		return 0;
	list.socket = BPF_CORE_READ(sock, sk_socket);
	/* Copied, so that the verifier does not track the range of the hook's pointer. */
	bpf_probe_read_kernel(&list.at, sizeof(list.at), &addresses);
	list.left = length + (int)varmor_unknown_zero;
	REPEAT(MOST_ADDRESSES, 4, next_address, &list);
	/* Addresses that were not checked count as refused. */
	REFUSE_IF(list.refused || (list.left >= (int)sizeof(struct sockaddr_in) && has_egress()));
	return 0;
}
