/** Values that differ between records of one form. */
export const openValues = ['profile', 'pid', 'comm', 'name', 'exe', 'ip'] as const
export type OpenValue = (typeof openValues)[number]

/** The kinds of pieces that form a line. native/addon/known-forms.h describes each kind. */
export const pieces = {
  ...{ text: 0, open: 1, quoted: 2, label: 3, start: 4, middle: 5, id: 6, serial: 7, fraction: 8, hash: 9, about: 10 },
  ...{ ids: 11, subject: 12, ending: 13, audit: 14 },
} as const

/**
 * A part of a line: a constant text, an open value with or without quotes, or the name of a part that the native
 * decoder knows.
 */
export type LinePiece =
  | { text: string }
  | { open: OpenValue }
  | { quoted: OpenValue }
  | Exclude<keyof typeof pieces, 'text' | 'open' | 'quoted'>

/** The part of a line from the brace to the first keys of the event. */
export const lineOpening: readonly LinePiece[] = ['start', { open: 'pid' }, 'middle']
/** The part of a line between the event and the enforcer's own fields. */
export const standardEnd: readonly LinePiece[] = ['ending', 'fraction', 'audit', 'id', 'hash', 'about']
