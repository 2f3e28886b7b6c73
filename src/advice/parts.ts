import { join } from '../api/field-error.ts'
import type { AnyPolicy, BpfRawRules, EnhanceProtect } from '../api/types.ts'
import { findRule } from '../rules/catalogue.ts'

/** A change of a policy that allows an operation. */
export interface Change {
  do: 'remove' | 'set' | 'add'
  field: string
  /** The new value of the field, or the item to add to the list. */
  value?: unknown
}

/** A part of a policy that can refuse operations by itself. */
export interface Part {
  /** The field of the policy that contains the part. */
  path: string
  /** The name of a built-in rule, or the first words of a raw rule. */
  rule: string
  /** The change that removes the part from the policy. */
  change: Change
  /** Adds the part to a section. */
  addTo: (section: EnhanceProtect) => void
}

const SECTION = 'spec.policy.enhanceProtect'

/** The single rules of a policy in EnhanceProtect mode. Other modes have rules that work only together, so no parts. */
export function partsOf({ spec: { policy } }: AnyPolicy): Part[] {
  const { enhanceProtect: section } = policy
  if (policy.mode !== 'EnhanceProtect' || section === undefined) return []
  return [
    ...builtInParts(section),
    ...appArmorParts(section),
    ...bpfParts(section.bpfRawRules ?? {}),
    ...syscallParts(section),
  ]
}

const removed = (path: string): Change => ({ do: 'remove', field: path })

function builtInParts(section: EnhanceProtect): Part[] {
  const part = (name: string, path: string, addTo: Part['addTo']): Part => ({
    path,
    rule: findRule(name)?.name ?? name,
    change: removed(path),
    addTo,
  })
  const lists = (['hardeningRules', 'vulMitigationRules'] as const).flatMap((list) =>
    (section[list] ?? []).map((name, i) =>
      part(name, join(join(SECTION, list), i), (to) => {
        to[list] = [...(to[list] ?? []), name]
      }),
    ),
  )
  const attack = join(SECTION, 'attackProtectionRules')
  const others = (section.attackProtectionRules ?? []).flatMap(({ rules, targets = [] }, i) =>
    rules.map((name, j) =>
      part(name, join(join(join(attack, i), 'rules'), j), (to) => {
        to.attackProtectionRules = [...(to.attackProtectionRules ?? []), { rules: [name], targets }]
      }),
    ),
  )
  return [...lists, ...others]
}

/** Maximum characters of a raw rule that are shown. */
const MAX_CHARACTERS = 80
const shortened = (text: string): string => (text.length <= MAX_CHARACTERS ? text : `${text.slice(0, MAX_CHARACTERS)}…`)

function appArmorParts({ appArmorRawRules = [] }: EnhanceProtect): Part[] {
  return appArmorRawRules.map((rules, i) => {
    const path = join(join(SECTION, 'appArmorRawRules'), i)
    return {
      path,
      rule: shortened(rules.rules.trim().replace(/\s+/g, ' ')),
      change: removed(path),
      addTo: (to) => {
        to.appArmorRawRules = [...(to.appArmorRawRules ?? []), rules]
      },
    }
  })
}

function syscallParts({ syscallRawRules = [] }: EnhanceProtect): Part[] {
  return syscallRawRules.map((rule, i) => {
    const path = join(join(SECTION, 'syscallRawRules'), i)
    return {
      path,
      rule: shortened(`${rule.action} ${rule.names.join(', ')}`),
      change: removed(path),
      addTo: (to) => {
        to.syscallRawRules = [...(to.syscallRawRules ?? []), rule]
      },
    }
  })
}

function bpfParts({ files = [], processes = [], network = {}, ptrace, mounts = [] }: BpfRawRules): Part[] {
  const at = join(SECTION, 'bpfRawRules')
  const parts: Part[] = []
  const add = (path: string, rule: string, addTo: (raw: BpfRawRules) => void): void => {
    parts.push({
      path,
      rule: shortened(rule),
      change: removed(path),
      addTo: (to) => {
        to.bpfRawRules ??= {}
        addTo(to.bpfRawRules)
      },
    })
  }
  for (const [list, rules] of Object.entries({ files, processes }) as ['files' | 'processes', typeof files][])
    for (const [i, rule] of rules.entries())
      add(join(join(at, list), i), `${rule.pattern} ${rule.permissions.join(',')}`, (raw) => {
        raw[list] = [...(raw[list] ?? []), rule]
      })
  addNetworkParts(join(at, 'network'), network, add)
  if (ptrace !== undefined)
    add(join(at, 'ptrace'), `ptrace ${ptrace.permissions.join(',')}`, (raw) => {
      raw.ptrace = ptrace
    })
  for (const [i, rule] of mounts.entries())
    add(join(join(at, 'mounts'), i), `mount ${rule.sourcePattern} ${rule.fstype} ${rule.flags.join(',')}`, (raw) => {
      raw.mounts = [...(raw.mounts ?? []), rule]
    })
  return parts
}

type Egress = NonNullable<NonNullable<BpfRawRules['network']>['egress']>

function addNetworkParts(
  at: string,
  { sockets = [], egress = {} }: NonNullable<BpfRawRules['network']>,
  add: (path: string, rule: string, addTo: (raw: BpfRawRules) => void) => void,
): void {
  for (const [i, rule] of sockets.entries())
    add(join(join(at, 'sockets'), i), `socket ${JSON.stringify(rule)}`, (raw) => {
      raw.network = { ...raw.network, sockets: [...(raw.network?.sockets ?? []), rule] }
    })
  for (const list of ['toDestinations', 'toServices', 'toPods'] as const)
    for (const [i, rule] of (egress[list] ?? []).entries())
      add(join(join(join(at, 'egress'), list), i), `${list} ${JSON.stringify(rule)}`, (raw) => {
        const before: Egress = raw.network?.egress ?? {}
        raw.network = { ...raw.network, egress: { ...before, [list]: [...(before[list] ?? []), rule] } }
      })
}

/** The policy with only these parts, and without the default restrictions of containers. */
export function withParts<Of extends AnyPolicy>(policy: Of, parts: readonly Part[]): Of {
  const { auditViolations, allowViolations, protectAncestors } = policy.spec.policy.enhanceProtect ?? {}
  const section: EnhanceProtect = {
    privileged: true,
    ...(auditViolations !== undefined && { auditViolations }),
    ...(allowViolations !== undefined && { allowViolations }),
    ...(protectAncestors !== undefined && { protectAncestors }),
  }
  for (const part of parts) part.addTo(section)
  return { ...policy, spec: { ...policy.spec, policy: { ...policy.spec.policy, enhanceProtect: section } } }
}

/** The policy without its parts, but with the default restrictions of containers. */
export function withoutParts<Of extends AnyPolicy>(policy: Of): Of {
  const bare = withParts(policy, [])
  const { privileged } = policy.spec.policy.enhanceProtect ?? {}
  const { privileged: _, ...section } = bare.spec.policy.enhanceProtect ?? {}
  const enhanceProtect = privileged === undefined ? section : { ...section, privileged }
  return { ...bare, spec: { ...bare.spec, policy: { ...bare.spec.policy, enhanceProtect } } }
}
