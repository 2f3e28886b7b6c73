import { appendFileSync, closeSync, existsSync, openSync, readSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'

const pieceBytes = 256 * 1024
/** Number of pieces to copy before other work of this process may run. */
const piecesATurn = 16

/**
 * Replaces auditd: copies the lines of a file into a followed log as fast as the disk accepts them, and stamps each
 * line with its write time. Starts when the log exists; the reader of the log creates it. The faster the reader, the
 * smaller the pieces that it reads, and the higher its cost per line.
 */
export async function writeLog(input: string, log: string): Promise<void> {
  while (!existsSync(log)) await wait(5)
  const [from, to] = [openSync(input, 'r'), openSync(log, 'a')]
  const piece = Buffer.alloc(pieceBytes)
  let kept = 0
  for (let turn = 1; ; turn++) {
    const length = kept + readSync(from, piece, kept, piece.length - kept, null)
    const whole = piece.subarray(0, length).lastIndexOf('\n') + 1
    if (whole === 0) break
    stamp(piece, whole)
    appendFileSync(to, piece.subarray(0, whole))
    piece.copyWithin(0, whole, length)
    kept = length - whole
    if (turn % piecesATurn === 0) await wait(0)
  }
  closeSync(from)
  closeSync(to)
}

/** Writes the current time as a record's time stamp, in the kernel's form: `audit(1700000000.123:`. */
function stamp(lines: Buffer, end: number): void {
  const now = Date.now()
  const text = `${Math.floor(now / 1000)}.${String(now % 1000).padStart(3, '0')}`
  const before = 'audit('
  for (let at = lines.indexOf(before); at !== -1 && at < end; at = lines.indexOf(before, at + text.length))
    lines.write(text, at + before.length, 'latin1')
}
