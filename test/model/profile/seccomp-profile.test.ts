import { expect } from 'chai'
import { armorProfileModel } from '../../../src/api/schema/armor-profile-model.ts'
import { nodeOf } from '../../../src/api/schema/node.ts'
import { validateSchema } from '../../../src/api/validate-schema.ts'
import { armorProfileModelOf } from '../../../src/model/profile/armor-profile-model.ts'
import { seccompNeeds } from '../../../src/model/profile/runtime-needs.ts'
import { seccompProfileOf } from '../../../src/model/profile/seccomp-profile.ts'
import { defenseInDepthProfile } from '../../../src/profile/seccomp/defense-in-depth.ts'
import { alwaysNeeded } from '../../../src/profile/seccomp/modeling.ts'

const allNeeds = seccompNeeds.flatMap(({ allows }) => allows)
/** Needed system calls with their other variants. */
const needs = [...allNeeds, 'dup', 'dup2', 'epoll_pwait2', 'clock_nanosleep']

function allowedBy(model: string): string[] {
  const result = defenseInDepthProfile({ profileType: 'BehaviorModel' }, false, 'spec', model)
  if (!result.ok) throw new Error(JSON.stringify(result.errors))
  expect(result.value.defaultAction).to.equal('SCMP_ACT_ERRNO')
  return (result.value.syscalls ?? []).flatMap(({ names, action }) => (action === 'SCMP_ACT_ALLOW' ? names : []))
}

describe('a seccomp profile of a model', () => {
  it('allows what was recorded and what the runtime needs, and refuses the rest', () => {
    const made = seccompProfileOf({ seccomp: { syscalls: ['socket', 'read', 'no_such_call'] } })
    if (!made.ok) throw new Error('refused')
    expect(allowedBy(made.value)).to.have.members([...new Set(['socket', 'read', ...needs])])
    expect(made.skipped.map(({ rule, reason }) => `${rule} ${reason}`)).to.deep.equal([
      'no_such_call is not a system call',
    ])
  })

  it('allows what is not recorded because every program does it', () => {
    expect(allNeeds).to.include.members([...alwaysNeeded])
  })

  it('allows the other forms of a call, and none that do more', () => {
    const made = seccompProfileOf({ seccomp: { syscalls: ['pwrite64', 'sendto'] } })
    if (!made.ok) throw new Error('refused')
    const forms = ['writev', 'pwrite64', 'pwritev', 'pwritev2', 'sendto']
    expect(allowedBy(made.value)).to.have.members([...new Set([...forms, ...needs])])
  })

  it('does not let the runtime have what breaks out of containers', () => {
    const dangerous = ['mount', 'ptrace', 'unshare', 'setns', 'bpf', 'init_module', 'keyctl', 'memfd_create', 'connect']
    expect(needs.filter((name) => dangerous.includes(name))).to.deep.equal([])
  })

  it('is refused when nothing was recorded', () => {
    expect(seccompProfileOf({})).to.have.nested.property('errors[0].code', 'REQUIRED')
  })
})

describe('the object of a model', () => {
  it('is what the API server takes, with the profiles of those that recorded', () => {
    const made = armorProfileModelOf(
      { namespace: 'demo', name: 'varmor-demo-web' },
      { appArmor: { executions: ['/bin/x'] }, seccomp: { syscalls: ['read'] } },
    )
    if (!made.ok) throw new Error(JSON.stringify(made.errors))
    expect(validateSchema(nodeOf(armorProfileModel), made.value)).to.deep.equal([])
    expect(made.value.data.profile).to.include({
      name: 'varmor-demo-web',
      enforcer: 'AppArmorSeccomp',
      mode: 'enforce',
    })
    expect(made.value.data.profile).to.have.keys('name', 'enforcer', 'mode', 'appArmor', 'seccomp')
  })
})
