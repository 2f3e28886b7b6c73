/** Values that records of one form differ in. */
export const openValues = ['profile', 'pid', 'comm', 'name', 'exe', 'ip'] as const
export type OpenValue = (typeof openValues)[number]

/** What is put in turn to make a line: native/addon/known-forms.h says what each is. */
export const pieces = {
  ...{ text: 0, open: 1, quoted: 2, label: 3, start: 4, middle: 5, id: 6, serial: 7, fraction: 8, hash: 9, about: 10 },
  ...{ ids: 11, subject: 12, ending: 13, audit: 14 },
} as const

/** A part of a line: a fixed text, an open value as it is or with its quotes, or what the native decoder knows by that name. */
export type LinePiece =
  | { text: string }
  | { open: OpenValue }
  | { quoted: OpenValue }
  | Exclude<keyof typeof pieces, 'text' | 'open' | 'quoted'>

/** From the brace into the event. */
export const lineOpening: readonly LinePiece[] = ['start', { open: 'pid' }, 'middle']
/** From behind the event to what the fields of its kind say. */
export const standardEnd: readonly LinePiece[] = ['ending', 'fraction', 'audit', 'id', 'hash', 'about']
