import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { ROOT } from '../cli/run.ts'
import { chart } from '../cluster/helm/helm.ts'
import { describeHelm } from './describe-helm.ts'

/** Each value of upstream's releases, by its path, without comments. */
const { releases, values } = JSON.parse(
  readFileSync(new URL('../fixtures/helm/upstream-releases.json', import.meta.url), 'utf8'),
) as { releases: string[]; values: Record<string, { value: unknown; from: string; to: string }[]> }
const usual = JSON.parse(readFileSync(join(chart, 'files/upstream-defaults.json'), 'utf8')) as Record<
  string,
  Record<string, unknown[]>
>

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }

/** The values.yaml of a release. */
function valuesOf(release: string): object {
  const at = releases.indexOf(release)
  const whole: Record<string, unknown> = {}
  for (const [path, spans] of Object.entries(values)) {
    const span = spans.find(({ from, to }) => releases.indexOf(from) <= at && at <= releases.indexOf(to))
    if (span !== undefined) put(whole, path.split('.'), span.value)
  }
  return whole
}

function put(whole: Record<string, unknown>, [key = '', ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) {
    whole[key] = value
    return
  }
  whole[key] ??= {}
  put(whole[key] as Record<string, unknown>, rest, value)
}

const at = (path: string, value: unknown): object => {
  const whole = {}
  put(whole, path.split('.'), value)
  return whole
}

const ours = { registry: 'registry.test', namespace: '' }
const digest = `sha256:${'0'.repeat(64)}`
const byDigest = { image: { digest } }

for (const major of [4, 3] as const)
  describeHelm(major, `Values of upstream's releases, with Helm ${major}`, (helm) => {
    const installed = ['install', 'varmor', chart, '--namespace', 'varmor', '--dry-run=client']
    const notes = async (given: object): Promise<string> => {
      const [, said = ''] = (await helm().output(installed, given)).split('\nNOTES:\n')
      expect(said).to.match(/^vArmor /)
      return said.replaceAll('\n', ' ')
    }

    it('are taken whole, of each release, and nothing is named that is as upstream has it', async () => {
      expect(releases).to.include.members(['0.5.2', '0.6.4', '0.7.0', '0.8.0', '0.9.1', '0.10.3'])
      const seen = new Set<string>()
      for (const release of releases) {
        const given = { ...valuesOf(release), image: ours }
        // Many releases have the same values.
        if (seen.has(JSON.stringify(given))) continue
        seen.add(JSON.stringify(given))
        // Helm 3 prints notes only with a cluster.
        if (major === 3) expect(await helm().template(given, '--kube-version', '1.37.2'), release).not.to.deep.equal([])
        else expect(await notes(given), release).not.to.include('have no effect in this version')
      }
    })

    if (major === 3) return

    it('are taken of 0.10.4, whose further ones are named', async () => {
      const dynamicConfig = { networkProxy: { defaultResources: { nonMitm: {}, mitm: {} } }, microVMDetection: {} }
      const said = await notes({ ...valuesOf(releases.at(-1)!), image: ours, dynamicConfig })
      expect(said).to.include('have no effect in this version: dynamicConfig.')
    })

    it('are named by their path where they are changed and mean nothing', async () => {
      for (const [root, paths] of Object.entries(usual))
        for (const path of Object.keys(paths).length === 0 ? [`${root}.x`] : Object.keys(paths)) {
          const said = await notes(at(path, path.endsWith('serviceMonitorEnabled') ? true : ['other']))
          const named = Object.keys(paths).length === 0 ? root : path
          expect(said, path).to.match(
            new RegExp(`have no effect in this version: ${named.replaceAll('.', '\\.')}( \\(use [^)]+\\))?\\.`),
          )
        }
    })

    for (const [given, says] of [
      [
        { metrics: { serviceMonitorEnabled: true } },
        'metrics.serviceMonitorEnabled (use metrics.serviceMonitor.enabled).',
      ],
      [{ unloadAllAaProfile: { enabled: true } }, 'unloadAllAaProfile.enabled (use unloadAllAaProfiles.enabled).'],
      [
        { podServiceEgressControl: { enabled: false } },
        'podServiceEgressControl.enabled (use serviceEgressControl.enabled and podEgressControl.enabled).',
      ],
      [
        { podServiceEgressControl: { enabled: true } },
        'rules about Services are enforced; rules about Pods need podEgressControl.enabled.',
      ],
      [
        { manager: { behaviorModeling: { usePersistentVolume: true } } },
        'manager.behaviorModeling.usePersistentVolume.',
      ],
      [
        { manager: { args: ['--enablePodServiceEgressControl'] } },
        'have no effect in this version: --enablePodServiceEgressControl.',
      ],
    ] as const)
      it(`are named with what is there instead: ${JSON.stringify(given)}`, async () => {
        expect(await notes(given)).to.include(says)
      })

    it('are known to the chart as the releases have them', () => {
      const known = Object.fromEntries(
        Object.keys(usual).map((root) => [
          root,
          Object.fromEntries(
            Object.entries(values)
              .filter(([path]) => path === root || path.startsWith(`${root}.`))
              .map(([path, spans]) => [
                path,
                [...new Set(spans.map(({ value }) => JSON.stringify(value)))].map((value) => JSON.parse(value)),
              ]),
          ),
        ]),
      )
      expect(usual).to.deep.equal(known)
    })

    for (const [title, given, says] of [
      ['where no registry is named', { image: { registry: '', namespace: 'varmor' } }, /image\.registry is empty/],
      [
        'where nothing but a namespace is named',
        { image: { registry: '', namespace: 'acme' } },
        /image\.registry is empty/,
      ],
      ['with a values file of upstream', { ...valuesOf('0.9.1') }, /image\.registry is empty/],
      ['of Docker Hub', { image: { registry: 'docker.io', namespace: 'varmor' } }, /image of bytedance\/vArmor/],
      [
        'of Docker Hub by another name',
        { image: { registry: 'index.docker.io/varmor' } },
        /image of bytedance\/vArmor/,
      ],
      [
        "of upstream's registry",
        { image: { registry: 'elkeid-ap-southeast-1.cr.volces.com', namespace: 'varmor' } },
        /image of bytedance\/vArmor/,
      ],
      [
        "of upstream's registry, by a digest",
        {
          image: { registry: 'elkeid-cn-beijing.cr.volces.com', namespace: 'varmor' },
          manager: byDigest,
          agent: byDigest,
        },
        /image of bytedance\/vArmor/,
      ],
      [
        'where the managers alone have a digest',
        { image: { registry: '' }, manager: byDigest },
        /agent\.image\.digest/,
      ],
    ] as const)
      it(`do not have nodes run upstream's image: ${title}, the chart says what to set`, async () => {
        const { status, stderr } = await helm().run(['template', 'varmor', chart], given)
        expect(status).not.to.equal(0)
        expect(stderr).to.match(says).and.to.include('--set image.registry=ghcr.io/acme,image.namespace=')
      })

    for (const [given, image] of [
      [{ image: { registry: '', namespace: 'acme' }, manager: byDigest, agent: byDigest }, `acme/varmor@${digest}`],
      [{ image: { registry: 'docker.io', namespace: 'acme' } }, `docker.io/acme/varmor:${version}`],
      [{ image: { registry: 'ghcr.io', namespace: 'varmor' } }, `ghcr.io/varmor/varmor:${version}`],
    ] as const)
      it(`may name ${image}`, async () => {
        const pods = (await helm().template(given)).flatMap(({ kind, spec }) =>
          ['Deployment', 'DaemonSet', 'Job'].includes(kind)
            ? (spec as { template: { spec: { containers: { image: string }[] } } }).template.spec.containers
            : [],
        )
        expect(pods.map((container) => container.image)).to.deep.equal([image, image, image])
      })
  })
