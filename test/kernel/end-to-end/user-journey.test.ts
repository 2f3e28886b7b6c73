import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { checkLine } from '../../audit/check-line.ts'
import { NotAvailable } from '../../cluster/binaries/build.ts'
import { type Cluster, startCluster } from '../../cluster/cluster.ts'
import type { CommandResult } from '../../cluster/command.ts'
import { explain } from '../../cluster/requirements.ts'
import { firstStart, missingWith } from '../../cluster/shared-cluster.ts'
import { policyReady } from '../../cluster/varmor/installation.ts'
import { agentTokens, type InstalledManager, installManager } from '../../cluster/varmor/manager-installation.ts'
import { eventually } from '../../cluster/wait.ts'
import { GuestNode, hostAddress } from '../guest/guest-node.ts'
import { chosenKernels, type KernelName } from '../guest/kernels.ts'
import { NotAvailable as NoKernel } from '../guest/not-available.ts'
import { missingForGuest } from '../guest/requirements.ts'
import { guestNodeName, joinCluster } from './join-cluster.ts'
import { ensureKubeletDisk } from './kubelet-disk.ts'

const namespace = 'varmor'
/** Timeout of the whole test in milliseconds, under emulation on a shared machine. */
const timeout = 600_000
/**
 * Timeout of one step with several waits. It is shorter than the sum of the waits, so that the failure names the wait
 * that hangs.
 */
const stepLimit = 2 * timeout
const policy = 'deployment-policy'
const profile = `varmor-default-${policy}`

/** The user's policy, with the additions that the tests need. */
const files = ['test/fixtures/policies/usage-example.yaml', 'test/demo/nginx.yaml'] as const
const wishes = {
  updateExistingWorkloads: true,
  policy: {
    enforcer: 'AppArmorBPFSeccomp',
    enhanceProtect: {
      auditViolations: true,
      hardeningRules: ['disable_cap_privileged', 'disable_cap_net_raw', 'disallow-create-user-ns'],
      bpfRawRules: { files: [{ pattern: '/etc/group', permissions: ['read'] }] },
    },
  },
}

const missing = [...missingForGuest(), ...missingWith(false)]
const title = 'a node with a real kubelet'

if (missing.length > 0)
  describe.skip(`${title} (${explain('end to end', missing)})`, () => it('enforces the policy of the user'))
else
  describe(title, () => {
    let cluster: Cluster
    let manager: InstalledManager

    before(async function () {
      this.timeout(firstStart)
      try {
        cluster = await startCluster({ outsideAddress: hostAddress })
      } catch (error) {
        if (!(error instanceof NotAvailable)) throw error
        console.warn(`${title} skipped: ${error.message}`)
        return this.skip()
      }
      const flags = ['--name', hostAddress, '--restartExistWorkloads', '--report-interval', '2']
      manager = await installManager({ cluster, namespace, address: '127.0.0.1', flags })
    })
    after(async function () {
      this.timeout(stepLimit)
      await manager?.remove()
      await cluster?.stop()
    })

    for (const kernel of chosenKernels())
      describe(`and kernel ${kernel}`, function () {
        // Each step depends on the steps before it.
        this.bail(true)
        describeJourney(kernel, () => ({ cluster, manager }))
      })
  })

function describeJourney(kernel: KernelName, installed: () => { cluster: Cluster; manager: InstalledManager }): void {
  let cluster: Cluster
  let node: GuestNode
  const kubectl = (...args: string[]): Promise<string> => cluster.kubectl(args)
  const run = (command: string): Promise<CommandResult> =>
    cluster.tryKubectl(['exec', 'deploy/nginx', '--', 'sh', '-c', command])
  const podNames = async (): Promise<string[]> =>
    (await kubectl('get', 'pods', '-l', 'app=nginx', '-o', 'name'))
      .split('\n')
      .filter((name) => name !== '')
      .sort()
  const violationOf = (what: string): Promise<Record<string, unknown>> =>
    eventually(
      `a violation with ${what}`,
      async () => {
        const line = node.violations.find((line) => line.includes(what))
        return line !== undefined && checkLine(line)
      },
      timeout,
    )

  before(async function () {
    this.timeout(stepLimit)
    cluster = installed().cluster
    const logs = join(cluster.logs, `guest-${kernel}`)
    mkdirSync(logs, { recursive: true })
    const disks = [await ensureKubeletDisk(cluster.binaries, cluster.log)]
    try {
      node = await GuestNode.boot({ name: guestNodeName, kernel, logs, steps: cluster.log, disks })
    } catch (error) {
      if (!(error instanceof NoKernel)) throw error
      console.warn(`kernel ${kernel} skipped: ${error.message}`)
      return this.skip()
    }
    await joinCluster(node, cluster, timeout)
    const tokens = await agentTokens(cluster, namespace, node.name)
    await node.startAgent({
      kubeconfig: cluster.outsideKubeconfig({ token: tokens.api }),
      token: tokens.manager,
      manager: `https://${hostAddress}:${installed().manager.statusPort}`,
    })
  })
  after(async function () {
    this.timeout(stepLimit)
    await node?.stop()
    // The next guest has the same name, so the old Node would look ready for a while.
    await cluster.tryKubectl(['delete', 'deployment', 'nginx', '--ignore-not-found', '--wait=false'])
    await cluster.tryKubectl(['delete', 'pods', '--all', '--force', '--grace-period=0'])
    await cluster.tryKubectl(['delete', 'node', guestNodeName, '--ignore-not-found'])
  })

  it('runs pods that no policy selects as they are', async () => {
    await kubectl('apply', '-f', files[1])
    await kubectl('rollout', 'status', 'deployment/nginx', `--timeout=${timeout / 1000}s`)
    expect(await run('touch /etc/5 && unshare -U true')).to.include({ status: 0 })
  }).timeout(stepLimit)

  it("loads the user's own policy, and restarts what runs into its profile", async () => {
    const before = await podNames()
    await kubectl('apply', '-f', files[0])
    await kubectl('patch', 'varmorpolicy', policy, '--type', 'merge', '-p', JSON.stringify({ spec: wishes }))
    expect(await policyReady(cluster, 'default', policy, timeout)).to.deep.equal({ desired: 1, current: 1 })
    await eventually(
      'new pods',
      async () => {
        await kubectl('rollout', 'status', 'deployment/nginx', '--timeout=60s')
        const now = await podNames()
        return now.length === 2 && now.every((name) => !before.includes(name))
      },
      timeout,
      500,
    )
    const { stdout } = await run('cat /proc/1/attr/current; grep ^Seccomp: /proc/1/status')
    expect(stdout).to.equal(`${profile} (enforce)\nSeccomp:\t2\n`)
  }).timeout(stepLimit)

  it('refuses what the policy forbids, by AppArmor, by BPF and by Seccomp, and nothing else', async () => {
    const refused = await run('touch /etc/5')
    expect(refused.stderr).to.contain('/etc/5: Permission denied')
    expect(refused.status).not.to.equal(0)
    expect((await run('unshare -U true')).stderr).to.contain('Operation not permitted')
    expect((await run('cat /etc/group')).stderr).to.contain('Operation not permitted')
    expect(await run('touch /tmp/5 && cat /etc/passwd')).to.include({ status: 0 })
  }).timeout(stepLimit)

  it('writes the violation with its pod, container, image and policy', async () => {
    const violation = await violationOf('"name":"/etc/5"')
    expect((await podNames()).map((name) => name.slice('pod/'.length))).to.include(violation['podName'])
    expect(violation).to.deep.include({
      ...{ level: 'warn', action: 'DENIED', enforcer: 'AppArmor', nodeName: guestNodeName, podNamespace: 'default' },
      ...{ containerName: 'c1', image: 'docker.io/varmor/busybox:1', profileName: profile },
      ...{ policyKind: 'VarmorPolicy', policyName: policy, policyNamespace: 'default' },
    })
    expect(violation).not.to.have.property('unresolved')
    expect(violation['event']).to.include({ operation: 'mknod', name: '/etc/5', comm: 'touch', profile })
    const ofBpf = await violationOf('"path":"/etc/group"')
    expect(ofBpf).to.deep.include({
      ...{
        level: 'warn',
        action: 'DENIED',
        enforcer: 'BPF',
        podNamespace: 'default',
        containerName: 'c1',
        comm: 'cat',
      },
      ...{ profileName: profile, policyKind: 'VarmorPolicy', policyName: policy, policyNamespace: 'default' },
      event: { operation: 'File', permissions: ['read'], path: '/etc/group' },
    })
    expect(ofBpf).not.to.have.property('unresolved')
  }).timeout(stepLimit)

  it('lets all go when the policy is deleted, and its pods are restarted', async () => {
    const before = await podNames()
    await kubectl('delete', 'varmorpolicy', policy, `--timeout=${timeout / 1000}s`)
    await eventually(
      'pods without the profile',
      async () => {
        const now = await podNames()
        return now.length === 2 && now.every((name) => !before.includes(name))
      },
      timeout,
      500,
    )
    await kubectl('rollout', 'status', 'deployment/nginx', `--timeout=${timeout / 1000}s`)
    expect(await run('touch /etc/5 && cat /etc/group && unshare -U true')).to.include({ status: 0 })
    // The allow-all profile may stay for the previous pods until the runtime has forgotten them.
    const left = await node.run([
      'sh',
      '-c',
      `cat /etc/apparmor.d/${profile} /var/lib/kubelet/seccomp/${profile} || true`,
    ])
    expect(left).not.to.match(/deny|SCMP_ACT_ERRNO/)
  }).timeout(stepLimit)
}
