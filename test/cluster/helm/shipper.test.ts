import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { whyNotHere } from '../../audit/source/kernel-records.ts'
import { RelpReceiver } from '../../shipping/relp-receiver.ts'
import { ensureShipperImage, shipperImage } from '../binaries/varmor-image.ts'
import { describeCluster } from '../describe-cluster.ts'
import { policyReady } from '../varmor/installation.ts'
import { podPolicy } from '../varmor/seccomp-policies.ts'
import { pod, type StoredPod, Workloads } from '../varmor/workloads.ts'
import { eventually } from '../wait.ts'
import { chart } from './helm.ts'
import { leftOnNode, leftOnServer } from './installed-node.ts'
import { Installer, namespace, saidBy, showInstalled, skipWithoutImages } from './installer.ts'

const name = 'observed'
const agent = 'app.kubernetes.io/component=varmor-agent'
const unaudited = whyNotHere()

describeCluster(
  `The shipper beside an agent${unaudited === undefined ? '' : ` (of lines that this test appends, no violations: ${unaudited})`}`,
  (cluster) => {
    const receiver = new RelpReceiver()
    let installer: Installer
    let team: Workloads
    let port: number
    let log: string
    let state: string
    const kubectl = (...args: string[]): Promise<string> => cluster().kubectl(args)
    const inShipper = (command: string) =>
      cluster().tryKubectl(['-n', namespace, 'exec', 'ds/varmor-agent', '-c', 'shipper', '--', 'sh', '-c', command])

    before(async function () {
      this.timeout(1_800_000)
      skipWithoutImages(this)
      const { archive } = await ensureShipperImage(cluster().log)
      installer = await Installer.start(cluster(), 'ship-1', [archive])
      log = join(installer.node.folder, 'varmor', 'violations.log')
      state = join(installer.node.folder, 'shipper')
      team = new Workloads(cluster(), 'team')
      await kubectl('create', 'namespace', 'team')
      port = await receiver.listen(0)
    })
    after(async () => {
      await receiver.away()
      await installer?.end()
      await cluster().tryKubectl(['delete', 'namespace', 'team', namespace, '--wait=false'])
    })
    afterEach(async function () {
      if (this.currentTest?.state !== 'failed') return
      await showInstalled(cluster())
      console.log((await cluster().tryKubectl(['-n', namespace, 'describe', 'pods', '-l', agent])).stdout)
      console.log((await cluster().tryKubectl(['-n', namespace, 'logs', 'ds/varmor-agent', '-c', 'shipper'])).stdout)
    })

    const idOf = (line: string): string => (JSON.parse(line) as { id: string }).id
    // Other programs of the machine may cause violations, too.
    const ofPod = (lines: string[]): string[] => lines.filter((line) => line.includes(`"podName":"${name}"`))
    const written = (): string[] => ofPod(existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(0, -1) : [])
    const arrived = (): string[] => ofPod(receiver.messages.map((message) => message.replace(/\n$/, '')))

    /** Resolves when the log has at least one more line of the pod. */
    const violate = async (): Promise<void> => {
      const before = written().length
      if (unaudited === undefined)
        await team.execUntil(name, ['unshare', '-U'], 'the violation', () => written().length > before)
      else appendFileSync(log, `${JSON.stringify({ id: `own-${before}`, podName: name })}\n`)
    }

    /** Checks that every line arrived byte for byte, either once or with one id. */
    const allArrive = async (): Promise<void> => {
      await eventually('all lines', async () => {
        const there = new Set(arrived())
        const missing = written().filter((line) => !there.has(line))
        if (missing.length > 0) throw new Error(`${missing.length} are missing: ${missing[0]}`)
        return true
      })
      const lines = new Set(arrived())
      expect([...lines])
        .to.have.members(written())
        .and.not.to.deep.equal([])
      expect(new Set([...lines].map(idOf)).size).to.equal(lines.size)
    }

    it('comes up with its agent', async () => {
      const shipper = { enabled: true, image: shipperImage, stateFolder: state, receiver: { host: '127.0.0.1', port } }
      // The rate keeps the log small, whatever other programs do on this machine.
      const few = ['--set', 'manager.replicaCount=1', '--set', 'agent.violations.rate=10']
      const values = [...few, '--set-json', `agent.shipper=${JSON.stringify(shipper)}`]
      const done = await installer.run('install', 'varmor', chart, '--create-namespace', ...values)
      expect(done.status, saidBy(done)).to.equal(0)
      expect(done.stdout).to.include(`sends them to 127.0.0.1:${port}`)
    })

    it('sends the line of a violation as the log has it', async () => {
      const rules = { hardeningRules: ['disallow-create-user-ns'], auditViolations: true, allowViolations: true }
      await team.apply(podPolicy(name, rules))
      await policyReady(cluster(), 'team', name)
      await team.apply(pod({ name, labels: { 'sandbox.varmor.org/enable': 'true', app: name } }))
      await team.running(name)
      await violate()
      await allArrive()
    })

    it('sends lines of the time without a receiver, even if the shipper’s pod was replaced meanwhile', async () => {
      await receiver.away()
      const before = arrived().length
      for (let i = 0; i < 3; i++) await violate()
      await kubectl('-n', namespace, 'delete', 'pod', '-l', agent)
      await kubectl('-n', namespace, 'rollout', 'status', 'daemonset/varmor-agent', '--timeout=240s')
      expect(arrived()).to.have.length(before)
      await receiver.listen(port)
      await allArrive()
    })

    it('goes on after it was killed, beside the agent of before', async () => {
      await installer.kill(agent, { container: 'shipper' })
      await violate()
      const again = await eventually('the shipper to run again', async () => {
        const { items } = JSON.parse(await kubectl('-n', namespace, 'get', 'pods', '-l', agent, '-o', 'json'))
        const all = (items as StoredPod[]).flatMap(({ status }) => status.containerStatuses ?? [])
        const restarts = Object.fromEntries(all.map(({ name, restartCount }) => [name, restartCount]))
        return restarts['shipper'] !== 0 && all.every(({ state }) => state?.running !== undefined) && restarts
      })
      expect(again).to.deep.equal({ agent: 0, shipper: 1 })
      await violate()
      await allArrive()
    })

    it('can write only what it has sent, and reads no token', async () => {
      expect((await inShipper(`echo >>${log}`)).stderr).to.match(/Read-only file system/)
      expect((await inShipper('echo >/usr/own')).stderr).to.match(/Read-only file system/)
      expect((await inShipper('grep ^CapEff: /proc/self/status')).stdout).to.match(/^CapEff:\t0+\n$/)
      expect((await inShipper('ls -A /var/run/secrets/kubernetes.io/serviceaccount')).stdout).to.equal('')
      // The shipper sees the agent's processes, but cannot read their files, because they have capabilities that it
      // lacks.
      const tokens = '/proc/[0-9]*/root/var/run/secrets/tokens/bound-token'
      expect((await inShipper(`cat ${tokens} 2>/dev/null`)).stdout).to.equal('')
    })

    it('goes with the release, and leaves its state', async () => {
      await team.kubectl('delete', `varmorpolicy/${name}`, `pod/${name}`)
      const done = await installer.run('uninstall', 'varmor')
      expect(done.status, saidBy(done)).to.equal(0)
      expect(await leftOnServer(cluster())).to.deep.equal([])
      expect(leftOnNode(installer.node)).to.deep.equal([])
      expect(readdirSync(state)).not.to.deep.equal([])
    })
  },
  { nodes: true },
)
