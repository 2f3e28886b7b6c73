/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Numbers of scratches. A run tries SCRATCHES_OF_PROCESSOR scratches, starting with the first scratch of its processor.
 * It needs several tries, because a preempted run keeps its scratch while other runs start on the processor.
 */
#ifndef VARMOR_PLACES_H
#define VARMOR_PLACES_H

#define SCRATCHES 64
#define SCRATCHES_OF_PROCESSOR 4

#endif
