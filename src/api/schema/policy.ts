import { enforcers } from '../enforcer.ts'
import { appArmorProfile, appArmorRawRules, targets } from './apparmor.ts'
import { bpfProfile, bpfRawRules } from './bpf-rules.ts'
import { choice, flag, integer, list, object, optional, text } from './build.ts'
import { conditionFields, dnsLabel, labelSelector, objectMeta, subdomain, typeMeta } from './common.ts'
import { networkProxyConfig, networkProxyRules } from './network-proxy.ts'
import { seccompProfile, syscallRawRules } from './seccomp.ts'

export const targetKinds = ['Deployment', 'StatefulSet', 'DaemonSet', 'Pod'] as const

export const target = object(
  'The workloads and containers to confine. Cannot be changed later.',
  {
    kind: choice('Kind of the workloads.', targetKinds),
    name: optional(
      text('Name of one workload. Excludes `selector`.', { ...subdomain, pattern: `${subdomain.pattern}|^$` }),
    ),
    containers: optional(
      list('Names of the containers; empty: all containers except init containers.', text('A container.', dnsLabel()), {
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

export const attackProtectionRules = object(
  'Built-in attack protection rules, for all programs or for some programs.',
  {
    rules: ruleNames('Names of the rules.'),
    targets: optional(targets()),
  },
)

export const enhanceProtect = object(
  'Settings of the EnhanceProtect mode: everything is allowed except what these rules forbid.',
  {
    hardeningRules: optional(ruleNames('Built-in hardening rules.')),
    attackProtectionRules: optional(
      list('Built-in attack protection rules.', attackProtectionRules, { maxItems: 256 }),
    ),
    vulMitigationRules: optional(ruleNames('Built-in rules that each mitigate one vulnerability.')),
    appArmorRawRules: optional(list('AppArmor rules of your own.', appArmorRawRules, { maxItems: 1024 })),
    bpfRawRules: optional(bpfRawRules),
    syscallRawRules: optional(syscallRawRules('Seccomp rules of your own.')),
    networkProxyRawRules: optional(networkProxyRules('Rules of your own for the NetworkProxy enforcer.')),
    privileged: optional(
      flag(
        'The containers are privileged: the profile extends AlwaysAllow instead of RuntimeDefault, and there is no Seccomp profile.',
        { default: false },
      ),
    ),
    auditViolations: optional(flag('Report violations of the built-in rules.', { default: false })),
    allowViolations: optional(flag('Allow violations of the built-in rules.', { default: false })),
    protectAncestors: optional(
      flag('A rule that protects a path also keeps its parent directories from being renamed, moved or mounted over.', {
        default: true,
      }),
    ),
  },
)

export const modelingOptions = object('Settings of the BehaviorModeling mode.', {
  duration: integer('How long to record, in minutes.', { minimum: 1, maximum: 5_256_000, format: 'int64' }),
})

export const defenseInDepth = object(
  'Settings of the DefenseInDepth mode: everything is forbidden except what these profiles allow.',
  {
    appArmor: optional(appArmorProfile),
    seccomp: optional(seccompProfile),
    bpf: optional(bpfProfile),
    networkProxy: optional(networkProxyRules('Rules for the NetworkProxy enforcer.')),
    allowViolations: optional(flag('Allow violations and report them.', { default: false })),
  },
)

// JavaScript does not support the flag (?i) within a pattern, so each letter becomes a set of both cases.
const anyCase = (name: string) =>
  name.replace(/[A-Za-z]/g, (letter) => `[${letter.toUpperCase()}${letter.toLowerCase()}]`)

export const policy = object(
  'Enforcers, mode and rules.',
  {
    enforcer: text(
      'Enforcers without separators, in any order and case: AppArmor, BPF, Seccomp, NetworkProxy; for example AppArmorBPF.',
      {
        maxLength: 64,
        pattern: `^(${enforcers.map(anyCase).join('|')})+$`,
        check: 'enforcers',
        rulesAt: 'enforcer',
      },
    ),
    mode: choice('The mode: how the policy gets its rules.', policyModes),
    enhanceProtect: optional(enhanceProtect),
    modelingOptions: optional(modelingOptions),
    defenseInDepth: optional(defenseInDepth),
    networkProxyConfig: optional(networkProxyConfig),
  },
  { rulesAt: 'policy' },
)

export const varmorPolicySpec = object('The desired state.', {
  target,
  policy,
  updateExistingWorkloads: optional(
    flag(
      'Restart matching Deployments, StatefulSets and DaemonSets, one after another, when the policy is created or deleted.',
      { default: false },
    ),
  ),
})

/**
 * Upstream does not have the last two types. `RulesSkipped` lists rules that an enforcer cannot enforce. `Restarting`
 * shows the progress of workload restarts.
 */
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

export const varmorPolicyCondition = object('One aspect of the state.', {
  type: choice('Type of the condition.', policyConditionTypes),
  ...conditionFields,
})

export const restartStatus = object('The restart of workloads that already existed.', {
  change: text(
    'Identity of the change that the workloads must pick up. An annotation of their pod templates carries it.',
  ),
  since: text('When it started, RFC 3339. Workloads created later are not restarted.', { format: 'date-time' }),
  done: flag('All workloads were restarted.'),
})

export const varmorPolicyStatus = object('The observed state.', {
  profileName: text('Name of the profiles and of the ArmorProfile.'),
  conditions: optional(list('Results of creating, updating and loading the profile.', varmorPolicyCondition)),
  ready: flag('Every node that must have an agent has loaded the profile, and at least one rule is enforced.'),
  phase: optional(choice('Phase of the policy.', policyPhases)),
  summary: optional(text('The phase, and the rules that enforcers leave out, for people to read.')),
  observedGeneration: optional(integer('The metadata.generation that this status describes.', { format: 'int64' })),
  restart: optional(restartStatus),
})

export const varmorPolicy = object(
  'Confines workloads of its namespace.',
  {
    ...typeMeta('VarmorPolicy'),
    metadata: objectMeta,
    spec: varmorPolicySpec,
    status: optional(varmorPolicyStatus),
  },
  { rulesAt: 'policyObject' },
)

export const varmorClusterPolicy = object(
  'Confines workloads of all namespaces. It has priority over a VarmorPolicy for the same workload.',
  {
    ...typeMeta('VarmorClusterPolicy'),
    metadata: objectMeta,
    spec: varmorPolicySpec,
    status: optional(varmorPolicyStatus),
  },
  { rulesAt: 'policyObject' },
)
