/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_RECORD_HASH_H
#define VARMOR_RECORD_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Hashes a record's bytes for the id of its line, as recordHash() in src/audit/decode/record-hash.ts describes. */
static inline uint32_t record_hash_mix(uint32_t hash)
{
	hash = (hash ^ (hash >> 16)) * 0x85ebca6bu;
	hash = (hash ^ (hash >> 13)) * 0xc2b2ae35u;
	return hash ^ (hash >> 16);
}

static inline uint32_t record_hash_step(uint32_t sum, const uint8_t *at, uint32_t factor, int bits)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	sum = (sum ^ word) * factor;
	return (sum << bits) | (sum >> (32 - bits));
}

static inline uint32_t record_hash(const uint8_t *bytes, size_t len, uint32_t seed)
{
	uint32_t a = seed ^ (uint32_t)len, b = 0x2545f491, c = 0x165667b1, d = 0x5851f42d;
	size_t at, i;

	if (len < 16) {
		for (i = 0; i < len; i++) {
			a = (a ^ bytes[i]) * 0x9e3779b1u;
			a = (a << 15) | (a >> 17);
		}
		return record_hash_mix(a);
	}
	/* The last sixteen bytes may overlap the previous sixteen bytes. */
	for (at = 0;; at += 16) {
		if (at > len - 16)
			at = len - 16;
		a = record_hash_step(a, bytes + at, 0x9e3779b1u, 15);
		b = record_hash_step(b, bytes + at + 4, 0x85ebca6bu, 13);
		c = record_hash_step(c, bytes + at + 8, 0xc2b2ae35u, 16);
		d = record_hash_step(d, bytes + at + 12, 0x27d4eb2fu, 17);
		if (at == len - 16)
			break;
	}
	return record_hash_mix(((a ^ record_hash_mix(b)) * 0x9e3779b1u) ^ ((c ^ record_hash_mix(d)) * 0x85ebca6bu));
}

/* The same hash as hashRange() in src/audit/encode/byte-map.ts. */
static inline uint32_t range_hash(const uint8_t *bytes, size_t len, uint32_t seed)
{
	uint32_t hash = (uint32_t)len ^ seed, word;
	size_t at = 0;

	for (; at + 4 <= len; at += 4) {
		memcpy(&word, bytes + at, sizeof(word));
		hash = (hash ^ word) * 0x9e3779b1u;
	}
	for (; at < len; at++)
		hash = (hash ^ bytes[at]) * 0x85ebca6bu;
	return hash ^ (hash >> 15);
}

#endif
