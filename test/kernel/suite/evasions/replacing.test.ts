import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { AppArmorLoader } from '../../../../src/enforcer/apparmor.ts'
import { output } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'
import { Container } from '../harness/container.ts'
import { compiled, unloadAppArmor } from '../harness/profiles.ts'
import { laidOut, ordinary, token } from './world.ts'

describe('evasions: while the profile is replaced', () => {
  const policy = ordinary('replaced')
  const { profileName, enforcers } = compiled(policy)
  const loader = new AppArmorLoader()
  let container: Container

  before(async function () {
    this.timeout(600_000)
    await output('containerd-up', [])
    container = await Container.start('evasions-replaced', { image: debianImage })
  })
  after(async () => {
    await container?.stop()
    unloadAppArmor([policy])
  })

  /** The profile as it stands in version `i` of the policy, in which other rules come and go. */
  const version = (i: number): Promise<void> =>
    loader.load(profileName, (enforcers.AppArmor?.profile ?? '').replace(/\}\s*$/, `  deny /other-${i}/** w,\n}\n`))

  it('no open gets through', async () => {
    await version(0)
    expect(await container.run(`mkdir -p ${dirname(token)} && ${laidOut}`)).to.deep.equal({ status: 0, text: '' })
    await container.begin('/probes/evade hammer /data/vault/key /data/stop', profileName)
    for (let i = 1; i <= 5; i++) {
      await version(i)
      await pause(200)
    }
    await output('touch', [`/proc/${container.info.initPid}/root/data/stop`])
    expect(await container.end()).to.deep.equal({ status: 0, text: '0 of thousands' })
  })
})
