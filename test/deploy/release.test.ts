import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { expect } from 'chai'
import { ApiClient } from '../../src/kube/client.ts'
import { KubeConnection } from '../../src/kube/connection.ts'
import { PriorityLimiter } from '../../src/kube/limiter.ts'
import { varmorPolicies } from '../../src/kube/own-kinds.ts'
import { workloadResources } from '../../src/manager/cluster-resources.ts'
import { type RunningApiServer, startApiServer } from '../../src/sandbox/api-server/start-api-server.ts'
import { chart } from '../cluster/helm/helm.ts'
import { describeHelm } from './describe-helm.ts'

const namespace = 'varmor'
const team = 'default'

for (const major of [4, 3] as const) {
  describeHelm(major, `A release of the chart, by Helm ${major}`, function (helm) {
    this.bail(true)
    const folder = mkdtempSync(join(tmpdir(), 'varmor-release-'))
    const kubeconfig = join(folder, 'config')
    let api: RunningApiServer
    let client: ApiClient
    before(async () => {
      api = await startApiServer()
      writeFileSync(kubeconfig, api.kubeconfig, { mode: 0o600 })
      const config = new KubeConfig()
      config.loadFromString(api.kubeconfig)
      client = new ApiClient({ connection: new KubeConnection(config), limiter: new PriorityLimiter() })
    })
    after(async () => {
      rmSync(folder, { recursive: true })
      await client?.close()
      await api?.close()
    })

    const where = (): string[] => [chart, '--namespace', namespace, '--kubeconfig', kubeconfig]
    const upgrade = (values: object) => helm().run(['upgrade', 'varmor', ...where()], values)
    const releases = () =>
      Promise.all(
        (['Deployment', 'DaemonSet'] as const).map(async (kind) => {
          const name = kind === 'Deployment' ? 'varmor-manager' : 'varmor-agent'
          const { metadata } = await client.get(workloadResources[kind], { name, namespace })
          return metadata?.annotations?.['meta.helm.sh/release-name']
        }),
      )
    const policies = async (): Promise<number> => (await client.list(varmorPolicies)).items.length

    it('gives manager and agent the annotation that the Job of an uninstall looks for, and a text has none', async () => {
      await helm().output(['install', 'varmor', '--create-namespace', ...where()])
      expect(await releases()).to.deep.equal(['varmor', 'varmor'])
      const rendered = (await helm().template({}, '--kube-version', '1.37.2')).filter(({ kind }) =>
        /^(Deployment|DaemonSet)$/.test(kind),
      )
      expect(rendered).to.have.length(2)
      for (const { metadata } of rendered) expect(JSON.stringify(metadata)).not.to.include('meta.helm.sh')
    })

    it('is not upgraded to one without definitions, with which all policies would go', async () => {
      const spec = {
        target: { kind: 'Deployment', name: 'web' },
        policy: { enforcer: 'Seccomp', mode: 'RuntimeDefault' },
      }
      await client.create(varmorPolicies, { metadata: { name: 'web', namespace: team }, spec } as never)
      for (const values of [{ crds: { install: false } }, { crds: { install: false, keep: true } }]) {
        const { status, stderr } = await upgrade(values)
        expect(status).not.to.equal(0)
        expect(stderr).to.match(
          /crds\.install=false, Helm would delete \w+\.crd\.varmor\.org.*upgrade with crds\.keep=true first/,
        )
      }
      expect(await policies()).to.equal(1)
    })

    it('may be without definitions that are of another one', async () => {
      const crds = { install: false }
      const flags = ['--is-upgrade', '--dry-run=server', '--kube-version', '1.37.2']
      const { status, stdout, stderr } = await helm().run(['template', 'other', ...where(), ...flags], { crds })
      expect(status, stderr).to.equal(0)
      expect(stdout).not.to.include('kind: CustomResourceDefinition')
    })

    it('is upgraded so as that says, and keeps policies and the annotation', async () => {
      for (const crds of [{ keep: true }, { install: false, keep: true }, { install: false, keep: true }]) {
        const { status, stderr } = await upgrade({ crds })
        expect(status, stderr).to.equal(0)
      }
      expect(await policies()).to.equal(1)
      expect(await releases()).to.deep.equal(['varmor', 'varmor'])
    })
  })
}
