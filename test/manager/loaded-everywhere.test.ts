import { expect } from 'chai'
import type { ArmorProfile } from '../../src/api/types.ts'
import { hasBpfOnEveryNode } from '../../src/manager/admission/loaded-everywhere.ts'
import { deployment, modern } from './made-up.ts'
import { indexOf, mutated } from './mutated.ts'

const profile = (enforcer: string, status?: object): ArmorProfile =>
  ({
    metadata: { generation: 3 },
    spec: { profile: { enforcer } },
    ...(status && { status }),
  }) as unknown as ArmorProfile
const all = { desiredNumberLoaded: 2, currentNumberLoaded: 2, observedGeneration: 3 }

describe('exclusive BPF mode', () => {
  const rows: [what: string, profile: ArmorProfile | undefined, everywhere: boolean][] = [
    ['no ArmorProfile yet', undefined, false],
    ['one that no node has reported', profile('BPF'), false],
    ['one that is on every node', profile('BPF', all), true],
    ['one with Seccomp besides', profile('BPFSeccomp', all), true],
    ['one without BPF', profile('Seccomp', all), false],
    ['one that a node lacks', profile('BPF', { ...all, currentNumberLoaded: 1 }), false],
    ['no nodes at all', profile('BPF', { ...all, desiredNumberLoaded: 0, currentNumberLoaded: 0 }), false],
    ['the status of an older generation', profile('BPF', { ...all, observedGeneration: 2 }), false],
    ['a node that is named', profile('BPF', { ...all, conditions: [{ type: 'Ready', nodeName: 'n' }] }), false],
  ]
  for (const [what, given, everywhere] of rows)
    it(`${everywhere ? 'counts' : 'does not count'} on BPF with ${what}`, () =>
      expect(hasBpfOnEveryNode(given)).to.equal(everywhere))

  it('gives up AppArmor only for containers of such a policy, and gives it back', () => {
    const index = indexOf({ enforcer: 'BPF' })
    const context = (everywhere: boolean, object = deployment()) =>
      mutated(object, index, {
        ...modern,
        bpfExclusive: ({ profile: name }) => everywhere && name === 'varmor-demo-web',
      })
    const unconfined = context(true)
    expect(unconfined.spec.containers[0]!.securityContext?.appArmorProfile).to.deep.equal({ type: 'Unconfined' })
    expect(context(false).spec.containers[0]!.securityContext?.appArmorProfile).to.equal(undefined)
    const later = context(false, {
      ...deployment(),
      spec: { template: unconfined },
    } as ReturnType<typeof deployment>)
    expect(later.spec.containers[0]!.securityContext?.appArmorProfile).to.equal(undefined)
  })
})
