import { expect } from 'chai'
import { parseRole } from '../../cli/parse-role.ts'
import { ensureHelm } from '../binaries/helm.ts'
import { describeCluster } from '../describe-cluster.ts'
import { chart, Helm, type Manifest } from './helm.ts'
import { refusedValues, valueSets } from './value-sets.ts'

const kubeVersions = ['1.37.2', '1.29.0', '1.21.0']

interface PodTemplate {
  spec: { containers: { args?: string[]; securityContext?: Record<string, unknown> }[]; securityContext?: object }
}

const podsOf = (manifests: readonly Manifest[]): { name: string; template: PodTemplate }[] =>
  manifests.flatMap(({ kind, metadata: { name }, spec }) =>
    ['Deployment', 'DaemonSet', 'Job'].includes(kind) ? [{ name, template: spec!['template'] as PodTemplate }] : [],
  )

describeCluster('The chart, with each set of values', (cluster) => {
  const helms: Helm[] = []
  const helm = (): Helm => helms[0]!
  before(async function () {
    this.timeout(1_800_000)
    for (const major of [4, 3] as const) helms.push(new Helm(major, await ensureHelm(major, cluster().log)))
    await cluster().kubectl(['create', 'namespace', 'varmor'])
  })
  after(async () => {
    for (const one of helms) one.end()
    await cluster().tryKubectl(['delete', 'namespace', 'varmor', '--timeout=120s'])
  })

  for (const { name, values, notes } of valueSets)
    describe(name, () => {
      it('has no fault that Helm 4 or Helm 3 finds, and is the same with both', async () => {
        for (const one of helms) await one.output(['lint', '--strict', chart], values)
        for (const version of kubeVersions) {
          const [four, three] = await Promise.all(helms.map((one) => one.template(values, '--kube-version', version)))
          expect(three, version).to.deep.equal(four)
        }
      })

      it('is taken by the API server, all of it', async () => {
        const manifests = await helm().template(values, '--kube-version', '1.37.2', ...apiVersions)
        // A dry run does not create the namespace, so it is left out; so are objects whose kinds the API server does
        // not know.
        const items = manifests.filter(({ apiVersion, kind }) => kind !== 'Namespace' && !others.test(apiVersion))
        const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
        const tried = [
          'apply',
          '--server-side',
          '--force-conflicts',
          '--dry-run=server',
          '--validate=strict',
          '-f',
          '-',
        ]
        const { status, stderr } = await cluster().tryKubectl(tried, { input })
        expect(stderr.split('\n').filter((line) => line !== '')).to.deep.equal([])
        expect(status).to.equal(0)
      })

      it('gives programs only flags that they have, or that upstream has without a meaning here', async () => {
        for (const { template } of podsOf(await helm().template(values, '--kube-version', '1.37.2')))
          for (const { args } of template.spec.containers) {
            // The shipper runs another program.
            if (args === undefined) continue
            for (const flag of parseRole(args).ignored) expect(flag).to.equal('--enableBpfEnforcer')
          }
      })

      if (notes !== undefined)
        it('is installed with notes that say what to know', async () => {
          const tried = ['install', 'varmor', chart, '--namespace', 'varmor', '--dry-run=client']
          expect((await helm().output(tried, values)).replaceAll('\n', ' ')).to.match(notes)
        })
    })

  it('refuses values that it does not have, or that are none', async () => {
    for (const { values, says } of refusedValues) {
      const { status, stderr } = await helm().run(['template', 'varmor', chart], values)
      expect(status, JSON.stringify(values)).not.to.equal(0)
      expect(stderr).to.match(says)
    }
  })

  it('has managers that meet the restricted Pod Security Standard', async () => {
    const level = 'pod-security.kubernetes.io/warn'
    const manifests = await helm().template({}, '--kube-version', '1.37.2')
    const warnings = async (kind: string, name: string): Promise<string> => {
      const input = JSON.stringify(manifests.find((one) => one.kind === kind && one.metadata.name === name))
      return (await cluster().tryKubectl(['apply', '--dry-run=server', '-f', '-'], { input })).stderr
    }
    await cluster().kubectl(['label', 'namespace', 'varmor', `${level}=restricted`])
    try {
      expect(await warnings('Deployment', 'varmor-manager')).to.equal('')
      expect(await warnings('Job', 'varmor-uninstall')).to.equal('')
      expect(await warnings('DaemonSet', 'varmor-agent')).to.match(/would violate PodSecurity/)
    } finally {
      await cluster().kubectl(['label', 'namespace', 'varmor', `${level}-`])
    }
  })

  it('gives no rights but named ones: no wildcards, no Secrets of others', async () => {
    const roles = (await helm().template({}, '--kube-version', '1.37.2')).filter(({ kind }) => /Role$/.test(kind))
    expect(roles.length).to.be.greaterThan(5)
    const rules = roles.flatMap(({ rules = [] }) => rules)
    expect(
      rules.filter(({ apiGroups, resources, verbs }) => [apiGroups, resources, verbs].flat().includes('*')),
    ).to.deep.equal([])
    const ofCluster = roles.filter(({ kind }) => kind === 'ClusterRole').flatMap(({ rules = [] }) => rules)
    expect(ofCluster.filter(({ resources }) => resources.some((one) => /secrets|configmaps/.test(one)))).to.deep.equal(
      [],
    )
  })
})

const apiVersions = ['admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy', 'monitoring.coreos.com/v1'].flatMap(
  (one) => ['--api-versions', one],
)
const others = /^(cert-manager\.io|monitoring\.coreos\.com)\//
