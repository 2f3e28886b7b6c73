import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { parse } from 'yaml'
import type { FieldError } from '../../src/api/field-error.ts'
import { validatePolicy, validatePolicyUpdate } from '../../src/api/validate.ts'

type Json = { [field: string]: unknown }

/** A valid policy with `policy` put over `spec.policy`, and `more` over the whole. */
function policyWith(policy: Json = {}, more: Json = {}): Json {
  return {
    apiVersion: 'crd.varmor.org/v1beta1',
    kind: 'VarmorPolicy',
    metadata: { name: 'web', namespace: 'demo' },
    spec: {
      target: { kind: 'Deployment', name: 'web' },
      policy: { enforcer: 'AppArmorBPFSeccomp', mode: 'AlwaysAllow', ...policy },
    },
    ...more,
  }
}

const enhance = (enhanceProtect: Json) => policyWith({ mode: 'EnhanceProtect', enhanceProtect })
const bpf = (bpfRawRules: Json) => enhance({ bpfRawRules })
const network = (rules: Json) => bpf({ network: rules })
const destination = (fields: Json) => network({ egress: { toDestinations: [{ qualifiers: ['deny'], ...fields }] } })
const proxy = (networkProxyConfig: Json) => policyWith({ enforcer: 'NetworkProxy', networkProxyConfig })
const defense = (enforcer: string, defenseInDepth: Json) =>
  policyWith({ enforcer, mode: 'DefenseInDepth', defenseInDepth })
const target = (fields: Json) =>
  policyWith({}, { spec: { target: fields, policy: { enforcer: 'BPF', mode: 'AlwaysAllow' } } })
const httpRule = (rule: Json) =>
  enhance({
    networkProxyRawRules: { egress: { defaultAction: 'deny', httpRules: [{ qualifiers: ['allow'], ...rule }] } },
  })

const rawRules = 'spec.policy.enhanceProtect.bpfRawRules'
const egress = `${rawRules}.network.egress`
const file = { qualifiers: ['deny'], pattern: '/srv/**', permissions: ['read'] }

const valid: [what: string, policy: Json][] = [
  ['a namespace is not needed', policyWith({}, { metadata: { name: 'web' } })],
  ['enforcers in any order and case', policyWith({ enforcer: 'bpfSECCOMPapparmor' })],
  ['raw rules with short forms, in any case', bpf({ files: [{ ...file, permissions: ['R', '*', 'Append', 'e'] }] })],
  [
    'R is rbind, r is ro',
    bpf({ mounts: [{ qualifiers: ['deny'], sourcePattern: '**', fstype: '*', flags: ['R', 'r', 'B', 'RO'] }] }),
  ],
  ['a pattern of 4,096 bytes', bpf({ files: [{ ...file, pattern: `/${'a'.repeat(4095)}` }] })],
  ['an address with ports', destination({ ip: '::ffff:192.0.2.1', ports: [{ port: 1, endPort: 65_535 }] })],
  ['bits of a block beyond its prefix', destination({ cidr: '192.0.2.1/24' })],
  [
    'each special address',
    network({
      egress: { toDestinations: ['pod-self', 'unspecified', 'localhost'].map((ip) => ({ qualifiers: ['audit'], ip })) },
    }),
  ],
  [
    'services of all namespaces',
    network({ egress: { toServices: [{ qualifiers: ['deny'], namespace: '', serviceSelector: {} }] } }),
  ],
  [
    'quantities as numbers and texts',
    proxy({ resources: { requests: { cpu: '0.2' }, limits: { cpu: '1e3', memory: '1Gi' } } }),
  ],
  [
    'everything that Kubernetes puts into metadata',
    policyWith(
      {},
      { metadata: { name: 'a', uid: 'u', managedFields: [{}], ownerReferences: [], creationTimestamp: null } },
    ),
  ],
  ['a cluster policy', policyWith({}, { kind: 'VarmorClusterPolicy' })],
]

interface Row {
  policy: unknown
  errors: (Partial<FieldError> & Pick<FieldError, 'code' | 'path'>)[]
}

const label = '"!!"'
const invalid: Record<string, Row> = {
  'no object': { policy: 'kind: VarmorPolicy', errors: [{ code: 'UNPARSABLE', path: '' }] },
  'a kind of someone else': {
    policy: policyWith({}, { kind: 'Deployment' }),
    errors: [{ code: 'NOT_ALLOWED', path: 'kind' }],
  },
  'a kind in another case': {
    policy: policyWith({}, { kind: 'varmorpolicy' }),
    errors: [{ code: 'NOT_ALLOWED', path: 'kind', given: 'varmorpolicy', nearest: 'VarmorPolicy' }],
  },
  'another version': {
    policy: policyWith({}, { apiVersion: 'crd.varmor.org/v1' }),
    errors: [{ code: 'NOT_ALLOWED', path: 'apiVersion', allowed: 'crd.varmor.org/v1beta1' }],
  },
  'no name': { policy: policyWith({}, { metadata: {} }), errors: [{ code: 'REQUIRED', path: 'metadata.name' }] },
  'a name that Kubernetes does not take': {
    policy: policyWith({}, { metadata: { name: 'My_Policy' } }),
    errors: [{ code: 'NOT_ALLOWED', path: 'metadata.name', given: 'My_Policy' }],
  },
  'a mistyped metadata field': {
    policy: policyWith({}, { metadata: { name: 'web', namespce: 'demo' } }),
    errors: [{ code: 'UNKNOWN_FIELD', path: 'metadata.namespce', nearest: 'namespace' }],
  },
  'a mode in another case': {
    policy: policyWith({ mode: 'enhanceprotect' }),
    errors: [{ code: 'NOT_ALLOWED', path: 'spec.policy.mode', given: 'enhanceprotect', nearest: 'EnhanceProtect' }],
  },
  'an enforcer with a typing error': {
    policy: policyWith({ enforcer: 'BPFApArmor' }),
    errors: [{ code: 'NOT_ALLOWED', path: 'spec.policy.enforcer', given: 'BPFApArmor', nearest: 'AppArmor' }],
  },
  'no enforcer': {
    policy: policyWith({ enforcer: '' }),
    errors: [{ code: 'NOT_ALLOWED', path: 'spec.policy.enforcer' }],
  },
  'a target kind': {
    policy: target({ kind: 'Deploymnt', name: 'web' }),
    errors: [
      {
        code: 'NOT_ALLOWED',
        path: 'spec.target.kind',
        nearest: 'Deployment',
        allowed: 'Deployment, StatefulSet, DaemonSet, Pod',
      },
    ],
  },
  'neither name nor selector': { policy: target({ kind: 'Pod' }), errors: [{ code: 'CONFLICT', path: 'spec.target' }] },
  'name and selector': {
    policy: target({ kind: 'Pod', name: 'a', selector: {} }),
    errors: [{ code: 'CONFLICT', path: 'spec.target' }],
  },
  'an operator without values, a bad key and a bad value': {
    policy: target({
      kind: 'Pod',
      selector: {
        matchLabels: { '!!': 'a b' },
        matchExpressions: [
          { key: 'app', operator: 'In' },
          { key: 'app', operator: 'exists', values: [] },
        ],
      },
    }),
    errors: [
      { code: 'NOT_ALLOWED', path: `spec.target.selector.matchLabels[${label}]`, given: '!!' },
      { code: 'NOT_ALLOWED', path: `spec.target.selector.matchLabels[${label}]`, given: 'a b' },
      { code: 'NOT_ALLOWED', path: 'spec.target.selector.matchExpressions[1].operator', nearest: 'Exists' },
      { code: 'CONFLICT', path: 'spec.target.selector.matchExpressions[0].values' },
    ],
  },
  'values where none may be': {
    policy: target({
      kind: 'Pod',
      selector: { matchExpressions: [{ key: 'app', operator: 'Exists', values: ['a'] }] },
    }),
    errors: [{ code: 'CONFLICT', path: 'spec.target.selector.matchExpressions[0].values' }],
  },
  'a mode without its section': {
    policy: policyWith({ mode: 'EnhanceProtect' }),
    errors: [{ code: 'REQUIRED', path: 'spec.policy.enhanceProtect' }],
  },
  'modelling without its options, and with the proxy': {
    policy: policyWith({ mode: 'BehaviorModeling', enforcer: 'NetworkProxy' }),
    errors: [
      { code: 'REQUIRED', path: 'spec.policy.modelingOptions' },
      { code: 'CONFLICT', path: 'spec.policy.enforcer', given: 'NetworkProxy' },
    ],
  },
  'modelling for no time': {
    policy: policyWith({ mode: 'BehaviorModeling', modelingOptions: { duration: 0 } }),
    errors: [{ code: 'NOT_ALLOWED', path: 'spec.policy.modelingOptions.duration', given: 0, allowed: '1 to 5256000' }],
  },
  'defence in depth with BPF and without its section': {
    policy: policyWith({ mode: 'DefenseInDepth', enforcer: 'BPF' }),
    errors: [
      { code: 'REQUIRED', path: 'spec.policy.defenseInDepth' },
      { code: 'CONFLICT', path: 'spec.policy.enforcer' },
    ],
  },
  'defence in depth without the profile of an enforcer': {
    policy: defense('AppArmorSeccomp', { seccomp: { profileType: 'BehaviorModel' } }),
    errors: [{ code: 'REQUIRED', path: 'spec.policy.defenseInDepth.appArmor' }],
  },
  'a custom profile that is not there': {
    policy: defense('Seccomp', { seccomp: { profileType: 'Custom', customProfile: '' } }),
    errors: [{ code: 'REQUIRED', path: 'spec.policy.defenseInDepth.seccomp.customProfile' }],
  },
  'unknown fields, with the nearest name': {
    policy: enhance({ hardeningRule: [], bpfRawRules: { network: { egresses: {} } } }),
    errors: [
      { code: 'UNKNOWN_FIELD', path: 'spec.policy.enhanceProtect.hardeningRule', nearest: 'hardeningRules' },
      { code: 'UNKNOWN_FIELD', path: `${rawRules}.network.egresses`, nearest: 'egress' },
    ],
  },
  'wrong types': {
    policy: enhance({ privileged: 'yes', hardeningRules: 'disallow-mount', vulMitigationRules: null, bpfRawRules: [] }),
    errors: [
      { code: 'WRONG_TYPE', path: 'spec.policy.enhanceProtect.privileged', given: 'yes', allowed: 'true or false' },
      { code: 'WRONG_TYPE', path: 'spec.policy.enhanceProtect.hardeningRules', allowed: 'a list' },
      {
        code: 'WRONG_TYPE',
        path: 'spec.policy.enhanceProtect.vulMitigationRules',
        problem: 'this is empty (null); leave the field out',
      },
      { code: 'WRONG_TYPE', path: rawRules, problem: 'this is a list' },
    ],
  },
  'permissions and qualifiers': {
    policy: bpf({ files: [{ qualifiers: ['denny'], pattern: '', permissions: ['reed', 'rw'] }, { pattern: '/a' }] }),
    errors: [
      { code: 'NOT_ALLOWED', path: `${rawRules}.files[0].qualifiers[0]`, given: 'denny', nearest: 'deny' },
      { code: 'NOT_ALLOWED', path: `${rawRules}.files[0].pattern` },
      { code: 'NOT_ALLOWED', path: `${rawRules}.files[0].permissions[0]`, nearest: 'read' },
      { code: 'NOT_ALLOWED', path: `${rawRules}.files[0].permissions[1]`, given: 'rw' },
      { code: 'REQUIRED', path: `${rawRules}.files[1].permissions` },
    ],
  },
  'a pattern of too many bytes, though not characters': {
    policy: bpf({ files: [{ ...file, pattern: `/${'ü'.repeat(2048)}` }] }),
    errors: [
      {
        code: 'TOO_LONG',
        path: `${rawRules}.files[0].pattern`,
        problem: 'this is 4097 bytes long',
        allowed: 'at most 4096 bytes',
      },
    ],
  },
  'a flag b, which is no short form of bind': {
    policy: bpf({
      mounts: [{ qualifiers: ['deny'], sourcePattern: '/a', fstype: 'x'.repeat(16), flags: ['b', 'make-rshard'] }],
    }),
    errors: [
      { code: 'TOO_LONG', path: `${rawRules}.mounts[0].fstype` },
      { code: 'NOT_ALLOWED', path: `${rawRules}.mounts[0].flags[0]`, given: 'b' },
      { code: 'NOT_ALLOWED', path: `${rawRules}.mounts[0].flags[1]`, nearest: 'make-rshared' },
    ],
  },
  'sockets of both a type and a protocol, of a family that is not there, and of nothing': {
    policy: network({
      sockets: [
        { qualifiers: ['deny'], types: ['raw'], protocols: ['udp'] },
        { qualifiers: ['deny'], domains: ['inet5'] },
        { qualifiers: ['deny'], domains: [] },
      ],
    }),
    errors: [
      { code: 'NOT_ALLOWED', path: `${rawRules}.network.sockets[1].domains[0]`, nearest: 'inet' },
      { code: 'CONFLICT', path: `${rawRules}.network.sockets[0]` },
      { code: 'REQUIRED', path: `${rawRules}.network.sockets[2]` },
    ],
  },
  'an address with a zone': {
    policy: destination({ ip: 'fe80::1%eth0' }),
    errors: [{ code: 'BAD_ADDRESS', path: `${egress}.toDestinations[0].ip`, given: 'fe80::1%eth0' }],
  },
  'a mistyped special address': {
    policy: destination({ ip: 'pod_self' }),
    errors: [{ code: 'BAD_ADDRESS', path: `${egress}.toDestinations[0].ip`, nearest: 'pod-self' }],
  },
  'a block where an address belongs, and the other way': {
    policy: network({
      egress: {
        toDestinations: [
          { qualifiers: ['deny'], ip: '10.0.0.0/8' },
          { qualifiers: ['deny'], cidr: '10.0.0.1' },
        ],
      },
    }),
    errors: [
      { code: 'BAD_ADDRESS', path: `${egress}.toDestinations[0].ip`, problem: 'a block of addresses belongs in cidr' },
      { code: 'BAD_ADDRESS', path: `${egress}.toDestinations[1].cidr`, problem: 'a single address belongs in ip' },
    ],
  },
  'an empty address, which would mean all of them': {
    policy: destination({ ip: '' }),
    errors: [{ code: 'BAD_ADDRESS', path: `${egress}.toDestinations[0].ip` }],
  },
  'ip and cidr': {
    policy: destination({ ip: '10.0.0.1', cidr: '10.0.0.0/8' }),
    errors: [{ code: 'CONFLICT', path: `${egress}.toDestinations[0]` }],
  },
  'a destination that is nowhere': {
    policy: destination({ ports: [] }),
    errors: [{ code: 'REQUIRED', path: `${egress}.toDestinations[0]` }],
  },
  'ports out of range and out of order': {
    policy: destination({
      ports: [{ port: 0 }, { port: 65_536 }, { port: 80, endPort: 79 }, { port: '80' }, { port: 1.5 }],
    }),
    errors: [
      { code: 'BAD_ADDRESS', path: `${egress}.toDestinations[0].ports[0].port`, given: 0, allowed: '1 to 65535' },
      { code: 'BAD_ADDRESS', path: `${egress}.toDestinations[0].ports[1].port` },
      { code: 'WRONG_TYPE', path: `${egress}.toDestinations[0].ports[3].port`, given: '80' },
      { code: 'WRONG_TYPE', path: `${egress}.toDestinations[0].ports[4].port` },
      { code: 'BAD_ADDRESS', path: `${egress}.toDestinations[0].ports[2].endPort`, given: 79 },
    ],
  },
  'a service without a namespace, or by name and by label': {
    policy: network({
      egress: {
        toServices: [
          { qualifiers: ['deny'], name: 'web' },
          { qualifiers: ['deny'], name: 'web', namespace: 'demo', serviceSelector: {} },
        ],
      },
    }),
    errors: [
      { code: 'CONFLICT', path: `${egress}.toServices[0]` },
      { code: 'CONFLICT', path: `${egress}.toServices[1]` },
    ],
  },
  'programs that no kernel path can be': {
    policy: enhance({
      attackProtectionRules: [
        { rules: ['disable-shell'], targets: ['sh', '/bin/*', '/bin/../sh', '/bin/', '/a\nb', '/bin//sh', '/{a,b}'] },
      ],
    }),
    errors: [0, 1, 2, 3, 4, 5, 6].map((i) => ({
      code: 'BAD_PATTERN',
      path: `spec.policy.enhanceProtect.attackProtectionRules[0].targets[${i}]`,
    })),
  },
  'half of a surrogate pair': {
    policy: enhance({ hardeningRules: ['\ud800'] }),
    errors: [{ code: 'NOT_ALLOWED', path: 'spec.policy.enhanceProtect.hardeningRules[0]' }],
  },
  'seccomp actions, operators and numbers': {
    policy: enhance({
      syscallRawRules: [
        { names: [], action: 'SCMP_ACT_ERRN', args: [{ index: 6, value: 2 ** 53, op: 'SCMP_CMP_EQUAL' }] },
        { names: ['open'], action: 'ALLOW' },
      ],
    }),
    errors: [
      { code: 'NOT_ALLOWED', path: 'spec.policy.enhanceProtect.syscallRawRules[0].names' },
      { code: 'NOT_ALLOWED', path: 'spec.policy.enhanceProtect.syscallRawRules[0].action', nearest: 'SCMP_ACT_ERRNO' },
      { code: 'NOT_ALLOWED', path: 'spec.policy.enhanceProtect.syscallRawRules[0].args[0].index' },
      { code: 'NOT_ALLOWED', path: 'spec.policy.enhanceProtect.syscallRawRules[0].args[0].value' },
      { code: 'NOT_ALLOWED', path: 'spec.policy.enhanceProtect.syscallRawRules[0].args[0].op', nearest: 'SCMP_CMP_EQ' },
      { code: 'NOT_ALLOWED', path: 'spec.policy.enhanceProtect.syscallRawRules[1].action', given: 'ALLOW' },
    ],
  },
  'a request above its limit, or above the default': {
    policy: proxy({ resources: { requests: { cpu: '600m', memory: '1Gi' }, limits: { memory: '1.5Gi' } } }),
    errors: [{ code: 'CONFLICT', path: 'spec.policy.networkProxyConfig.resources' }],
  },
  'a resource and a quantity that are none': {
    policy: proxy({ resources: { requests: { cpu: 0.2 }, limits: { memroy: '1Gi', cpu: '1 core', memory: true } } }),
    errors: [
      { code: 'WRONG_TYPE', path: 'spec.policy.networkProxyConfig.resources.requests.cpu', given: 0.2 },
      { code: 'NOT_ALLOWED', path: 'spec.policy.networkProxyConfig.resources.limits.memroy', nearest: 'memory' },
      { code: 'NOT_ALLOWED', path: 'spec.policy.networkProxyConfig.resources.limits.cpu', given: '1 core' },
      { code: 'WRONG_TYPE', path: 'spec.policy.networkProxyConfig.resources.limits.memory' },
    ],
  },
  'proxy ports that are the same, one by default': {
    policy: proxy({ proxyAdminPort: 15_001 }),
    errors: [{ code: 'CONFLICT', path: 'spec.policy.networkProxyConfig.proxyPort' }],
  },
  'headers for a domain that is not opened, twice given, or without a value': {
    policy: proxy({
      mitm: {
        domains: ['a.example', 'a.example'],
        headerMutations: [
          {
            domain: 'b.example',
            headers: [{ name: 'A' }, { name: 'Host', value: 'b' }, { name: 'A', value: 'x\r\ny' }],
          },
        ],
      },
    }),
    errors: [
      { code: 'CONFLICT', path: 'spec.policy.networkProxyConfig.mitm.domains[1]', given: 'a.example' },
      { code: 'NOT_ALLOWED', path: 'spec.policy.networkProxyConfig.mitm.headerMutations[0].headers[2].value' },
      { code: 'CONFLICT', path: 'spec.policy.networkProxyConfig.mitm.headerMutations[0].headers[0]' },
      {
        code: 'NOT_ALLOWED',
        path: 'spec.policy.networkProxyConfig.mitm.headerMutations[0].headers[1].name',
        given: 'Host',
      },
    ],
  },
  'a header for another domain': {
    policy: proxy({
      mitm: {
        domains: ['a.example'],
        headerMutations: [{ domain: 'b.example', headers: [{ name: 'A', value: 'b' }] }],
      },
    }),
    errors: [{ code: 'CONFLICT', path: 'spec.policy.networkProxyConfig.mitm.headerMutations' }],
  },
  'HTTP rules that match nothing, or contradict themselves': {
    policy: httpRule({ qualifiers: ['Allow', 'deny'], match: { paths: [{}, { exact: 'a' }] } }),
    errors: [
      {
        code: 'NOT_ALLOWED',
        path: 'spec.policy.enhanceProtect.networkProxyRawRules.egress.httpRules[0].match.paths[1].exact',
      },
      { code: 'CONFLICT', path: 'spec.policy.enhanceProtect.networkProxyRawRules.egress.httpRules[0].qualifiers' },
      { code: 'CONFLICT', path: 'spec.policy.enhanceProtect.networkProxyRawRules.egress.httpRules[0].match.paths[0]' },
    ],
  },
  'hosts that would leave their quotes': {
    policy: httpRule({ match: { hosts: ['a"b', 'a.*.b', 'a\\n', '*.example.com'] } }),
    errors: [0, 1, 2].map((i) => ({
      code: 'NOT_ALLOWED',
      path: `spec.policy.enhanceProtect.networkProxyRawRules.egress.httpRules[0].match.hosts[${i}]`,
    })),
  },
  'a default action that would open all': {
    policy: enhance({ networkProxyRawRules: { egress: { defaultAction: 'denny' } } }),
    errors: [
      {
        code: 'NOT_ALLOWED',
        path: 'spec.policy.enhanceProtect.networkProxyRawRules.egress.defaultAction',
        nearest: 'deny',
      },
    ],
  },
}

describe('validatePolicy', () => {
  for (const [what, policy] of valid) {
    it(`takes ${what}`, () => expect(validatePolicy(policy)).to.deep.equal([]))
  }

  for (const [what, { policy, errors }] of Object.entries(invalid)) {
    it(`refuses ${what}`, () => {
      const found = validatePolicy(policy)
      const asked = found.map((error, i) =>
        Object.fromEntries(Object.keys(errors[i] ?? error).map((key) => [key, error[key as keyof FieldError]])),
      )
      expect(asked).to.deep.equal(errors)
    })
  }

  it('tells by how many bytes a name is too long', () => {
    const named = (kind: string, length: number) =>
      policyWith({}, { kind, metadata: { name: 'a'.repeat(length), namespace: 'demo' } })
    expect(validatePolicy(named('VarmorPolicy', 51))).to.be.empty
    const [error] = validatePolicy(named('VarmorPolicy', 53))
    expect(error).to.include({ code: 'TOO_LONG', path: 'metadata.name' })
    expect(error?.problem).to.include('shorten the name by 2 bytes')
    expect(validatePolicy(named('VarmorClusterPolicy', 41))).to.be.empty
    expect(validatePolicy(named('VarmorClusterPolicy', 41), { installNamespace: 'security' })).to.have.lengthOf(1)
  })

  it('tells of mistakes in the order of the document', () => {
    const paths = validatePolicy(policyWith({ mode: 'x', enforcer: 'y' }, { metadata: { name: '-' } })).map(
      ({ path }) => path,
    )
    expect(paths).to.deep.equal(['metadata.name', 'spec.policy.enforcer', 'spec.policy.mode'])
  })

  const folder = new URL('../fixtures/policies/', import.meta.url)
  for (const name of readdirSync(folder)) {
    it(`takes the example ${name}`, () => {
      expect(validatePolicy(parse(readFileSync(new URL(name, folder), 'utf8')))).to.deep.equal([])
    })
  }
})

const modeling = (phase: string) =>
  policyWith(
    { mode: 'BehaviorModeling', enforcer: 'AppArmor', modelingOptions: { duration: 3 } },
    { status: { profileName: 'p', ready: true, phase } },
  )

const updates: { what: string; before: Json; after: Json; errors: string[] }[] = [
  { what: 'no change', before: policyWith(), after: policyWith(), errors: [] },
  {
    what: 'a target in another order of fields',
    before: target({ kind: 'Pod', name: 'a' }),
    after: target({ name: 'a', kind: 'Pod' }),
    errors: [],
  },
  {
    what: 'another target',
    before: target({ kind: 'Pod', name: 'a' }),
    after: target({ kind: 'Pod', name: 'b' }),
    errors: ['IMMUTABLE spec.target'],
  },
  {
    what: 'more enforcers',
    before: policyWith({ enforcer: 'BPF' }),
    after: policyWith({ enforcer: 'seccompbpf' }),
    errors: [],
  },
  {
    what: 'BPF taken away',
    before: policyWith({ enforcer: 'AppArmorBPF' }),
    after: policyWith({ enforcer: 'AppArmor' }),
    errors: [],
  },
  {
    what: 'all others taken away',
    before: policyWith({ enforcer: 'AppArmorSeccompNetworkProxy' }),
    after: policyWith({ enforcer: 'BPF' }),
    errors: ['IMMUTABLE spec.policy.enforcer', 'IMMUTABLE spec.policy.enforcer', 'IMMUTABLE spec.policy.enforcer'],
  },
  {
    what: 'leaving modelling early',
    before: modeling('Modeling'),
    after: policyWith({ enforcer: 'AppArmor' }),
    errors: ['IMMUTABLE spec.policy.mode'],
  },
  {
    what: 'leaving modelling when it is done',
    before: modeling('Completed'),
    after: policyWith({ enforcer: 'AppArmor' }),
    errors: [],
  },
  {
    what: 'an enforcer added while modelling',
    before: modeling('Modeling'),
    after: policyWith({ mode: 'BehaviorModeling', enforcer: 'AppArmorBPF', modelingOptions: { duration: 3 } }),
    errors: ['IMMUTABLE spec.policy.enforcer'],
  },
  {
    what: 'a proxy port',
    before: proxy({ proxyPort: 16_000 }),
    after: proxy({ proxyPort: 16_001 }),
    errors: ['IMMUTABLE spec.policy.networkProxyConfig.proxyPort'],
  },
  {
    what: 'a proxy port that was the default, written out',
    before: proxy({}),
    after: proxy({ proxyPort: 15_001 }),
    errors: [],
  },
  {
    what: 'a proxy port taken away with the whole section',
    before: proxy({ proxyUID: 2000 }),
    after: policyWith({ enforcer: 'NetworkProxy' }),
    errors: ['IMMUTABLE spec.policy.networkProxyConfig.proxyUID'],
  },
  {
    what: 'a proxy added',
    before: policyWith({ enforcer: 'BPF' }),
    after: policyWith({ enforcer: 'BPFNetworkProxy', networkProxyConfig: { proxyPort: 16_000 } }),
    errors: [],
  },
  {
    what: 'a change to something invalid',
    before: policyWith({ enforcer: 'AppArmor' }),
    after: policyWith({ enforcer: 'BPF', mode: 'x' }),
    errors: ['NOT_ALLOWED spec.policy.mode', 'IMMUTABLE spec.policy.enforcer'],
  },
]

describe('validatePolicyUpdate', () => {
  for (const { what, before, after, errors } of updates) {
    it(`${errors.length === 0 ? 'takes' : 'refuses'} ${what}`, () => {
      expect(validatePolicyUpdate(before, after).map(({ code, path }) => `${code} ${path}`)).to.deep.equal(errors)
    })
  }
})
