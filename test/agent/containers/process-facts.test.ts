import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { processFacts } from '../../../src/agent/containers/process-facts.ts'
import { hideCgroup } from '../../audit/proc-world.ts'

const id = 'a'.repeat(64)

describe('what /proc says of a container', () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'varmor-facts-'))
    mkdirSync(join(root, 'proc/7/ns'), { recursive: true })
    mkdirSync(join(root, 'sys/fs/cgroup/kubepods', id), { recursive: true })
    writeFileSync(join(root, 'proc/7/ns/mnt'), '')
    writeFileSync(join(root, 'proc/7/stat'), `7 (x) S ${'0 '.repeat(18)}500 0\n`)
    writeFileSync(join(root, 'proc/7/cgroup'), `0::/kubepods/${id}\n`)
  })
  afterEach(() => rmSync(root, { recursive: true }))

  it('are its mount namespace and its cgroup', async () => {
    expect(await processFacts(root)(7, id)).to.deep.equal({
      mntNsID: statSync(join(root, 'proc/7/ns/mnt')).ino,
      cgroupID: statSync(join(root, 'sys/fs/cgroup/kubepods', id), { bigint: true }).ino,
      cgroupPath: `/kubepods/${id}`,
      initStart: 500,
    })
  })

  it('lack a mount namespace that may not be read', async function () {
    // Root may read all files.
    if (process.getuid!() !== 0) this.skip()
    chmodSync(join(root, 'proc/7/ns'), 0)
    const user = 65_534
    for (const folder of [root, join(root, 'proc'), join(root, 'proc/7')]) chownSync(folder, user, user)
    process.seteuid!(user)
    try {
      expect(await processFacts(root)(7, id)).to.include({ mntNsID: 0, initStart: 500 })
    } finally {
      process.seteuid!(0)
    }
  })

  it('are of no cgroup that the name of one says: a carriage return ends no line', async () => {
    const [named, victim] = ['web', `/kubepods/${id}`]
    mkdirSync(join(root, 'sys/fs/cgroup/default/web\rx'), { recursive: true })
    const { ino } = statSync(join(root, 'sys/fs/cgroup/default/web\rx'), { bigint: true })
    writeFileSync(join(root, 'proc/7/cgroup'), `9:misc:/a\r0::${victim}\n0::/default/web\rx\n`)
    expect(await processFacts(root)(7, named)).to.include({ cgroupID: ino })
  })

  it('are those of its own cgroup although its first process has gone to one below', async () => {
    const expected = await processFacts(root)(7, id)
    for (const below of ['init.scope', 'b'.repeat(64)]) {
      writeFileSync(join(root, 'proc/7/cgroup'), `0::/kubepods/${id}/${below}\n`)
      expect(await processFacts(root)(7, id)).to.deep.equal(expected)
    }
  })

  it('lack a cgroup whose path is too long for the kernel to show', async () => {
    const { mntNsID, initStart } = (await processFacts(root)(7, id))!
    hideCgroup(join(root, 'proc'), 7)
    expect(await processFacts(root)(7, id)).to.deep.equal({ mntNsID, initStart })
  })

  it('lack a cgroup whose path is too long to be looked at, and have the own one of a container above it', async () => {
    const expected = await processFacts(root)(7, id)
    const deep = `${'d'.repeat(250)}/`.repeat(17).slice(0, 4000)
    writeFileSync(join(root, 'proc/7/cgroup'), `0::/kubepods/${id}/${deep}\n`)
    expect(await processFacts(root)(7, id)).to.deep.equal(expected)
    writeFileSync(join(root, 'proc/7/cgroup'), `0::/default/web/${deep.padEnd(4083, 'd')}\n`)
    expect(await processFacts(root)(7, 'web')).to.have.all.keys('mntNsID', 'initStart')
  })

  it('is nothing of a process that is gone, or of another container by now', async () => {
    expect(await processFacts(root)(8, id)).to.equal(undefined)
    expect(await processFacts(root)(7, 'b'.repeat(64))).to.equal(undefined)
  })

  for (const [what, cgroup] of [
    ['that cannot be seen from here', `0::/../other/${id}\n`],
    ['of version 1', `12:devices:/kubepods/${id}\n`],
  ])
    it(`is no cgroup where it is one ${what}`, async () => {
      writeFileSync(join(root, 'proc/7/cgroup'), cgroup!)
      expect(await processFacts(root)(7, id)).to.have.all.keys('mntNsID', 'initStart', 'cgroupPath')
    })

  it('of this process is as the kernel says', async () => {
    expect((await processFacts()(process.pid, 'c1'))?.mntNsID).to.equal(statSync('/proc/self/ns/mnt').ino)
  })
})
