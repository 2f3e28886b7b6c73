/* SPDX-License-Identifier: Apache-2.0 */
#include "known-forms.h"

#include <stdlib.h>
#include <string.h>

#define MAX_NODES 4096
/* Maximum branches of a node. A record that matches no branch is compared with each branch. */
#define MAX_SIBLINGS 32
#define MAX_PID_DIGITS 10

/* A literal and the value after it. Siblings are alternatives at the same place, with the last match first. */
struct node {
	struct node *next;
	struct node *child;
	struct known_form *form; /* set at a form's last literal */
	uint16_t len;
	uint8_t value;
	uint8_t literal[];
};

struct known_forms {
	struct node *roots[KNOWN_FAMILIES];
	uint32_t nodes;
};

/* Classes of bytes in a record. */
enum { PLAIN = 1, WORD = 2, DIGIT = 4 };

static const uint8_t classes[256] = {
	[' '] = PLAIN,
	['!'] = PLAIN | WORD,
	['#' ... '&'] = PLAIN | WORD,
	['\''] = PLAIN,
	['(' ... '/'] = PLAIN | WORD,
	['0' ... '9'] = PLAIN | WORD | DIGIT,
	[':' ... '['] = PLAIN | WORD,
	[']' ... '~'] = PLAIN | WORD,
};

static size_t skip(const uint8_t *bytes, size_t len, size_t at, uint8_t class)
{
	while (at < len && (classes[bytes[at]] & class))
		at++;
	return at;
}

static bool is_at(const uint8_t *bytes, size_t len, size_t at, const void *text, size_t text_len)
{
	return text_len <= len - at && memcmp(bytes + at, text, text_len) == 0;
}

/* A security context may contain blanks. It ends before the first ` pid=`, which no later value can contain. */
static size_t subject_end(const uint8_t *bytes, size_t len, size_t at)
{
	if (at < len && bytes[at] == '=')
		return len;
	for (at = skip(bytes, len, at, WORD); !is_at(bytes, len, at, " pid=", 5); at = skip(bytes, len, at + 1, WORD))
		if (at >= len || bytes[at] != ' ')
			return len;
	return at;
}

/* A number as in JSON: no leading zero. */
static size_t number_end(const uint8_t *bytes, size_t len, size_t at)
{
	size_t end = skip(bytes, len, at, DIGIT);

	if (end == at || end - at > MAX_PID_DIGITS || (bytes[at] == '0' && end > at + 1))
		return len;
	return end;
}

/*
 * Returns the end of a value that can be in JSON unchanged; otherwise `len`. Values of seccomp records also end at a
 * blank, because the scanner of these records looks for the last ` pid=`.
 */
static size_t value_end(enum known_family family, enum known_value value, const uint8_t *bytes, size_t len, size_t at)
{
	if (value == KNOWN_PID)
		return number_end(bytes, len, at);
	if (family == KNOWN_APPARMOR)
		return skip(bytes, len, at, PLAIN);
	return value == KNOWN_PROFILE ? subject_end(bytes, len, at) : skip(bytes, len, at, WORD);
}

/* Recursive. The depth is at most the number of a form's parts. */
static const struct known_form *match_from(struct node **first, enum known_family family, const uint8_t *bytes,
					   size_t len, size_t at, struct known_range *values, size_t *end)
{
	const struct known_form *form;
	struct node **link, *n;
	size_t start, stop;

	for (link = first; *link; link = &(*link)->next) {
		n = *link;
		if (!is_at(bytes, len, at, n->literal, n->len))
			continue;
		start = at + n->len;
		form = n->form;
		if (n->value == KNOWN_VALUES) {
			*end = start - 1;
		} else {
			stop = value_end(family, n->value, bytes, len, start);
			form = stop < len ? match_from(&n->child, family, bytes, len, stop, values, end) : NULL;
			if (!form)
				continue;
			values[n->value] = (struct known_range){ (uint32_t)start, (uint32_t)stop };
		}
		*link = n->next;
		n->next = *first;
		*first = n;
		return form;
	}
	return NULL;
}

const struct known_form *known_forms_match(struct known_forms *f, enum known_family family, const uint8_t *bytes,
					   size_t len, size_t body, struct known_range *values, size_t *end)
{
	return body < len ? match_from(&f->roots[family], family, bytes, len, body, values, end) : NULL;
}

struct known_forms *known_forms_new(void)
{
	return calloc(1, sizeof(struct known_forms));
}

/* Frees a node and all nodes behind it. */
static void free_node(struct known_forms *f, struct node *n)
{
	struct node *child, *next;

	for (child = n->child; child; child = next) {
		next = child->next;
		free_node(f, child);
	}
	free(n->form);
	free(n);
	f->nodes--;
}

static void clear(struct known_forms *f)
{
	struct node *n, *next;
	int i;

	for (i = 0; i < KNOWN_FAMILIES; i++) {
		for (n = f->roots[i]; n; n = next) {
			next = n->next;
			free_node(f, n);
		}
		f->roots[i] = NULL;
	}
}

void known_forms_free(struct known_forms *f)
{
	if (!f)
		return;
	clear(f);
	free(f);
}

static bool is_range(enum known_piece_kind kind)
{
	return kind == KNOWN_OPEN || kind == KNOWN_QUOTED || kind == KNOWN_ID || kind == KNOWN_SERIAL ||
	       kind == KNOWN_FRACTION || kind == KNOWN_HASH;
}

static bool add_piece(struct known_form *form, struct known_piece piece, uint32_t *seen)
{
	if (piece.kind >= KNOWN_PIECE_KINDS)
		return false;
	if (piece.kind == KNOWN_OPEN || piece.kind == KNOWN_QUOTED) {
		if (piece.value >= KNOWN_VALUES)
			return false;
		form->values |= 1u << piece.value;
	} else if (piece.kind != KNOWN_TEXT && !is_range(piece.kind)) {
		if (*seen & (1u << piece.kind))
			return false;
		*seen |= 1u << piece.kind;
	}
	form->ranges += is_range(piece.kind);
	piece.at = form->text_len;
	form->text_len += piece.kind == KNOWN_TEXT ? piece.len : 0;
	form->piece[form->pieces++] = piece;
	return true;
}

struct known_form *known_form_new(const struct known_form *head, const struct known_piece *pieces, uint32_t count,
				  const char *text, uint32_t text_len)
{
	struct known_form *form;
	uint32_t i, seen = 0;

	if (count > KNOWN_MAX_PIECES || text_len > KNOWN_MAX_TEXT || head->counted > KNOWN_VALUES ||
	    head->counted_len > KNOWN_MAX_COUNTED)
		return NULL;
	form = malloc(sizeof(*form) + text_len);
	if (!form)
		return NULL;
	*form = (struct known_form){
		.kind = head->kind,
		.prefix = head->prefix,
		.added = head->added,
		.counted_len = head->counted_len,
		.counted = head->counted,
		.text_len = head->counted_len,
	};
	if (form->counted < KNOWN_VALUES)
		form->values |= 1u << form->counted;
	for (i = 0; i < count; i++)
		if (!add_piece(form, pieces[i], &seen))
			break;
	if (i < count || form->text_len != text_len) {
		free(form);
		return NULL;
	}
	memcpy(form->text, text, text_len);
	return form;
}

/* Whether literals and values alternate, and only the last literal contains the end of the line. */
static bool is_form(const struct known_part *parts, uint32_t count, uint32_t needed)
{
	const uint8_t *line_end;
	uint32_t i, seen = 0;
	bool last;

	if (count == 0 || count > KNOWN_MAX_PARTS)
		return false;
	for (i = 0; i < count; i++) {
		last = i == count - 1;
		if (parts[i].len == 0 || parts[i].len > KNOWN_MAX_LITERAL || parts[i].value > KNOWN_VALUES)
			return false;
		line_end = memchr(parts[i].literal, '\n', parts[i].len);
		if ((parts[i].value == KNOWN_VALUES) != last ||
		    line_end != (last ? parts[i].literal + parts[i].len - 1 : NULL))
			return false;
		if (!last && (seen & (1u << parts[i].value)))
			return false;
		seen |= last ? 0 : 1u << parts[i].value;
	}
	needed |= 1u << KNOWN_PROFILE | 1u << KNOWN_PID;
	return (seen & needed) == needed;
}

static struct node *same_among(struct node *n, const struct known_part *part)
{
	for (; n; n = n->next)
		if (n->value == part->value && n->len == part->len && memcmp(n->literal, part->literal, part->len) == 0)
			return n;
	return NULL;
}

/* Drops the form whose last match is oldest, to make room for a new form. */
static void drop_last(struct known_forms *f, struct node **first)
{
	struct node **link = first, *n;
	int siblings = 0;

	for (n = *first; n; n = n->next)
		siblings++;
	if (siblings < MAX_SIBLINGS)
		return;
	while ((*link)->next)
		link = &(*link)->next;
	free_node(f, *link);
	*link = NULL;
}

static struct node *node_at(struct known_forms *f, struct node **first, const struct known_part *part)
{
	struct node *n = same_among(*first, part);

	if (n)
		return n;
	drop_last(f, first);
	n = malloc(sizeof(*n) + part->len);
	if (!n)
		return NULL;
	*n = (struct node){ .next = *first, .len = (uint16_t)part->len, .value = (uint8_t)part->value };
	memcpy(n->literal, part->literal, part->len);
	*first = n;
	f->nodes++;
	return n;
}

bool known_forms_add(struct known_forms *f, enum known_family family, const struct known_part *parts, uint32_t count,
		     struct known_form *form)
{
	struct node **first = &f->roots[family], *n = NULL;
	uint32_t i;

	if (!is_form(parts, count, form->values))
		return false;
	if (f->nodes + count > MAX_NODES)
		clear(f);
	for (i = 0; i < count; i++) {
		n = node_at(f, first, &parts[i]);
		if (!n)
			return false;
		first = &n->child;
	}
	if (n->form)
		return false;
	n->form = form;
	return true;
}

/* Frees the nodes that lead only to this form. */
static bool drop_from(struct known_forms *f, struct node **first, const struct known_form *form)
{
	struct node **link, *n;

	for (link = first; *link; link = &(*link)->next) {
		n = *link;
		if (n->form != form && !drop_from(f, &n->child, form))
			continue;
		if (n->form == form || !n->child) {
			*link = n->next;
			n->next = NULL;
			free_node(f, n);
		}
		return true;
	}
	return false;
}

void known_forms_drop(struct known_forms *f, const struct known_form *form)
{
	int i;

	for (i = 0; form && i < KNOWN_FAMILIES; i++)
		if (drop_from(f, &f->roots[i], form))
			return;
}
