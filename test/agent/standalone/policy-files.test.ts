import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { FolderError, largestFile, maxFiles, policyFiles } from '../../../src/agent/standalone/policy-files.ts'

describe('the files of a folder of policies', () => {
  let folder: string
  const at = (name: string): string => join(folder, name)
  const put = (name: string, text: string | Buffer = 'x', mode = 0o644): void => {
    writeFileSync(at(name), text)
    chmodSync(at(name), mode)
  }
  const poll = async (known: ReadonlyMap<string, string> = new Map()) => {
    const seen = await policyFiles(folder).scan(known)
    return Object.fromEntries(
      Array.from(seen, ([name, file]) => {
        if (typeof file === 'string') return [name, file]
        return [name, 'bytes' in file ? `text ${file.bytes}` : 'problem' in file ? file.problem : 'as it was']
      }),
    )
  }
  const refusal = (): Promise<string> =>
    policyFiles(folder)
      .scan(new Map())
      .then(
        () => 'taken',
        (error: unknown) => {
          if (!(error instanceof FolderError)) throw error
          return error.message
        },
      )

  beforeEach(() => {
    folder = join(mkdtempSync(join(tmpdir(), 'varmor-policies-')), 'policies')
    mkdirSync(folder, { mode: 0o755 })
  })
  afterEach(() => rmSync(join(folder, '..'), { recursive: true }))

  it('are those that are called as YAML or JSON; what editors leave is passed over', async () => {
    for (const name of ['a.yaml', 'b.yml', 'c.json']) put(name, name)
    for (const name of ['.a.yaml.swp', '.a.yaml', 'a.yaml~', '#a.yaml', '4913', 'a.yaml.dpkg-new', 'README']) put(name)
    expect(await poll()).to.deep.equal({ 'a.yaml': 'text a.yaml', 'b.yml': 'text b.yml', 'c.json': 'text c.json' })
  })

  it('are named when their names are no text', async () => {
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/b`), Buffer.from([0xe9]), Buffer.from('.yaml')]), 'x')
    put('a.yaml', 'a')
    expect(await poll()).to.deep.equal({ 'a.yaml': 'text a', './bé.yaml': 'its name is not UTF-8; rename it' })
  })

  it('are read again when they have changed, however that was done', async () => {
    put('a.yaml', 'one')
    put('b.yaml', 'two')
    const first = await policyFiles(folder).scan(new Map())
    const versions = new Map(Array.from(first, ([name, file]) => [name, typeof file === 'string' ? '' : file.version]))
    expect(await poll(versions)).to.deep.equal({ 'a.yaml': 'as it was', 'b.yaml': 'as it was' })
    put('new', 'six')
    renameSync(at('new'), at('a.yaml'))
    rmSync(at('b.yaml'))
    expect(await poll(versions)).to.deep.equal({ 'a.yaml': 'text six' })
  })

  it('are refused where others could have written them, and where reading has no bound', async () => {
    put('group.yaml', 'x', 0o664)
    put('world.yaml', 'x', 0o646)
    put('large.yaml', Buffer.alloc(largestFile + 1, 32))
    put('whole.yaml', 'x')
    symlinkSync('whole.yaml', at('link.yaml'))
    mkdirSync(at('folder.yaml'))
    execFileSync('mkfifo', [at('fifo.yaml')])
    const own = 'it is not a regular file; remove it, or replace it with a file'
    expect(await poll()).to.deep.equal({
      'fifo.yaml': own,
      'folder.yaml': own,
      'group.yaml': 'users other than its owner may write to it; run chmod go-w on it',
      'large.yaml': 'it has more than 1 MiB; split it into several files',
      'link.yaml': 'it is a symbolic link; replace it with the file itself',
      'whole.yaml': 'text x',
      'world.yaml': 'users other than its owner may write to it; run chmod go-w on it',
    })
  })

  it('are refused where they belong to another user', async function () {
    if (process.geteuid?.() !== 0) return this.skip()
    put('a.yaml')
    execFileSync('chown', ['1234', at('a.yaml')])
    expect(await poll()).to.deep.equal({
      'a.yaml': 'it belongs to user 1234, who could change policies; change its owner to root with chown',
    })
    execFileSync('chown', ['1234', folder])
    expect(await refusal()).to.equal(
      `${folder}: it belongs to user 1234, who could change policies; change its owner to root with chown`,
    )
  })

  it('are not looked at in a folder that others may change, or one above', async () => {
    chmodSync(folder, 0o1777)
    expect(await refusal()).to.equal(`${folder}: users other than its owner may write to it; run chmod go-w on it`)
    chmodSync(folder, 0o755)
    chmodSync(join(folder, '..'), 0o777)
    expect(await refusal()).to.equal(
      `${join(folder, '..')}: users other than its owner may write to it; run chmod go-w on it`,
    )
  })

  it('have a folder, and are not too many', async () => {
    for (let i = 0; i <= maxFiles; i++) put(`${i}.yaml`)
    expect(await refusal()).to.equal(`${folder} has 257 policy files; put the policies into at most 256 files`)
    rmSync(folder, { recursive: true })
    expect(await refusal()).to.equal(
      `${folder}: the folder does not exist; create it, or name another folder with --policies`,
    )
    writeFileSync(folder, '')
    expect(await refusal()).to.equal(`${folder} is not a folder; name a folder of policies with --policies`)
  })

  it('say when something changes', async () => {
    const changed = new Promise<void>((resolve) => {
      const watching = policyFiles(folder).watch(() => {
        if (typeof watching !== 'string') watching()
        resolve()
      })
    })
    put('a.yaml')
    await changed
  })
})
