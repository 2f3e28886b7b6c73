import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { StoredRecording } from '../../../actors/modeller/ports.ts'
import { RecordingFolder } from '../../../src/agent/modeller/recording-files.ts'

const key = 'demo/varmor-demo-web'
const recording = (more: Partial<StoredRecording> = {}): StoredRecording => ({
  ...{ id: 'u.1', began: 1_000, complete: false, records: 3, ofRuntime: 1, lost: 0 },
  gaps: [{ from: 'a', to: 'b', why: 'c' }],
  behaviour: { result: { appArmor: { files: [{ path: '/etc/hosts', permissions: ['r'] }] } }, leftOut: [] },
  ...more,
})

describe('recordings on the disk', () => {
  let folder: string
  let files: RecordingFolder
  const path = (): string => join(folder, 'recordings', 'demo_varmor-demo-web.recording')
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-recordings-'))
    files = new RecordingFolder(join(folder, 'recordings'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('are read as they were written, with when that was, and go when they are removed', async () => {
    expect(await files.read(key)).to.equal(undefined)
    for (const one of [recording(), recording({ complete: true, began: Number.NaN })]) {
      await files.write(key, one)
      expect(await files.read(key)).to.deep.include({ stored: one })
    }
    utimesSync(path(), 7, 7)
    expect(await files.read(key)).to.deep.include({ seen: 7_000 })
    await files.touch(key)
    expect(((await files.read(key)) as { seen: number }).seen).to.be.above(7_000)
    await files.remove(key)
    expect(await files.read(key)).to.equal(undefined)
  })

  it('are for root alone', async () => {
    await files.write(key, recording())
    expect(statSync(path()).mode & 0o777).to.equal(0o600)
    expect(statSync(join(folder, 'recordings')).mode & 0o777).to.equal(0o700)
  })

  const changes: [string, (text: string) => string][] = [
    ['cut', (text) => text.slice(0, -10)],
    ['changed', (text) => text.replace('/etc/hosts', '/etc/shado')],
    ['empty', () => ''],
    ['none', () => 'nonsense'],
  ]
  for (const [title, change] of changes)
    it(`that are ${title} are not used, but kept for diagnosis`, async () => {
      await files.write(key, recording())
      writeFileSync(path(), change(readFileSync(path(), 'utf8')))
      expect(await files.read(key)).to.have.property('broken')
      // The file is reported as broken until a new file is written.
      expect(await files.read(key)).to.have.property('broken')
      await files.write(key, recording())
      expect(await files.read(key)).to.deep.include({ stored: recording() })
      expect(statSync(`${path()}.broken`).isFile()).to.equal(true)
    })

  it('of ArmorProfiles that are gone go, too', async () => {
    await files.keepOnly(new Set())
    const other = 'demo/varmor-demo-other'
    for (const one of [key, other]) await files.write(one, recording())
    await files.keepOnly(new Set([other]))
    expect(await files.read(key)).to.equal(undefined)
    expect(await files.read(other)).to.deep.include({ stored: recording() })
  })

  it('have names that lead nowhere else', async () => {
    for (const bad of ['../x/y', 'demo/../../x', 'a/b/c', 'demo'])
      expect(await files.write(bad, recording()).catch((error: Error) => error.message)).to.match(/invalid key/)
    chmodSync(folder, 0o700)
  })
})
