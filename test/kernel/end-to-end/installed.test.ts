import { mkdirSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { expect } from 'chai'
import { ownProfile } from '../../../src/agent/lifecycle/own-profile.ts'
import { checkLine } from '../../audit/check-line.ts'
import { NotAvailable } from '../../cluster/binaries/build.ts'
import { ensureHelm } from '../../cluster/binaries/helm.ts'
import { ensureNextVarmorImage, ensureVarmorImage, missingForImages } from '../../cluster/binaries/varmor-image.ts'
import { type Cluster, startCluster } from '../../cluster/cluster.ts'
import { forwardStatus } from '../../cluster/helm/forward-status.ts'
import { chart, chartOf, Helm } from '../../cluster/helm/helm.ts'
import { type Node, startNode } from '../../cluster/node.ts'
import { explain } from '../../cluster/requirements.ts'
import { secretsInPods } from '../../cluster/secrets.ts'
import { firstStart, missingWith } from '../../cluster/shared-cluster.ts'
import { measured } from '../../cluster/steps.ts'
import { policyReady } from '../../cluster/varmor/installation.ts'
import { deployment, Workloads } from '../../cluster/varmor/workloads.ts'
import { eventually } from '../../cluster/wait.ts'
import { GuestNode } from '../guest/guest-node.ts'
import { chosenKernels, type KernelName } from '../guest/kernels.ts'
import { NotAvailable as NoKernel } from '../guest/not-available.ts'
import { missingForGuest } from '../guest/requirements.ts'
import { busyboxImage } from '../images/names.ts'
import { nextVersion, varmorVersion } from '../images/varmor.ts'
import { GuestPods } from './guest-pods.ts'
import { joinCluster } from './join-cluster.ts'
import { ensureKubeletDisk } from './kubelet-disk.ts'
import { ownProfileProbe } from './own-profile-probe.ts'
import { Prober } from './prober.ts'
import { firstPolicy } from './readme-policy.ts'

const namespace = 'varmor'
/** Timeout of one wait in milliseconds, under emulation on a shared machine. */
const timeout = 600_000
/**
 * Timeout of one test, which may have several waits. It is longer than one wait, so that a wait that hangs fails first
 * and is named.
 */
const stepLimit = 2 * timeout
const waiting = ['--wait', '--timeout', `${(stepLimit - 60_000) / 1000}s`]
/** Selects a node by its name: managers run on this machine, agents and protected pods in the guest. */
const on = (name: string) => ({ 'kubernetes.io/hostname': name })
const managers = 'host'
const guest = 'guest'

const policy = {
  apiVersion: 'crd.varmor.org/v1beta1',
  kind: 'VarmorPolicy',
  metadata: { name: 'web' },
  spec: {
    updateExistingWorkloads: true,
    target: { kind: 'Deployment', name: 'web' },
    policy: {
      enforcer: 'AppArmorBPFSeccomp',
      mode: 'EnhanceProtect',
      enhanceProtect: {
        auditViolations: true,
        hardeningRules: ['disallow-create-user-ns'],
        appArmorRawRules: [{ rules: 'audit deny /etc/new w,' }],
        bpfRawRules: { files: [{ pattern: '/etc/group', permissions: ['read'] }] },
      },
    },
  },
}
const profile = 'varmor-team-web'

/** @param address this machine's address, from the guest */
function valuesFor({ server }: Cluster, address: string): object {
  const { hostname, port } = new URL(server)
  // The guest has no kube-proxy.
  const env = [
    { name: 'KUBERNETES_SERVICE_HOST', value: hostname },
    { name: 'KUBERNETES_SERVICE_PORT', value: port },
  ]
  const little = { resources: { requests: { cpu: '10m' } } }
  return {
    jsonLogFormat: { enabled: true },
    manager: {
      ...{ env, replicaCount: 1, reportIntervalSeconds: 2, shutdownDelaySeconds: 0 },
      ...little,
      nodeSelector: on(managers),
    },
    agent: {
      ...{ env, nodeSelector: on(guest), managers: [`https://${address}:8080`] },
      // An emulated node takes long to stop an agent.
      terminationGracePeriodSeconds: 240,
      args: [`--manager-name=varmor-status-svc.${namespace}.svc`],
    },
    uninstall: { timeoutSeconds: 120 },
  }
}

const missing = [
  ...missingForGuest(),
  ...missingWith(true),
  ...missingForImages().map((what) => ({ what, remedy: 'run .ci/setup' })),
]
const title = 'The chart on a node whose kernel enforces'

if (missing.length > 0)
  describe.skip(`${title} (${explain('end to end', missing)})`, () => it('is installed, used and removed'))
else
  describe(title, () => {
    let cluster: Cluster
    let host: Node
    let helm: Helm

    before(async function () {
      this.timeout(firstStart)
      try {
        cluster = await startCluster({ nodes: true })
      } catch (error) {
        if (!(error instanceof NotAvailable)) throw error
        console.warn(`${title} skipped: ${error.message}`)
        return this.skip()
      }
      const { archive } = await ensureVarmorImage(varmorVersion, cluster.log)
      const next = await ensureNextVarmorImage(varmorVersion, nextVersion, cluster.log)
      host = await startNode(cluster, managers, [archive, next.archive])
      helm = new Helm(4, await ensureHelm(4, cluster.log))
    })
    after(async function () {
      this.timeout(stepLimit)
      helm?.end()
      await cluster?.stop()
    })

    for (const kernel of chosenKernels())
      describe(`and kernel ${kernel}`, function () {
        // Each step depends on the steps before it.
        this.bail(true)
        describeInstallation(kernel, () => ({ cluster, host, helm }))
      })
  })

function describeInstallation(kernel: KernelName, parts: () => { cluster: Cluster; host: Node; helm: Helm }): void {
  let cluster: Cluster
  let node: GuestNode
  let pods: GuestPods
  let team: Workloads
  let status: Server
  const helm = (...args: string[]): Promise<string> =>
    parts().helm.output(
      [...args, '--namespace', namespace, ...waiting, '--kubeconfig', cluster.kubeconfig],
      ['install', 'upgrade'].includes(args[0]!) ? valuesFor(cluster, parts().host.address) : undefined,
    )
  const kubectl = (...args: string[]): Promise<string> => cluster.kubectl(['-n', namespace, ...args])
  const agentContainer = async (): Promise<{ id: string; restarts: number; ready: boolean }> => {
    const { items } = JSON.parse(
      await kubectl('get', 'pods', '-l', 'app.kubernetes.io/component=varmor-agent', '-o', 'json'),
    )
    const [{ containerID = '', restartCount, ready }] = items[0].status.containerStatuses
    return { id: containerID.replace('containerd://', ''), restarts: restartCount, ready }
  }
  const web = async (): Promise<{ pod: string; id: string }> => {
    const [pod] = await team.pods('web')
    const id = pod?.status.containerStatuses?.[0]?.containerID?.replace('containerd://', '') ?? ''
    return { pod: pod?.metadata.name ?? '', id }
  }
  /** Results of a protected pod's operations: some refused by AppArmor, BPF or Seccomp, and some allowed. */
  const attack = async (): Promise<string[]> => {
    const { id } = await web()
    const tried = 'touch /etc/new; cat /etc/group; unshare -U true; touch /tmp/new && echo done'
    const { stdout, stderr } = await pods.run(id, 'sh', '-c', `{ ${tried}; } 2>&1`)
    return `${stdout}${stderr}`.trim().split('\n')
  }
  const refusals = [
    'touch: /etc/new: Permission denied',
    "cat: can't open '/etc/group': Operation not permitted",
    'unshare: unshare(0x10000000): Operation not permitted',
    'done',
  ]
  const violations = async (enforcer: string | undefined): Promise<Record<string, unknown>[]> => {
    const { stdout } = await node.guest.run(['cat', '/var/log/varmor/violations.log'])
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map(checkLine)
      .filter((line) => enforcer === undefined || line['enforcer'] === enforcer)
  }
  const oneMore = (enforcer: string, before: number): Promise<Record<string, unknown>> =>
    eventually(`a violation of ${enforcer}`, async () => (await violations(enforcer))[before], timeout, 500)

  before(async function () {
    this.timeout(firstStart)
    cluster = parts().cluster
    const logs = join(cluster.logs, `guest-${kernel}`)
    mkdirSync(logs, { recursive: true })
    const disks = [await ensureKubeletDisk(cluster.binaries, cluster.log)]
    try {
      node = await GuestNode.boot({
        name: guest,
        kernel,
        logs,
        steps: cluster.log,
        disks,
        images: ['varmor', 'next-varmor'],
      })
    } catch (error) {
      if (!(error instanceof NoKernel)) throw error
      console.warn(`kernel ${kernel} skipped: ${error.message}`)
      return this.skip()
    }
    await joinCluster(node, cluster, timeout, cluster.server)
    pods = new GuestPods(node)
    team = new Workloads(cluster, 'team')
    status = await forwardStatus(cluster, namespace, parts().host.address)
    await cluster.kubectl(['create', 'namespace', 'team'])
  })
  after(async function () {
    this.timeout(stepLimit)
    status?.close()
    await node?.stop()
    await cluster.tryKubectl(['-n', 'team', 'delete', 'pods', '--all', '--force', '--grace-period=0'])
    await cluster.tryKubectl(['delete', 'node', guest, '--ignore-not-found'])
    await cluster.tryKubectl(['delete', 'namespace', 'team', namespace, '--ignore-not-found', '--timeout=240s'])
  })
  afterEach(async function () {
    if (this.currentTest?.state !== 'failed') return
    // The next steps may take long, or hang.
    console.log(this.currentTest.err)
    console.log((await cluster.tryKubectl(['get', 'pods', '-A', '-o', 'wide'])).stdout)
    const read = 'tail -n 20 /run/node/logs/*/*/*.log | cut -c 1-500; dmesg | grep apparmor= | tail -n 20'
    console.log((await node.guest.run(['sh', '-c', read])).stdout)
  })

  it('comes up with an agent in its own AppArmor profile, and with no rights but the chart’s', async () => {
    await helm('install', 'varmor', chart, '--create-namespace')
    const { id } = await agentContainer()
    const { stdout } = await pods.run(id, 'sh', '-c', 'cat /proc/[0-9]*/attr/current; ls /sys/fs/bpf/varmor')
    expect(stdout).to.contain(`${ownProfile} (enforce)`)
    expect(stdout).to.match(/^[0-9a-f]{16}-/m)
    // The agent may report refusals by its own profile; none are expected.
    const { stdout: refused } = await node.guest.run(['sh', '-c', `dmesg | grep 'apparmor="DENIED".*${ownProfile}'`])
    expect(refused).to.equal('')
  }).timeout(stepLimit)

  it('has a policy in force by AppArmor, BPF and Seccomp', async () => {
    const labels = { 'sandbox.varmor.org/enable': 'true' }
    const made = deployment({ name: 'web', labels, replicas: 1 }) as { spec: { template: { spec: object } } }
    Object.assign(made.spec.template.spec, { nodeSelector: on(guest) })
    await team.apply(made)
    await team.kubectl('rollout', 'status', 'deployment/web', `--timeout=${timeout / 1000}s`)
    const { pod: before } = await web()
    await team.apply(policy)
    expect(await policyReady(cluster, 'team', 'web', timeout)).to.deep.equal({ desired: 1, current: 1 })
    const stored = JSON.parse(await team.kubectl('get', 'varmorpolicy', 'web', '-o', 'json'))
    // Two gaps are expected: Debian's containerd does not report runc's features, and AppArmor mediates user namespaces
    // only from Linux 6.7.
    expect(stored.status.summary).to.equal('Protecting, more left out on some nodes')
    const ready = stored.status.conditions.find(({ type }: { type: string }) => type === 'Ready')
    expect(ready.reason).to.equal('PartlyEnforced')
    expect(ready.message).to.match(/^left out on \S+ by .*Seccomp: reports of refusals \(containerd 1\.6\.\S+\)/)
    expect(ready.message.includes('AppArmor')).to.equal(['5.10', '6.1'].includes(kernel))
    await eventually(
      'the restart',
      async () => {
        const { pod, id } = await web()
        return pod !== before && id !== '' && (await team.pods('web')).length === 1
      },
      timeout,
      500,
    )
    await team.kubectl('rollout', 'status', 'deployment/web', `--timeout=${timeout / 1000}s`)
  }).timeout(stepLimit)

  it('refuses an attack by each, and writes who it was', async () => {
    const { pod } = await web()
    for (const enforcer of ['AppArmor', 'BPF']) {
      // If the process ended before its container was known, the line says so and names no pod.
      const named = await eventually(
        `a violation of ${enforcer} with its pod`,
        async () => {
          expect(await attack()).to.deep.equal(refusals)
          return (await violations(enforcer)).find(({ podName }) => podName !== undefined && podName !== '')
        },
        timeout,
        5_000,
      )
      expect(named).to.deep.include({
        ...{ level: 'warn', action: 'DENIED', nodeName: guest, podName: pod, podNamespace: 'team' },
        ...{ containerName: 'main', profileName: profile, policyName: 'web', policyNamespace: 'team' },
      })
    }
  }).timeout(stepLimit)

  it('does what docs/install.md says of a first policy and a first violation', async () => {
    // Only the node with AppArmor has pods.
    await cluster.kubectl(['cordon', managers])
    const first = { policy: join(cluster.folder.path, 'policy.yaml'), image: `--image=${busyboxImage}` }
    writeFileSync(first.policy, firstPolicy.policy)
    for (const words of firstPolicy.commands) {
      const mine = words.flatMap((word) => {
        if (word === '--image=nginx') return [first.image, '--', 'sleep', '100000']
        return word === 'policy.yaml' ? [first.policy] : word.replace('--timeout=2m', '--timeout=10m')
      })
      await cluster.kubectl(mine)
    }
    const container = async (namespace: string, of: string): Promise<string> => {
      const [, name] = of.split('/')
      const { items } = JSON.parse(await cluster.kubectl(['-n', namespace, 'get', 'pods', '-o', 'json']))
      const one = items.find(
        ({ metadata }: { metadata: { name: string; deletionTimestamp?: string } }) =>
          metadata.name.startsWith(`${name}-`) && metadata.deletionTimestamp === undefined,
      )
      return String(one?.status.containerStatuses?.[0]?.containerID).replace('containerd://', '')
    }
    const [refused, logged] = firstPolicy.inPods
    const { stdout, stderr } = await pods.run(await container(refused!.namespace, refused!.of), ...refused!.command)
    expect(stdout + stderr).to.match(/Permission denied/)
    await eventually(
      'the line about it',
      async () => {
        const { stdout: lines } = await pods.run(await container(logged!.namespace, logged!.of), ...logged!.command)
        return /demo.*token/.test(lines)
      },
      timeout,
      500,
    )
    await cluster.kubectl(['uncordon', managers])
    await cluster.kubectl(['delete', 'namespace', 'demo', '--timeout=300s'])
  }).timeout(stepLimit)

  it('keeps its agent from all but its work', async () => {
    const { id } = await agentContainer()
    const { stdout, stderr } = await pods.run(id, ...ownProfileProbe.command)
    expect(JSON.parse(stdout || `"${stderr}"`)).to.deep.equal(ownProfileProbe.answers)
  }).timeout(stepLimit)

  it('goes on without its agent, which comes back', async () => {
    const { id, restarts } = await agentContainer()
    const [byAppArmor, byBpf] = [(await violations('AppArmor')).length, (await violations('BPF')).length]
    await pods.kill(id)
    expect(await attack()).to.deep.equal(refusals)
    await eventually(
      'the agent',
      async () => {
        const now = await agentContainer()
        return now.restarts > restarts && now.ready
      },
      timeout,
      500,
    )
    expect(await attack()).to.deep.equal(refusals)
    // Both attacks appear in the log: BPF's records stay in the kernel's ring, and the agent reads AppArmor's records
    // from the kernel's log.
    await oneMore('BPF', byBpf + 1)
    await oneMore('AppArmor', byAppArmor + 1)
  }).timeout(stepLimit)

  it('is upgraded to other programs and rolled back while a process tries all the time what is forbidden and what is allowed', async () => {
    const { id } = await web()
    const lines = async (enforcer: string) => new Set((await violations(enforcer)).map((line) => String(line['id'])))
    const builds = async () => (await node.run(['ls', '/sys/fs/bpf/varmor'])).trim().split('\n')
    const before = { AppArmor: await lines('AppArmor'), BPF: await lines('BPF'), builds: await builds() }
    const prober = await Prober.start(pods, id)
    const after = async (more: number): Promise<void> => {
      const { rounds } = await prober.seen()
      await eventually('the prober', async () => (await prober.seen()).rounds > rounds + more, timeout, 500)
    }
    const steps: [version: string, ...command: string[]][] = [
      [nextVersion, 'upgrade', 'varmor', chartOf(nextVersion)],
      [varmorVersion, 'rollback', 'varmor'],
    ]
    await after(2)
    for (const [version, ...command] of steps) {
      await measured(cluster.log, `helm ${command[0]}`, () => helm(...command))
      const { id: agent } = await agentContainer()
      expect((await pods.run(agent, 'varmor', 'version')).stdout).to.equal(`varmor ${version}\n`)
      const [build, ...more] = await eventually(
        'one build of programs',
        async () => {
          const found = await builds()
          return found.length === 1 && found
        },
        timeout,
        500,
      )
      expect([build === before.builds[0], more]).to.deep.equal([version === varmorVersion, []])
      await after(2)
    }
    const { rounds, gaps } = await prober.stop()
    expect(gaps, `${rounds} rounds`).to.deep.equal([])
    const [pod] = await team.pods('web')
    expect(pod?.status.containerStatuses?.[0]).to.deep.include({ containerID: `containerd://${id}`, restartCount: 0 })

    // BPF's records stay in the kernel's ring, so each round has one line. The kernel's log keeps few AppArmor records;
    // a `lost` line reports the missing records.
    const now = await eventually(
      'all lines',
      async () => {
        const found = (await violations('BPF')).filter((line) => !before.BPF.has(String(line['id'])))
        return found.length >= rounds && found
      },
      timeout,
      500,
    )
    const ids = now.map((line) => line['id'])
    expect([ids.length, new Set(ids).size]).to.deep.equal([rounds, rounds])
    for (const line of now)
      expect(line).to.deep.include({ podName: pod?.metadata.name, containerName: 'main', profileName: profile })
    const audited = (await violations('AppArmor')).map((line) => String(line['id']))
    const twice = audited.filter((one, i) => audited.indexOf(one) !== i)
    expect(
      twice,
      `${audited.length} lines of AppArmor, ${before.AppArmor.size} before, ${rounds} rounds`,
    ).to.deep.equal([])
    const fresh = (await violations('AppArmor')).filter((line) => !before.AppArmor.has(String(line['id'])))
    const byAppArmor = fresh.length
    const strange = fresh.filter((line) => line['profileName'] !== profile)
    expect(byAppArmor, JSON.stringify(strange.slice(0, 3))).to.be.within(1, rounds)
    const lost = (await violations(undefined)).filter((line) => line['lost'] !== undefined)
    expect(JSON.stringify(lost)).not.to.contain('"ring"')
    if (byAppArmor < rounds) expect(lost).not.to.deep.equal([])
    cluster.log(`${rounds} rounds, of which AppArmor has ${byAppArmor} lines`, 0)
  }).timeout(2 * stepLimit)

  it('writes no token and no key into a log', async () => {
    expect(await secretsInPods(cluster, namespace)).to.deep.equal([])
  })

  it('leaves nothing in the kernel and on the node when it is uninstalled', async () => {
    await helm('uninstall', 'varmor')
    const read = (command: string): Promise<string> => node.run(['sh', '-c', `${command}; true`])
    expect(await read(`grep ${ownProfile} /sys/kernel/security/apparmor/profiles; ls /sys/fs/bpf`)).to.equal('')
    // The allow-all profile may stay for the previous pods until the runtime has forgotten them.
    const files = await read('cat /etc/apparmor.d/varmor* /var/lib/kubelet/seccomp/varmor*')
    expect(files).not.to.match(/deny|SCMP_ACT_ERRNO/)
    const { id } = await web()
    const { stdout } = await pods.run(id, 'sh', '-c', 'touch /etc/new && cat /etc/group && unshare -U echo free')
    expect(stdout).to.match(/free$/m)
  }).timeout(stepLimit)
}
