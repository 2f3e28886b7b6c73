const [first, second, third, fourth] = [0x9e37_79b1, 0x85eb_ca6b, 0xc2b2_ae35, 0x27d4_eb2f]

/**
 * A signed 32-bit hash of a record's bytes, which distinguishes records with the same audit id. Never change this
 * function: the hash is part of a line's `id`, and a record that is read again must get the same id.
 * @param seed another seed gives an independent hash
 */
export function recordHash(bytes: Uint8Array, view: DataView, start: number, end: number, seed = 0): number {
  let a = seed ^ (end - start)
  let b = 0x2545_f491
  let c = 0x1656_67b1
  let d = 0x5851_f42d
  const last = end - 16
  if (last < start) return mixed(ofBytes(bytes, start, end, a))
  // Each of four hashes takes every fourth word, so that the processor computes them in parallel. The rotation spreads
  // the highest bits of a word, which a multiplication does not. The last sixteen bytes may overlap earlier bytes.
  for (let at = start; ; at += 16) {
    if (at > last) at = last
    a = Math.imul(a ^ view.getInt32(at, true), first)
    b = Math.imul(b ^ view.getInt32(at + 4, true), second)
    c = Math.imul(c ^ view.getInt32(at + 8, true), third)
    d = Math.imul(d ^ view.getInt32(at + 12, true), fourth)
    a = (a << 15) | (a >>> 17)
    b = (b << 13) | (b >>> 19)
    c = (c << 16) | (c >>> 16)
    d = (d << 17) | (d >>> 15)
    if (at === last) break
  }
  return mixed(Math.imul(a ^ mixed(b), first) ^ Math.imul(c ^ mixed(d), second))
}

function ofBytes(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let hash = seed
  for (let at = start; at < end; at++) {
    hash = Math.imul(hash ^ bytes[at]!, first)
    hash = (hash << 15) | (hash >>> 17)
  }
  return hash
}

/** Spreads each bit over all bits (the end of MurmurHash3). */
export function mixed(hash: number): number {
  let mix = hash ^ (hash >>> 16)
  mix = Math.imul(mix, second)
  mix ^= mix >>> 13
  mix = Math.imul(mix, third)
  return mix ^ (mix >>> 16)
}
