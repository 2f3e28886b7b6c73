import { mebibyte } from '../../base/bytes.ts'
import { NriError } from './nri-error.ts'

// Format: github.com/containerd/ttrpc, PROTOCOL.md. A message has the length of the body and the stream's number (each
// four bytes in network byte order), the type (one byte), the flags (one byte) and the body.

export const messageType = { request: 1, response: 2, data: 3 } as const

export interface TtrpcMessage {
  /** A request and its answer have the same number. The client uses ascending odd numbers. */
  stream: number
  type: number
  flags: number
  body: Buffer
}

const headerLength = 10
export const maxBody = 4 * mebibyte
const none = Buffer.alloc(0)

/** Builds messages from bytes that arrive in pieces of any size. Keeps at most one message. */
export class MessageReader {
  readonly #header = Buffer.alloc(headerLength)
  #have = 0
  #body = none
  #filled = 0

  /**
   * Passes each complete message to `sink`, which may keep the message's body.
   * @throws {NriError} PROTOCOL; the reader is unusable afterwards
   */
  push(bytes: Buffer, sink: (message: TtrpcMessage) => void): void {
    let at = 0
    while (at < bytes.length) {
      if (this.#have < headerLength) {
        const copied = bytes.copy(this.#header, this.#have, at, at + headerLength - this.#have)
        at += copied
        this.#have += copied
        if (this.#have < headerLength) return
        this.#begin()
      } else {
        const copied = bytes.copy(this.#body, this.#filled, at, at + this.#body.length - this.#filled)
        at += copied
        this.#filled += copied
      }
      if (this.#filled === this.#body.length) this.#end(sink)
    }
  }

  #begin(): void {
    const length = this.#header.readUInt32BE(0)
    if (length > maxBody)
      throw new NriError('PROTOCOL', `a message of ${length} bytes; the limit of ttrpc is ${maxBody}`)
    this.#body = length === 0 ? none : Buffer.allocUnsafe(length)
    this.#filled = 0
  }

  #end(sink: (message: TtrpcMessage) => void): void {
    const body = this.#body
    this.#have = 0
    this.#body = none
    this.#filled = 0
    sink({ stream: this.#header.readUInt32BE(4), type: this.#header[8]!, flags: this.#header[9]!, body })
  }
}

/** @throws {NriError} PROTOCOL for a body that the other end would refuse */
export function messageBytes({ stream, type, flags, body }: TtrpcMessage): Buffer {
  if (body.length > maxBody)
    throw new NriError('PROTOCOL', `a message of ${body.length} bytes; the limit of ttrpc is ${maxBody}`)
  const header = Buffer.alloc(headerLength)
  header.writeUInt32BE(body.length, 0)
  header.writeUInt32BE(stream, 4)
  header[8] = type
  header[9] = flags
  return Buffer.concat([header, body])
}
