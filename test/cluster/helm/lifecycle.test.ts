import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { type CommandResult, result } from '../command.ts'
import { describeCluster } from '../describe-cluster.ts'
import { secretsInPods } from '../secrets.ts'
import { policyReady } from '../varmor/installation.ts'
import { varmor } from '../varmor/manager-installation.ts'
import { podPolicy } from '../varmor/seccomp-policies.ts'
import { deployment, Workloads } from '../varmor/workloads.ts'
import { eventually } from '../wait.ts'
import { chart, chartOf } from './helm.ts'
import { leftOnNode, leftOnServer } from './installed-node.ts'
import { Installer, namespace, nextVersion, saidBy, showInstalled, skipWithoutImages, version } from './installer.ts'

const definitions = join(chart, '..', '..', 'crds')
const policy = podPolicy('web', { hardeningRules: ['disallow-create-user-ns'] }) as { spec: object }
Object.assign(policy.spec, { updateExistingWorkloads: true, target: { kind: 'Deployment', name: 'web' } })

/** The component that a test kills during a step. */
type Victim = 'the leader' | 'an agent' | 'the API server' | 'the uninstalling pod'

interface Row {
  step: string
  victim: string
  seconds: number
  /** Additional commands that the retries needed. */
  again: string
}

describeCluster(
  'The life of an installation',
  (cluster) => {
    let installer: Installer
    let team: Workloads
    const rows: Row[] = []
    const kubectl = (...args: string[]): Promise<string> => cluster().kubectl(args)
    const upgraded = chartOf(nextVersion)

    before(async function () {
      this.timeout(1_800_000)
      skipWithoutImages(this)
      installer = await Installer.start(cluster(), 'life-1')
      team = new Workloads(cluster(), 'team')
    })
    after(async () => {
      await installer?.end()
      const width = Math.max(0, ...rows.map(({ step }) => step.length))
      for (const { step, victim, seconds, again } of rows)
        console.log(`    ${seconds.toFixed(1).padStart(6)} s  ${step.padEnd(width)}  ${victim}${again}`)
    })
    afterEach(async function () {
      if (this.currentTest?.state === 'failed') await showInstalled(cluster())
    })

    const restart = async (): Promise<void> => cluster().component('kube-apiserver').restart()
    const component = (name: string): string => `app.kubernetes.io/component=varmor-${name}`
    const kills: Record<Victim, () => Promise<void>> = {
      'the leader': async () => {
        const holder = await kubectl(
          '-n',
          namespace,
          'get',
          'lease',
          'varmor-manager',
          '-o',
          'jsonpath={.spec.holderIdentity}',
        )
        const { items } = JSON.parse(
          await kubectl('-n', namespace, 'get', 'pods', '-l', component('manager'), '-o', 'json'),
        )
        const leader = items.find(({ metadata }: { metadata: { name: string } }) => holder.includes(metadata.name))
        await installer.kill(component('manager'), { pod: leader?.metadata.name ?? 'no leader' })
      },
      'an agent': () => installer.kill(component('agent')),
      'the API server': restart,
      'the uninstalling pod': () => installer.kill(component('uninstall')),
    }

    /**
     * Does a step, and kills the victim some time after the step's start, as soon as the victim exists. The step must
     * succeed nevertheless.
     */
    const step = async (title: string, victim: Victim | undefined, work: () => Promise<string>): Promise<void> => {
      const started = performance.now()
      let ended = false
      const working = work().finally(() => {
        ended = true
      })
      let killed = victim === undefined ? '' : ' (it ended before)'
      if (victim !== undefined) {
        await new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 1_500))
        await eventually(
          `${victim} to kill`,
          async () => {
            if (ended) return true
            await kills[victim]()
            killed = ''
            return true
          },
          120_000,
          20,
        )
      }
      const again = await working
      rows.push({
        step: title,
        victim: `${victim ?? ''}${killed}`,
        seconds: (performance.now() - started) / 1_000,
        again,
      })
    }

    /** Repeats a command until it succeeds, and after each failure does what the documents advise. */
    const untilDone = async (command: string, ...args: string[]): Promise<string> => {
      const needed: string[] = []
      for (let tries = 0; tries < 4; tries++) {
        const done = await installer.run(command, ...args)
        if (done.status === 0) return needed.length === 0 ? '' : `, then ${needed.join(', ')}`
        const why = saidBy(done)
        console.log(`      helm ${command}: ${why.split('\n').slice(-2).join(' | ').slice(0, 300)}`)
        if (command === 'uninstall' && /not found/.test(why)) return `, then ${needed.join(', ')}`
        await cluster().component('kube-apiserver').ready()
        if (command === 'install') {
          await installer.run('uninstall', 'varmor')
          needed.push('uninstall')
        } else if (/in progress/.test(why) && command === 'upgrade') {
          await installer.run('rollback', 'varmor')
          needed.push('rollback')
        }
        needed.push(command)
      }
      throw new Error(`helm ${command} was not done after ${needed.join(', ')}`)
    }

    const holds = async (expected: string): Promise<void> => {
      expect(await policyReady(cluster(), 'team', 'web')).to.deep.equal({ desired: 1, current: 1 })
      const running = await kubectl('-n', namespace, 'get', 'pods', '-o', 'json')
      const images = JSON.parse(running).items.flatMap(
        (one: { metadata: { deletionTimestamp?: string }; spec: { containers: { image: string }[] } }) =>
          one.metadata.deletionTimestamp === undefined
            ? one.spec.containers.map(({ image }) => image.split(':')[1])
            : [],
      )
      expect(images).to.deep.equal([expected, expected, expected])
      const [web] = await team.pods('web')
      expect((await team.exec(web!.metadata.name, 'main', 'unshare', '-U', 'true')).stderr).to.match(/not permitted/)
    }
    const webNow = async (): Promise<string | undefined> => (await team.pods('web'))[0]?.metadata.uid

    for (const victims of rounds())
      describe(`with ${Object.values(victims).join(', ') || 'nothing'} killed in the middle`, function () {
        this.bail(true)
        let web: string | undefined
        it('is installed', async () => {
          for (const one of ['team', namespace]) await cluster().tryKubectl(['create', 'namespace', one])
          await team.apply(deployment({ name: 'web', labels: { 'sandbox.varmor.org/enable': 'true' }, replicas: 1 }))
          await team.rolledOut('web')
          const [first] = await team.pods('web')
          // An interrupted uninstall leaves this ConfigMap.
          await kubectl('-n', namespace, 'create', 'configmap', 'varmor-uninstall')
          await step('install', victims.install, () => untilDone('install', 'varmor', chart))
          await team.apply(policy)
          await policyReady(cluster(), 'team', 'web')
          await eventually('the restart', async () => {
            const pods = await team.pods('web')
            return (
              pods.length === 1 &&
              pods[0]!.metadata.uid !== first!.metadata.uid &&
              team.filtered(pods[0]!.metadata.name)
            )
          })
          await holds(version)
          expect(await kubectl('-n', namespace, 'get', 'configmaps', '-o', 'name')).not.to.include('varmor-uninstall')
          web = await webNow()
        })

        it('is upgraded, and its workload goes on', async () => {
          await step('upgrade', victims.upgrade, () => untilDone('upgrade', 'varmor', upgraded))
          await holds(nextVersion)
          expect(await webNow()).to.equal(web)
        })

        it('is rolled back, and its workload goes on', async () => {
          await step('rollback', victims.rollback, () => untilDone('rollback', 'varmor', '1'))
          await holds(version)
          expect(await webNow()).to.equal(web)
        })

        it('is uninstalled, and leaves nothing', async () => {
          expect(await secretsInPods(cluster(), namespace)).to.deep.equal([])
          await step('uninstall', victims.uninstall, () => untilDone('uninstall', 'varmor'))
          expect(await leftOnServer(cluster())).to.deep.equal([])
          expect((await team.pods('web'))[0]!.status.phase).to.equal('Running')
          await kubectl('delete', 'namespace', 'team', namespace, '--timeout=240s')
          await eventually('nothing on the node', async () => leftOnNode(installer.node).length === 0, 120_000).catch(
            () => undefined,
          )
          expect(leftOnNode(installer.node)).to.deep.equal([])
        })
      })

    describe('without managers', () => {
      it('is removed by one command where all managers are dead, and once more', async () => {
        for (const one of ['team', namespace]) await kubectl('create', 'namespace', one)
        // CRDs that exist without a release, as docs/from-upstream.md describes.
        await kubectl('create', '-f', definitions)
        await untilDone('install', 'varmor', chart, '--take-ownership')
        await team.apply(podPolicy('web', { hardeningRules: ['disallow-create-user-ns'] }))
        const everywhere = podPolicy('everywhere', { hardeningRules: ['disallow-create-user-ns'] })
        await team.apply({ ...everywhere, kind: 'VarmorClusterPolicy' })
        await policyReady(cluster(), 'team', 'web')
        await kubectl('wait', '--for=condition=Ready', 'varmorclusterpolicy/everywhere', '--timeout=240s')
        await kubectl('-n', namespace, 'delete', 'deployment', 'varmor-manager', '--wait')
        const [program, ...args] = varmor(
          ...['uninstall', '--kubeconfig', cluster().kubeconfig, '--namespace', namespace, '--timeout', '60'],
        )
        const uninstall = (): Promise<CommandResult> => result(program!, args, { env: process.env })
        const started = performance.now()
        // The uninstall is interrupted in the middle, and the same command completes it.
        const broken = uninstall()
        await new Promise((resolve) => setTimeout(resolve, 1_500))
        await restart()
        await broken
        for (const time of ['first', 'second']) {
          const { status: exit, stderr, stdout } = await uninstall()
          expect(exit, `${time}: ${stderr}${stdout}`).to.equal(0)
        }
        rows.push({
          step: 'varmor uninstall',
          victim: 'the API server',
          seconds: (performance.now() - started) / 1_000,
          again: ', twice more',
        })
        const left = await kubectl(
          'get',
          'varmorpolicies,varmorclusterpolicies,armorprofiles,armorprofilemodels',
          '-A',
          '-o',
          'name',
        )
        expect(left).to.equal('')
        const made = (await leftOnServer(cluster())).filter((name) =>
          /webhookconfiguration|^lease|secret\/varmor|configmap\/varmor-(manager|uninstall)|deployment|daemonset|^pod\//.test(
            name,
          ),
        )
        expect(made).to.deep.equal([])
        expect(leftOnNode(installer.node)).to.deep.equal([])
        await kubectl('delete', 'namespace', 'team', '--timeout=240s')
        const readme = readFileSync(join(chart, 'README.md'), 'utf8').replaceAll(/\\\n +/g, '')
        const rest = [...readme.matchAll(/^ {4}kubectl (delete .*)$/gm)]
        expect(rest).to.have.length(2)
        for (const [, command] of rest) await kubectl(...command!.split(' '))
        expect(await leftOnServer(cluster())).to.deep.equal([])
      })
    })
  },
  { nodes: true, harm: true },
)

/** The victim of each step: each victim once in CI, and each victim in every step with VARMOR_LIFECYCLE=all. */
function rounds(): Partial<Record<'install' | 'upgrade' | 'rollback' | 'uninstall', Victim>>[] {
  const each = (victim: Victim) => ({ install: victim, upgrade: victim, rollback: victim, uninstall: victim })
  if (process.env['VARMOR_LIFECYCLE'] === 'all')
    return [
      {},
      ...(['the leader', 'an agent', 'the API server'] as const).map(each),
      { uninstall: 'the uninstalling pod' },
    ]
  return [{ install: 'the leader', upgrade: 'the API server', rollback: 'an agent', uninstall: 'the uninstalling pod' }]
}
