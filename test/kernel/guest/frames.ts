/**
 * The protocol between host and guest; exec-server.c is the other end. A frame is the length of its payload (4 bytes),
 * a type (1 byte), the number of a command (4 bytes), and the payload. Numbers are little-endian.
 */
export interface Frame {
  type: string
  id: number
  payload: Buffer
}

/** Types of frames to the guest. */
export const toGuest = {
  /** Start a command; payload: `spawnPayload`. */
  spawn: 'S',
  /** Bytes of the command's input; an empty payload ends the input. */
  input: 'I',
  /** Send a signal (1 byte) to the command's process group. */
  kill: 'K',
  /** A stream of output, 0 or 1 (1 byte), and the number of its bytes that the host has read (4 bytes). */
  credit: 'C',
  ping: 'P',
} as const

/** Types of frames to the host. */
export const toHost = {
  /** The guest is ready for commands. */
  ready: 'R',
  /** Bytes of the command's output; an empty payload ends the output. */
  stdout: '1',
  stderr: '2',
  /** Number of input bytes (4 bytes) that the command's pipe has taken, or that were dropped after it was closed. */
  accepted: 'A',
  /** The command has ended: exit status (1 byte), signal (1 byte, 0 if none). */
  exit: 'X',
  /** The command could not be started; payload: the reason as text. */
  failed: 'F',
  pong: 'P',
} as const

/** Maximum bytes of one stream that are sent and not yet acknowledged by `credit` or `accepted`. */
export const window = 256 * 1024

/** Maximum bytes of input in one frame. */
export const chunk = 32 * 1024

const header = 9

export function encodeFrame(type: string, id: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const frame = Buffer.allocUnsafe(header + payload.length)
  frame.writeUInt32LE(payload.length, 0)
  frame.write(type, 4, 'latin1')
  frame.writeUInt32LE(id, 5)
  frame.set(payload, header)
  return frame
}

export const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

/**
 * Counts of arguments and of variables (4 bytes each), then the folder, the arguments and the variables, each ended by
 * a zero byte.
 */
export function spawnPayload(
  command: readonly string[],
  folder: string,
  env: Readonly<Record<string, string>>,
): Buffer {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  const strings = [folder, ...command, ...variables]
  const wrong = strings.find((text) => text.includes('\0'))
  if (wrong !== undefined) throw new Error(`a zero byte in ${JSON.stringify(wrong)}`)
  const text = strings.map((string) => `${string}\0`).join('')
  return Buffer.concat([uint32(command.length), uint32(variables.length), Buffer.from(text)])
}

/** Reassembles frames, wherever the byte stream was cut. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0)

  /** @returns the frames that are complete with these bytes */
  take(bytes: Buffer): Frame[] {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    const frames: Frame[] = []
    let at = 0
    while (all.length - at >= header) {
      const end = at + header + all.readUInt32LE(at)
      if (end > all.length) break
      const type = all.toString('latin1', at + 4, at + 5)
      frames.push({ type, id: all.readUInt32LE(at + 5), payload: all.subarray(at + header, end) })
      at = end
    }
    this.#rest = all.subarray(at)
    return frames
  }
}
