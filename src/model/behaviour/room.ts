/**
 * Bytes that may be taken, of memory or of JSON: whichever a thing has more of. What takes some gives it back when it
 * goes.
 */
export interface Quota {
  /** @returns false where there is no room for so many, and nothing is taken */
  take(bytes: number): boolean
  give(bytes: number): void
}

export const unlimited: Quota = { take: () => true, give: () => undefined }

/** A part of another room, of at most so many bytes. */
export class QuotaWithin implements Quota {
  readonly max: number
  readonly #outer: Quota
  #taken = 0

  constructor(max: number, outer: Quota) {
    this.max = max
    this.#outer = outer
  }

  get taken(): number {
    return this.#taken
  }

  take(bytes: number): boolean {
    if (this.#taken + bytes > this.max || !this.#outer.take(bytes)) return false
    this.#taken += bytes
    return true
  }

  give(bytes: number): void {
    this.#taken -= bytes
    this.#outer.give(bytes)
  }
}

/** Bytes of a text in JSON, at the most: a workload chooses its names, and may choose those that JSON escapes. */
export function bytesOfText(text: string): number {
  let bytes = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x20 || (code >= 0xd800 && code < 0xe000)) bytes += 6
    else if (code < 0x80) bytes += code === 0x22 || code === 0x5c ? 2 : 1
    else bytes += code < 0x800 ? 2 : 3
  }
  return bytes
}

/** The same text, which holds nothing else in memory: a part of a text may hold all of it. */
export const ownText = (text: string): string => ` ${text}`.slice(1)
