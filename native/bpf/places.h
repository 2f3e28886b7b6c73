/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Scratch memory for runs of programs. A run tries this many scratches, from the first one of its processor on. A
 * preempted run keeps its scratch while others start on the processor. The loader creates enough for the last
 * processor's tries.
 */
#ifndef VARMOR_PLACES_H
#define VARMOR_PLACES_H

#define SCRATCHES 64
#define SCRATCHES_OF_PROCESSOR 4

#endif
