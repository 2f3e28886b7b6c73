import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { expect } from 'chai'
import { confinementPrefixes, localhostPrefix } from '../../../src/api/annotations.ts'
import { checkLine } from '../../audit/check-line.ts'
import { whyNotHere } from '../../audit/source/kernel-records.ts'
import { ensureHelm } from '../binaries/helm.ts'
import { ensureVarmorImage } from '../binaries/varmor-image.ts'
import { result } from '../command.ts'
import { describeCluster } from '../describe-cluster.ts'
import { type Node, startNode } from '../node.ts'
import { refused, rightsOf, unusedRights } from '../rights.ts'
import { secretsInPods } from '../secrets.ts'
import { policyReady } from '../varmor/installation.ts'
import { varmor } from '../varmor/manager-installation.ts'
import { podPolicy } from '../varmor/seccomp-policies.ts'
import { deployment, pod, Workloads } from '../varmor/workloads.ts'
import { eventually } from '../wait.ts'
import { forwardStatus } from './forward-status.ts'
import { chart, Helm, registry } from './helm.ts'
import { absent, leftOnNode, leftOnServer, valuesFor } from './installed-node.ts'
import { skipWithoutImages } from './installer.ts'

const namespace = 'varmor'
const optedIn = { 'sandbox.varmor.org/enable': 'true', app: 'web' }
const version = /^appVersion: (.+)$/m.exec(readFileSync(join(chart, 'Chart.yaml'), 'utf8'))![1]!
const unaudited = whyNotHere()

const page = readFileSync(join(chart, '..', '..', '..', 'docs', 'install.md'), 'utf8')

/** The arguments of Helm in the install command of docs/install.md. */
function asDocumented(command: 'install' | 'uninstall'): string[] {
  const [, words] = new RegExp(`^ {4}helm (${command} .*)$`, 'm').exec(page) ?? []
  if (words === undefined) throw new Error(`docs/install.md has no helm ${command}`)
  return words.split(' ').map((word) => (word === 'deploy/helm/varmor' ? chart : word.replace('REGISTRY', registry)))
}

describeCluster(
  'Installed with Helm',
  (cluster) => {
    let node: Node
    let helm: Helm
    let status: Server | undefined
    let at: Workloads
    let began: number
    const kubectl = (...args: string[]): Promise<string> => cluster().kubectl(args)
    const install = (): Promise<string> =>
      helm.output(
        [...asDocumented('install'), '--create-namespace', '--timeout', '10m', '--kubeconfig', cluster().kubeconfig],
        valuesFor(cluster(), node),
      )
    const uninstall = (): Promise<string> =>
      helm.output([...asDocumented('uninstall'), '--timeout', '10m', '--kubeconfig', cluster().kubeconfig])
    const logs = (component: string): Promise<string> =>
      kubectl('-n', namespace, 'logs', '-l', `app.kubernetes.io/component=varmor-${component}`, '--tail=-1', '--prefix')

    before(async function () {
      this.timeout(1_800_000)
      skipWithoutImages(this)
      const image = await ensureVarmorImage(version, cluster().log)
      helm = new Helm(4, await ensureHelm(4, cluster().log))
      node = await startNode(cluster(), 'helm-1', [image.archive])
      mkdirSync(join(node.folder, 'nri'), { recursive: true })
      status = await forwardStatus(cluster(), namespace, node.address)
      at = new Workloads(cluster(), 'team')
      await kubectl('create', 'namespace', 'team')
    })
    after(async () => {
      status?.close()
      helm?.end()
      await node?.stop()
      await cluster().tryKubectl(['delete', 'namespace', 'team', namespace, '--wait=false'])
    })
    afterEach(async function () {
      if (this.currentTest?.state !== 'failed') return
      const show = ['get', 'pods', '-A', '-o', 'wide']
      console.log((await cluster().tryKubectl(show)).stdout)
      for (const component of ['manager', 'agent', 'uninstall']) {
        const selector = `app.kubernetes.io/component=varmor-${component}`
        const { stdout } = await cluster().tryKubectl([
          '-n',
          namespace,
          'logs',
          '-l',
          selector,
          '--tail=30',
          '--prefix',
        ])
        const described = await cluster().tryKubectl(['-n', namespace, 'describe', 'pods', '-l', selector])
        console.log(stdout || described.stdout)
      }
    })

    it('comes up with one command, managers and agents ready', async () => {
      began = performance.now()
      const notes = await install()
      cluster().log('from nothing to managers and agents that are ready', performance.now() - began)
      expect(notes).to.match(/2 managers, and an agent on each node/)
      const pods = await kubectl('-n', namespace, 'get', 'pods', '--no-headers')
      expect(pods.trim().split('\n'), pods).to.have.length(3)
      expect(pods).not.to.match(/ [1-9]\d* +\(/)
      const [, of] = /^ {4}kubectl (-n varmor get pods .* spec\.nodeName=NODE)$/m.exec(page) ?? []
      const agent = (await kubectl(...of!.replace('NODE', 'helm-1').split(' '))).trim()
      const said = await kubectl('-n', namespace, 'exec', agent, '--', 'varmor', 'version')
      expect(said).to.equal(`varmor ${version}\n`)
    })

    it(`has a policy in force, and restarts what it is about${absent.length === 0 ? '' : ` (not here: ${absent.map(([name]) => name).join(', ')})`}`, async () => {
      await at.apply(deployment({ name: 'web', labels: optedIn, replicas: 1 }))
      await at.rolledOut('web')
      const policy = podPolicy('web', { hardeningRules: ['disallow-create-user-ns'], auditViolations: true }) as {
        spec: object
      }
      Object.assign(policy.spec, { updateExistingWorkloads: true, target: { kind: 'Deployment', name: 'web' } })
      await at.apply(policy)
      expect(await policyReady(cluster(), 'team', 'web')).to.deep.equal({ desired: 1, current: 1 })
      cluster().log('from nothing to a policy in force', performance.now() - began)
      await eventually('the restart', async () => {
        const pods = await at.pods('web')
        return pods.length === 1 && pods[0]!.status.phase === 'Running' && at.filtered(pods[0]!.metadata.name)
      })
      const [web] = await at.pods('web')
      const refused = await at.exec(web!.metadata.name, 'main', 'unshare', '-U', 'true')
      expect(refused.stderr).to.match(/Operation not permitted/)
    })

    it(`writes the violation${unaudited === undefined ? '' : ` (not here: ${unaudited})`}`, async function () {
      if (unaudited !== undefined) this.skip()
      const name = 'observed'
      const rules = { hardeningRules: ['disallow-create-user-ns'], auditViolations: true, allowViolations: true }
      await at.apply(podPolicy(name, rules))
      await policyReady(cluster(), 'team', name)
      await at.apply(pod({ name, labels: { ...optedIn, app: name } }))
      await at.running(name)
      const log = join(node.folder, 'varmor', 'violations.log')
      const lines = (): Record<string, unknown>[] =>
        existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(0, -1).map(checkLine) : []
      const found = (): Record<string, unknown> | undefined => lines().find(({ podName }) => podName === name)
      await at.execUntil(name, ['unshare', '-U'], 'the violation', () => found() !== undefined)
      cluster().log('from nothing to a violation in the log', performance.now() - began)
      expect(found()).to.deep.include({
        nodeName: 'helm-1',
        policyNamespace: 'team',
        policyName: name,
        action: 'AUDIT|ALLOWED',
      })
      await at.kubectl('delete', 'varmorpolicy/observed', 'pod/observed')
    })

    it('refuses a policy that is none, and ArmorProfiles that no manager writes', async () => {
      const wrong = podPolicy('wrong', { hardeningRules: ['disallow-everything'] })
      const tried = (input: object) =>
        cluster().tryKubectl(['-n', 'team', 'apply', '-f', '-'], { input: JSON.stringify(input) })
      expect((await tried(wrong)).stderr).to.match(/disallow-everything/)
      // Alerts use this metric.
      const metrics = await kubectl('get', '--raw', '/metrics')
      const counted =
        /^apiserver_admission_webhook_rejection_count\{.*error_type="no_error",name="validatepolicy\.varmor\.org"/m
      expect(metrics).to.match(counted)
      const profile = JSON.parse(await kubectl('-n', 'team', 'get', 'armorprofile', 'varmor-team-web', '-o', 'json'))
      const { uid: _, resourceVersion: __, ownerReferences: ___, ...metadata } = profile.metadata
      expect((await tried({ ...profile, metadata: { ...metadata, name: 'own' } })).stderr).to.match(
        /only managers of vArmor/,
      )
      const change = [
        'patch',
        'armorprofile',
        'varmor-team-web',
        '--type=merge',
        '-p',
        '{"spec":{"updateExistingWorkloads":false}}',
      ]
      expect((await cluster().tryKubectl(['-n', 'team', ...change])).stderr).to.match(/only managers of vArmor/)
    })

    it('keeps a running pod in the profiles that it was made with, and lets everything else of it change', async () => {
      const name = 'kept'
      await at.apply(podPolicy(name, { hardeningRules: ['disallow-create-user-ns'] }))
      await policyReady(cluster(), 'team', name)
      const bpf = `${confinementPrefixes.bpf}main`
      // The annotation names the profile of the Deployment's policy. In a pod the webhook keeps the annotation, even
      // without BPF.
      const annotations = { [bpf]: `${localhostPrefix}varmor-team-web` }
      await at.apply(pod({ name, labels: { ...optedIn, app: name }, annotations }))
      const keys = [bpf, `${confinementPrefixes.seccomp}main`]
      const before = (await at.running(name)).metadata
      const annotate = (...values: string[]) =>
        cluster().tryKubectl(['-n', 'team', 'annotate', '--overwrite', 'pod', name, ...values])
      for (const change of keys.flatMap((key) => [`${key}-`, `${key}=unconfined`, `${key}=localhost/varmor-team-none`]))
        expect((await annotate(change)).stderr, change).to.match(/a pod keeps the profiles of vArmor/)
      // A patch of a pod's status also carries its annotations.
      const patchStatus = (annotations: Record<string, string | null>) => {
        const patch = ['--subresource=status', '--type=merge', '-p', JSON.stringify({ metadata: { annotations } })]
        return cluster().tryKubectl(['-n', 'team', 'patch', 'pod', name, ...patch])
      }
      for (const key of keys)
        for (const value of [null, 'unconfined', 'localhost/varmor-team-none'])
          expect((await patchStatus({ [key]: value })).stderr, `${key}: ${value}`).to.match(
            /a pod keeps the profiles of vArmor/,
          )
      expect((await patchStatus({ 'example.org/status': 'a' })).stderr).to.equal('')
      for (const change of ['example.org/a=b', 'example.org/a-', `${confinementPrefixes.bpf}other=unconfined`])
        expect((await annotate(change)).stderr, change).to.equal('')
      await at.kubectl('label', 'pod', name, 'example.org/a=b')
      const after = (await at.pod(name)).metadata
      for (const key of keys) {
        expect(before.annotations?.[key], key).to.match(/^localhost\/varmor-team-/)
        expect(after.annotations?.[key], key).to.equal(before.annotations?.[key])
      }
      await at.kubectl('delete', `varmorpolicy/${name}`, `pod/${name}`)
    })

    it('takes a model that a user brings, but not his word that it is ready', async () => {
      const metadata = { name: 'varmor-team-brought', namespace: 'team' }
      const data = { dynamicResult: { seccomp: { syscalls: ['read'] } } }
      const model = { apiVersion: 'crd.varmor.org/v1beta1', kind: 'ArmorProfileModel', metadata, data }
      const [program, ...args] = varmor('model', 'import', '-', '--kubeconfig', cluster().kubeconfig)
      for (const outcome of ['created', 'merged']) {
        const imported = await result(program!, args, { env: process.env, input: JSON.stringify(model) })
        expect(imported.stdout + imported.stderr).to.match(new RegExp(`${outcome}$`, 'm'))
      }
      const ready = ['--subresource=status', '--type=merge', '-p', '{"status":{"ready":true}}']
      const named = ['-n', 'team', 'patch', 'armorprofilemodel', metadata.name]
      expect((await cluster().tryKubectl([...named, ...ready])).stderr).to.match(/only managers of vArmor/)
      await at.kubectl('delete', 'armorprofilemodel', metadata.name)
    })

    it('gives the cluster’s own roles what the chart’s README says', async () => {
      const may = async (role: string, verb: string, kind: string): Promise<boolean> => {
        const asked = ['auth', 'can-i', verb, `${kind}.crd.varmor.org`, '--as', `user-of-${role}`, '-n', 'team']
        return (await cluster().tryKubectl(asked)).stdout.trim() === 'yes'
      }
      const roles = ['view', 'edit', 'admin']
      for (const role of roles)
        await at.kubectl('create', 'rolebinding', role, `--clusterrole=${role}`, `--user=user-of-${role}`)
      const expected = {
        'list varmorpolicies': roles,
        'list armorprofilemodels': roles,
        'list armorprofiles': [],
        'create varmorpolicies': ['edit', 'admin'],
        'update armorprofilemodels': ['edit', 'admin'],
        'create armorprofiles': [],
        'delete varmorpolicies': ['edit', 'admin'],
      }
      for (const [what, who] of Object.entries(expected)) {
        const [verb, kind] = what.split(' ') as [string, string]
        const found = await Promise.all(roles.map((role) => may(role, verb, kind)))
        expect(
          roles.filter((_, i) => found[i]),
          what,
        ).to.deep.equal(who)
      }
    })

    it('was refused nothing by the API server', async () => {
      for (const component of ['manager', 'agent'])
        expect(await logs(component), component).not.to.match(/forbidden|"code":403/i)
    })

    it('writes no token and no key into a log', async () => {
      expect(await secretsInPods(cluster(), namespace)).to.deep.equal([])
    })

    it('leaves nothing behind when it goes, but lets pods run on', async () => {
      const before = (await at.pods('web'))[0]!.metadata.name
      await uninstall()
      expect(await leftOnServer(cluster())).to.deep.equal([])
      expect(leftOnNode(node)).to.deep.equal([])
      const [web] = await at.pods('web')
      expect(web!.status.phase).to.equal('Running')
      // A manager has restarted the workload, so its pod is no longer confined.
      expect(web!.metadata.name).not.to.equal(before)
      expect(await at.filtered(web!.metadata.name)).to.equal(false)
    })

    it('leaves nothing behind either where all managers are dead, and comes back before', async () => {
      await install()
      await at.apply(podPolicy('web', { hardeningRules: ['disallow-create-user-ns'] }))
      const everywhere = podPolicy('everywhere', { hardeningRules: ['disallow-create-user-ns'] })
      await at.apply({ ...everywhere, kind: 'VarmorClusterPolicy' })
      await policyReady(cluster(), 'team', 'web')
      await kubectl('wait', '--for=condition=Ready', 'varmorclusterpolicy/everywhere', '--timeout=240s')
      await kubectl('-n', namespace, 'delete', 'deployment', 'varmor-manager', '--wait')
      await uninstall()
      expect(await leftOnServer(cluster())).to.deep.equal([])
      expect(leftOnNode(node)).to.deep.equal([])
      await kubectl('delete', 'namespace', 'team', namespace, '--timeout=240s')
    })

    // Other tests use some of the managers' rights; test/cluster/control-plane.test.ts checks the managers.
    for (const component of ['agent', 'uninstall'])
      it(`gave the account varmor-${component} the rights that it takes, and no others`, async () => {
        const manifests = await helm.template(valuesFor(cluster(), node))
        const rights = manifests
          .filter(({ kind, metadata }) => /Role$/.test(kind) && metadata.name === `varmor-${component}`)
          .flatMap(rightsOf)
        const user = `system:serviceaccount:${namespace}:varmor-${component}`
        const requests = cluster()
          .servedRequests()
          .filter((request) => request.user === user)
        expect(refused(rights, requests)).to.deep.equal([])
        expect(unusedRights(rights, requests)).to.deep.equal([])
      })
  },
  { nodes: true },
)
