import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { describeCluster } from '../describe-cluster.ts'
import { secretsInPods } from '../secrets.ts'
import { measured } from '../steps.ts'
import { policyReady } from '../varmor/installation.ts'
import { deployment, Workloads } from '../varmor/workloads.ts'
import { eventually } from '../wait.ts'
import { chart } from './helm.ts'
import { leftOnNode, leftOnServer } from './installed-node.ts'
import { Installer, namespace, saidBy, showInstalled, skipWithoutImages } from './installer.ts'
import { seccompPolicy, upstreamChart, upstreamPolicies, upstreamProfile } from './upstream-release.ts'

describeCluster(
  'A cluster with upstream’s release',
  (cluster) => {
    let installer: Installer
    const kubectl = (...args: string[]): Promise<string> => cluster().kubectl(args)

    before(async function () {
      this.timeout(1_800_000)
      skipWithoutImages(this)
      installer = await Installer.start(cluster(), 'adopting-1')
    })
    after(() => installer?.end())
    afterEach(async function () {
      if (this.currentTest?.state === 'failed') await showInstalled(cluster())
    })

    const stored = new Map<string, { kind: string; name: string }>()
    const upstream = 'upstream'
    let workloads: Workloads
    let confined: string
    const podOf = async (name: string) => {
      const [found] = await workloads.pods(name)
      const { containerID, restartCount } = JSON.parse(JSON.stringify(found?.status.containerStatuses?.[0] ?? {}))
      return { pod: found?.metadata.uid, containerID, restartCount }
    }
    let atFirst: Awaited<ReturnType<typeof podOf>>
    const objects = async (kind: string): Promise<{ metadata: { name: string; uid: string }; status?: object }[]> =>
      JSON.parse(await kubectl('get', kind, '-A', '-o', 'json')).items

    it('has a cluster with upstream’s release, policies of its tests, and a workload in a profile of its agent', async () => {
      const first = await installer.run('install', 'varmor', upstreamChart(), '--create-namespace')
      expect(first.status, saidBy(first)).to.equal(0)
      for (const one of [upstream, `${upstream}-more`]) await kubectl('create', 'namespace', one)
      workloads = new Workloads(cluster(), upstream)
      const refused: string[] = []
      for (const [file, one] of upstreamPolicies(upstream)) {
        const { status: exit, stderr } = await cluster().tryKubectl(['create', '-f', '-'], {
          input: JSON.stringify(one),
        })
        if (exit === 0) stored.set(file, { kind: one.kind.toLowerCase(), name: one.metadata.name })
        else refused.push(`${file}: ${stderr}`)
      }
      // Upstream's own CRDs refuse a few of upstream's policies, because the CRDs are older.
      for (const one of refused) expect(one).to.match(/is invalid|strict decoding/)
      expect(refused.length).to.be.below(6)

      const one = upstreamPolicies(upstream).get(seccompPolicy)!
      const uid = await workloads.kubectl(
        'get',
        'varmorpolicy',
        stored.get(seccompPolicy)!.name,
        '-o',
        'jsonpath={.metadata.uid}',
      )
      const filter = {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['mknod', 'mknodat'], action: 'SCMP_ACT_ERRNO' }],
      }
      const profile = upstreamProfile(one, uid, Buffer.from(JSON.stringify(filter)).toString('base64'))
      await workloads.apply(profile)
      confined = `varmor-${upstream}-${one.metadata.name}`
      mkdirSync(join(installer.node.folder, 'kubelet', 'seccomp'), { recursive: true })
      writeFileSync(join(installer.node.folder, 'kubelet', 'seccomp', confined), JSON.stringify(filter))
      const { app } = (one.spec['target'] as { selector: { matchLabels: { app: string } } }).selector.matchLabels
      const labels = { 'sandbox.varmor.org/enable': 'true', app }
      const annotations = { 'container.seccomp.security.beta.varmor.org/main': `localhost/${confined}` }
      const containers = {
        main: { securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: confined } } },
      }
      await workloads.apply(deployment({ name: 'web', labels, annotations, containers, replicas: 1 }))
      await workloads.rolledOut('web')
      atFirst = await podOf('web')
    })

    it('upgrades upstream’s release to this chart, with the documented command', async () => {
      const done = await measured(cluster().log, 'helm upgrade from upstream', () =>
        installer.run('upgrade', 'varmor', chart, '--set', 'crds.keep=true'),
      )
      expect(done.status, saidBy(done)).to.equal(0)
      const definitions = await kubectl('get', 'crds', '-o', 'name')
      expect(definitions.match(/varmor\.org/g)).to.have.length(4)
    })

    it('has all stored policies, which say what became of them', async () => {
      const kept = [...(await objects('varmorpolicies')), ...(await objects('varmorclusterpolicies'))]
      expect(kept.map(({ metadata }) => metadata.name)).to.have.members([...stored.values()].map(({ name }) => name))
      for (const { metadata } of kept) expect(metadata.uid).not.to.equal('')
      type Condition = { type: string; status: string; reason: string; message: string }
      const conditionsOf = async (): Promise<Map<string, Condition | undefined>> => {
        const found = [...(await objects('varmorpolicies')), ...(await objects('varmorclusterpolicies'))]
        return new Map(
          found.map(({ metadata, status: seen }) => [
            metadata.name,
            (seen as { conditions?: Condition[] } | undefined)?.conditions?.find(({ type }) => type === 'Ready'),
          ]),
        )
      }
      const all = await eventually('what became of each policy', async () => {
        const found = await conditionsOf()
        return [...found.values()].every((one) => one !== undefined) && found
      })
      for (const [file, { name }] of stored) {
        const { enforcer, mode } = (upstreamPolicies(upstream).get(file)!.spec as { policy: Record<string, string> })
          .policy
        if (enforcer !== 'Seccomp' || mode === 'BehaviorModeling') continue
        await eventually(`${file} to be in force`, async () => (await conditionsOf()).get(name)?.status === 'True')
      }
      const reasons = new Map<string, number>()
      for (const one of (await conditionsOf()).values()) {
        const key = `${one?.status} ${one?.reason}`
        // Upstream also lacks a feature that the node lacks.
        if (one?.reason === 'Error') expect(one.message).to.match(/is absent/)
        reasons.set(key, (reasons.get(key) ?? 0) + 1)
      }
      console.log(`      ${all.size} policies: ${[...reasons].map(([key, count]) => `${count} ${key}`).join(', ')}`)
    })

    it('takes the profile over where it is, and restarts nothing', async () => {
      const adopted = await eventually('the profile', async () => {
        const found = JSON.parse(await workloads.kubectl('get', 'armorprofile', confined, '-o', 'json'))
        return found.metadata.labels?.['varmor.org/made-by'] === 'varmor-manager' && found
      })
      expect(adopted.spec.profile.name).to.equal(confined)
      await eventually('the file', async () =>
        readFileSync(join(installer.node.folder, 'kubelet', 'seccomp', confined), 'utf8').includes('chmod'),
      )
      await policyReady(cluster(), upstream, confined.slice(`varmor-${upstream}-`.length))
      expect(await podOf('web')).to.deep.equal({ ...atFirst, restartCount: 0 })
    })

    it('and leaves only CRDs and policies if they are to be kept, and users can delete these at once', async () => {
      expect(await secretsInPods(cluster(), namespace)).to.deep.equal([])
      const done = await installer.run('uninstall', 'varmor')
      expect(done.status, saidBy(done)).to.equal(0)
      const kept = [...(await objects('varmorpolicies')), ...(await objects('varmorclusterpolicies'))]
      expect(kept.map(({ metadata }) => metadata.name)).to.have.members([...stored.values()].map(({ name }) => name))
      expect(leftOnNode(installer.node)).to.deep.equal([])
      const definitions = await kubectl('get', 'crds', '-o', 'name')
      await kubectl(
        'delete',
        '--timeout=240s',
        ...definitions.split('\n').filter((name) => name.endsWith('varmor.org')),
      )
      expect(await leftOnServer(cluster())).to.deep.equal([])
      await kubectl('delete', 'namespace', upstream, `${upstream}-more`, namespace, '--timeout=240s')
    })
  },
  { nodes: true, harm: true },
)
