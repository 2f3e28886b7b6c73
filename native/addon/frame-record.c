/* SPDX-License-Identifier: Apache-2.0 */
#include "frame-record.h"

#include <string.h>

static size_t put_type(char *out, uint16_t type)
{
	char digits[5];
	size_t n = 0, at = 5;
	unsigned int rest = type;

	memcpy(out, "type=", at);
	do {
		digits[n++] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	while (n)
		out[at++] = digits[--n];
	out[at++] = ' ';
	return at;
}

static void replace(char *text, size_t len, char unwanted)
{
	char *end = text + len;

	while ((text = memchr(text, unwanted, (size_t)(end - text))))
		*text++ = ' ';
}

size_t frame_record(char *out, size_t room, uint16_t type, const char *payload, size_t len)
{
	size_t at;

	while (len && payload[len - 1] == '\0')
		len--;
	if (room < FRAME_OVERHEAD || room - FRAME_OVERHEAD < len)
		return 0;
	at = put_type(out, type);
	if (len)
		memcpy(out + at, payload, len);
	replace(out + at, len, '\n');
	replace(out + at, len, '\0');
	at += len;
	out[at++] = '\n';
	return at;
}
