/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What the agent has done with the records, for the agent that comes after it. Its one value is mapped into the agent's memory. */
#ifndef VARMOR_NOTED_H
#define VARMOR_NOTED_H

struct varmor_noted {
	__u64 taken;     /* records that were taken out of the ring */
	__u64 written;   /* those of them that are in the log, or counted as lost */
	__u64 ring_full; /* of the programs' counter, what was counted as lost */
};

#endif
