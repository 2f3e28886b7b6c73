import { isDeepStrictEqual } from 'node:util'
import { type Enforcer, enforcers, type KernelEnforcer } from './enforcer.ts'
import type { FieldErrorCode } from './field-error.ts'
import { parseQuantity } from './quantity.ts'
import { proxyDefaults } from './schema/network-proxy.ts'
import type { RulePlace } from './schema/node.ts'
import type * as api from './types.ts'
import { asciiLower } from './vocabulary.ts'

/**
 * A rule about several fields of one object, or about a change of the object. Each rule exists twice: in CEL for the
 * API server, and in TypeScript for vArmor. `test/api/rules.test.ts` checks that both versions agree.
 */
export interface Rule<T = unknown> {
  /**
   * The rule in CEL: `self` is the new object, `oldSelf` the old object. If the CEL of Kubernetes 1.25 cannot express
   * the rule, `none` is the reason.
   */
  cel: string | { none: string }
  code: FieldErrorCode
  /** What is wrong and how to correct it. */
  message: string
  /** The field that the error names; undefined if the error is about the whole object. */
  field?: string
  /**
   * Paths of the fields that `check` reads, relative to the object ('' for the whole object). If a field has an error,
   * `check` does not run.
   */
  reads: readonly string[]
  /** Set if the rule is about a change of the object. */
  change?: true
  /** Whether the object obeys the rule. */
  check(self: T, oldSelf: T): boolean
}

const on = <T>(...rules: Rule<T>[]): readonly Rule<T>[] => rules

const names = (enforcerText: string, enforcer: Enforcer): boolean =>
  asciiLower(enforcerText).includes(asciiLower(enforcer))

const celNames = (place: string, enforcer: Enforcer) => `${place}.lowerAscii().contains('${asciiLower(enforcer)}')`

const isModeling = ({ status }: api.VarmorPolicy): boolean => status?.phase === 'Modeling'
const celIsModeling = "has(oldSelf.status) && has(oldSelf.status.phase) && oldSelf.status.phase == 'Modeling'"

const policyObject = on<api.VarmorPolicy>(
  {
    cel: `!(${celIsModeling}) || self.spec.policy.mode == 'BehaviorModeling'`,
    code: 'IMMUTABLE',
    message:
      'the mode cannot be changed before the modelling is complete; to end the modelling early, lower modelingOptions.duration',
    field: 'spec.policy.mode',
    reads: ['spec.policy.mode', 'status.phase'],
    change: true,
    check: (self, old) => !isModeling(old) || self.spec.policy.mode === 'BehaviorModeling',
  },
  {
    cel: `!(${celIsModeling}) || (${enforcers
      .map(
        (name) => `${celNames('self.spec.policy.enforcer', name)} == ${celNames('oldSelf.spec.policy.enforcer', name)}`,
      )
      .join(' && ')})`,
    code: 'IMMUTABLE',
    message: 'the enforcers cannot be changed before the modelling is complete',
    field: 'spec.policy.enforcer',
    reads: ['spec.policy.enforcer', 'status.phase'],
    change: true,
    check: (self, old) =>
      !isModeling(old) ||
      enforcers.every((name) => names(self.spec.policy.enforcer, name) === names(old.spec.policy.enforcer, name)),
  },
)

const target = on<api.Target>(
  {
    cel: "(has(self.name) && self.name != '') != has(self.selector)",
    code: 'CONFLICT',
    message: 'exactly one of name and selector must be given',
    reads: ['name', 'selector'],
    check: ({ name, selector }) => (name !== undefined && name !== '') !== (selector !== undefined),
  },
  {
    cel: 'self == oldSelf',
    code: 'IMMUTABLE',
    message: 'the target cannot be changed; create a new policy for the new target',
    reads: [], // This rule compares any two JSON values.
    change: true,
    check: isDeepStrictEqual,
  },
)

const enforcer = on<string>(
  ...(['AppArmor', 'Seccomp', 'NetworkProxy'] as const).map(
    (name): Rule<string> => ({
      cel: `!${celNames('oldSelf', name)} || ${celNames('self', name)}`,
      code: 'IMMUTABLE',
      message: `${name} cannot be removed from an existing policy; create a new policy without it`,
      reads: [''],
      change: true,
      check: (self, old) => !names(old, name) || names(self, name),
    }),
  ),
)

type Section = 'enhanceProtect' | 'modelingOptions' | 'defenseInDepth'

const needsSection = (mode: api.PolicyMode, section: Section): Rule<api.Policy> => ({
  cel: `self.mode != '${mode}' || has(self.${section})`,
  code: 'REQUIRED',
  message: `${section} is required in the ${mode} mode`,
  field: section,
  reads: ['mode', section],
  check: (self) => self.mode !== mode || self[section] !== undefined,
})

const excludes = (mode: api.PolicyMode, name: Enforcer): Rule<api.Policy> => ({
  cel: `self.mode != '${mode}' || !${celNames('self.enforcer', name)}`,
  code: 'CONFLICT',
  message: `the ${name} enforcer does not support the ${mode} mode`,
  field: 'enforcer',
  reads: ['mode', 'enforcer'],
  check: (self) => self.mode !== mode || !names(self.enforcer, name),
})

const needsProfile = (name: KernelEnforcer, section: 'appArmor' | 'seccomp' | 'bpf'): Rule<api.Policy> => ({
  cel: `self.mode != 'DefenseInDepth' || !${celNames('self.enforcer', name)} || !has(self.defenseInDepth) || has(self.defenseInDepth.${section})`,
  code: 'REQUIRED',
  message: `defenseInDepth.${section} is required in the DefenseInDepth mode with the ${name} enforcer`,
  field: `defenseInDepth.${section}`,
  reads: ['mode', 'enforcer', `defenseInDepth.${section}`],
  check: ({ mode, enforcer, defenseInDepth }) =>
    mode !== 'DefenseInDepth' ||
    !names(enforcer, name) ||
    defenseInDepth === undefined ||
    defenseInDepth[section] !== undefined,
})

/** The proxy's ports and user cannot change, because every running pod contains them in its packet filter. */
function keepsProxy(field: keyof typeof proxyDefaults): Rule<api.Policy> {
  const config = (self: string) => `has(${self}.networkProxyConfig) && has(${self}.networkProxyConfig.${field})`
  const cel = (self: string) => `(${config(self)} ? ${self}.networkProxyConfig.${field} : ${proxyDefaults[field]})`
  const value = (self: api.Policy) => self.networkProxyConfig?.[field] ?? proxyDefaults[field]
  return {
    cel: `!has(oldSelf.networkProxyConfig) && !${celNames('oldSelf.enforcer', 'NetworkProxy')} || ${cel('self')} == ${cel('oldSelf')}`,
    code: 'IMMUTABLE',
    message: `${field} cannot be changed, because running pods use it; create a new policy`,
    field: `networkProxyConfig.${field}`,
    reads: ['enforcer', `networkProxyConfig.${field}`],
    change: true,
    check: (self, old) =>
      (old.networkProxyConfig === undefined && !names(old.enforcer, 'NetworkProxy')) || value(self) === value(old),
  }
}

const policy = on<api.Policy>(
  needsSection('EnhanceProtect', 'enhanceProtect'),
  needsSection('BehaviorModeling', 'modelingOptions'),
  needsSection('DefenseInDepth', 'defenseInDepth'),
  needsProfile('AppArmor', 'appArmor'),
  needsProfile('Seccomp', 'seccomp'),
  needsProfile('BPF', 'bpf'),
  excludes('BehaviorModeling', 'NetworkProxy'),
  keepsProxy('proxyUID'),
  keepsProxy('proxyPort'),
  keepsProxy('proxyAdminPort'),
)

/** The rule that a custom profile must be present, for AppArmor and Seccomp. */
const ownProfile = on<api.AppArmorProfile | api.SeccompProfile>({
  cel: "self.profileType != 'Custom' || (has(self.customProfile) && self.customProfile != '')",
  code: 'REQUIRED',
  message: 'customProfile is required if profileType is Custom',
  field: 'customProfile',
  reads: ['profileType', 'customProfile'],
  check: ({ profileType, customProfile }) =>
    profileType !== 'Custom' || (customProfile !== undefined && customProfile !== ''),
})

const bpfProfile = on<api.BpfAllowList>({
  cel: "self.profileType != 'Custom' || has(self.allow)",
  code: 'REQUIRED',
  message: 'allow is required if profileType is Custom',
  field: 'allow',
  reads: ['profileType', 'allow'],
  check: ({ profileType, allow }) => profileType !== 'Custom' || allow !== undefined,
})

// Default resources of the proxy container. With `mitm`, the proxy needs more resources.
const resourceDefaults = {
  plain: { requests: { cpu: '50m', memory: '64Mi' }, limits: { cpu: '500m', memory: '256Mi' } },
  mitm: { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '1', memory: '512Mi' } },
}

function resourcesFit({ mitm, resources }: api.NetworkProxyConfig): boolean {
  const defaults = mitm === undefined ? resourceDefaults.plain : resourceDefaults.mitm
  const requests = Object.entries({ ...defaults.requests, ...resources?.requests })
  const limits = new Map(Object.entries({ ...defaults.limits, ...resources?.limits }))
  return requests.every(([name, request]) => {
    const limit = limits.get(name)
    return limit === undefined || (parseQuantity(request) ?? 0) <= (parseQuantity(limit) ?? 0)
  })
}

const { proxyPort, proxyAdminPort } = proxyDefaults

const networkProxyConfig = on<api.NetworkProxyConfig>(
  {
    cel: `(has(self.proxyPort) ? self.proxyPort : ${proxyPort}) != (has(self.proxyAdminPort) ? self.proxyAdminPort : ${proxyAdminPort})`,
    code: 'CONFLICT',
    message: `proxyPort (default ${proxyPort}) and proxyAdminPort (default ${proxyAdminPort}) must differ`,
    field: 'proxyPort',
    reads: ['proxyPort', 'proxyAdminPort'],
    check: (self) => (self.proxyPort ?? proxyPort) !== (self.proxyAdminPort ?? proxyAdminPort),
  },
  {
    cel: { none: 'comparing quantities needs the quantity library of Kubernetes 1.29' },
    code: 'CONFLICT',
    message:
      'a request must not be above its limit; a missing request or limit has its default: requests 50m and 64Mi (with mitm 100m and 128Mi), limits 500m and 256Mi (with mitm 1 and 512Mi)',
    field: 'resources',
    reads: ['mitm', 'resources'],
    check: resourcesFit,
  },
)

const mitmConfig = on<api.MitmConfig>({
  cel: '!has(self.headerMutations) || self.headerMutations.all(m, m.domain in self.domains)',
  code: 'CONFLICT',
  message: 'the domain of each header mutation must also be in domains, with the same spelling',
  field: 'headerMutations',
  reads: ['domains', 'headerMutations'],
  check: ({ domains, headerMutations = [] }) => {
    const known = new Set(domains)
    return headerMutations.every(({ domain }) => known.has(domain))
  },
})

const headerAction = on<api.HeaderAction>(
  {
    cel: "(has(self.value) && self.value != '') != has(self.secretRef)",
    code: 'CONFLICT',
    message: 'exactly one of value and secretRef must be given',
    reads: ['value', 'secretRef'],
    check: ({ value, secretRef }) => (value !== undefined && value !== '') !== (secretRef !== undefined),
  },
  {
    cel: "self.name.lowerAscii() != 'host'",
    code: 'NOT_ALLOWED',
    message: 'the proxy cannot set the Host header',
    field: 'name',
    reads: ['name'],
    check: ({ name }) => asciiLower(name) !== 'host',
  },
)

const oneVerdict = {
  cel: "!(self.qualifiers.exists(q, q.lowerAscii() == 'allow') && self.qualifiers.exists(q, q.lowerAscii() == 'deny'))",
  code: 'CONFLICT',
  message: 'allow and deny exclude each other',
  field: 'qualifiers',
  reads: ['qualifiers'],
  check({ qualifiers }: { qualifiers: string[] }): boolean {
    const given = qualifiers.map(asciiLower)
    return !(given.includes('allow') && given.includes('deny'))
  },
} as const

const isFilled = (list: readonly unknown[] | undefined): boolean => list !== undefined && list.length > 0
const celIsFilled = (list: string) => `(has(self.${list}) && size(self.${list}) > 0)`

const ipXorCidr = {
  cel: '!(has(self.ip) && has(self.cidr))',
  code: 'CONFLICT',
  message: 'ip and cidr exclude each other',
  reads: ['ip', 'cidr'],
  check: ({ ip, cidr }: { ip?: string; cidr?: string }): boolean => ip === undefined || cidr === undefined,
} as const

const saysWhere = {
  cel: `has(self.ip) || has(self.cidr) || ${celIsFilled('ports')}`,
  code: 'REQUIRED',
  message: 'at least one of ip, cidr and ports must be given',
  reads: ['ip', 'cidr', 'ports'],
  check: ({ ip, cidr, ports }: { ip?: string; cidr?: string; ports?: api.Port[] }): boolean =>
    ip !== undefined || cidr !== undefined || isFilled(ports),
} as const

const proxyHttpRule = on<api.NetworkProxyHttpRule>(oneVerdict, {
  cel: ['hosts', 'ports', 'paths', 'methods'].map((field) => celIsFilled(`match.${field}`)).join(' || '),
  code: 'REQUIRED',
  message: 'at least one of hosts, ports, paths and methods must be given; for all hosts, write "*"',
  field: 'match',
  reads: ['match'],
  check: ({ match: { hosts, ports, paths, methods } }) => [hosts, ports, paths, methods].some(isFilled),
})

const httpPathMatch = on<api.HttpPathMatch>({
  cel: 'has(self.exact) != has(self.prefix)',
  code: 'CONFLICT',
  message: 'exactly one of exact and prefix must be given',
  reads: ['exact', 'prefix'],
  check: ({ exact, prefix }) => (exact !== undefined) !== (prefix !== undefined),
})

const labelSelectorRequirement = on<api.LabelSelectorRequirement>({
  cel: `(self.operator in ['In', 'NotIn']) == ${celIsFilled('values')}`,
  code: 'CONFLICT',
  message: 'values are required with In and NotIn, and must be empty with Exists and DoesNotExist',
  field: 'values',
  reads: ['operator', 'values'],
  check: ({ operator, values }) => (operator === 'In' || operator === 'NotIn') === isFilled(values),
})

const port = on<api.Port>({
  cel: '!has(self.endPort) || self.endPort >= self.port',
  code: 'BAD_ADDRESS',
  message: 'endPort must not be below port',
  field: 'endPort',
  reads: ['port', 'endPort'],
  check: ({ port, endPort = port }) => endPort >= port,
})

const service = on<api.Service>({
  cel: "has(self.serviceSelector) ? !has(self.name) || self.name == '' : has(self.name) && self.name != '' && has(self.namespace) && self.namespace != ''",
  code: 'CONFLICT',
  message: 'either serviceSelector, or both name and namespace must be given',
  reads: ['serviceSelector', 'name', 'namespace'],
  check: ({ serviceSelector, name = '', namespace = '' }) =>
    serviceSelector === undefined ? name !== '' && namespace !== '' : name === '',
})

const networkSocketRule = on<api.NetworkSocketRule>(
  {
    cel: `!(${celIsFilled('types')} && ${celIsFilled('protocols')})`,
    code: 'CONFLICT',
    message: 'types and protocols exclude each other; write two rules',
    reads: ['types', 'protocols'],
    check: ({ types, protocols }) => !(isFilled(types) && isFilled(protocols)),
  },
  {
    cel: ['domains', 'types', 'protocols'].map(celIsFilled).join(' || '),
    code: 'REQUIRED',
    message: 'at least one of domains, types and protocols must be given; for all sockets, write domains: ["*"]',
    reads: ['domains', 'types', 'protocols'],
    check: ({ domains, types, protocols }) => [domains, types, protocols].some(isFilled),
  },
)

/** All rules, grouped by the schema to which they apply. */
export const rules: Readonly<Record<RulePlace, readonly Rule[]>> = {
  policyObject,
  target,
  policy,
  enforcer,
  networkProxyConfig,
  mitmConfig,
  headerAction,
  proxyEgressRule: on<api.NetworkProxyEgressRule>(oneVerdict, ipXorCidr, saysWhere),
  proxyHttpRule,
  httpPathMatch,
  ownProfile,
  bpfProfile,
  labelSelectorRequirement,
  port,
  destination: on<api.Destination>(ipXorCidr, saysWhere),
  service,
  networkSocketRule,
}
