import { Buffer } from 'node:buffer'
import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import fc from 'fast-check'
import { linesBackwards, maxLine } from '../../src/audit/source/lines-backwards.ts'
import { listFiles } from '../../src/audit/source/rotated-files.ts'
import { countLines, findTail } from '../../src/cli/logs/backwards.ts'
import { closeAll, openLog } from '../../src/cli/logs/opened-log.ts'
import { Printer } from '../../src/cli/logs/printer.ts'
import { followFiles, readFiles } from '../../src/cli/logs/read-log.ts'
import { openUnpacked } from '../../src/cli/logs/unpacked-file.ts'

const file = (text: string) => {
  const all = Buffer.from(text)
  const reads: number[] = []
  return {
    reads,
    peek: (start: number, end: number) => {
      reads.push(end - start)
      return Promise.resolve(all.subarray(start, end))
    },
  }
}

async function backwards(text: string, piece?: number): Promise<[number, string][]> {
  const lines: [number, string][] = []
  for await (const { offset, bytes } of linesBackwards(file(text), Buffer.byteLength(text), piece))
    lines.push([offset, bytes.toString('utf8')])
  return lines
}

describe('lines from the end of a file', () => {
  it('are those from its beginning, wherever the pieces are cut', async () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'é', '\n', '{') })
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 9 }), async (all, piece) => {
        const found = (await backwards(all, piece)).toReversed()
        expect(found.map(([, line]) => line).join('\n')).to.equal(all)
        for (const [offset, line] of found)
          expect(Buffer.from(all).subarray(offset).toString()).to.satisfy((rest: string) => rest.startsWith(line))
      }),
    )
  })

  it('are empty where they are longer than what is read forwards', async () => {
    const long = 'x'.repeat(3 * maxLine)
    expect(await backwards(`a\n${long}\nb\n`)).to.deep.equal([
      [long.length + 5, ''],
      [long.length + 3, 'b'],
      [2, ''],
      [0, 'a'],
    ])
  })

  it('end where the file was truncated meanwhile', async () => {
    const found: unknown[] = []
    for await (const line of linesBackwards(file('a\n'), 5)) found.push(line)
    expect(found).to.deep.equal([])
  })

  it('are counted up to an offset', async () => {
    const text = 'a\n\nbc\n'.repeat(50_000)
    expect(await countLines(file(text), text.length)).to.equal(150_000)
    expect(await countLines(file(text), 6 * 40_000 + 2)).to.equal(120_001)
  })
})

const isLine = (text: string): boolean => text !== ''

const line = (name: string) => `{"event":{"name":"${name}"}}\n`
const lines = (...names: string[]) => names.map(line).join('')

describe('a log with its rotated files', () => {
  let folder = ''
  let path = ''
  const problems: string[] = []
  const report = (_: string, problem: string): void => {
    problems.push(problem)
  }
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-logs-'))
    path = join(folder, 'violations.log')
    problems.length = 0
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  /** The output for these chunks, and the messages about lines that are not violations. */
  function printing() {
    const [out, complaints]: [string[], string[]] = [[], []]
    const put = (texts: string[]) => (data: Uint8Array | string) => {
      texts.push(...data.toString().split('\n').slice(0, -1))
      return Promise.resolve()
    }
    const names = (): string[] => out.map((text) => (JSON.parse(text) as { event: { name: string } }).event.name)
    return {
      printer: new Printer({ isWanted: () => true, out: put(out), complain: put(complaints) }),
      names,
      complaints,
    }
  }

  async function read(tail?: number, change: () => void = () => undefined) {
    const { files } = await openLog(path)
    const place = tail === undefined ? { index: 0, offset: 0 } : await findTail(files, tail, isLine)
    change()
    const { printer, names, complaints } = printing()
    for await (const chunk of readFiles(files, place, report)) await printer.print(chunk)
    return { names: names(), complaints, place }
  }

  it('is read from the oldest file to the newest, by number', async () => {
    writeFileSync(`${path}.10`, lines('a'))
    writeFileSync(`${path}.9`, lines('b'))
    writeFileSync(`${path}.1`, lines('c', 'd'))
    writeFileSync(path, lines('e'))
    writeFileSync(join(folder, 'violations.log.txt'), lines('other'))
    expect((await read()).names).to.deep.equal(['a', 'b', 'c', 'd', 'e'])
  })

  it('is read to its end though it is renamed and written meanwhile', async () => {
    writeFileSync(`${path}.1`, lines('a'))
    writeFileSync(path, lines('b'))
    const { names } = await read(undefined, () => {
      renameSync(`${path}.1`, `${path}.2`)
      renameSync(path, `${path}.1`)
      writeFileSync(path, lines('new'))
    })
    expect(names).to.deep.equal(['a', 'b'])
  })

  it('gives the last lines that are asked for, over several files', async () => {
    const all = Array.from({ length: 30 }, (_, i) => `n${i}`)
    writeFileSync(`${path}.2`, lines(...all.slice(0, 10)))
    writeFileSync(`${path}.1`, lines(...all.slice(10, 25)))
    writeFileSync(path, lines(...all.slice(25)))
    for (const tail of [0, 1, 5, 6, 20, 29, 30, 31])
      expect((await read(tail)).names, `${tail}`).to.deep.equal(tail === 0 ? [] : all.slice(-tail))
  })

  it('reads little for the last lines of a large file', async () => {
    writeFileSync(path, line('x').repeat(400_000))
    const { files } = await openLog(path)
    const { peek } = files[0]!.file
    let bytes = 0
    files[0]!.file.peek = (start, end) => {
      bytes += end - start
      return peek.call(files[0]!.file, start, end)
    }
    await findTail(files, 20, () => true)
    await closeAll(files)
    expect(bytes).to.be.within(1, 64 * 1024)
  })

  it('leaves out rotated files without later writes', async () => {
    for (const [name, seconds] of [
      ['.2', 1_000],
      ['.1', 2_000],
      ['', 1_000],
    ] as const) {
      writeFileSync(`${path}${name}`, lines(`x${name}`))
      utimesSync(`${path}${name}`, seconds, seconds)
    }
    const { files } = await openLog(path, 1_500)
    await closeAll(files)
    expect(files.map((one) => one.path)).to.deep.equal([`${path}.1`, path])
  })

  it('reads files that are compressed, and leaves nothing behind of it', async () => {
    const leftBefore = readdirSync(tmpdir()).filter((name) => name.startsWith('varmor-logs-'))
    writeFileSync(`${path}.3.gz`, gzipSync(lines('a', 'b')))
    writeFileSync(`${path}.2.gz`, gzipSync(lines('c')))
    writeFileSync(`${path}.1`, lines('d'))
    writeFileSync(path, lines('e'))
    expect((await read()).names).to.deep.equal(['a', 'b', 'c', 'd', 'e'])
    const { files } = await openLog(path)
    const { index } = await findTail(files, 4, (line) => line !== '')
    await closeAll(files)
    expect(files[index]!.path).to.equal(`${path}.3.gz`)
    const left = readdirSync(tmpdir()).filter((name) => name.startsWith('varmor-logs-'))
    expect(left.filter((name) => !leftBefore.includes(name))).to.deep.equal([])
  })

  const broken = [
    { what: 'an empty one', suffix: '.1.gz', bytes: Buffer.alloc(0), says: 'cannot be read: unexpected end of file' },
    {
      what: 'another format',
      suffix: '.1.gz',
      bytes: Buffer.from('text'),
      says: 'cannot be read: incorrect header check',
    },
    {
      what: 'one that was cut',
      suffix: '.1.gz',
      bytes: gzipSync('x').subarray(0, 15),
      says: 'cannot be read: unexpected end of file',
    },
    {
      what: 'xz',
      suffix: '.1.xz',
      bytes: Buffer.alloc(0),
      says: 'is compressed, but not with gzip (.gz); unpack it and name it with --file FILE',
    },
  ]
  for (const { what, suffix, bytes, says } of broken)
    it(`says which compressed file it cannot read: ${what}`, async () => {
      writeFileSync(`${path}${suffix}`, bytes)
      expect(await openLog(path)).to.deep.equal({ files: [], unread: [{ path: `${path}${suffix}`, problem: says }] })
    })

  it('does not fill the disk with what a compressed file holds', async () => {
    writeFileSync(`${path}.1.gz`, gzipSync(Buffer.alloc(1_000_000)))
    const [packed] = await listFiles(path)
    expect(await openUnpacked(packed!, 999_999)).to.deep.equal({
      problem: 'contains more than 999999 bytes; unpack it and name it with --file FILE',
    })
  })

  const odd = [
    { what: 'text', text: 'odd\u001b[2J', says: 'is not JSON: odd\\u001b[2J' },
    { what: 'an empty line', text: '', says: 'is empty' },
    { what: 'other JSON', text: '{"a":1}', says: 'has no event: {"a":1}' },
    { what: 'a long one, cut', text: 'y'.repeat(500), says: `is not JSON: ${'y'.repeat(200)}…` },
    { what: 'bytes of no encoding', text: '\ufffd', says: 'is not JSON: \ufffd' },
  ]
  for (const { what, text, says } of odd)
    it(`gives the number of a line that is no violation: ${what}`, async () => {
      writeFileSync(path, `${lines('a', 'b')}${text}\n${lines('c')}${text}\n`)
      const whole = await read()
      expect(whole.names).to.deep.equal(['a', 'b', 'c'])
      expect(whole.complaints).to.deep.equal([`${path}: line 3 ${says}`, `${path}: line 5 ${says}`])
    })

  it('numbers the lines of each file, also when it is read from its end, or in several chunks', async () => {
    writeFileSync(`${path}.1`, `${lines('a')}odd\n`)
    writeFileSync(path, `${line('b').repeat(60_000)}odd\n${lines('c')}`)
    const said = [`${path}.1: line 2 is not JSON: odd`, `${path}: line 60001 is not JSON: odd`]
    expect((await read()).complaints).to.deep.equal(said)
    const tail = await read(3)
    expect(tail).to.deep.include({ names: ['b', 'c'], complaints: said.slice(1) })
    expect(tail.place.offset).to.be.greaterThan(1_000_000)
  })

  it('prints a last line without an end, and says so if it is a piece of one', async () => {
    writeFileSync(path, `${lines('a')}${lines('b').trimEnd()}`)
    expect(await read()).to.deep.include({ names: ['a', 'b'], complaints: [] })
    writeFileSync(path, `${lines('a')}{"event":{"na`)
    expect(await read()).to.deep.include({ names: ['a'], complaints: [`${path}: line 2 is not JSON: {"event":{"na`] })
  })

  it('says that lines may be missing when it is truncated while it is read', async () => {
    writeFileSync(path, line('a').repeat(60_000))
    const { files } = await openLog(path)
    for await (const _ of readFiles(files, { index: 0, offset: 0 }, report)) truncateSync(path)
    expect(problems).to.deep.equal(['it was truncated during the read'])
  })

  /** Makes each change when `printed` violations are printed, and ends after `until` of them. */
  async function follow(tail: number | undefined, until: number, steps: [printed: number, change: () => void][]) {
    const { files } = await openLog(path)
    const place = tail === undefined ? { index: 0, offset: 0 } : await findTail(files, tail, isLine)
    const { printer, names, complaints } = printing()
    const ending = new AbortController()
    const options = { napMs: 1, pollMs: 5 }
    const next = (): void => {
      if (steps.length > 0 && names().length >= steps[0]![0]) steps.shift()![1]()
      else if (names().length >= until) ending.abort()
    }
    setImmediate(next)
    for await (const chunk of followFiles({ name: path, files, place, report, stop: ending.signal, options })) {
      await printer.print(chunk)
      next()
    }
    return { names: names(), complaints }
  }

  it('is followed over renames and truncations, with the numbers of each file', async () => {
    writeFileSync(`${path}.1`, lines('old'))
    writeFileSync(path, `${lines('a', 'b')}odd\n`)
    const { names, complaints } = await follow(undefined, 8, [
      [3, () => appendFileSync(path, `${lines('c')}odd\n`)],
      [
        4,
        () => {
          renameSync(`${path}.1`, `${path}.2`)
          renameSync(path, `${path}.1`)
          writeFileSync(path, `${lines('d')}odd\n`)
        },
      ],
      [5, () => appendFileSync(path, lines('e'))],
      [
        6,
        () => {
          appendFileSync(path, lines('f'))
          copyFileSync(path, `${path}.1`)
          truncateSync(path)
          appendFileSync(path, `odd\n${lines('g')}`)
        },
      ],
    ])
    expect(names).to.deep.equal(['old', 'a', 'b', 'c', 'd', 'e', 'f', 'g'])
    expect(complaints.map((text) => /line (\d+)/.exec(text)?.[1])).to.deep.equal(['3', '5', '2', '1'])
    expect(problems).to.deep.equal([])
  })

  it('is followed from its last lines, whose numbers are counted when they are asked for', async () => {
    writeFileSync(path, `${lines('a', 'b')}odd\n${lines('c')}`)
    const { names, complaints } = await follow(1, 2, [[1, () => appendFileSync(path, `odd\n${lines('d')}`)]])
    expect(names).to.deep.equal(['c', 'd'])
    expect(complaints).to.deep.equal([`${path}: line 5 is not JSON: odd`])
  })

  it('is followed from the first line of a file that comes', async () => {
    const { names, complaints } = await follow(5, 2, [[0, () => writeFileSync(path, `odd\n${lines('a', 'b')}`)]])
    expect(names).to.deep.equal(['a', 'b'])
    expect(complaints).to.deep.equal([`${path}: line 1 is not JSON: odd`])
  })
})
