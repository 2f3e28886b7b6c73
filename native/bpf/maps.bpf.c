/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#define VARMOR_MAPS
#include "maps.h"

char LICENSE[] SEC("license") = "GPL";

volatile __u32 varmor_unknown_zero = 0;
