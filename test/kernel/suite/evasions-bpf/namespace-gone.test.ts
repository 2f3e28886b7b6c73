import { createHash } from 'node:crypto'
import { expect } from 'chai'
import type { BpfEnforcer } from '../../../../src/enforcer/bpf.ts'
import { output, result } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'
import { bpfEnforcer } from '../evasions/confine.ts'
import { privileged } from '../evasions/world.ts'
import { compiled } from '../harness/profiles.ts'

/** Makes the secret, which it may write but not read, and leaves the mount namespace in which it was started: nobody else is in that. */
const leaving = (attack: string): string =>
  `mkdir -p /data/vault; echo the secret > /data/vault/key; exec unshare --mount --propagation private sh -c '${attack}'`

const attacks = [
  ['a bind', 'mount --bind /data/vault /mnt && cat /mnt/key'],
  ['a new root', 'mount -t tmpfs none /mnt && mkdir /mnt/old && /probes/evade pivot /mnt old data/vault/key'],
] as const

describe('evasions: the mount namespace of the first process is gone (BPF)', () => {
  const { profileName, enforcers } = compiled(privileged('gone')('BPF'))
  let enforcer: BpfEnforcer

  before(async function () {
    this.timeout(600_000)
    await output('containerd-up', [])
    enforcer = await bpfEnforcer()
    await enforcer.load(profileName, JSON.stringify(enforcers.BPF?.profile))
  })
  after(() => enforcer?.unload(profileName))

  async function run(name: string, attack: string, confined: boolean): Promise<string> {
    const id = createHash('sha256').update(`${name} ${confined}`).digest('hex')
    if (confined) await enforcer.add({ id, profile: profileName })
    const args = ['-n', 'k8s.io', 'run', '--rm', '--privileged', debianImage, id, 'sh', '-c', leaving(attack)]
    const { stdout, stderr } = await result('ctr', args)
    if (confined) await enforcer.remove(id)
    return stdout + stderr
  }

  for (const [name, attack] of attacks)
    it(`${name}: refused`, async () => {
      expect(await run(name, attack, true))
        .to.match(/operation not permitted/i)
        .and.not.contain('the secret')
      expect(await run(name, attack, false)).to.contain('the secret')
    })
})
