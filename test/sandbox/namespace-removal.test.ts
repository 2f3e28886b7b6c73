import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { PROFILE_FINALIZER } from '../../actors/policy/desired.ts'
import { POLICY_FINALIZER } from '../../actors/policy/situation.ts'
import { probe, result } from '../cluster/command.ts'
import { startEmbedded } from '../cluster/kubectl/embedded-target.ts'

const document = readFileSync(join(import.meta.dirname, '../../docs/troubleshooting.md'), 'utf8')
const metadata = (name: string, finalizer: string) => ({ name, namespace: 'team', finalizers: [finalizer] })
const target = { kind: 'Deployment', name: 'web' }
const objects = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } },
  ...['web', 'api'].map((name) => ({
    apiVersion: 'crd.varmor.org/v1beta1',
    kind: 'VarmorPolicy',
    metadata: metadata(name, POLICY_FINALIZER),
    spec: { target, policy: { enforcer: 'AppArmor', mode: 'AlwaysAllow' } },
  })),
  {
    apiVersion: 'crd.varmor.org/v1beta1',
    kind: 'ArmorProfile',
    metadata: metadata('varmor-team-web', PROFILE_FINALIZER),
    spec: {
      target,
      profile: { name: 'varmor-team-web', enforcer: 'AppArmor', mode: 'enforce' },
      behaviorModeling: { enable: false, duration: 0 },
      updateExistingWorkloads: false,
    },
  },
]

const isThere = probe('kubectl', 'version', '--client') !== undefined

describe(`a namespace with policies, while no manager runs${isThere ? '' : ' (skipped: needs kubectl)'}`, () => {
  let server: Awaited<ReturnType<typeof startEmbedded>> | undefined
  before(async function () {
    if (!isThere) return this.skip()
    server = await startEmbedded('kubectl')
  })
  after(() => server?.stop())

  it('is held by the finalizers that docs/troubleshooting.md names, and let go by its one command', async () => {
    for (const finalizer of [POLICY_FINALIZER, PROFILE_FINALIZER]) expect(document).to.include(`\`${finalizer}\``)
    const [command = ''] = /^ {4}kubectl -n NAMESPACE get .*$/m.exec(document) ?? []
    const env = { ...process.env, KUBECONFIG: server!.kubeconfig }
    const run = (line: string, input = '') => result('sh', ['-c', line], { env, input })
    const left = async () => (await run('kubectl -n team get varmorpolicies,armorprofiles -o name')).stdout.trim()
    for (const object of objects) {
      const made = await run('kubectl apply -f -', JSON.stringify(object))
      expect(made.status, made.stderr).to.equal(0)
    }
    expect((await run('kubectl -n team delete varmorpolicies,armorprofiles --all --wait=false')).status).to.equal(0)
    expect((await left()).split('\n')).to.have.length(3)
    const { status, stderr } = await run(command.trim().replaceAll('NAMESPACE', 'team'))
    expect(status, stderr).to.equal(0)
    expect(await left()).to.equal('')
  })
})
