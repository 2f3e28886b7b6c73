import { closeSync, constants, copyFileSync, existsSync, ftruncateSync, openSync, renameSync, writeSync } from 'node:fs'

/**
 * The position of a writer's next byte after a truncation of its file: at the end, or at its old offset, which leaves a
 * hole.
 */
export type WriterKind = 'appending' | 'keeping its offset'

/**
 * A daemon that writes a log, and its logrotate. `lines` are the lines that a reader must get: every whole line, and
 * the rest of each line that a rotation cut.
 */
export class LogWriter {
  readonly path: string
  readonly lines: string[] = []
  readonly #kind: WriterKind
  #fd: number
  #at = 0
  #half = ''
  #count = 0

  constructor(path: string, kind: WriterKind = 'appending') {
    this.path = path
    this.#kind = kind
    this.#fd = this.#open()
  }

  /** Writes whole lines of about `size` bytes. The first line completes the line that `half` started. */
  write(lines: number, size: number): void {
    let text = ''
    for (let i = 0; i < lines; i++) text += `${this.#end(size)}\n`
    this.#put(text)
  }

  /** Writes the beginning of a line. */
  half(size: number): void {
    const text = `half ${this.#count++} ${'h'.repeat(size)}`
    this.#half += text
    this.#put(text)
  }

  /** Rotates by logrotate's usual method: the daemon writes to the old file until it opens the new file. */
  rename(lateLines: number): void {
    this.#shift()
    renameSync(this.path, `${this.path}.1`)
    this.write(lateLines, 30)
    closeSync(this.#fd)
    this.#fd = this.#open()
    this.#at = 0
    this.#cut()
  }

  copyTruncate(): void {
    this.#shift()
    copyFileSync(this.path, `${this.path}.1`)
    ftruncateSync(this.#fd, 0)
    this.#cut()
  }

  close(): void {
    closeSync(this.#fd)
  }

  #open(): number {
    const append = this.#kind === 'appending' ? constants.O_APPEND : 0
    return openSync(this.path, constants.O_WRONLY | constants.O_CREAT | append, 0o600)
  }

  #end(size: number): string {
    const rest = `line ${this.#count++} ${'x'.repeat(size)}`
    this.lines.push(this.#half + rest)
    this.#half = ''
    return rest
  }

  #put(text: string): void {
    if (text === '') return
    if (this.#kind === 'appending') writeSync(this.#fd, text)
    else this.#at += writeSync(this.#fd, text, this.#at)
  }

  #shift(): void {
    let last = 1
    while (existsSync(`${this.path}.${last}`)) last++
    for (let n = last - 1; n >= 1; n--) renameSync(`${this.path}.${n}`, `${this.path}.${n + 1}`)
  }

  #cut(): void {
    if (this.#half !== '') this.lines.push(this.#half)
    this.#half = ''
  }
}
