import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { parseLogLine } from '../../../src/sandbox/kubelet/log-line.ts'
import { parseLogRequest } from '../../../src/sandbox/kubelet/log-request.ts'
import { type ReadLogOptions, readLog } from '../../../src/sandbox/kubelet/read-log.ts'

const time = (second: number): string =>
  new Date(Date.UTC(2026, 0, 1) + second * 1000).toISOString().replace('Z', '123456Z')
const lineOf = (second: number, stream: string, tag: string, content: string): string =>
  `${time(second)} ${stream} ${tag} ${content}\n`

const rows: [line: string, read: object | undefined][] = [
  [
    '2026-01-01T00:00:00.123456789Z stdout F hello',
    { time: '2026-01-01T00:00:00.123456789Z', stream: 'stdout', partial: false, text: 'hello' },
  ],
  [
    '2026-01-01T00:00:00Z stderr P  two spaces ',
    { time: '2026-01-01T00:00:00Z', stream: 'stderr', partial: true, text: ' two spaces ' },
  ],
  [
    '2026-01-01T00:00:00+02:00 stdout F:x tags',
    { time: '2026-01-01T00:00:00+02:00', stream: 'stdout', partial: false, text: 'tags' },
  ],
  ['2026-01-01T00:00:00Z stdout F ', { time: '2026-01-01T00:00:00Z', stream: 'stdout', partial: false, text: '' }],
  ['2026-01-01T00:00:00Z stdout F', { time: '2026-01-01T00:00:00Z', stream: 'stdout', partial: false, text: '' }],
  ['2026-01-01T00:00:00Z stdin F x', undefined],
  ['2026-01-01T00:00:00Z stdout X x', undefined],
  ['yesterday stdout F x', undefined],
  ['{"log":"docker\\n"}', undefined],
  ['2026-01-01T00:', undefined],
  ['', undefined],
]

describe('a line of a log of CRI', () => {
  for (const [line, read] of rows)
    it(`${JSON.stringify(line)} ${read === undefined ? 'is none' : 'is read'}`, () => {
      const found = parseLogLine(Buffer.from(line))
      expect(
        found && {
          time: found.time,
          stream: found.stream,
          partial: found.partial,
          text: Buffer.from(found.content).toString(),
        },
      ).to.deep.equal(read)
    })
})

describe('the log of a container', () => {
  const folder = mkdtempSync(join(tmpdir(), 'varmor-log-'))
  const path = join(folder, 'log')
  after(() => rmSync(folder, { recursive: true }))
  const read = async (options: ReadLogOptions = {}): Promise<string> => {
    const chunks: Uint8Array[] = []
    for await (const chunk of readLog(path, options)) chunks.push(chunk)
    return Buffer.concat(chunks).toString()
  }

  it('is what the process wrote, its lines whole again', async () => {
    writeFileSync(
      path,
      lineOf(1, 'stdout', 'P', 'a long ') + lineOf(1, 'stdout', 'F', 'line') + lineOf(2, 'stderr', 'F', 'oops'),
    )
    expect(await read()).to.equal('a long line\noops\n')
    expect(await read({ stream: 'stderr' })).to.equal('oops\n')
    expect(await read({ timestamps: true })).to.equal(`${time(1)} a long line\n${time(2)} oops\n`)
    expect(await read({ since: Date.parse(time(2)) })).to.equal('oops\n')
    expect(await read({ tailLines: 0 })).to.equal('')
  })

  it('leaves out what is no line, and gives the last one that has no end', async () => {
    writeFileSync(path, `garbage\n${lineOf(1, 'stdout', 'F', 'good')}${lineOf(2, 'stdout', 'F', 'cut').trimEnd()}`)
    expect(await read()).to.equal('good\ncut\n')
    expect(await read({ tailLines: 1 })).to.equal('cut\n')
  })

  it('has the last lines, and as many bytes as wanted, of any log', async () => {
    // Longer than a chunk, so that a line lies across two.
    const lines = fc.array(fc.string({ unit: fc.constantFrom('a', 'ü', ' '), maxLength: 30 }), { maxLength: 20 })
    const property = fc.asyncProperty(
      lines,
      fc.nat(25),
      fc.integer({ min: 1, max: 300 }),
      fc.boolean(),
      async (texts, tail, limit, isLong) => {
        const written = texts.map((text) => (isLong ? text + 'x'.repeat(20_000) : text))
        writeFileSync(path, written.map((text, i) => lineOf(i, 'stdout', 'F', text)).join(''))
        const all = written.map((text) => `${text}\n`)
        expect(await read()).to.equal(all.join(''))
        expect(await read({ tailLines: tail })).to.equal(tail === 0 ? '' : all.slice(-tail).join(''))
        const bytes = Buffer.from(all.join('')).subarray(0, limit)
        expect(Buffer.from(await read({ limitBytes: limit })).equals(Buffer.from(bytes.toString()))).to.equal(true)
      },
    )
    await fc.assert(property, { numRuns: 60 })
  })

  it('is followed while its container goes on, and to the last line', async () => {
    writeFileSync(path, lineOf(1, 'stdout', 'F', 'one'))
    const steps = [lineOf(2, 'stdout', 'F', 'two').slice(0, 10), lineOf(2, 'stdout', 'F', 'two').slice(10), '']
    let goesOn = true
    const follow = {
      signal: new AbortController().signal,
      goesOn: async () => goesOn,
      pause: async () => {
        appendFileSync(path, steps.shift() ?? '')
        if (steps.length > 0) return
        appendFileSync(path, lineOf(3, 'stdout', 'F', 'last words'))
        goesOn = false
      },
    }
    expect(await read({ follow })).to.equal('one\ntwo\nlast words\n')
  })

  it('is followed no more when the reader has gone', async () => {
    writeFileSync(path, lineOf(1, 'stdout', 'F', 'one'))
    const gone = new AbortController()
    const follow = { signal: gone.signal, goesOn: async () => true, pause: async () => gone.abort() }
    expect(await read({ follow })).to.equal('one\n')
  })
})

const now = Date.UTC(2026, 0, 1)
const requests: [query: string, read: object | string][] = [
  ['', {}],
  ['follow=true&previous=true&timestamps=true', { follow: true, previous: true, timestamps: true }],
  ['tailLines=0&limitBytes=9', { tailLines: 0, limitBytes: 9 }],
  ['sinceSeconds=60', { since: now - 60_000 }],
  ['sinceTime=2025-12-31T00%3A00%3A00Z', { since: now - 86_400_000 }],
  ['stream=Stderr', { stream: 'stderr' }],
  ['stream=All', {}],
  ['tailLines=-1', 'tailLines: "-1" must be a whole number from 0 on'],
  ['limitBytes=0', 'limitBytes: "0" must be a whole number from 1 on'],
  ['tailLines=1e3', 'tailLines: "1e3" must be a whole number'],
  ['sinceTime=soon', 'sinceTime: "soon" must be a time of RFC 3339'],
]

describe('a request for a log', () => {
  for (const [query, read] of requests)
    it(`with ${JSON.stringify(query)} ${typeof read === 'string' ? 'is refused' : 'is read'}`, () => {
      const parse = () => parseLogRequest(new URLSearchParams(query), now)
      if (typeof read === 'string') expect(parse).to.throw(RangeError, read)
      else expect(parse()).to.deep.equal({ follow: false, previous: false, timestamps: false, ...read })
    })
})
