import { looksRandom } from './letters.ts'

/** Kinds of name parts that differ from run to run. */
export type Kind =
  | 'process number'
  | 'number'
  | 'UUID'
  | 'hash'
  | 'date or time'
  | 'version'
  | 'name of a pod'
  | 'random name'

/** The kind of directory that contains a name. */
export interface Place {
  /** Whether the directory is for temporary files. */
  temporary: boolean
  /** Whether the directory is part of the image. Such names change with the image, and not from run to run. */
  image: boolean
}

/** A name with a star in place of each varying part. */
export interface Shape {
  pattern: string
  kinds: Kind[]
}

interface Rule {
  kind: Kind
  /** This expression must have the flag `g`, and its time must be linear in the length of the name. */
  part: RegExp
  holds?(part: string, place: Place): boolean
}

const hex = '[0-9a-fA-F]'
const alone = (part: string) => `(?<![0-9A-Za-z])${part}(?![0-9A-Za-z])`
const clock = String.raw`(?:[T_ .-]?(?:[01]\d|2[0-3])[:_.-]?[0-5]\d(?:[:_.-]?[0-5]\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d{4})?)?`

const hasBoth = (part: string): boolean => /[0-9]/.test(part) && /[a-fA-F]/.test(part)
const isHash = (part: string): boolean =>
  part.length >= 32 || (hasBoth(part) && (part.match(/[0-9]/g)?.length ?? 0) > 1)

const notOfImage = (_: string, { image }: Place): boolean => !image

/** The random ending that mktemp(3) and similar functions add to a word: `php` and six letters. */
function endingOf(length: number): Rule {
  return {
    kind: 'random name',
    part: new RegExp(`(?<=(?<![0-9A-Za-z])[a-z]{2,12})[0-9A-Za-z]{${length}}(?![0-9A-Za-z])`, 'g'),
    holds: (part, { temporary }) => temporary && looksRandom(part, true) && /[0-9A-Z]/.test(part),
  }
}

/** The rules, in order: the first rule that matches a part decides its kind. */
const rules: readonly Rule[] = [
  {
    kind: 'UUID',
    part: new RegExp(`${hex}{8}([-_])${hex}{4}\\1${hex}{4}\\1${hex}{4}\\1${hex}{12}(?!${hex})`, 'g'),
  },
  {
    kind: 'name of a pod',
    part: /(?<=-)(?:[0-9a-f]{8,10}|[bcdfghjklmnpqrstvwxz2456789]{8,10})-[bcdfghjklmnpqrstvwxz2456789]{5}(?![0-9A-Za-z])/g,
    holds: (part) => /\d.*-|-.*\d/.test(part),
  },
  {
    kind: 'date or time',
    part: new RegExp(
      String.raw`(?<!\d)(?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])${clock}(?!\d)`,
      'g',
    ),
    holds: notOfImage,
  },
  {
    kind: 'date or time',
    part: /(?<![0-9A-Za-z.])20\d\d[-_.](?:0[1-9]|1[0-2])(?![0-9A-Za-z]|\.\d)/g,
    holds: notOfImage,
  },
  {
    kind: 'random name',
    part: /(?<=^\.?tmp|-)[0-9a-z_]{8}(?![0-9A-Za-z_])/g,
    holds: (part, { temporary }) => temporary && (/[0-9_]/.test(part) || looksRandom(part, true)),
  },
  { kind: 'hash', part: new RegExp(alone(`${hex}{8,128}`), 'g'), holds: isHash },
  {
    kind: 'version',
    part: /(?<!\d|\d\.)\d{1,9}(?:\.\d{1,9}){2,5}(?:[-+~](?:rc|beta|alpha|dfsg|git|deb|ubuntu|r|p)?[0-9]{1,9}[0-9A-Za-z]{0,12})?(?![0-9A-Za-z])/g,
  },
  { kind: 'number', part: /(?<![0-9A-Za-z])\d{5,}(?![0-9A-Za-z])/g, holds: notOfImage },
  { kind: 'number', part: /(?<!\d)\d{6,}(?!\d)/g, holds: notOfImage },
  ...[6, 8, 10].map(endingOf),
  {
    kind: 'random name',
    part: new RegExp(alone('[0-9A-Za-z]{6,255}'), 'g'),
    holds: (part, { temporary, image }) => !image && looksRandom(part, temporary),
  },
]

/**
 * The shape of the name, with its parts that seem to vary; undefined if no part varies, or if the name contains a
 * literal star.
 */
export function shapeOf(name: string, place: Place): Shape | undefined {
  if (name.length < 5 || name.includes('*')) return undefined
  const kinds: Kind[] = []
  let pattern = name
  for (const { kind, part, holds } of rules) {
    pattern = pattern.replace(part, (text) => {
      if (holds?.(text, place) === false) return text
      if (!kinds.includes(kind)) kinds.push(kind)
      return '*'
    })
  }
  return kinds.length === 0 ? undefined : { pattern: pattern.replace(/\*+/g, '*'), kinds }
}
