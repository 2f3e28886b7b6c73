const AF_INET = 2

const dotted = (bytes: Uint8Array, at: number): string =>
  `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`

/** Whether the address is `::ffff:a.b.c.d`. It is printed as `a.b.c.d`, as Go's net.IP does in upstream. */
function isMapped(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 10; i++) if (bytes[at + i] !== 0) return false
  return bytes[at + 10] === 0xff && bytes[at + 11] === 0xff
}

/** The longest run of at least two zero groups. Of runs with the same length, the first counts (RFC 5952, 4.2). */
function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: -1, length: 1 }
  for (let start = 0; start < groups.length; start++) {
    let length = 0
    while (groups[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  return best
}

function colons(bytes: Uint8Array, at: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[at + 2 * i]! << 8) | bytes[at + 2 * i + 1]!)
  const text = (from: number, to?: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':')
  const { start, length } = longestZeros(groups)
  return start === -1 ? text(0) : `${text(0, start)}::${text(start + length)}`
}

/** The canonical text of the address at `at`: 16 bytes in network order. IPv4 uses only the first four. */
export function ipAddress(family: number, bytes: Uint8Array, at: number): string {
  if (family === AF_INET) return dotted(bytes, at)
  return isMapped(bytes, at) ? dotted(bytes, at + 12) : colons(bytes, at)
}
