import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import { parseFilePosition } from '../../../src/audit/source/file-position.ts'
import { positionAfter, readAll, readUntil } from './followed.ts'

let folder = ''
let path = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'varmor-follow-'))
  path = join(folder, 'audit.log')
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('a followed file after a restart', () => {
  it('goes on where it was', async () => {
    const position = await positionAfter(path, 'one\n')
    appendFileSync(path, 'two\n')
    const { text, stats } = await readAll(path, { from: parseFilePosition(JSON.parse(JSON.stringify(position)))! })
    expect(text).to.equal('two\n')
    expect(stats.dropped).to.deep.equal({ vanished: 0, truncated: 0, compressed: 0, checkpoint: 0 })
  })

  it('reads the rotated files first that came meanwhile', async () => {
    const position = await positionAfter(path, '1\n')
    appendFileSync(path, '2\n')
    renameSync(path, `${path}.3`)
    writeFileSync(`${path}.2`, '3\n4')
    writeFileSync(`${path}.1`, '5\n')
    writeFileSync(path, '6\n')
    writeFileSync(`${path}.4`, 'older\n')
    const { stats } = await readUntil(path, '2\n3\n4\n5\n6\n', { from: position })
    expect(stats).to.include({ rotations: 3, unfinished: 1 })
  })

  it('finds the rest of a truncated file in its copy', async () => {
    const position = await positionAfter(path, '1\n')
    appendFileSync(path, '2\n')
    spawnSync('cp', [path, `${path}.1`])
    writeFileSync(path, '3, longer than all before\n')
    const { stats } = await readUntil(path, '2\n3, longer than all before\n', { from: position })
    expect(stats.dropped.truncated).to.equal(0)
  })

  it('knows the copy that was made before its last lines were read, and reads nothing twice', async () => {
    const long = `${'1'.repeat(1_500)}\n`
    const position = await positionAfter(path, `${long}2\n`)
    writeFileSync(`${path}.2`, long)
    writeFileSync(`${path}.1`, '3\n')
    writeFileSync(path, '4\n')
    const { stats } = await readUntil(path, '3\n4\n', { from: position })
    expect(stats.dropped.truncated).to.equal(1)
  })

  it('does not take another file of the same number for the one it was', async () => {
    const position = await positionAfter(path, 'one\ntwo\n')
    writeFileSync(path, 'ONE\nTWO\nTHREE\n')
    const { stats } = await readUntil(path, 'ONE\nTWO\nTHREE\n', { from: position })
    expect(stats.dropped.truncated).to.equal(1)
  })

  it('says that its file is gone, and reads everything younger', async () => {
    const position = await positionAfter(path, 'one\n')
    await sleep(20)
    writeFileSync(`${path}.1`, 'two\n')
    writeFileSync(`${path}.new`, 'three\n')
    renameSync(`${path}.new`, path)
    const { stats, said } = await readUntil(path, 'two\nthree\n', { from: position })
    expect(stats.dropped.vanished).to.equal(1)
    expect(said[0]).to.include({ code: 'gap-vanished', level: 'warn' })
  })

  it('counts what was compressed before it was read', async () => {
    const position = await positionAfter(path, 'one\n')
    unlinkSync(path)
    writeFileSync(`${path}.2.gz`, gzipSync('one\ntwo\n'))
    writeFileSync(`${path}.1`, 'three\n')
    writeFileSync(path, 'four\n')
    const { said } = await readUntil(path, 'three\nfour\n', { from: position })
    expect(said.map(({ context }) => context)).to.deep.equal([{ file: `${path}.2.gz`, reason: 'compressed', bytes: 4 }])
  })

  it('does not take a compressed file for its own that is shorter than what it had read', async () => {
    const position = await positionAfter(path, 'one\ntwo\n')
    unlinkSync(path)
    writeFileSync(`${path}.1.gz`, gzipSync('new\n'))
    writeFileSync(path, 'newer\n')
    const { said } = await readUntil(path, 'newer\n', { from: position })
    expect(said.map(({ context }) => [context['bytes'], context['file']])).to.deep.equal([
      [null, path],
      [4, `${path}.1.gz`],
    ])
  })

  it('finds what came and was copied away while the file was empty', async () => {
    writeFileSync(`${path}.2`, 'read long ago\n')
    const position = await positionAfter(path, '')
    await sleep(20) // a file system's clock may advance only every 10 ms
    appendFileSync(`${path}.2`, 'and written to once more\n')
    writeFileSync(`${path}.1`, 'one\n')
    truncateSync(path, 0)
    appendFileSync(path, 'two\n')
    await readUntil(path, 'one\ntwo\n', { from: position })
  })

  it('does not complain of a compressed file that it had read to its end', async () => {
    const position = await positionAfter(path, 'one\n')
    unlinkSync(path)
    writeFileSync(`${path}.1.gz`, gzipSync('one\n'))
    writeFileSync(path, 'two\n')
    const { said } = await readUntil(path, 'two\n', { from: position })
    expect(said).to.deep.equal([])
  })

  it('waits for the file that was not there before', async () => {
    const before = await readAll(path, {})
    expect(before.position.id).to.equal('')
    writeFileSync(path, 'one\n')
    const { stats } = await readUntil(path, 'one\n', { from: before.position })
    expect(stats.dropped).to.deep.equal({ vanished: 0, truncated: 0, compressed: 0, checkpoint: 0 })
  })
})
