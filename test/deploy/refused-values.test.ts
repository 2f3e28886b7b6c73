import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { chart } from '../cluster/helm/helm.ts'
import { describeHelm } from './describe-helm.ts'

const folder = (folder: string): object => ({ agent: { violations: { folder } } })
const capabilities = (...add: string[]): object => ({ agent: { securityContext: { capabilities: { add } } } })
const dropped = (...drop: string[]): object => ({ agent: { securityContext: { capabilities: { drop } } } })
const shipper = { enabled: true, image: 'i', receiver: { host: 'h' } }
const digits63 = '1'.repeat(63)

/** A refused value, its path, and values that are accepted there. */
const rows: { at: string; refused: object[]; taken: object[] }[] = [
  {
    at: 'image/tag',
    refused: [{ manager: { image: { tag: 20_261_201 } } }, { agent: { image: { tag: 1.1 } } }],
    taken: [{ manager: { image: { tag: '20261201' } }, agent: { image: { tag: '1.10' } } }],
  },
  {
    at: 'violations/folder',
    refused: [
      ...['/', 'log', '/var/log/', '/var//log', '/data/my logs', '/data/a"b', '/data/*', '/data/..', '/data/./a'],
      ...['/var/log', '/run/containerd', '/run/crio', '/run/containerd/a', '/var/run/nri', '/sys/kernel/security'],
      ...['/etc', '/usr', '/proc', '/sys', '/dev', '/var', '/run', '/lib', '/proc/1', '/dev/shm', '/usr/lib/varmor'],
      ...['/var/lib', '/var/lib/kubelet', '/var/lib/kubelet/seccomp', '/var/cache/apparmor', '/host/apparmor.d'],
      ...['/etc/varmor-shipper', '/var/lib/varmor-shipper', '/etc/apparmor.d'],
    ].map(folder),
    taken: ['/var/log/varmor', '/data', '/data/..logs', '/var/lib/varmor', '/run/varmor', '/srv/logs/v1.2_a-b'].map(
      folder,
    ),
  },
  {
    at: 'capabilities/add',
    refused: [capabilities('CAP_SYS_ADMIN'), capabilities('cap_bpf'), capabilities('SYS_ADMIN,'), capabilities('')],
    taken: [capabilities('SYS_ADMIN', 'ALL', 'checkpoint_restore'), capabilities()],
  },
  { at: 'capabilities/drop', refused: [dropped('CAP_NET_RAW')], taken: [dropped('NET_RAW', 'ALL')] },
  {
    at: 'agent/name',
    refused: [
      { agent: { name: 'shipper', shipper } },
      ...['', 'Agent', 'a_b', 'a.b', '-a', 'a-', `${digits63}1`].map((name) => ({ agent: { name } })),
    ],
    taken: [{ agent: { name: 'shipper' } }, { agent: { name: digits63 } }, { agent: { name: 'b-1', shipper } }],
  },
  {
    at: 'manager/name',
    refused: ['', 'Manager', 'a b', `${digits63}1`].map((name) => ({ manager: { name } })),
    taken: [{ manager: { name: 'controller' } }],
  },
  {
    at: 'nameOverride',
    refused: ['a b', '-a', 'a/b', 'a.', `${digits63}1`].map((nameOverride) => ({ nameOverride })),
    taken: ['', 'Armor_1.x', digits63].map((nameOverride) => ({ nameOverride })),
  },
  {
    at: 'forceNamespace',
    refused: ['', 'A', null].map((namespace) => ({ forceNamespace: { enabled: true, namespace } })),
    taken: [
      { forceNamespace: { enabled: true, namespace: 'security' } },
      { forceNamespace: { enabled: false, namespace: '' } },
    ],
  },
  {
    at: 'manager/shutdownDelaySeconds',
    refused: [-1, 1.5, 601, '10s'].map((shutdownDelaySeconds) => ({ manager: { shutdownDelaySeconds } })),
    taken: [0, 600].map((shutdownDelaySeconds) => ({ manager: { shutdownDelaySeconds } })),
  },
  {
    at: 'clientCA/names/0',
    refused: ['a,b', '', 'a b'].map((name) => ({ manager: { webhook: { clientCA: { names: [name] } } } })),
    taken: [{ manager: { webhook: { clientCA: { configMapName: 'c', names: ['system:apiserver'] } } } }],
  },
  ...['apiServerCIDRs', 'agentCIDRs'].map((at) => {
    const cidrs = (cidr: string): object => ({ networkPolicies: { enabled: true, [at]: [cidr] } })
    return {
      at,
      refused: ['10.0.0.0/33', '10.0.0/8', '10.0.0.256/32', '10.0.0.1', 'fd00::/129', 'fd00/8', '10.0.0.0/08'].map(
        cidrs,
      ),
      taken: ['0.0.0.0/0', '10.255.0.1/32', '::/0', 'fd00::/8', '::ffff:10.0.0.0/128'].map(cidrs),
    }
  }),
  {
    at: 'imagePullSecrets/0',
    refused: ['own', { nam: 'own' }, { name: '' }, { name: 'own', namespace: 'x' }].map((one) => ({
      imagePullSecrets: [one],
    })),
    taken: [{ imagePullSecrets: [{ name: 'own' }] }],
  },
  ...['appArmorLsmEnforcer', 'bpfLsmEnforcer'].map((at) => ({
    at,
    refused: ['resource', 'enabled', 'volume'].map((key) => ({ agent: { [at]: { [key]: {} } } })),
    taken: [{ agent: { [at]: { resources: {}, volumes: [], volumeMounts: [] } } }],
  })),
]

for (const major of [4, 3] as const) {
  describeHelm(major, `Values of the chart, as Helm ${major} judges them`, (helm) => {
    const refusal = 'specifications of the schema'
    // The schema checks the values before Helm renders any template.
    const tried = (values: object) =>
      helm().run(['template', 'varmor', chart, '--show-only', 'templates/pull-secret.yaml'], values)
    for (const { at, refused, taken } of rows)
      it(`refuse at ${at} what no cluster takes, and name the place`, async () => {
        for (const values of refused) {
          const { status, stderr } = await tried(values)
          expect(status, JSON.stringify(values)).not.to.equal(0)
          expect(stderr, JSON.stringify(values))
            .to.match(new RegExp(`/${at}\\b`))
            .and.to.include(refusal)
        }
        for (const values of taken) {
          const { stderr } = await tried(values)
          // The Secret does not exist by default.
          expect(stderr, JSON.stringify(values)).not.to.include(refusal)
        }
      })
  })
}

describe('The comments of values.yaml', () => {
  it('say that a tag of digits needs quotes', () => {
    const [, comment] = /(#.*)\n *tag: ""/.exec(readFileSync(join(chart, 'values.yaml'), 'utf8'))!
    expect(comment).to.match(/Quote a tag that has only digits; .* use --set-string/)
  })
})
