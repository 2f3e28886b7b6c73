import { enforcers } from '../enforcer.ts'
import { appArmorProfile, appArmorRawRules, targets } from './apparmor.ts'
import { bpfProfile, bpfRawRules } from './bpf-rules.ts'
import { choice, flag, integer, list, object, optional, text } from './build.ts'
import { conditionFields, dnsLabel, labelSelector, objectMeta, subdomain, typeMeta } from './common.ts'
import { networkProxyConfig, networkProxyRules } from './network-proxy.ts'
import { seccompProfile, syscallRawRules } from './seccomp.ts'

export const targetKinds = ['Deployment', 'StatefulSet', 'DaemonSet', 'Pod'] as const

export const target = object(
  'The workloads and containers to protect. Cannot be changed later.',
  {
    kind: choice('Kind of the workloads.', targetKinds),
    name: optional(
      text('Name of one workload. Excludes `selector`.', { ...subdomain, pattern: `${subdomain.pattern}|^$` }),
    ),
    containers: optional(
      list('Names of the containers; empty for all of them but init containers.', text('A container.', dnsLabel()), {
        maxItems: 256,
      }),
    ),
    selector: optional(labelSelector('Workloads by label. Excludes `name`.')),
  },
  { rulesAt: 'target' },
)

export const policyModes = [
  'AlwaysAllow',
  'RuntimeDefault',
  'EnhanceProtect',
  'BehaviorModeling',
  'DefenseInDepth',
] as const

const ruleName = text('Name of a built-in rule; `varmor rules` lists them.', { minLength: 1, maxLength: 128 })
const ruleNames = (description: string) => list(description, ruleName, { maxItems: 1024 })

export const attackProtectionRules = object('Built-in attack protection rules, for all programs or for some.', {
  rules: ruleNames('Names of the rules.'),
  targets: optional(targets()),
})

export const enhanceProtect = object('The EnhanceProtect mode: all is allowed but what these rules forbid.', {
  hardeningRules: optional(ruleNames('Built-in hardening rules.')),
  attackProtectionRules: optional(list('Built-in attack protection rules.', attackProtectionRules, { maxItems: 256 })),
  vulMitigationRules: optional(ruleNames('Built-in rules against single vulnerabilities.')),
  appArmorRawRules: optional(list('AppArmor rules of your own.', appArmorRawRules, { maxItems: 1024 })),
  bpfRawRules: optional(bpfRawRules),
  syscallRawRules: optional(syscallRawRules('Seccomp rules of your own.')),
  networkProxyRawRules: optional(networkProxyRules('Rules of your own for the NetworkProxy enforcer.')),
  privileged: optional(
    flag(
      'The containers are privileged: the profile starts from AlwaysAllow, not from RuntimeDefault, and there is none for Seccomp.',
      { default: false },
    ),
  ),
  auditViolations: optional(flag('Report violations of the built-in rules.', { default: false })),
  allowViolations: optional(flag('Let violations of the built-in rules pass.', { default: false })),
  protectAncestors: optional(
    flag(
      'A rule that protects a path also protects the directories on the way there from being renamed, moved or mounted over.',
      { default: true },
    ),
  ),
})

export const modelingOptions = object('The BehaviorModeling mode.', {
  duration: integer('How long to record, in minutes.', { minimum: 1, maximum: 5_256_000, format: 'int64' }),
})

export const defenseInDepth = object('The DefenseInDepth mode: all is forbidden but what these profiles allow.', {
  appArmor: optional(appArmorProfile),
  seccomp: optional(seccompProfile),
  bpf: optional(bpfProfile),
  networkProxy: optional(networkProxyRules('Rules for the NetworkProxy enforcer.')),
  allowViolations: optional(flag('Let violations pass, and report them.', { default: false })),
})

// Not (?i): JavaScript has no such flag within a pattern.
const anyCase = (name: string) =>
  name.replace(/[A-Za-z]/g, (letter) => `[${letter.toUpperCase()}${letter.toLowerCase()}]`)

export const policy = object(
  'What enforces, in which mode, with which rules.',
  {
    enforcer: text('Enforcers, written together in any order and case: AppArmor, BPF, Seccomp, NetworkProxy.', {
      maxLength: 64,
      pattern: `^(${enforcers.map(anyCase).join('|')})+$`,
      check: 'enforcers',
      rulesAt: 'enforcer',
    }),
    mode: choice('The mode of protection.', policyModes),
    enhanceProtect: optional(enhanceProtect),
    modelingOptions: optional(modelingOptions),
    defenseInDepth: optional(defenseInDepth),
    networkProxyConfig: optional(networkProxyConfig),
  },
  { rulesAt: 'policy' },
)

export const varmorPolicySpec = object('What is wanted.', {
  target,
  policy,
  updateExistingWorkloads: optional(
    flag(
      'Restart matching Deployments, StatefulSets and DaemonSets, one after the other, when the policy is made or deleted.',
      { default: false },
    ),
  ),
})

/** The last two are not of upstream's: rules that an enforcer cannot carry, and how far restarts of workloads are. */
export const policyConditionTypes = ['Created', 'Updated', 'Ready', 'RulesSkipped', 'Restarting'] as const
export const policyPhases = [
  'Pending',
  'Protecting',
  'Modeling',
  'Completed',
  'Error',
  'Failed',
  'Unknown',
  'Unchanged',
] as const

export const varmorPolicyCondition = object('One thing that is or is not so.', {
  type: choice('What the condition is about.', policyConditionTypes),
  ...conditionFields,
})

export const restartStatus = object('The restart of the workloads that were there before.', {
  change: text('What the workloads are to pick up; their pod templates carry it in an annotation.'),
  since: text('When it began, RFC 3339. Workloads made later are not restarted.', { format: 'date-time' }),
  done: flag('All of them were restarted.'),
})

export const varmorPolicyStatus = object('What has been done.', {
  profileName: text('Name of the profiles, and of the ArmorProfile object.'),
  conditions: optional(list('How creation, update and loading went.', varmorPolicyCondition)),
  ready: flag('Every node where an agent is expected has loaded the profile, and some of the rules are enforced.'),
  phase: optional(choice('Where the policy stands.', policyPhases)),
  summary: optional(text('The same in words for people, with what is left out by which enforcer.')),
  observedGeneration: optional(integer('The metadata.generation that this is about.', { format: 'int64' })),
  restart: optional(restartStatus),
})

export const varmorPolicy = object(
  'Protects workloads of its namespace.',
  {
    ...typeMeta('VarmorPolicy'),
    metadata: objectMeta,
    spec: varmorPolicySpec,
    status: optional(varmorPolicyStatus),
  },
  { rulesAt: 'policyObject' },
)

export const varmorClusterPolicy = object(
  'Protects workloads of all namespaces; wins over a VarmorPolicy for the same workload.',
  {
    ...typeMeta('VarmorClusterPolicy'),
    metadata: objectMeta,
    spec: varmorPolicySpec,
    status: optional(varmorPolicyStatus),
  },
  { rulesAt: 'policyObject' },
)
