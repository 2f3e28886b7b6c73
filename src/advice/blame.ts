import type { KernelEnforcer } from '../api/enforcer.ts'
import type { AnyPolicy, PolicyMode } from '../api/types.ts'
import { literal, quoted } from '../profile/apparmor/quoted.ts'
import { type CompileOptions, compilePolicy } from '../profile/compile.ts'
import { type EnforcerJudge, judgesOf } from './judges.ts'
import type { Decision, Operation } from './operation.ts'
import { type Change, type Part, partsOf, withoutParts, withParts } from './parts.ts'

/** A rule of a policy that refuses an operation. */
export interface Refuser {
  /** The field of the policy that contains the rule. */
  path: string
  rule: string
  /** The change after which the rule does not refuse the operation. Absent if the change depends on the operation. */
  change?: Change
}

export interface Blamed {
  rules: Refuser[]
  /** The change that allows this operation. */
  change?: Change
}

type Judge = EnforcerJudge['judge']

/**
 * Finds the rules of a policy that refuse an operation, by bisection: it compiles half of the rules, and splits only
 * the halves that refuse the operation.
 */
export class Blame {
  readonly #policy: AnyPolicy
  readonly #enforcer: KernelEnforcer
  readonly #options: CompileOptions
  readonly #parts: readonly Part[]
  readonly #judges = new Map<string, Judge>()

  constructor(policy: AnyPolicy, enforcer: KernelEnforcer, options: CompileOptions) {
    this.#policy = policy
    this.#enforcer = enforcer
    this.#options = { ...options, enforcers: [enforcer] }
    this.#parts = partsOf(policy)
  }

  /** The rules that refuse the operation. `decision` is the refusal. */
  of(operation: Operation, decision: Decision, program?: string): Blamed {
    const refuses = (judge: Judge): boolean => judge(operation, program).outcome === 'denied'
    const { mode } = this.#policy.spec.policy
    if (mode !== 'EnhanceProtect') return ofMode(mode, this.#enforcer, operation, decision)
    const base = refuses(this.#judge('base', () => withoutParts(this.#policy))) ? [ofDefault] : []
    const found = [...base, ...this.#within(0, this.#parts.length, refuses)]
    return { rules: found.length > 0 ? found.map(plain) : [whole] }
  }

  #within(first: number, end: number, refuses: (judge: Judge) => boolean): Part[] {
    if (first >= end) return []
    const parts = this.#parts.slice(first, end)
    const judge = this.#judge(`${first}-${end}`, () => withParts(this.#policy, parts))
    if (!refuses(judge)) return []
    if (parts.length === 1) return parts
    const middle = first + Math.ceil(parts.length / 2)
    return [...this.#within(first, middle, refuses), ...this.#within(middle, end, refuses)]
  }

  #judge(key: string, policy: () => AnyPolicy): Judge {
    const known = this.#judges.get(key)
    if (known !== undefined) return known
    const compiled = compilePolicy(policy(), this.#options)
    if (!compiled.ok) throw new Error(`a part of a sound policy does not compile: ${JSON.stringify(compiled.errors)}`)
    const [one] = judgesOf(compiled.value)
    if (one === undefined) throw new Error(`nothing was compiled for ${this.#enforcer}`)
    this.#judges.set(key, one.judge)
    return one.judge
  }
}

const plain = ({ path, rule, change }: Refuser): Refuser => ({ path, rule, ...(change !== undefined && { change }) })

const ofDefault: Refuser = {
  path: 'spec.policy.enhanceProtect.privileged',
  rule: 'default restrictions of containers',
  change: { do: 'set', field: 'spec.policy.enhanceProtect.privileged', value: true },
}

const whole: Refuser = {
  path: 'spec.policy',
  rule: 'several rules together',
  change: { do: 'set', field: 'spec.policy.enhanceProtect.allowViolations', value: true },
}

function ofMode(mode: PolicyMode, enforcer: KernelEnforcer, operation: Operation, { by }: Decision): Blamed {
  if (mode !== 'DefenseInDepth') {
    const change: Change = { do: 'set', field: 'spec.policy.mode', value: 'AlwaysAllow' }
    return { rules: [{ path: 'spec.policy.mode', rule: ofDefault.rule, change }] }
  }
  const path = `spec.policy.defenseInDepth.${enforcer === 'AppArmor' ? 'appArmor' : enforcer === 'BPF' ? 'bpf' : 'seccomp'}`
  if (by !== undefined) return { rules: [{ path, rule: by, change: { do: 'remove', field: path, value: by } }] }
  return { rules: [{ path, rule: 'no rule allows it' }], change: allowing(path, enforcer, operation) }
}

/** A change that adds a raw rule which allows the operation. */
function allowing(path: string, enforcer: KernelEnforcer, operation: Operation): Change {
  if (enforcer === 'Seccomp' && operation.kind === 'syscall')
    return { do: 'add', field: `${path}.syscallRawRules`, value: { names: [operation.name], action: 'SCMP_ACT_ALLOW' } }
  const allow = enforcer === 'BPF' ? bpfAllow(operation) : undefined
  if (allow !== undefined) return { do: 'add', field: `${path}.allow.${allow.list}`, value: allow.value }
  const rules = enforcer === 'AppArmor' ? appArmorRule(operation) : undefined
  if (rules !== undefined) return { do: 'add', field: `${path}.appArmorRawRules`, value: { rules } }
  return { do: 'set', field: 'spec.policy.defenseInDepth.allowViolations', value: true }
}

/** The entry for an allow list of the BPF enforcer that allows the operation. */
function bpfAllow(operation: Operation): { list: string; value: unknown } | undefined {
  switch (operation.kind) {
    case 'file':
      if (operation.pattern === 'glob') return undefined
      if (operation.action === 'exec') return { list: 'executions', value: operation.path }
      return {
        list: 'files',
        value: { path: operation.path, permissions: [operation.action === 'map' ? 'exec' : operation.action] },
      }
    case 'capability':
      return { list: 'capabilities', value: operation.name }
    case 'egress':
      return { list: 'network.egresses', value: { ip: operation.address, ports: [operation.port] } }
    case 'socket':
      return {
        list: 'network.sockets',
        value: { domain: operation.domain, ...(operation.type !== undefined && { type: operation.type }) },
      }
    case 'ptrace':
      return { list: 'ptraces', value: { permissions: [operation.access], external: operation.isOutside ?? true } }
    default:
      return undefined
  }
}

const letters: Readonly<Record<string, string>> = {
  ...{ read: 'r', write: 'w', append: 'a', exec: 'ix', map: 'm', create: 'w', delete: 'w', rename: 'rw', link: 'l' },
  ...{ chmod: 'w', chown: 'w', setattr: 'w', lock: 'k' },
}

/** An AppArmor rule that allows the operation for exactly this path. */
function appArmorRule(operation: Operation): string | undefined {
  switch (operation.kind) {
    case 'file': {
      const path = operation.pattern === 'glob' ? operation.path : literal(operation.path)
      return operation.pattern === 'path' ? undefined : `${quoted(path)} ${letters[operation.action] ?? 'r'},`
    }
    case 'capability':
      return `capability ${operation.name},`
    case 'socket':
      return `network ${operation.domain}${operation.type === undefined ? '' : ` ${operation.type}`},`
    default:
      return undefined
  }
}
