import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { type LogOptions, readLog } from '../../../src/sandbox/kubelet/container-log.ts'

const lineOf = (stream: string, tag: string, content: string): string =>
  `2026-01-01T00:00:00.123456789Z ${stream} ${tag} ${content}\n`

describe('the log of a container', () => {
  const folder = mkdtempSync(join(tmpdir(), 'varmor-log-'))
  const path = join(folder, 'log')
  after(() => rmSync(folder, { recursive: true }))
  const read = async (options: LogOptions = {}): Promise<string> => {
    const chunks: Uint8Array[] = []
    for await (const chunk of readLog(path, options)) chunks.push(chunk)
    return Buffer.concat(chunks).toString()
  }

  it('is what the process wrote, its lines whole again', async () => {
    writeFileSync(
      path,
      lineOf('stdout', 'P', 'a long ') + lineOf('stdout', 'F', 'line') + lineOf('stderr', 'F:x', ' oops '),
    )
    expect(await read()).to.equal('a long line\n oops \n')
    expect(await read({ tailLines: 0 })).to.equal('')
  })

  it('shows lines of another form as they are', async () => {
    writeFileSync(path, `garbage\n${lineOf('stdout', 'F', 'good')}`)
    expect(await read()).to.equal('garbage\ngood\n')
  })

  it('has the last lines of any log', async () => {
    // Long texts exceed a chunk, so that a line spans two chunks.
    const lines = fc.array(fc.string({ unit: fc.constantFrom('a', 'ü', ' '), maxLength: 30 }), { maxLength: 20 })
    const property = fc.asyncProperty(lines, fc.nat(25), fc.boolean(), async (texts, tail, isLong) => {
      const written = texts.map((text) => (isLong ? text + 'x'.repeat(20_000) : text))
      writeFileSync(path, written.map((text) => lineOf('stdout', 'F', text)).join(''))
      const all = written.map((text) => `${text}\n`)
      expect(await read()).to.equal(all.join(''))
      expect(await read({ tailLines: tail })).to.equal(tail === 0 ? '' : all.slice(-tail).join(''))
    })
    await fc.assert(property, { numRuns: 60 })
  })

  it('is followed while its container goes on, and to the last line', async () => {
    writeFileSync(path, lineOf('stdout', 'F', 'one'))
    const two = lineOf('stdout', 'F', 'two')
    const steps = [two.slice(0, 10), two.slice(10), lineOf('stdout', 'F', 'last words')]
    const grows = async (): Promise<boolean> => {
      appendFileSync(path, steps.shift() ?? '')
      return steps.length > 0
    }
    expect(await read({ grows })).to.equal('one\ntwo\nlast words\n')
  })
})
