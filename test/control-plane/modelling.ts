import { KubeConfig } from '@kubernetes/client-node'
import { expect } from 'chai'
import { Agent, request } from 'undici'
import type { AnyPolicy } from '../../actors/ports.ts'
import type { ArmorProfileModel } from '../../src/api/types.ts'
import { armorProfileModels } from '../../src/kube/own-kinds.ts'
import { eventually } from '../cluster/wait.ts'
import { apply, policyThat, profileIdentity, refusal } from './hands.ts'
import { policy } from './samples.ts'
import type { World } from './world.ts'

const timeout = 120_000

/** Tests the way from a policy that records to a policy that allows only the recorded operations. */
export function modelling(world: () => World): void {
  it('is recorded on all nodes, becomes a model, and is what a policy allows from then on', async () => {
    const namespace = await world().namespace('model')
    const recording = policy(namespace, 'web')
    recording.spec.policy = {
      enforcer: 'AppArmorSeccomp',
      mode: 'BehaviorModeling',
      modelingOptions: { duration: 30 },
    }
    await apply(world(), recording)
    await policyThat(world(), recording, 'to record', ({ status }) => status?.phase === 'Modeling' && status.ready)
    const profile = profileIdentity(recording).name
    const [first, second, third] = [...world().nodes.values()]
    const lines = [
      ...first!.report([opened(profile, '/etc/nginx/nginx.conf', 'r'), called(profile, 257)], namespace),
      ...second!.report([opened(profile, '/var/log/nginx/access.log', 'w'), called(profile, 41)], namespace),
      ...third!.report([opened(profile, '/etc/ssl/openssl.cnf', 'r'), called(profile, 257)], namespace),
    ]
    expect(lines, 'violations').to.deep.equal([])
    // The node's machine stops in the middle of the recording.
    await third!.stop()

    const enforcing: AnyPolicy = structuredClone(recording)
    enforcing.spec.policy = {
      enforcer: 'AppArmorSeccomp',
      mode: 'DefenseInDepth',
      defenseInDepth: { appArmor: { profileType: 'BehaviorModel' }, seccomp: { profileType: 'BehaviorModel' } },
    }
    expect(await refusal(apply(world(), enforcing))).to.match(/cannot be changed before the modelling is complete/)

    // The shorter duration ends a running recording one minute after its start.
    recording.spec.policy.modelingOptions = { duration: 1 }
    await apply(world(), recording)
    await policyThat(world(), recording, 'to be completed', ({ status }) => status?.phase === 'Completed', timeout)
    const without = await modelWith(world(), recording, 2)
    expect(without.status).to.deep.include({ desiredNumber: 3, ready: true })
    const [missing] = without.status?.conditions ?? []
    expect(missing).to.deep.include({ nodeName: third!.name, status: 'False', reason: 'NotSent' })
    expect(filesOf(without)).to.deep.equal(['/etc/nginx/nginx.conf', '/var/log/nginx/access.log'])
    // The node's records are on its disk; they are added when its agent returns.
    await third!.start()
    const model = await modelWith(world(), recording, 3)
    expect(model.status).to.deep.include({ desiredNumber: 3, ready: true })
    expect(model.data.dynamicResult?.seccomp?.syscalls).to.deep.equal(['openat', 'socket'])
    expect(filesOf(model)).to.deep.equal(['/etc/nginx/nginx.conf', '/etc/ssl/openssl.cnf', '/var/log/nginx/access.log'])

    // The embedded server does not support SubjectAccessReview, so a manager cannot check a user's rights.
    if (world().target.kubeconfigs !== undefined) await askForModel(world(), model)

    await apply(world(), enforcing)
    await policyThat(world(), enforcing, 'to protect', ({ status }) => status?.phase === 'Protecting', timeout)
    for (const { loaders } of world().nodes.values()) {
      expect(loaders.AppArmor.loaded.get(profile)).to.contain('/var/log/nginx/access.log')
      expect(loaders.Seccomp.loaded.get(profile)).to.contain('socket').and.to.contain('SCMP_ACT_ERRNO')
    }
  })
}

let serial = 0
const stamp = (): string => `audit(1740381264.100:${++serial}):`
const opened = (profile: string, path: string, mask: string): string =>
  `type=1400 ${stamp()} apparmor="ALLOWED" operation="open" class="file" profile="${profile}" name="${path}" pid=7 comm="nginx" requested_mask="${mask}" denied_mask="${mask}" fsuid=0 ouid=0`
const called = (profile: string, number: number): string =>
  `type=1326 ${stamp()} auid=4294967295 uid=0 gid=0 ses=4294967295 subj=${profile} pid=7 comm="nginx" exe="/usr/sbin/nginx" sig=0 arch=c000003e syscall=${number} compat=0 ip=0x7f1 code=0x7ffc0000`

/** Waits until the model contains the records of this many nodes. */
function modelWith(world: World, of: AnyPolicy, nodes: number): Promise<ArmorProfileModel> {
  return eventually(`a model of ${nodes} nodes`, async () => {
    const found = await findModel(world, of)
    return found?.status?.completedNumber === nodes && found
  })
}

const filesOf = ({ data }: ArmorProfileModel): string[] =>
  data.dynamicResult?.appArmor?.files?.map(({ path }) => path) ?? []

const findModel = (world: World, of: AnyPolicy): Promise<ArmorProfileModel | undefined> =>
  world.find(armorProfileModels, profileIdentity(of))

/** Requests the model at the status port, as a user who may read the model and as a user who may not. */
async function askForModel(
  world: World,
  { metadata: { namespace = '', name }, data }: ArmorProfileModel,
): Promise<void> {
  const dispatcher = new Agent({ connect: { ca: await world.authority(false) } })
  const url = `${world.statusUrl}/apis/crd.varmor.org/v1beta1/namespaces/${namespace}/armorprofilemodels/${name}`
  const ask = async (component: 'manager' | 'agent') => {
    const config = new KubeConfig()
    config.loadFromString(world.kubeconfigOf(component))
    const headers = { authorization: `Bearer ${config.getCurrentUser()?.token}` }
    const { statusCode, body } = await request(url, { dispatcher, headers })
    return { statusCode, body: (await body.json()) as Partial<ArmorProfileModel> }
  }
  try {
    expect((await ask('manager')).body.data).to.deep.equal(data)
    expect((await ask('agent')).statusCode).to.equal(403)
  } finally {
    await dispatcher.close()
  }
}
