import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { BufferStore } from '../../../src/audit/batch/buffer-store.ts'
import { LogFile } from '../../../src/audit/source/log-file.ts'

type Read = (buffer: Buffer, offset: number, length: number, position: number) => Promise<{ bytesRead: number }>

describe('a log file', () => {
  it('that is truncated and written again in the middle of a read gives no line of two halves', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'varmor-log-file-'))
    const path = join(folder, 'audit.log')
    const old = 'old line\n'.repeat(1_000)
    const fresh = 'a new line\n'.repeat(1_000)
    writeFileSync(path, old)
    const handle = await open(path)
    const prototype = Object.getPrototypeOf(handle) as { read: Read }
    await handle.close()
    const { read } = prototype
    const counts = { longLines: 0, skippedBytes: 0, nulBytes: 0, unfinished: 0 }
    const context = {
      chunkBytes: 65_536,
      counts,
      memory: new BufferStore((bytes) => new SharedArrayBuffer(bytes), 1, 131_072),
    }
    const file = await LogFile.open(path)
    try {
      await file.poll()
      prototype.read = async function (this: FileHandle, buffer, offset, length, position) {
        if (length < 5_000) return read.call(this, buffer, offset, length, position)
        const first = await read.call(this, buffer, offset, 4_000, position)
        writeFileSync(path, fresh)
        const second = await read.call(this, buffer, offset + 4_000, length - 4_000, position + 4_000)
        return { bytesRead: first.bytesRead + second.bytesRead }
      }
      expect(await file.read(context, false)).to.deep.equal({ kind: 'rewritten' })
    } finally {
      prototype.read = read
      await file.close()
      rmSync(folder, { recursive: true })
    }
  })
})
