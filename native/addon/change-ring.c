/* SPDX-License-Identifier: Apache-2.0 */
#include "change-ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int call_bpf(int command, union bpf_attr *attributes)
{
	return (int)syscall(SYS_bpf, command, attributes, sizeof(*attributes));
}

static int pin_of(const char *folder, const char *name)
{
	union bpf_attr attributes;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	memset(&attributes, 0, sizeof(attributes));
	attributes.pathname = (uint64_t)(uintptr_t)path;
	return call_bpf(BPF_OBJ_GET, &attributes);
}

/* Bytes of the ring's data; 0 with errno. */
static uint32_t size_of(int fd)
{
	struct bpf_map_info info;
	union bpf_attr attributes;

	memset(&info, 0, sizeof(info));
	memset(&attributes, 0, sizeof(attributes));
	attributes.info.bpf_fd = (uint32_t)fd;
	attributes.info.info_len = sizeof(info);
	attributes.info.info = (uint64_t)(uintptr_t)&info;
	if (call_bpf(BPF_OBJ_GET_INFO_BY_FD, &attributes))
		return 0;
	errno = EINVAL;
	return info.type == BPF_MAP_TYPE_RINGBUF ? info.max_entries : 0;
}

/* Maps a part of a map. NULL with errno. */
static void *map_part(int fd, size_t length, int protection, size_t at)
{
	void *memory = mmap(NULL, length, protection, MAP_SHARED, fd, (off_t)at);

	return memory == MAP_FAILED ? NULL : memory;
}

static bool map_all(struct change_ring *r, int lost)
{
	r->size = size_of(r->fd);
	if (!r->size)
		return false;
	r->consumer = map_part(r->fd, r->page, PROT_READ | PROT_WRITE, 0);
	if (!r->consumer)
		return false;
	/* The data is mapped twice in a row, so that every change is contiguous. */
	r->producer = map_part(r->fd, r->page + 2 * (size_t)r->size, PROT_READ, r->page);
	if (!r->producer)
		return false;
	r->data = (const unsigned char *)r->producer + r->page;
	r->lost = map_part(lost, r->page, PROT_READ, 0);
	return r->lost;
}

int change_ring_open(struct change_ring *r, const char *folder, struct failure *failure)
{
	int lost;

	*r = (struct change_ring){ .fd = pin_of(folder, "varmor_changes"), .page = (size_t)sysconf(_SC_PAGESIZE) };
	failure->step = "ring";
	failure->error = errno;
	if (r->fd < 0)
		return -1;
	lost = pin_of(folder, "varmor_changes_lost");
	if (lost < 0 || !map_all(r, lost)) {
		failure->error = errno;
		if (lost >= 0)
			close(lost);
		change_ring_close(r);
		return -1;
	}
	close(lost);
	r->next = atomic_load(r->producer);
	change_ring_done(r);
	return 0;
}

void change_ring_close(struct change_ring *r)
{
	if (r->consumer)
		munmap((void *)r->consumer, r->page);
	if (r->producer)
		munmap((void *)r->producer, r->page + 2 * (size_t)r->size);
	if (r->lost)
		munmap((void *)r->lost, r->page);
	if (r->fd >= 0)
		close(r->fd);
	*r = (struct change_ring){ .fd = -1 };
}

static bool is_whole(const struct varmor_change *change, uint32_t length)
{
	if (length < sizeof(*change))
		return false;
	return length == (change->what == VARMOR_CHANGE_PLACED ? sizeof(struct varmor_placed) : sizeof(*change));
}

/* A change follows an 8-byte header, whose first word is the length and two flags (Documentation/bpf/ringbuf.rst). */
const struct varmor_change *change_ring_next(struct change_ring *r)
{
	while (r->next < atomic_load_explicit(r->producer, memory_order_acquire)) {
		const unsigned char *header = r->data + (r->next & (r->size - 1));
		uint32_t length = atomic_load_explicit((const _Atomic uint32_t *)(const void *)header,
						       memory_order_acquire);
		const struct varmor_change *change;

		if (length & BPF_RINGBUF_BUSY_BIT)
			return NULL;
		r->next += ((length & ~BPF_RINGBUF_DISCARD_BIT) + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
		change = (const void *)(header + BPF_RINGBUF_HDR_SZ);
		if (!(length & BPF_RINGBUF_DISCARD_BIT) && is_whole(change, length))
			return change;
	}
	return NULL;
}

void change_ring_done(struct change_ring *r)
{
	atomic_store_explicit(r->consumer, r->next, memory_order_release);
}

uint64_t change_ring_lost(const struct change_ring *r)
{
	return atomic_load_explicit(r->lost, memory_order_acquire);
}
