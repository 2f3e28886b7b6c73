/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Memory for runs of programs: a run looks through so many places for one that is free, from the first of its processor
 * on. One that is preempted keeps its own, while others begin on its processor. The loader makes as many as the last
 * processor looks through.
 */
#ifndef VARMOR_PLACES_H
#define VARMOR_PLACES_H

#define SCRATCHES 64
#define SCRATCHES_OF_PROCESSOR 4

#endif
