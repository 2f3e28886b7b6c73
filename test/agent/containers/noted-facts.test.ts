import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { notedFacts, pidNamespace } from '../../../src/agent/containers/noted-facts.ts'

describe('facts of containers, noted for the fork tree', () => {
  const setup = (namespaces: Record<number, { inode: number; first: boolean }>, lives = true) => {
    const noted: [number, string][] = []
    const barred = new Set<number>()
    const forks = {
      living: (pid: number) => (pid === 404 ? undefined : pid * 10),
      confirm: (key: number, id: string) => {
        noted.push([key, id])
        return lives
      },
      bar: (key: number) => void barred.add(key),
    }
    const read = notedFacts(
      async (pid) => (pid === 403 ? undefined : { mntNsID: pid }),
      forks,
      async (pid) => namespaces[pid],
    )
    return { noted, barred, read }
  }

  it('are the same, and say where the process is', async () => {
    const { read, noted, barred } = setup({ 1: { inode: 7, first: true }, 2: { inode: 8, first: true } })
    expect(await read(1, 'a')).to.deep.equal({ mntNsID: 1 })
    expect(await read(2, 'b')).to.deep.equal({ mntNsID: 2 })
    expect(await read(404, 'c')).to.deep.equal({ mntNsID: 404 })
    expect(await read(403, 'd')).to.equal(undefined)
    expect(noted).to.deep.equal([
      [10, 'a'],
      [20, 'b'],
    ])
    expect([...barred]).to.deep.equal([])
  })

  const shared = { 1: { inode: 7, first: true }, 2: { inode: 7, first: false }, 3: { inode: 7, first: false } }
  for (const order of [
    [1, 2],
    [2, 1],
    [3, 2, 1],
  ])
    it(`bar the first process of a pid namespace that others are in, too: ${order}`, async () => {
      const { read, barred } = setup(shared)
      for (const pid of order) await read(pid, `c${pid}`)
      expect([...barred]).to.deep.equal([10])
    })

  it('bar no process of a pod without a known first process, or of the node’s own namespace', async () => {
    const { read, barred } = setup({ 2: { inode: 7, first: false }, 3: { inode: 7, first: false } })
    for (const pid of [2, 3, 4, 5]) await read(pid, `c${pid}`)
    expect([...barred]).to.deep.equal([])
  })

  it('remember a bounded number of pid namespaces, without the oldest', async () => {
    const barredAfter = async (count: number): Promise<number[]> => {
      const pids = Array.from({ length: count }, (_, i) => 1_000 + i)
      const first = Object.fromEntries(pids.map((pid) => [pid, { inode: pid, first: true }]))
      const { read, barred } = setup({ ...first, 1: { inode: 1_000, first: false } })
      for (const pid of [...pids, 1]) await read(pid, `c${pid}`)
      return [...barred]
    }
    expect(await barredAfter(4_096), 'there is room').to.deep.equal([10_000])
    expect(await barredAfter(4_097)).to.deep.equal([])
  })

  it('take the number of a namespace for another one when its first process is another', async () => {
    const { read, barred } = setup({ ...shared, 4: { inode: 7, first: true } })
    for (const pid of [1, 2, 4]) await read(pid, `c${pid}`)
    expect([...barred]).to.deep.equal([10])
  })

  it('bar the first process of a pid namespace that may not be looked at', async () => {
    const { read, barred } = setup({ 1: { inode: 0, first: true }, 2: { inode: 0, first: false } })
    for (const pid of [1, 2]) await read(pid, `c${pid}`)
    expect([...barred]).to.deep.equal([10])
  })

  it('read a pid namespace, and nothing of a process that is gone', async () => {
    const nsOfInit = await pidNamespace()(1)
    expect(nsOfInit === undefined || nsOfInit.first).to.equal(true)
    expect(await pidNamespace('/no/such')(1)).to.equal(undefined)
  })

  it('read no pid namespace out of the name of a process, which may hold a carriage return', async () => {
    const root = mkdtempSync(join(tmpdir(), 'varmor-noted-'))
    mkdirSync(join(root, 'proc/7/ns'), { recursive: true })
    writeFileSync(join(root, 'proc/7/ns/pid'), '')
    const { ino: inode } = statSync(join(root, 'proc/7/ns/pid'))
    for (const name of ['init', '\rNSpid:\t7', '\rNSpid:\t7\t2']) {
      writeFileSync(join(root, 'proc/7/status'), `Name:\t${name}\nUid:\t0\t0\t0\t0\nNSpid:\t7\t1\nNSsid:\t7\t1\n`)
      expect(await pidNamespace(root)(7), name).to.deep.equal({ inode, first: true })
    }
    rmSync(root, { recursive: true })
  })
})
