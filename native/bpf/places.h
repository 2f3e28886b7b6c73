/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * How many runs of programs have memory at a time: at least so many, and on larger machines so many for each processor. A run that is
 * preempted keeps its own, while others begin on its processor.
 */
#ifndef VARMOR_PLACES_H
#define VARMOR_PLACES_H

#define SCRATCHES 64
#define SCRATCHES_OF_PROCESSOR 4

#endif
