import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ownProfile, removeOwnProfile } from '../../../src/agent/lifecycle/own-profile.ts'
import { EnforcerError } from '../../../src/enforcer/enforcer-error.ts'
import { ownPrefix } from '../../../src/enforcer/ports.ts'

const chart = new URL('../../../deploy/helm/varmor/templates/agent/_apparmor.tpl', import.meta.url)

describe("the agent's own AppArmor profile", () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-own-'))
    writeFileSync(join(folder, '.remove'), '')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('has the name that the chart gives it, which no policy can have', () => {
    const text = readFileSync(chart, 'utf8')
    expect(/^profile (\S+) /m.exec(text)?.[1]).to.equal(ownProfile)
    expect(text).to.contain(`echo 'exec ${ownProfile}'`)
    expect(ownProfile.startsWith(ownPrefix)).to.equal(false)
  })

  it('is removed where it is loaded', async () => {
    writeFileSync(join(folder, 'profiles'), `varmor-a-b (enforce)\n${ownProfile} (enforce)\n`)
    expect(await removeOwnProfile(folder)).to.equal(true)
    expect(readFileSync(join(folder, '.remove'), 'utf8')).to.equal(ownProfile)
  })

  it('is not looked for where it is not, nor on a node without AppArmor', async () => {
    expect(await removeOwnProfile(folder)).to.equal(false)
    writeFileSync(join(folder, 'profiles'), `${ownProfile}-2 (enforce)\n`)
    expect(await removeOwnProfile(folder)).to.equal(false)
    expect(readFileSync(join(folder, '.remove'), 'utf8')).to.equal('')
  })

  it('stays with an error where the kernel refuses it', async () => {
    writeFileSync(join(folder, 'profiles'), `${ownProfile} (enforce)\n`)
    rmSync(join(folder, '.remove'))
    mkdirSync(join(folder, '.remove'))
    const error = await removeOwnProfile(folder).catch((error: unknown) => error)
    expect(error).to.be.instanceOf(EnforcerError)
    expect((error as EnforcerError).reason).to.match(/remove the agent's own AppArmor profile: EISDIR/)
  })
})
