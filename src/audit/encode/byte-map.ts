/**
 * Maximum entries of a ByteMap. A full map is cleared. The limit is needed because processes can make up any number of
 * names.
 */
const limit = 4096
/**
 * Maximum bytes of the keys of a ByteMap. A name may be as long as a path, and an entry takes several times its bytes.
 */
const maxBytes = 1 << 20
const buckets = 2048

interface Entry<Value> {
  hash: number
  key: Uint8Array
  value: Value
  next: Entry<Value> | undefined
}

/** A bounded cache with byte ranges as keys. A look-up does not create strings or copies. */
export class ByteMap<Value> {
  #buckets: (Entry<Value> | undefined)[] = new Array(buckets).fill(undefined)
  #size = 0
  #bytes = 0

  get size(): number {
    return this.#size
  }

  clear(): void {
    this.#buckets.fill(undefined)
    this.#size = 0
    this.#bytes = 0
  }

  /** @param hash `hashRange` of the range */
  get(bytes: Uint8Array, start: number, end: number, hash: number): Value | undefined {
    let entry = this.#buckets[hash & (buckets - 1)]
    while (entry !== undefined) {
      if (entry.hash === hash && isSame(entry.key, bytes, start, end)) return entry.value
      entry = entry.next
    }
    return undefined
  }

  /** Stores a value under a copy of the range. Call `get` first, because `set` stores an existing key twice. */
  set(bytes: Uint8Array, start: number, end: number, hash: number, value: Value): void {
    if (this.#size >= limit || this.#bytes + end - start > maxBytes) this.clear()
    const bucket = hash & (buckets - 1)
    this.#buckets[bucket] = { hash, key: bytes.slice(start, end), value, next: this.#buckets[bucket] }
    this.#size++
    this.#bytes += end - start
  }
}

function isSame(key: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (key.length !== end - start) return false
  for (let i = 0; i < key.length; i++) if (key[i] !== bytes[start + i]) return false
  return true
}

/**
 * A hash of the range. It reads words of four bytes where possible. A secret seed hides the hash, but a process can
 * still make up ranges with equal hashes.
 */
export function hashRange(view: DataView, start: number, end: number, seed = 0): number {
  let hash = (end - start) ^ seed
  let at = start
  for (; at + 4 <= end; at += 4) hash = Math.imul(hash ^ view.getInt32(at, true), 0x9e3779b1)
  for (; at < end; at++) hash = Math.imul(hash ^ view.getUint8(at), 0x85ebca6b)
  hash ^= hash >>> 15
  return hash
}
