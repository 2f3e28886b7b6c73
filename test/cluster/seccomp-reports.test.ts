import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { checkLine } from '../audit/check-line.ts'
import { whyNotHere } from '../audit/source/kernel-records.ts'
import { NotAvailable } from './binaries/build.ts'
import { ensureContainerd } from './binaries/containerd.ts'
import { ensureRunc } from './binaries/runc.ts'
import { output } from './command.ts'
import { describeCluster } from './describe-cluster.ts'
import { type Node, startNode } from './node.ts'
import { printSteps } from './steps.ts'
import { type Installation, installVarmor, policyReady } from './varmor/installation.ts'
import { podPolicy, rule } from './varmor/seccomp-policies.ts'
import { pod, type StoredPod, Workloads } from './varmor/workloads.ts'
import { eventually } from './wait.ts'

const namespace = 'seccomp-reports'
const name = 'audited'
const profile = `varmor-${namespace}-${name}`
const labels = { 'sandbox.varmor.org/enable': 'true', app: name }
const flags = ['SECCOMP_FILTER_FLAG_SPEC_ALLOW', 'SECCOMP_FILTER_FLAG_LOG']
const unaudited = whyNotHere()

describeCluster(
  'Reports of what Seccomp refuses, with containerd 2',
  (cluster) => {
    /**
     * Folder with two folders of containerd and its shim: one has Debian's runc, the other a runc that accepts flags.
     */
    const folder = mkdtempSync(join(tmpdir(), 'varmor-runtimes-'))
    const [oldNode, newNode] = ['reports-old', 'reports-new'] as const
    let oldRunc = ''
    let newRunc = ''
    let nodes: Node[] = []
    let varmor: Installation | undefined
    let at: Workloads

    const useRunc = (node: string, program: string): void => {
      const path = join(folder, node, 'runc')
      rmSync(path, { force: true })
      symlinkSync(program, path)
    }
    const agentOf = (node: string) => varmor!.agents.find((one) => one.node.name === node)!
    const flagsOn = (node: string): unknown =>
      JSON.parse(readFileSync(join(agentOf(node).seccompFolder, profile), 'utf8')).flags
    const linesOn = (node: string): Record<string, unknown>[] => {
      const { violations } = agentOf(node)
      return existsSync(violations) ? readFileSync(violations, 'utf8').split('\n').slice(0, -1).map(checkLine) : []
    }
    const callsOn = (node: string, syscall: string): Record<string, unknown>[] =>
      linesOn(node).filter(({ event }) => (event as { syscall?: string } | undefined)?.syscall === syscall)
    const recordOf = ({ event }: Record<string, unknown>): string => (event as { auditID: string }).auditID
    const readyCondition = async (): Promise<{ reason: string; message: string }> => {
      const { status } = JSON.parse(await at.kubectl('get', 'varmorpolicy', name, '-o', 'json'))
      return status.conditions.find(({ type }: { type: string }) => type === 'Ready')
    }
    const runOn = async (node: string, as: string): Promise<StoredPod> => {
      const made = pod({ name: as, labels }) as { spec: object }
      Object.assign(made.spec, { nodeName: node })
      await at.apply(made)
      return at.running(as)
    }
    const versionOf = async (program: string): Promise<string> =>
      /runc version (\S+)/.exec(await output(program, ['--version']))![1]!

    before(async function () {
      this.timeout(1_800_000)
      try {
        const [containerd, runc] = [await ensureContainerd(printSteps), await ensureRunc(printSteps)]
        newRunc = join(runc, 'runc')
        oldRunc = (await output('sh', ['-c', 'PATH="$PATH:/usr/sbin" command -v runc'])).trim()
        for (const node of [oldNode, newNode]) {
          mkdirSync(join(folder, node))
          for (const program of readdirSync(containerd))
            symlinkSync(join(containerd, program), join(folder, node, program))
        }
      } catch (error) {
        if (!(error instanceof NotAvailable)) throw error
        console.log(`      ${error.message}`)
        this.skip()
      }
      useRunc(oldNode, oldRunc)
      useRunc(newNode, newRunc)
      nodes = await Promise.all([oldNode, newNode].map((node) => startNode(cluster(), node, [], join(folder, node))))
      varmor = await installVarmor({
        ...{ cluster: cluster(), nodes, namespace: 'varmor' },
        managerFlags: ['--report-interval', '2'],
        agentFlags: unaudited === undefined ? ['--audit-source', 'multicast'] : [],
      })
      at = new Workloads(cluster(), namespace)
      await cluster().kubectl(['create', 'namespace', namespace])
      const account = ['-n', namespace, 'get', 'serviceaccount', 'default']
      await eventually('the ServiceAccount', async () => (await cluster().tryKubectl(account)).status === 0)
      const syscallRawRules = [rule('SCMP_ACT_ERRNO', ['mkdir', 'mkdirat', 'umask'])]
      await at.apply(podPolicy(name, { syscallRawRules, auditViolations: true }))
      expect(await policyReady(cluster(), namespace, name)).to.deep.equal({ desired: 2, current: 2 })
    })
    after(async () => {
      if (varmor !== undefined) {
        await cluster().tryKubectl(['-n', namespace, 'delete', 'varmorpolicy', '--all', '--timeout=120s'])
        await cluster().tryKubectl(['delete', 'namespace', namespace, '--wait=false'])
      }
      await varmor?.remove()
      for (const node of nodes) await node.stop()
      rmSync(folder, { recursive: true, force: true })
    })

    it('are asked for on the node whose runc takes the flag alone; the status names the other and its runc', async () => {
      expect([flagsOn(newNode), flagsOn(oldNode)]).to.deep.equal([flags, undefined])
      const message = `left out on ${oldNode} by Seccomp: reports of refusals (runc ${await versionOf(oldRunc)})`
      await eventually('the status', async () => (await readyCondition()).message !== '')
      expect(await readyCondition()).to.include({ reason: 'PartlyEnforced', message })
    })

    it('are lines where a call is refused on that node; on both the pod starts, and the call is refused', async function () {
      for (const node of [oldNode, newNode]) {
        const { metadata } = await runOn(node, node)
        const { stderr } = await at.exec(metadata.name, 'main', 'mkdir', '/tmp/a')
        expect(stderr, node).to.match(/Operation not permitted/)
      }
      if (unaudited !== undefined) this.skip()
      await eventually('the line', async () => callsOn(newNode, 'mkdir').length > 0)
      const [line, ...more] = callsOn(newNode, 'mkdir')
      expect(more).to.deep.equal([])
      expect(line).to.include({ level: 'warn', action: 'DENIED', eventType: 'Seccomp', code: '0x50000' })
      // The process ends at once, but the shell, which makes a refused call itself, keeps running.
      await at.execUntil(newNode, ['sh', '-c', 'umask 077; exec "$@"', 'sh'], 'the line of the shell', () =>
        callsOn(newNode, 'umask').some(({ podName }) => podName === newNode),
      )
      const ofShell = callsOn(newNode, 'umask').find(({ podName }) => podName === newNode)
      expect(ofShell).to.include({ action: 'DENIED', filter: 'container', profileName: profile, policyName: name })
      // The nodes share one kernel: an agent also reads the other node's records, and cannot attribute the process of
      // such a record after the process has ended.
      const ofNewNode = new Set(callsOn(newNode, 'mkdir').map(recordOf))
      expect(callsOn(oldNode, 'mkdir').filter((one) => !ofNewNode.has(recordOf(one)))).to.deep.equal([])
      expect(callsOn(oldNode, 'umask')).to.deep.equal([])
    })

    it('end when the node gets an older runc, with which pods start all the same, and come back with the newer one', async () => {
      useRunc(newNode, oldRunc)
      await eventually('the file without flags', async () => flagsOn(newNode) === undefined, 300_000)
      const { metadata } = await runOn(newNode, 'later')
      const { stderr } = await at.exec(metadata.name, 'main', 'mkdir', '/tmp/a')
      expect(stderr).to.match(/Operation not permitted/)
      await eventually('the status', async () => (await readyCondition()).message.includes(`${newNode}, ${oldNode}`))
      useRunc(newNode, newRunc)
      await eventually('the file with flags', async () => flagsOn(newNode) !== undefined, 300_000)
    }).timeout(900_000)
  },
  { nodes: true },
)
