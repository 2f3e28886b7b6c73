import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { type FileSystem, nodeFileSystem } from '../../src/enforcer/file-system.ts'
import { contentDigest } from '../../src/enforcer/ports.ts'
import { SeccompLoader } from '../../src/enforcer/seccomp.ts'
import { loaderContract, thrownBy } from './loader-contract.ts'

const filter = (number: number): string => JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', number })
const name = 'varmor-demo-web'

class Crash extends Error {}

/** The node stops at system call number `step`: before it, in the middle of it if it writes, or after it. */
function crashing(step: number, half: boolean): FileSystem {
  let calls = 0
  return new Proxy(nodeFileSystem, {
    get(target, key: keyof FileSystem) {
      return async (...given: unknown[]) => {
        if (++calls > step) throw new Crash()
        if (calls === step && key === 'create' && half) {
          writeFileSync(given[0] as string, (given[1] as string).slice(0, 5))
          throw new Crash()
        }
        return (target[key] as (...all: unknown[]) => Promise<unknown>)(...given)
      }
    },
  })
}

describe('seccomp profiles in the kubelet’s folder', () => {
  let folder: string
  beforeEach(() => {
    folder = join(mkdtempSync(join(tmpdir(), 'varmor-seccomp-')), 'seccomp')
  })
  afterEach(() => rmSync(join(folder, '..'), { recursive: true }))
  const path = (): string => join(folder, name)

  loaderContract(() => ({
    loader: new SeccompLoader({ folder }),
    content: (_name, number) => filter(number),
    lose: (lost) => rmSync(join(folder, lost)),
    damage: (damaged) => writeFileSync(join(folder, damaged), '{}'),
    inForce: (one) => (existsSync(join(folder, one)) ? readFileSync(join(folder, one), 'utf8') : undefined),
  }))

  it('are read by root alone, whatever the umask', async () => {
    const before = process.umask(0o777)
    try {
      mkdirSync(folder, { recursive: true })
      chmodSync(folder, 0o755)
      mkdirSync(join(folder, '.varmor'))
      chmodSync(join(folder, '.varmor'), 0o755)
      await new SeccompLoader({ folder }).load(name, filter(1))
    } finally {
      process.umask(before)
    }
    expect(statSync(path()).mode & 0o777).to.equal(0o600)
  })

  it('are taken for damaged when others may write to them', async () => {
    const loader = new SeccompLoader({ folder })
    await loader.load(name, filter(1))
    chmodSync(path(), 0o666)
    expect((await loader.list()).get(name)).to.equal('')
    await loader.load(name, filter(1))
    expect(statSync(path()).mode & 0o777).to.equal(0o600)
  })

  it('are found by the next agent, without a new write', async () => {
    await new SeccompLoader({ folder }).load(name, filter(1))
    const { ino } = statSync(path())
    const next = new SeccompLoader({ folder })
    await next.start()
    expect([...(await next.list())]).to.deep.equal([[name, contentDigest(filter(1))]])
    await next.load(name, filter(1))
    expect(statSync(path()).ino).to.equal(ino)
  })

  const ways: [what: string, put: (at: string, elsewhere: string) => void][] = [
    ['a link to another file', (at, elsewhere) => symlinkSync(elsewhere, at)],
    ['a link to nowhere', (at) => symlinkSync('/nowhere/at/all', at)],
    ['a folder', (at) => mkdirSync(at)],
  ]
  for (const [what, put] of ways)
    it(`leave ${what} in their place alone, and say so`, async () => {
      mkdirSync(folder)
      const elsewhere = join(folder, '..', 'elsewhere')
      writeFileSync(elsewhere, 'precious')
      put(path(), elsewhere)
      const loader = new SeccompLoader({ folder })
      for (const call of [() => loader.load(name, filter(1)), () => loader.unload(name)]) {
        const error = await thrownBy(call())
        expect(error).to.include({ code: 'IN_THE_WAY', retryable: true })
        expect(error.context['path']).to.equal(path())
      }
      expect(lstatSync(path()).isFile()).to.equal(false)
      expect(readFileSync(elsewhere, 'utf8')).to.equal('precious')
      expect([...(await loader.list())]).to.deep.equal([])
    })

  it('are not mixed up with files of others', async () => {
    mkdirSync(folder)
    for (const foreign of ['audit.json', 'varmor-', 'varmor-X', 'my-varmor-x'])
      writeFileSync(join(folder, foreign), '{}')
    expect([...(await new SeccompLoader({ folder }).list())]).to.deep.equal([])
  })

  for (const [content, reason] of [
    ['{', /not JSON/],
    ['[]', /defaultAction/],
    ['null', /defaultAction/],
  ] as const)
    it(`are not replaced by ${content}`, async () => {
      const loader = new SeccompLoader({ folder })
      await loader.load(name, filter(1))
      const error = await thrownBy(loader.load(name, content))
      expect(error).to.include({ code: 'BAD_CONTENT', retryable: false })
      expect(error.reason).to.match(reason)
      expect(readFileSync(path(), 'utf8')).to.equal(filter(1))
    })

  it('say which file and which errno when the disk does not take them', async () => {
    const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
    const fs: FileSystem = { ...nodeFileSystem, create: () => Promise.reject(full) }
    const error = await thrownBy(new SeccompLoader({ folder, fs }).load(name, filter(1)))
    expect(error).to.include({ code: 'IO', retryable: true })
    expect(error.context).to.include({ errno: 'ENOSPC' })
  })

  it('are the old or the new one, whole, wherever the node stops, and the next agent cleans up', async () => {
    const property = fc.asyncProperty(fc.nat(12), fc.boolean(), fc.boolean(), async (step, half, replaced) => {
      rmSync(folder, { recursive: true, force: true })
      const old = replaced ? filter(1) : undefined
      if (old !== undefined) await new SeccompLoader({ folder }).load(name, old)
      const crashed = await new SeccompLoader({ folder, fs: crashing(step, half) }).load(name, filter(2)).then(
        () => false,
        (error) => {
          expect(error).to.be.instanceOf(Crash)
          return true
        },
      )
      const now = existsSync(path()) ? readFileSync(path(), 'utf8') : undefined
      expect(now).to.be.oneOf(crashed ? [old, filter(2)] : [filter(2)])
      const next = new SeccompLoader({ folder })
      await next.start()
      expect((await next.list()).get(name)).to.equal(now === undefined ? undefined : contentDigest(now))
      await next.load(name, filter(2))
      expect(readFileSync(path(), 'utf8')).to.equal(filter(2))
      expect(readdirSync(folder).sort()).to.deep.equal(['.varmor', name])
      expect(readdirSync(join(folder, '.varmor'))).to.deep.equal([])
    })
    await fc.assert(property, { numRuns: 60 })
  })
})
