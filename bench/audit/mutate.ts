const interesting = [
  0x00, 0x0a, 0x1d, 0x20, 0x22, 0x27, 0x28, 0x29, 0x30, 0x39, 0x3a, 0x3d, 0x41, 0x5c, 0x7f, 0x80, 0xc3, 0xed, 0xff,
]

/**
 * A line or record with a few changes: bytes are replaced, removed or inserted, a part is doubled or moved, or the end
 * is cut off. Inserted newlines may split the line into several lines.
 */
export function mutate(bytes: Uint8Array, next: () => number): Uint8Array {
  let changed = Array.from(bytes)
  const changes = 1 + Math.floor(next() * 4)
  for (let i = 0; i < changes; i++) changed = change(changed, next)
  return Uint8Array.from(changed)
}

function change(bytes: number[], next: () => number): number[] {
  const at = Math.floor(next() * (bytes.length + 1))
  const length = 1 + Math.floor(next() * 12)
  const byte = next() < 0.7 ? interesting[Math.floor(next() * interesting.length)]! : Math.floor(next() * 256)
  const part = bytes.slice(at, at + length)
  switch (Math.floor(next() * 6)) {
    case 0:
      return bytes.toSpliced(at, 1, byte)
    case 1:
      return bytes.toSpliced(at, length)
    case 2:
      return bytes.toSpliced(at, 0, byte)
    case 3:
      return bytes.toSpliced(at, 0, ...part)
    case 4:
      return bytes.toSpliced(at, length).toSpliced(Math.floor(next() * bytes.length), 0, ...part)
    default:
      return next() < 0.2 ? bytes.slice(0, at) : bytes.toSpliced(at, 1, byte)
  }
}
