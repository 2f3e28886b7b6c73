import type { FieldError } from '../../src/api/field-error.ts'
import {
  bpf,
  defense,
  destination,
  egress,
  enhance,
  file,
  httpRule,
  network,
  policyWith,
  proxy,
  rawRules,
  target,
} from './sample-policies.ts'

interface Row {
  policy: unknown
  errors: (Partial<FieldError> & Pick<FieldError, 'code' | 'path'>)[]
}

const label = '"!!"'
export const invalid: Record<string, Row> = {
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
  'defence in depth without its section': {
    policy: policyWith({ mode: 'DefenseInDepth', enforcer: 'BPF' }),
    errors: [{ code: 'REQUIRED', path: 'spec.policy.defenseInDepth' }],
  },
  'defence in depth without the list of what BPF allows': {
    policy: defense('AppArmorBPF', { appArmor: { profileType: 'BehaviorModel' } }),
    errors: [{ code: 'REQUIRED', path: 'spec.policy.defenseInDepth.bpf' }],
  },
  'a list of one’s own that is not there': {
    policy: defense('BPF', { bpf: { profileType: 'Custom' } }),
    errors: [{ code: 'REQUIRED', path: 'spec.policy.defenseInDepth.bpf.allow' }],
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
      {
        code: 'BAD_ADDRESS',
        path: `${egress}.toDestinations[0].ip`,
        problem: 'this is a CIDR block; write it in cidr',
      },
      {
        code: 'BAD_ADDRESS',
        path: `${egress}.toDestinations[1].cidr`,
        problem: 'this is a single address; write it in ip',
      },
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
