/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf-ring.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clocks.h"
#include "side-thread.h"

#define MAX_CPUS 4096

static void clear_poke(int fd)
{
	uint64_t count;

	while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}

static void publish(struct bpf_ring *r)
{
	batch_ring_publish(&r->ring);
	r->born = 0;
	r->options.wake(r->options.context);
}

/* Puts a record into a batch. Returns false if all batches are full. */
static bool put(struct bpf_ring *r, const void *record, uint32_t size, uint64_t behind)
{
	struct batch *batch = batch_ring_filling(&r->ring);

	if (size > r->ring.batch_bytes) {
		add(&r->counts.malformed, 1);
		return true;
	}
	if (batch && batch->len + size > r->ring.batch_bytes) {
		publish(r);
		batch = batch_ring_filling(&r->ring);
	}
	if (!batch)
		return false;
	memcpy(batch->bytes + batch->len, record, size);
	batch->len += size;
	batch->records++;
	batch->position = behind;
	atomic_store(&r->given, behind);
	add(&r->counts.records, 1);
	return true;
}

/*
 * Reads the ring's records (Documentation/bpf/ringbuf.rst). Each record follows an 8-byte header, whose first word is
 * the length with two flags, and begins at a multiple of eight. The data is mapped twice in a row, so that each record
 * is contiguous. Returns the number of records; -1 if all batches are full.
 */
static int drain(struct bpf_ring *r)
{
	int taken = 0;

	while (r->next < atomic_load_explicit(r->producer, memory_order_acquire)) {
		const unsigned char *header = r->data + (r->next & (r->size - 1));
		uint32_t length = atomic_load_explicit((const _Atomic uint32_t *)(const void *)header,
						       memory_order_acquire);
		uint32_t size = length & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		unsigned long behind = r->next + (size + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;

		if (length & BPF_RINGBUF_BUSY_BIT)
			break;
		if (!(length & BPF_RINGBUF_DISCARD_BIT)) {
			if (!put(r, header + BPF_RINGBUF_HDR_SZ, size, behind))
				return -1;
			taken++;
		}
		r->next = behind;
	}
	return taken;
}

static bool all_done(struct bpf_ring *r)
{
	return atomic_load_explicit(r->consumer, memory_order_relaxed) >= r->next;
}

/*
 * Hands over a batch that is old enough. While the reader is behind, the batch is filled instead, because each batch
 * has a fixed cost.
 */
static void flush(struct bpf_ring *r, bool now)
{
	struct batch *batch = batch_ring_filling(&r->ring);

	if (!batch || batch->len == 0)
		return;
	if (r->born == 0)
		r->born = now_ms();
	if (now || (now_ms() - r->born >= r->options.flush_ms && batch_ring_is_empty(&r->ring)))
		publish(r);
}

/* Sleeps until the owner wakes the thread, the timeout is over, or (with `ring`) the ring has data. */
static void wait_for(struct bpf_ring *r, bool ring, int timeout)
{
	struct pollfd fds[2] = {
		{ .fd = r->wake_fd, .events = POLLIN },
		{ .fd = ring ? r->fd : -1, .events = POLLIN },
	};

	if (poll(fds, 2, timeout) > 0 && fds[0].revents)
		clear_poke(r->wake_fd);
}

static void *read_ring(void *arg)
{
	struct bpf_ring *r = arg;
	bool was_stalled = false;

	while (!atomic_load(&r->stopping)) {
		int taken = drain(r);

		if (taken < 0) {
			if (!was_stalled)
				add(&r->counts.stalls, 1);
			was_stalled = true;
			wait_for(r, false, -1);
			continue;
		}
		was_stalled = false;
		flush(r, false);
		/*
		 * Until all records are done, the kernel does not wake the reader, and poll never blocks. So this
		 * sleeps and then checks again.
		 */
		if (!all_done(r))
			wait_for(r, false, (int)r->options.nap_ms);
		else if (taken == 0)
			wait_for(r, true, -1);
	}
	while (!atomic_load(&r->closing) && drain(r) < 0)
		wait_for(r, false, -1);
	flush(r, true);
	atomic_store(&r->ended, true);
	r->options.wake(r->options.context);
	return NULL;
}

static int pin_of(struct bpf_ring *r, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", r->options.folder, name);
	return bpf_obj_get(path);
}

/* Returns 0 or errno. */
static int map_memory(struct bpf_ring *r)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	void *consumer, *producer, *noted;
	int noted_fd;

	if (bpf_obj_get_info_by_fd(r->fd, &info, &len))
		return errno;
	if (info.type != BPF_MAP_TYPE_RINGBUF)
		return EINVAL;
	r->size = info.max_entries;
	r->id = info.id;
	consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	if (consumer == MAP_FAILED)
		return errno;
	r->consumer = consumer;
	producer = mmap(NULL, page + 2 * (size_t)r->size, PROT_READ, MAP_SHARED, r->fd, (off_t)page);
	if (producer == MAP_FAILED)
		return errno;
	r->producer = producer;
	r->data = (const unsigned char *)producer + page;
	r->next = atomic_load(r->consumer);
	/* An earlier agent stored the results of these records, but was killed before it could tell the kernel. */
	if (r->id == r->options.from_id && r->options.from > r->next && r->options.from <= atomic_load(r->producer)) {
		r->next = (unsigned long)r->options.from;
		atomic_store_explicit(r->consumer, r->next, memory_order_release);
	}
	r->taken = r->next;
	atomic_store(&r->given, r->next);
	noted_fd = pin_of(r, "varmor_noted");
	if (noted_fd < 0)
		return errno;
	noted = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, noted_fd, 0);
	close(noted_fd);
	if (noted == MAP_FAILED)
		return errno;
	r->noted = noted;
	return 0;
}

static int open_all(struct bpf_ring *r, struct failure *failure)
{
	failure->step = "memory";
	failure->error = -batch_ring_init(&r->ring, r->options.batches, r->options.batch_bytes);
	if (failure->error)
		return -1;
	failure->step = "wake-up";
	r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	failure->error = errno;
	if (r->wake_fd < 0)
		return -1;
	failure->step = "ring";
	r->fd = pin_of(r, "varmor_ring");
	failure->error = errno;
	if (r->fd < 0)
		return -1;
	r->counts_fd = pin_of(r, "varmor_counts");
	failure->error = errno;
	if (r->counts_fd < 0)
		return -1;
	failure->error = map_memory(r);
	if (failure->error)
		return -1;
	failure->step = "thread";
	failure->error = -side_thread_start(&r->thread, "varmor-ring", read_ring, r);
	r->running = !failure->error;
	return failure->error ? -1 : 0;
}

struct bpf_ring *bpf_ring_start(const struct bpf_ring_options *options, struct failure *failure)
{
	struct bpf_ring *r = calloc(1, sizeof(*r));

	if (!r) {
		*failure = (struct failure){ "memory", ENOMEM };
		return NULL;
	}
	r->options = *options;
	r->fd = r->counts_fd = r->wake_fd = -1;
	if (open_all(r, failure)) {
		bpf_ring_close(r);
		bpf_ring_free(r);
		return NULL;
	}
	return r;
}

void bpf_ring_stop(void *ring)
{
	struct bpf_ring *r = ring;

	atomic_store(&r->stopping, true);
	if (r->running)
		side_thread_wake(r->wake_fd);
}

struct batch *bpf_ring_oldest(void *ring)
{
	struct bpf_ring *r = ring;

	return r->ring.batches ? batch_ring_oldest(&r->ring) : NULL;
}

void bpf_ring_release(void *ring)
{
	struct bpf_ring *r = ring;

	r->taken = bpf_ring_oldest(r)->position;
	if (batch_ring_release(&r->ring) && r->running)
		side_thread_wake(r->wake_fd);
}

bool bpf_ring_ended(void *ring)
{
	struct bpf_ring *r = ring;

	return atomic_load(&r->ended) && !bpf_ring_oldest(r);
}

static void unmap(struct bpf_ring *r)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (r->producer)
		munmap((void *)r->producer, page + 2 * (size_t)r->size);
	r->producer = NULL;
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void bpf_ring_close(void *ring)
{
	struct bpf_ring *r = ring;
	uint32_t which;

	atomic_store(&r->closing, true);
	bpf_ring_stop(r);
	if (r->running)
		pthread_join(r->thread, NULL);
	r->running = false;
	batch_ring_free(&r->ring);
	for (which = 0; which < BPF_RING_COUNTERS; which++)
		r->last[which] = bpf_ring_counter(r, which);
	unmap(r);
	close_one(&r->fd);
	close_one(&r->counts_fd);
	close_one(&r->wake_fd);
}

/* Separate from close, because the last records may be marked as done after close. */
void bpf_ring_free(void *ring)
{
	struct bpf_ring *r = ring;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (r->consumer)
		munmap((void *)r->consumer, page);
	if (r->noted)
		munmap(r->noted, page);
	free(r);
}

void bpf_ring_done(struct bpf_ring *r, uint64_t position)
{
	if (!r->consumer || position > atomic_load(&r->given) || position <= atomic_load(r->consumer))
		return;
	atomic_store_explicit(r->consumer, position, memory_order_release);
}

uint64_t bpf_ring_counter(struct bpf_ring *r, uint32_t which)
{
	uint64_t values[MAX_CPUS];
	int cpu, cpus = libbpf_num_possible_cpus();
	uint64_t sum = 0;

	if (which >= BPF_RING_COUNTERS || cpus > MAX_CPUS)
		return 0;
	if (r->counts_fd < 0 || bpf_map_lookup_elem(r->counts_fd, &which, values))
		return r->last[which];
	for (cpu = 0; cpu < cpus; cpu++)
		sum += values[cpu];
	return sum;
}
