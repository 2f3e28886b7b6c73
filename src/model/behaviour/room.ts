/**
 * A limit for bytes. An object counts with the larger of its size in memory and its size as JSON, and returns its bytes
 * to the quota when it is removed.
 */
export interface Quota {
  /** @returns false if fewer bytes are left; then nothing is taken */
  take(bytes: number): boolean
  give(bytes: number): void
}

export const unlimited: Quota = { take: () => true, give: () => undefined }

/** A part of another quota, with a limit of its own. */
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

/** Maximum bytes of a text in JSON. A workload can choose names with characters that JSON escapes. */
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

/**
 * A copy of the text. If V8 creates a text as a part of a longer text, it keeps the longer text in memory; a copy
 * avoids this.
 */
export const ownText = (text: string): string => ` ${text}`.slice(1)
