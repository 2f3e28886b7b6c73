import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { allowingAppArmor } from '../../src/enforcer/allow-all.ts'
import { AppArmorLoader } from '../../src/enforcer/apparmor.ts'
import { load, needsParser } from '../profile/apparmor/loaded-profile.ts'

const name = 'varmor-demo-web'

describe('what takes the place of a profile whose policy is gone', () => {
  it('allows all, in the profile and in each of its children', function () {
    needsParser(this)
    const profiles = load(allowingAppArmor(name, ['child_0', 'helper']))
    expect([...profiles.keys()]).to.have.members([name, `${name}//child_0`, `${name}//helper`])
    for (const profile of profiles.values()) {
      expect(profile.file('/etc/shadow').allow).to.equal('xwrakm')
      expect(profile.mount({ point: '/mnt/', type: 'tmpfs' })).to.equal(true)
      expect(profile.socket(2, 1)).to.equal(true)
      expect(profile.ptrace('unconfined')).to.be.greaterThan(0)
    }
  })

  it('has the children that are loaded: who runs in one would stay in it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'varmor-free-'))
    try {
      const lines = ['enforce', '//child_0 enforce', '//null-/bin/sh complain'].map((end) =>
        end.startsWith('//') ? name + end : `${name} ${end}`,
      )
      const fingerprint = [...lines, 'hash  ab', 'hash //child_0 cd'].join('\n')
      const loader = new AppArmorLoader({
        folder,
        cache: join(folder, 'cache'),
        kernel: { fingerprints: async () => new Map([[name, fingerprint]]), revision: async () => undefined },
        runParser: async () => ({ status: 0, stderr: '' }),
      })
      await loader.free(name)
      const text = readFileSync(join(folder, name), 'utf8')
      expect(text).to.equal(allowingAppArmor(name, ['child_0']))
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
