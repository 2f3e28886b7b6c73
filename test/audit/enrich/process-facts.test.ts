import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ProcessFactsReader, processJson } from '../../../src/audit/enrich/process-facts.ts'

describe('what is known of a process', () => {
  let root: string
  let now = 0
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'proc-'))
    now = 0
  })
  afterEach(() => rmSync(root, { recursive: true }))

  const statOf = (pid: number, { comm = 'cat', ppid = 7, ticks = 4200 } = {}): string =>
    `${pid} (${comm}) S ${ppid} ${'0 '.repeat(17)}${ticks} 0\n`

  function make(pid: number, exe: string, { comm = 'cat', uid = 1000 } = {}): string {
    const folder = join(root, `${pid}`)
    mkdirSync(folder, { recursive: true })
    rmSync(join(folder, 'exe'), { force: true })
    symlinkSync(exe, join(folder, 'exe'))
    writeFileSync(join(folder, 'status'), `Name:\t${comm}\nUid:\t${uid}\t0\t0\t0\nGid:\t1\t1\t1\t1\n`)
    writeFileSync(join(folder, 'comm'), `${comm}\n`)
    writeFileSync(join(folder, 'stat'), statOf(pid, { comm }))
    return statOf(pid, { comm })
  }
  const reader = () => new ProcessFactsReader({ root, now: () => now })

  it('is its program, its parent, its user and its start', () => {
    make(7, '/bin/sh', { comm: 'sh' })
    const stat = make(8, '/usr/bin/cat')
    const facts = reader().read(8, stat, 1_740_366_282.42)
    expect(facts).to.deep.equal({
      ...{ exe: '/usr/bin/cat', ppid: 7, parentComm: 'sh', uid: 1000, startTime: 1_740_366_282.42 },
    })
    expect(JSON.parse(`{${processJson(facts!).slice(1)}}`)).to.deep.equal({
      process: { ...facts, startTime: '2025-02-24T03:04:42.420Z' },
    })
  })

  it('is no user that the name of the process says: the kernel escapes line ends in it, and no carriage return', () => {
    for (const end of ['\r', '\\n'])
      expect(reader().read(8, make(8, '/usr/bin/cat', { comm: `a${end}Uid:\t0` }), 1)).to.include({ uid: 1000 })
  })

  it('has nothing of what cannot be read', () => {
    const stat = make(8, '/usr/bin/cat')
    rmSync(join(root, '8', 'exe'))
    rmSync(join(root, '8', 'status'))
    expect(reader().read(8, stat, 1)).to.deep.equal({ ppid: 7, startTime: 1 })
  })

  const changes: { what: string; stat: string | undefined }[] = [
    { what: 'has ended', stat: undefined },
    { what: 'has given its pid to another one', stat: statOf(8, { ticks: 4300 }) },
    { what: 'has got another parent, whose name may be of the one before', stat: statOf(8, { ppid: 1 }) },
    { what: 'runs another program', stat: statOf(8, { comm: 'sh' }) },
  ]
  for (const { what, stat } of changes)
    it(`is nothing where it ${what} meanwhile`, () => {
      const before = make(8, '/usr/bin/cat')
      if (stat === undefined) rmSync(join(root, '8', 'stat'))
      else writeFileSync(join(root, '8', 'stat'), stat)
      expect(reader().read(8, before, 1)).to.equal(undefined)
    })

  it('is read again when it runs another program, and after a while', () => {
    const all = reader()
    const exeOf = (stat: string) => all.read(8, stat, 1)?.exe
    expect(exeOf(make(8, '/usr/bin/cat'))).to.equal('/usr/bin/cat')
    expect(exeOf(make(8, '/other'))).to.equal('/usr/bin/cat')
    expect(all.read(8, make(8, '/new'), 1, true)?.exe).to.equal('/new')
    expect(exeOf(make(8, '/other'))).to.equal('/new')
    now = 10_000
    expect(exeOf(make(8, '/other'))).to.equal('/other')
    expect(exeOf(make(8, '/bin/sh', { comm: 'sh' }))).to.equal('/bin/sh')
  })

  it('has a bound, whatever the length of a path, and no text of a process gets out of its place', () => {
    make(7, '/x', { comm: '"},"podName":"victim' })
    const exe = `/${'a'.repeat(2000)}`
    const facts = reader().read(8, make(8, exe), 1)!
    expect(facts).to.include({ exe: exe.slice(0, 1024), exeCut: true })
    const hostile = processJson({ ...facts, exe: '/a"}\n{"level":"warn"}\u001b[2J\ud800' })
    expect(hostile).to.match(/^[\x20-\x7e]*$/)
    const { process } = JSON.parse(`{${hostile.slice(1)}}`) as { process: Record<string, unknown> }
    expect(process).to.include({ parentComm: '"},"podName":"victim', exe: '/a"}\n{"level":"warn"}\u001b[2J\ufffd' })
  })

  it('is true of this process', () => {
    const facts = new ProcessFactsReader({ root: '/proc' }).read(
      process.pid,
      readFileSync(`/proc/${process.pid}/stat`, 'latin1'),
      1,
    )
    expect(facts).to.include({ exe: process.execPath, ppid: process.ppid, uid: process.getuid!() })
    expect(facts?.parentComm).to.equal(readFileSync(`/proc/${process.ppid}/comm`, 'utf8').trimEnd())
  })
})
