import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { expect } from 'chai'
import { noLogger } from '../../src/base/logger.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import { armorProfiles, varmorPolicies } from '../../src/kube/own-kinds.ts'
import { Sandbox } from '../../src/sandbox/sandbox.ts'
import { eventually } from '../cluster/wait.ts'
import { deployments, enabled, type PodObject, podParts, pods, policy, workload } from '../control-plane/samples.ts'

const profile = 'varmor-default-web'
const fieldManager = 'kubectl'

describe('a sandbox', () => {
  let sandbox: Sandbox | undefined
  let folder: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'varmor-sandbox-test-'))
  })
  afterEach(async () => {
    await sandbox?.stop()
    sandbox = undefined
    await rm(folder, { recursive: true, force: true })
  })

  const start = async (options: Partial<Parameters<typeof Sandbox.start>[0]> = {}): Promise<Sandbox> => {
    sandbox = await Sandbox.start({ nodes: 2, logger: noLogger, ...options })
    return sandbox
  }

  const applyPolicy = async ({ client }: Sandbox, rules: string[]): Promise<void> => {
    const made = policy('default', 'web', { rules })
    await client.apply(varmorPolicies, made as typeof made & KubeObject, { fieldManager, force: true })
  }

  const ready = ({ client }: Sandbox): Promise<unknown> =>
    eventually('the policy to be ready', async () => {
      const { metadata, status } = await client.get(varmorPolicies, { name: 'web', namespace: 'default' })
      return status?.ready === true && status.observedGeneration === metadata.generation
    })

  const podsIn = async ({ client }: Sandbox): Promise<PodObject[]> =>
    (await client.list(pods, { namespace: 'default' })).items

  it('has policies loaded on its nodes, and pods come up in their profile', async () => {
    const running = await start()
    await applyPolicy(running, ['disallow-mount'])
    await ready(running)
    const { spec } = await running.client.get(armorProfiles, { name: profile, namespace: 'default' })
    for (const { loaders } of running.nodes) {
      expect(loaders.AppArmor.loaded.get(profile)).to.equal(spec.profile.appArmor)
      expect(loaders.Seccomp.loaded.get(profile)).to.equal(spec.profile.seccomp)
    }
    await running.client.apply(deployments, workload('default', 'web', { replicas: 2 }), { fieldManager, force: true })
    await eventually('pods that run', async () => {
      const found = await podsIn(running)
      return found.length === 2 && found.every(({ status }) => status?.phase === 'Running')
    })
    for (const pod of await podsIn(running))
      expect(running.runtime.confinement(pod as never, 'main')).to.include({
        appArmor: `localhost/${profile}`,
        seccomp: `localhost/${profile}`,
      })
    await running.client.delete(varmorPolicies, { name: 'web', namespace: 'default' })
    await eventually('the profile to go', async () =>
      running.nodes.every(({ loaders }) => loaders.AppArmor.loaded.size === 0),
    )
  })

  it('writes a kubeconfig for the owner only, and takes it away', async () => {
    const running = await start({ nodes: 1 })
    const { kubeconfigPath } = running
    expect((await stat(kubeconfigPath)).mode & 0o777).to.equal(0o600)
    const config = new KubeConfig()
    config.loadFromFile(kubeconfigPath)
    expect(config.getCurrentCluster()?.server).to.equal(running.api.url)
    await running.stop()
    sandbox = undefined
    expect(await stat(kubeconfigPath).catch(({ code }: NodeJS.ErrnoException) => code)).to.equal('ENOENT')
  })

  it('keeps objects and the address over restarts where it has a folder', async () => {
    const first = await start({ data: folder })
    const { url } = first.api
    await applyPolicy(first, ['disallow-mount'])
    await ready(first)
    const { metadata } = await first.client.get(varmorPolicies, { name: 'web', namespace: 'default' })
    await first.stop()
    const second = await start({ data: folder })
    expect(second.api.url).to.equal(url)
    const found = await second.client.get(varmorPolicies, { name: 'web', namespace: 'default' })
    expect(found.metadata).to.include({ uid: metadata.uid, generation: metadata.generation })
    await eventually('the nodes to load it again', async () =>
      second.nodes.every(({ loaders }) => loaders.AppArmor.loaded.has(profile)),
    )
    await applyPolicy(second, ['disallow-umount'])
    await ready(second)
  })

  it('has its webhooks again, wherever the next manager listens', async () => {
    const running = await start({ nodes: 1 })
    await applyPolicy(running, ['disallow-mount'])
    await ready(running)
    await running.stopManager()
    await running.startManager()
    await applyPolicy(running, ['disallow-umount'])
    await ready(running)
    const made = await running.client.create(pods, {
      metadata: { name: 'bare', namespace: 'default', labels: { ...enabled, app: 'web' } },
      spec: podParts(),
    })
    // The policy selects Deployments; the webhook changes the template of a matching Deployment.
    expect(JSON.stringify(made)).not.to.include(profile)
    const web = await running.client.apply(deployments, workload('default', 'web'), { fieldManager, force: true })
    expect(JSON.stringify(web.spec.template)).to.include(`localhost/${profile}`.slice('localhost/'.length))
  })
})
