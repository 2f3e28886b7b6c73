import type { KernelEnforcer } from '../api/enforcer.ts'
import type { AnyPolicy } from '../api/types.ts'
import type { CompiledPolicy, CompileOptions } from '../profile/compile.ts'
import { Blame, type Blamed, type Refuser } from './blame.ts'
import { type EnforcerJudge, judgesOf } from './judges.ts'
import { type Decision, type Operation, operationText } from './operation.ts'
import type { Change } from './parts.ts'
import { type Recorded, Unjudged } from './recorded.ts'

export interface RefusedOperation {
  operation: string
  count: number
  /** Of a pattern, a path that is refused. */
  example?: string
  /** The rule of the AppArmor profile. */
  by?: string
  /** What allows it, where that depends on the operation. */
  changes?: Change[]
}

/** Operations that the same rules refuse. */
export interface RefusedGroup {
  enforcers: readonly KernelEnforcer[]
  rules: readonly Refuser[]
  /** Different ones, the most frequent first, and how often each came; at most `MOST_SHOWN`. */
  operations: RefusedOperation[]
  /** How many different ones there are, and how often they came. */
  different: number
  count: number
}

export interface Replayed {
  refused: RefusedGroup[]
  /** Calls that are answered as if the kernel had none of the kind, after which programs take an older one. */
  answered: RefusedGroup[]
  /** How many operations were let through, and of these reported. */
  allowed: number
  reported: number
  unjudged: { why: string; count: number; examples: string[] }[]
}

/** Operations that are listed of a group. */
const MAX_SHOWN = 50
const ENOSYS = 38

/** What became of one kind of operation: all of the same words get the same. */
interface Judged {
  key: string
  recorded: Recorded
  count: number
}

/** Judges operations one after the other: the same once. */
export class Replay {
  readonly unjudged = new Unjudged()
  readonly #policy: AnyPolicy
  readonly #options: CompileOptions
  readonly #judges: readonly EnforcerJudge[]
  readonly #kinds = new Map<string, Judged>()
  readonly #programs: readonly string[]

  /** @param programs the known programs; each of these may have done what has no known program */
  constructor(policy: AnyPolicy, compiled: CompiledPolicy, options: CompileOptions, programs: readonly string[] = []) {
    this.#policy = policy
    this.#options = options
    this.#judges = judgesOf(compiled)
    this.#programs = programs
  }

  /** @param count how often it came */
  add(recorded: Recorded, count = 1): void {
    const key = keyOf(recorded)
    const known = this.#kinds.get(key)
    if (known !== undefined) known.count += count
    else if (this.#kinds.size < MAX_KINDS) this.#kinds.set(key, { key, recorded, count })
    else this.unjudged.add(`there are more than ${MAX_KINDS} different operations`, '', count)
  }

  /** What would have become of all that was added. */
  end(): Replayed {
    const result: Replayed = { refused: [], answered: [], allowed: 0, reported: 0, unjudged: [] }
    const groups = new Groups(this.#policy, this.#options)
    for (const { recorded, count } of this.#kinds.values()) {
      const decisions = this.#judges.flatMap((judge) => this.#decide(judge, recorded))
      const refusing = decisions.filter(({ decision }) => decision.outcome === 'denied')
      if (refusing.length > 0) {
        groups.add(refusing, count)
        continue
      }
      if (recorded.implied) continue
      const open = decisions.find(({ decision }) => decision.outcome === 'unknown')
      if (open !== undefined)
        this.unjudged.add(`${open.enforcer}: ${open.decision.why}`, operationText(recorded.operation), count)
      else result.allowed += count
      if (open === undefined && decisions.some(({ decision }) => decision.outcome === 'audited'))
        result.reported += count
    }
    return { ...result, refused: groups.of(false), answered: groups.of(true), unjudged: this.unjudged.all }
  }

  /** By AppArmor, also in the programs with rules of their own that may have done it. */
  #decide({ enforcer, judge, programs }: EnforcerJudge, { operation, program }: Recorded): Decided[] {
    const own = this.#programs.filter((one) => programs.includes(one))
    const who = program === undefined ? [undefined, ...own] : [program]
    return who.map((one) => ({ enforcer, operation, program: one, decision: judge(operation, one) }))
  }
}

/** Different operations that are judged of one replay. */
const MAX_KINDS = 200_000

interface Decided {
  enforcer: KernelEnforcer
  operation: Operation
  program: string | undefined
  decision: Decision
}

const keyOf = ({ operation, program }: Recorded): string =>
  JSON.stringify([operation, program], (_, value) => (typeof value === 'bigint' ? String(value) : value))

type Group = Omit<RefusedGroup, 'operations' | 'different'> & {
  isAnswer: boolean
  byText: Map<string, RefusedOperation>
}

/** Refused operations by enforcer and rules. */
class Groups {
  readonly #byKey = new Map<string, Group>()
  readonly #blame = new Map<KernelEnforcer, Blame>()
  readonly #policy: AnyPolicy
  readonly #options: CompileOptions

  constructor(policy: AnyPolicy, options: CompileOptions) {
    this.#policy = policy
    this.#options = options
  }

  /** Those that are refused, or those that are answered. */
  of(isAnswer: boolean): RefusedGroup[] {
    const groups = [...this.#byKey.values()].filter((group) => group.isAnswer === isAnswer)
    return groups
      .sort((a, b) => b.count - a.count)
      .map(({ enforcers, rules, count, byText }) => {
        const operations = [...byText.values()].sort((a, b) => b.count - a.count).slice(0, MAX_SHOWN)
        return { enforcers, rules, operations, different: byText.size, count }
      })
  }

  /** @param refusing what refuses one operation: one or more, by whatever enforcer */
  add(refusing: readonly Decided[], count: number): void {
    const blamed = refusing.map(({ enforcer, operation, program, decision }) =>
      this.#blameOf(enforcer).of(operation, decision, program),
    )
    const rules = [...new Map(blamed.flatMap((one) => one.rules).map((rule) => [keyOfRule(rule), rule])).values()]
    const enforcers = [...new Set(refusing.map(({ enforcer }) => enforcer))]
    const group = this.#group(
      enforcers,
      refusing.every(({ decision }) => decision.errno === ENOSYS),
      rules,
    )
    group.count += count
    const text = textOf(refusing)
    const same = group.byText.get(text)
    if (same !== undefined) same.count += count
    else group.byText.set(text, { operation: text, count, ...detailsOf(refusing, blamed) })
  }

  #group(enforcers: readonly KernelEnforcer[], isAnswer: boolean, rules: readonly Refuser[]): Group {
    const key = JSON.stringify([enforcers, isAnswer, rules.map(keyOfRule)])
    let group = this.#byKey.get(key)
    if (group === undefined) {
      group = { enforcers, rules, count: 0, isAnswer, byText: new Map() }
      this.#byKey.set(key, group)
    }
    return group
  }

  #blameOf(enforcer: KernelEnforcer): Blame {
    let blame = this.#blame.get(enforcer)
    if (blame === undefined) {
      blame = new Blame(this.#policy, enforcer, this.#options)
      this.#blame.set(enforcer, blame)
    }
    return blame
  }
}

const keyOfRule = ({ path, rule }: Refuser): string => `${path} ${rule}`

/** The operation, and in which programs it is refused where it is not in all. */
function textOf(refusing: readonly Decided[]): string {
  const text = operationText(refusing[0]!.operation)
  const programs = refusing.map(({ program }) => program)
  return programs.includes(undefined) ? text : `${text} by ${[...new Set(programs)].join(', ')}`
}

function detailsOf(
  refusing: readonly Decided[],
  blamed: readonly Blamed[],
): Pick<RefusedOperation, 'example' | 'by' | 'changes'> {
  const example = refusing.find(({ decision }) => decision.example !== undefined)?.decision.example
  const by = refusing.find(({ decision }) => decision.by !== undefined)?.decision.by
  const changes = blamed.flatMap(({ change }) => (change === undefined ? [] : [change]))
  return {
    ...(example !== undefined && { example }),
    ...(by !== undefined && { by }),
    ...(changes.length > 0 && { changes }),
  }
}
