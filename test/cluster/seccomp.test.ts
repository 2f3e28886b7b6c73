import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { syscallNames } from '../../src/api/linux-syscalls.ts'
import { allowingSeccomp } from '../../src/enforcer/allow-all.ts'
import { checkLine } from '../audit/check-line.ts'
import { whyNotHere } from '../audit/source/kernel-records.ts'
import { describeCluster } from './describe-cluster.ts'
import { type Node, startNode } from './node.ts'
import { type Installation, installVarmor, policyReady } from './varmor/installation.ts'
import { podPolicy, policy, rule } from './varmor/seccomp-policies.ts'
import { deployment, isRolling, pod, type StoredPod, Workloads } from './varmor/workloads.ts'
import { eventually } from './wait.ts'

const namespace = 'seccomp-demo'
const optedIn = { 'sandbox.varmor.org/enable': 'true' }
const matching = { ...optedIn, app: 'nginx', environment: 'dev' }
const profile = `varmor-${namespace}-deployment-policy`
const chmods = ['chmod', 'fchmod', 'fchmodat', 'fchmodat2']

const strict = {
  hardeningRules: ['disallow-create-user-ns'],
  syscallRawRules: [rule('SCMP_ACT_ERRNO', chmods)],
}

const unaudited = whyNotHere()
const isOf =
  (syscalls: readonly string[]) =>
  ({ event }: Record<string, unknown>): boolean =>
    syscalls.includes((event as { syscall: string }).syscall)

describeCluster(
  'Seccomp on real nodes',
  (cluster) => {
    let nodes: Node[] = []
    let varmor: Installation | undefined
    let at: Workloads
    const installed = (): Installation => varmor!
    const lines = (): Record<string, unknown>[] =>
      installed().agents.flatMap(({ violations }) => (existsSync(violations) ? linesOf(violations) : []))

    before(async function () {
      this.timeout(900_000)
      nodes = await Promise.all(['seccomp-1', 'seccomp-2'].map((name) => startNode(cluster(), name)))
      varmor = await installVarmor({
        ...{ cluster: cluster(), nodes, namespace: 'varmor' },
        managerFlags: ['--restartExistWorkloads', '--restarts-in-flight-per-namespace', '1', '--report-interval', '2'],
        agentFlags: unaudited === undefined ? ['--audit-source', 'multicast'] : [],
      })
      at = new Workloads(cluster(), namespace)
      await cluster().kubectl(['create', 'namespace', namespace])
      const account = ['-n', namespace, 'get', 'serviceaccount', 'default']
      await eventually('the ServiceAccount', async () => (await cluster().tryKubectl(account)).status === 0)
      await at.apply(
        deployment({ name: 'web', labels: matching }),
        deployment({ name: 'api', labels: { ...matching, environment: 'qa' } }),
        deployment({ name: 'unlabelled', labels: { app: 'nginx', environment: 'dev' } }),
        deployment({
          name: 'mixed',
          labels: matching,
          annotations: { 'container.seccomp.security.beta.varmor.org/free': 'unconfined' },
          containers: { main: {}, free: {}, privileged: { securityContext: { privileged: true } } },
        }),
      )
      for (const name of ['web', 'api', 'unlabelled', 'mixed']) await at.rolledOut(name)
    })
    after(async () => {
      if (varmor !== undefined) {
        await cluster().tryKubectl(['-n', namespace, 'delete', 'varmorpolicy', '--all', '--timeout=120s'])
        await cluster().tryKubectl(['delete', 'namespace', namespace, '--wait=false'])
      }
      await varmor?.remove()
      for (const node of nodes) await node.stop()
    })

    const expectRefused = async (name: string, container: string, ...command: string[]): Promise<void> => {
      const { status, stderr } = await at.exec(name, container, ...command)
      expect(stderr, command.join(' ')).to.match(/Operation not permitted/)
      expect(status, command.join(' ')).not.to.equal(0)
    }
    const expectAllowed = async (name: string, container: string, ...command: string[]): Promise<void> => {
      const { status, stderr } = await at.exec(name, container, ...command)
      expect(status, `${command.join(' ')}: ${stderr}`).to.equal(0)
    }
    const expectFree = async (name: string, container = 'main'): Promise<void> => {
      expect(await at.filtered(name, container), `${name}/${container} has a filter`).to.equal(false)
      await expectAllowed(name, container, 'chmod', '700', '/tmp')
      await expectAllowed(name, container, 'unshare', '-U', 'true')
    }
    const expectConfined = async (name: string, container = 'main'): Promise<void> => {
      expect(await at.filtered(name, container), `${name}/${container} has a filter`).to.equal(true)
      await expectRefused(name, container, 'chmod', '700', '/tmp')
      await expectRefused(name, container, 'unshare', '-U', 'true')
    }

    it('leaves running pods alone while there is no policy', async () => {
      for (const workload of ['web', 'unlabelled'])
        for (const { metadata } of await at.pods(workload)) await expectFree(metadata.name)
    })

    it('loads an applied policy on every node, and says so: desired = current = nodes', async () => {
      await at.apply(policy(strict))
      expect(await policyReady(cluster(), namespace, 'deployment-policy')).to.deep.equal({ desired: 2, current: 2 })
      for (const { seccompFolder } of installed().agents) {
        const filter = JSON.parse(readFileSync(join(seccompFolder, profile), 'utf8'))
        expect(filter.syscalls.flatMap(({ names }: { names: string[] }) => names)).to.include.members(chmods)
      }
      const columns = await at.kubectl('get', 'varmorpolicy', 'deployment-policy')
      expect(columns).to.match(/Seccomp +EnhanceProtect +Deployment .* true +Protecting/)
    })

    it('restarts the workloads that run already, one by one, each once', async () => {
      const targets = ['api', 'mixed', 'web']
      let max = 0
      await eventually(
        'the restarts',
        async () => {
          const found = (await at.deployments()).filter(({ metadata }) => targets.includes(metadata.name))
          const rolling = found.filter(isRolling)
          max = Math.max(max, rolling.length)
          return rolling.length === 0 && found.every(({ metadata }) => metadata.generation > 1)
        },
        200_000,
        100,
      )
      expect(max).to.equal(1)
      const all = await at.deployments()
      const generations = Object.fromEntries(all.map(({ metadata }) => [metadata.name, metadata.generation]))
      expect(generations).to.deep.equal({ api: 2, mixed: 2, unlabelled: 1, web: 2 })
    })

    it('makes a forbidden call fail with EPERM in their containers, on each node, and leaves the others free', async () => {
      for (const workload of ['web', 'api']) {
        const pods = await at.pods(workload)
        expect(pods.map(({ spec }) => spec.nodeName).sort()).to.deep.equal(['seccomp-1', 'seccomp-2'])
        for (const { metadata } of pods) await expectConfined(metadata.name)
      }
      for (const { metadata } of await at.pods('unlabelled')) await expectFree(metadata.name)
    })

    it('leaves a container free that its pod opts out, and gives a privileged one no profile', async () => {
      for (const { metadata, spec } of await at.pods('mixed')) {
        const given = Object.fromEntries(spec.containers.map((one) => [one.name, one.securityContext?.seccompProfile]))
        expect(given).to.deep.equal({
          main: { type: 'Localhost', localhostProfile: profile },
          free: undefined,
          privileged: undefined,
        })
        await expectConfined(metadata.name, 'main')
        await expectFree(metadata.name, 'free')
        await expectFree(metadata.name, 'privileged')
      }
    })

    it('brings a Deployment that comes later up in the profile', async () => {
      await at.apply(deployment({ name: 'late', labels: matching, replicas: 1 }))
      await at.rolledOut('late')
      for (const { metadata } of await at.pods('late')) await expectConfined(metadata.name)
    })

    it('brings changed rules to new pods, and leaves those that run as they are', async () => {
      const [old] = (await at.pods('late')) as [StoredPod]
      await at.apply(policy({ ...strict, syscallRawRules: [rule('SCMP_ACT_ERRNO', ['mkdir', 'mkdirat'])] }))
      await policyReady(cluster(), namespace, 'deployment-policy')
      await expectAllowed(old.metadata.name, 'main', 'mkdir', '/tmp/old')
      await at.kubectl('delete', 'pod', old.metadata.name, '--timeout=120s')
      await at.rolledOut('late')
      const [young] = (await at.pods('late')) as [StoredPod]
      await expectRefused(young.metadata.name, 'main', 'mkdir', '/tmp/young')
      await expectAllowed(young.metadata.name, 'main', 'chmod', '700', '/tmp')
    })

    describe('does what each action of a raw rule says', () => {
      const name = 'actions'
      const killed = 128 + 31 // SIGSYS
      const rows: { action: string; rule: object; command: string[]; status: number; says?: RegExp }[] = [
        {
          action: 'SCMP_ACT_ERRNO',
          rule: rule('SCMP_ACT_ERRNO', ['mkdir', 'mkdirat']),
          ...{ command: ['mkdir', '/tmp/a'], status: 1, says: /Operation not permitted/ },
        },
        {
          action: 'SCMP_ACT_ERRNO with a number',
          rule: rule('SCMP_ACT_ERRNO', ['symlink', 'symlinkat'], 28),
          ...{ command: ['ln', '-s', 'a', '/tmp/b'], status: 1, says: /No space left on device/ },
        },
        {
          action: 'SCMP_ACT_KILL_PROCESS',
          rule: rule('SCMP_ACT_KILL_PROCESS', ['rmdir', 'unlinkat']),
          ...{ command: ['sh', '-c', 'rmdir /tmp/none; echo $?'], status: 0, says: new RegExp(`^${killed}$`, 'm') },
        },
        {
          action: 'SCMP_ACT_KILL',
          rule: rule('SCMP_ACT_KILL', ['sync']),
          ...{ command: ['sh', '-c', 'sync; echo $?'], status: 0, says: new RegExp(`^${killed}$`, 'm') },
        },
        {
          action: 'SCMP_ACT_TRAP',
          rule: rule('SCMP_ACT_TRAP', ['mknod', 'mknodat']),
          ...{ command: ['sh', '-c', 'mkfifo /tmp/f; echo $?'], status: 0, says: new RegExp(`^${killed}$`, 'm') },
        },
        {
          action: 'SCMP_ACT_TRACE without a tracer',
          rule: rule('SCMP_ACT_TRACE', ['link', 'linkat']),
          ...{ command: ['ln', '/bin/busybox', '/tmp/l'], status: 1, says: /Function not implemented/ },
        },
        {
          action: 'SCMP_ACT_LOG',
          rule: rule('SCMP_ACT_LOG', [...chmods, 'umask']),
          ...{ command: ['chmod', '700', '/tmp'], status: 0 },
        },
      ]
      before(async () => {
        await at.apply(podPolicy(name, { syscallRawRules: rows.map((row) => row.rule) }))
        await policyReady(cluster(), namespace, name)
        await at.apply(pod({ name, labels: { ...optedIn, app: name } }))
        await at.running(name)
      })
      for (const { action, command, status, says } of rows)
        it(`${action}: ${command.join(' ')}`, async () => {
          const run = await at.exec(name, 'main', ...command)
          expect(run.status, run.stderr).to.equal(status)
          if (says !== undefined) expect(run.stdout + run.stderr).to.match(says)
        })
    })

    describe('does what SCMP_ACT_NOTIFY says', () => {
      const name = 'notified'
      let listener: ChildProcess | undefined
      // The nodes share this machine's file system, and a policy may only name a socket in this folder.
      const folder = '/run/seccomp-agent'
      const listenerPath = join(folder, `${process.pid}.sock`)
      after(() => {
        listener?.kill()
        rmSync(listenerPath, { force: true })
      })

      it('a call is what the listener of the profile answers, and all others go on', async () => {
        const [node] = nodes as [Node]
        mkdirSync(folder, { recursive: true })
        listener = spawn('python3', [join(import.meta.dirname, 'varmor/seccomp-listener.py'), listenerPath])
        await once(listener.stdout!, 'data')
        const asked = ['mkdir', 'mkdirat']
        // This mode refuses every call that the profile does not name.
        const others = syscallNames().filter((name) => !asked.includes(name))
        const syscalls = [rule('SCMP_ACT_NOTIFY', asked), rule('SCMP_ACT_ALLOW', others)]
        const customProfile = JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', listenerPath, syscalls })
        const defenseInDepth = { seccomp: { profileType: 'Custom', customProfile } }
        const { spec, ...rest } = podPolicy(name, {}) as { spec: object }
        const policy = { enforcer: 'Seccomp', mode: 'DefenseInDepth', defenseInDepth }
        await at.apply({ ...rest, spec: { ...spec, policy } })
        await policyReady(cluster(), namespace, name)
        const made = pod({ name, labels: { ...optedIn, app: name } }) as { spec: object }
        Object.assign(made.spec, { nodeName: node.name })
        await at.apply(made)
        await at.running(name)
        const refused = await at.exec(name, 'main', 'mkdir', '/tmp/asked')
        expect(refused.stderr).to.match(/No space left on device/)
        await expectAllowed(name, 'main', 'touch', '/tmp/not-asked')
      })
    })

    describe(`reports what it lets through${unaudited === undefined ? '' : ` (not here: ${unaudited})`}`, () => {
      before(function () {
        if (unaudited !== undefined) this.skip()
      })

      /** Lines about the container, from all agents' logs. */
      const linesFor = (id: string): Record<string, unknown>[] =>
        lines().filter(({ containerID }) => containerID === id)
      const idOf = ({ status }: StoredPod): string => status.containerStatuses?.[0]?.containerID?.split('//')[1] ?? ''

      it('a built-in rule with auditViolations and allowViolations, on each node, with pod, container, image and policy', async () => {
        const name = 'observed'
        const rules = { hardeningRules: ['disallow-create-user-ns'], auditViolations: true, allowViolations: true }
        await at.apply(podPolicy(name, rules))
        await policyReady(cluster(), namespace, name)
        for (const { name: node } of nodes) {
          const made = pod({ name: `${name}-${node}`, labels: { ...optedIn, app: name } }) as { spec: object }
          Object.assign(made.spec, { nodeName: node })
          await at.apply(made)
          const { metadata, ...stored } = await at.running(`${name}-${node}`)
          const containerID = idOf({ metadata, ...stored })
          await at.execUntil(
            metadata.name,
            ['unshare', '-U'],
            `the violation on ${node}`,
            () => linesFor(containerID).length > 0,
          )
          const [line, ...more] = linesFor(containerID)
          expect(more).to.deep.equal([])
          expect(line).to.deep.include({
            ...{ level: 'debug', nodeName: node, containerID, containerName: 'main', eventType: 'Seccomp' },
            ...{ podName: metadata.name, podNamespace: namespace, podUID: metadata.uid },
            ...{ action: 'AUDIT|ALLOWED', profileName: `varmor-${namespace}-${name}`, policyKind: 'VarmorPolicy' },
            ...{ policyName: name, policyNamespace: namespace, message: 'violation event' },
            metadata: { varmorNamespace: 'varmor' },
          })
          expect(line!['image']).to.match(/busybox/)
          expect(line!['event']).to.deep.include({ comm: 'unshare', exe: '/bin/busybox', syscall: 'unshare' })
        }
      })

      it('each call that a raw rule logs', async () => {
        const containerID = idOf(await at.pod('actions'))
        const count = (): number => linesFor(containerID).filter(isOf(['umask'])).length
        const before = count()
        const script = 'for n in 1 2 3 4 5; do umask 022; done; exec "$@"'
        // This shell reads the mask by setting it, restores it, and then sets the new mask.
        await at.execUntil('actions', ['sh', '-c', script, 'sh'], '15 more lines', () => count() === before + 15)
      })

      it('also of a process that is gone at once: then perhaps without the container, and saying so', async () => {
        const perhaps = (): Record<string, unknown>[] =>
          lines()
            .filter(isOf(chmods))
            .filter(({ containerID, unresolved }) => containerID !== '' || unresolved !== '')
        const before = perhaps().length
        await expectAllowed('actions', 'main', 'sh', '-c', 'for n in 1 2 3 4 5; do chmod 700 /tmp; done')
        await eventually('five more lines', async () => perhaps().length >= before + 5)
      })

      it('with the pods of the own node only, and nothing of a container without a profile', async () => {
        const free = await at.pods('unlabelled')
        for (const { metadata } of free) await expectAllowed(metadata.name, 'main', 'unshare', '-U', 'sleep', '1')
        const { items } = JSON.parse(await at.kubectl('get', 'pods', '-o', 'json')) as { items: StoredPod[] }
        for (const { node, violations } of installed().agents) {
          const named = new Set(existsSync(violations) ? linesOf(violations).map(({ podName }) => podName) : [])
          const here = items.filter(({ metadata }) => named.has(metadata.name))
          expect(here.map(({ spec }) => spec.nodeName)).to.deep.equal(here.map(() => node.name))
        }
        const unconcerned = lines().filter(({ podName }) => free.some(({ metadata }) => metadata.name === podName))
        expect(unconcerned).to.deep.equal([])
      })
    })

    it('has an agent’s node say that it is ready only with every profile', async () => {
      for (const { readiness } of installed().agents) {
        const report = await readiness()
        expect(report).to.deep.include({ ready: true, listed: true, pending: [], failed: [] })
        expect(report['loaded']).to.equal(report['wanted'])
      }
    })

    it('puts a profile file back that somebody removed, when the agent starts again', async () => {
      const [agent] = installed().agents
      const path = join(agent!.seccompFolder, profile)
      const before = readFileSync(path, 'utf8')
      await agent!.process.kill()
      rmSync(path)
      await agent!.process.start()
      await agent!.process.ready()
      expect(readFileSync(path, 'utf8')).to.equal(before)
    })

    it('frees all when the policy goes: workloads are restarted, the ArmorProfile is gone, and what files are left allow all', async () => {
      await at.kubectl('delete', 'varmorpolicy', 'deployment-policy', '--timeout=120s')
      for (const name of ['web', 'api', 'mixed', 'late']) {
        await at.rolledOut(name)
        for (const { metadata, spec } of await at.pods(name)) {
          expect(spec.containers.map(({ securityContext }) => securityContext?.seccompProfile)).to.not.include.members([
            { type: 'Localhost', localhostProfile: profile },
          ])
          await expectFree(metadata.name)
        }
      }
      expect((await cluster().tryKubectl(['-n', namespace, 'get', 'armorprofile', profile])).stderr).to.match(
        /NotFound/,
      )
      // An allow-all profile may exist until the runtime has forgotten the previous pods.
      for (const { seccompFolder } of installed().agents) {
        const path = join(seccompFolder, profile)
        if (existsSync(path)) expect(readFileSync(path, 'utf8')).to.equal(allowingSeccomp)
      }
    }).timeout(600_000)
  },
  { nodes: true },
)

const linesOf = (path: string): Record<string, unknown>[] =>
  readFileSync(path, 'utf8').split('\n').slice(0, -1).map(checkLine)
