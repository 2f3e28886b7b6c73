/** Paths and names that a service uses. */
export interface Service {
  name: string
  /** Paths with parts in braces, which differ between runs: `fill` lists their possible values. */
  varies: readonly string[]
  /** Paths of every run. */
  stable: readonly string[]
}

/** Random numbers that are the same in each run of the bench (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const alphabets: Readonly<Record<string, string>> = {
  hex: '0123456789abcdef',
  hexu: '0123456789ABCDEF',
  num: '0123456789',
  d: '0123456789',
  b62: '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
  b32: '0123456789abcdefghijklmnopqrstuv',
  b36: '0123456789abcdefghijklmnopqrstuvwxyz',
  b36u: '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ',
  b64u: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
  py: 'abcdefghijklmnopqrstuvwxyz0123456789_',
  k8s: 'bcdfghjklmnpqrstvwxz2456789',
}

type Random = () => number

const between = (random: Random, low: number, high: number): number => low + Math.floor(random() * (high - low + 1))
const two = (value: number): string => String(value).padStart(2, '0')

const forms: Readonly<Record<string, (random: Random) => string>> = {
  n: (random) => String(between(random, 0, 30)),
  pid: (random) => String(between(random, 2, 65_000)),
  uid: (random) => String(between(random, 1000, 1030)),
  oid: (random) => String(between(random, 1000, 40_000)),
  wal: (random) => `00000001${hexUpper(random, 16)}`,
  epoch: (random) => String(between(random, 1_600_000_000, 1_800_000_000)),
  ms: (random) => String(between(random, 1_600_000_000, 1_800_000_000) * 1000 + between(random, 0, 999)),
  version: (random) => [1, 2, 3].map(() => between(random, 0, 20)).join('.'),
  ymd: (random) => day(random).join(''),
  date: (random) => day(random).join('-'),
  ym: (random) => day(random).slice(0, 2).join('/'),
  dtunder: (random) => `${day(random).join('_')}_${clock(random).join('_')}`,
  isofile: (random) => `${day(random).join('-')}T${clock(random).join('-')}Z`,
  uuid: (random) => uuid(random, '-'),
  uuid_: (random) => uuid(random, '_'),
  ulid: (random) => `01${letters(random, '0123456789ABCDEFGHJKMNPQRSTVWXYZ', 24)}`,
}

function letters(random: Random, alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet[between(random, 0, alphabet.length - 1)]).join('')
}

const hexUpper = (random: Random, length: number): string => letters(random, alphabets['hexu']!, length)

function uuid(random: Random, dash: string): string {
  return [8, 4, 4, 4, 12].map((length) => letters(random, alphabets['hex']!, length)).join(dash)
}

function day(random: Random): string[] {
  return [String(between(random, 2023, 2026)), two(between(random, 1, 12)), two(between(random, 1, 28))]
}

function clock(random: Random): string[] {
  return [two(between(random, 0, 23)), two(between(random, 0, 59)), two(between(random, 0, 59))]
}

/** A path of one run, made from the template. */
export function fill(template: string, random: Random): string {
  return template.replace(/\{(\w+?)(?::?(\d+))?\}/g, (whole, name: string, length: string | undefined) => {
    const form = forms[name]
    const alphabet = alphabets[name]
    if (length === undefined && form !== undefined) return form(random)
    if (alphabet === undefined || length === undefined)
      throw new Error(`${template}: ${whole} is not a known placeholder`)
    return letters(random, alphabet, Number(length))
  })
}
