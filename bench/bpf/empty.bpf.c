/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Programs that do nothing, to measure the kernel's cost of a call. */
#define VARMOR_MAPS
#include "maps.h"

char LICENSE[] SEC("license") = "GPL";

volatile __u32 varmor_unknown_zero = 0;

SEC("lsm/file_open")
int BPF_PROG(empty_file_open, struct file *file)
{
	return 0;
}

SEC("lsm/socket_connect")
int BPF_PROG(empty_socket_connect, struct socket *socket, struct sockaddr *address, int length)
{
	return 0;
}
