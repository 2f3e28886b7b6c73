import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import type { VarmorPolicy } from '../../../../src/api/types.ts'
import { output } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'
import { ConfinedContainer } from './confine.ts'
import { type Enforcers, laidOut, ordinary, token } from './world.ts'

/** Version `i` of the policy; each version adds and removes other rules. */
const version = (enforcers: Enforcers, i: number): VarmorPolicy => {
  const policy = ordinary('replaced')(enforcers)
  const { appArmorRawRules, bpfRawRules } = policy.spec.policy.enhanceProtect!
  appArmorRawRules!.push({ rules: `deny /other-${i}/** w,` })
  bpfRawRules!.files!.push({ pattern: `/other-${i}/**`, permissions: ['write'] })
  return policy
}

export function describeReplacing(enforcers: Enforcers): void {
  describe(`evasions: while the profile is replaced (${enforcers})`, () => {
    let container: ConfinedContainer

    before(async function () {
      this.timeout(600_000)
      await output('containerd-up', [])
      const options = { image: debianImage, policy: ordinary('replaced')(enforcers) }
      container = await ConfinedContainer.start('evasions-replaced', options)
    })
    after(() => container?.stop())

    it('no open gets through', async () => {
      expect(await container.run(`mkdir -p ${dirname(token)} && ${laidOut}`)).to.deep.equal({ status: 0, text: '' })
      await container.load(version(enforcers, 0))
      await container.beginConfined('/probes/evade hammer /data/vault/key /data/stop')
      for (let i = 1; i <= 5; i++) {
        await container.load(version(enforcers, i))
        await pause(200)
      }
      await output('touch', [`/proc/${container.initPid}/root/data/stop`])
      expect(await container.endConfined()).to.deep.equal({ status: 0, text: '0 of thousands' })
    })
  })
}
