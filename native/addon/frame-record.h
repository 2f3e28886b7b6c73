/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_FRAME_RECORD_H
#define VARMOR_FRAME_RECORD_H

#include <stddef.h>
#include <stdint.h>

/* Maximum bytes that frame_record adds to a payload: "type=65535 " and the newline. */
#define FRAME_OVERHEAD 12

/*
 * Writes one audit record as the line "type=N payload\n", the form of audit.log. Newlines and NULs become spaces; NULs
 * at the end are dropped. A process with CAP_AUDIT_WRITE chooses the bytes of a user space record (AUDIT_USER_AVC), and
 * could otherwise forge a second record by a newline.
 *
 * Returns the number of bytes written, at most len + FRAME_OVERHEAD; 0 if room is smaller than that.
 */
size_t frame_record(char *out, size_t room, uint16_t type, const char *payload, size_t len);

#endif
