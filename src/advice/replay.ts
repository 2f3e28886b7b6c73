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
  /** For an operation with a pattern: a path that matches the pattern and is refused. */
  example?: string
  /** The rule of the AppArmor profile that refuses the operation. */
  by?: string
  /** Changes that allow the operation. Absent if the changes are the same for all operations of the group. */
  changes?: Change[]
}

/** Operations that the same rules refuse. */
export interface RefusedGroup {
  enforcers: readonly KernelEnforcer[]
  rules: readonly Refuser[]
  /** Different operations, the most frequent first, and how often each occurred; at most `MAX_SHOWN`. */
  operations: RefusedOperation[]
  /** The number of different operations. */
  different: number
  count: number
}

export interface Replayed {
  refused: RefusedGroup[]
  /** Calls that a policy refuses with ENOSYS, so that programs use an older call instead. */
  answered: RefusedGroup[]
  /** The number of allowed operations, and how many of them were reported. */
  allowed: number
  reported: number
  unjudged: { why: string; count: number; examples: string[] }[]
}

/** Maximum number of operations that a group lists. */
const MAX_SHOWN = 50
const ENOSYS = 38

/** A kind of operations. All operations of a kind get the same decision. */
interface Judged {
  key: string
  recorded: Recorded
  count: number
}

/** Judges recorded operations under a policy. Equal operations are judged once. */
export class Replay {
  readonly unjudged = new Unjudged()
  readonly #policy: AnyPolicy
  readonly #options: CompileOptions
  readonly #judges: readonly EnforcerJudge[]
  readonly #kinds = new Map<string, Judged>()
  readonly #programs: readonly string[]

  /** @param programs programs of the workload; an operation without a known program may be from any program */
  constructor(policy: AnyPolicy, compiled: CompiledPolicy, options: CompileOptions, programs: readonly string[] = []) {
    this.#policy = policy
    this.#options = options
    this.#judges = judgesOf(compiled)
    this.#programs = programs
  }

  /** @param count how often the operation occurred */
  add(recorded: Recorded, count = 1): void {
    const key = keyOf(recorded)
    const known = this.#kinds.get(key)
    if (known !== undefined) known.count += count
    else if (this.#kinds.size < MAX_KINDS) this.#kinds.set(key, { key, recorded, count })
    else this.unjudged.add(`there are more than ${MAX_KINDS} different operations`, '', count)
  }

  /** What the policy would have done with the added operations. */
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

  /**
   * Judges the operation. If its program is unknown, AppArmor's decision may depend on the program. Then the operation
   * is also judged for each program of the workload that has separate rules.
   */
  #decide({ enforcer, judge, programs }: EnforcerJudge, { operation, program }: Recorded): Decided[] {
    const own = this.#programs.filter((one) => programs.includes(one))
    const who = program === undefined ? [undefined, ...own] : [program]
    return who.map((one) => ({ enforcer, operation, program: one, decision: judge(operation, one) }))
  }
}

/** Maximum number of different operations that a replay judges. */
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

  /** The groups of refused operations, or the groups of calls that are answered with ENOSYS. */
  of(isAnswer: boolean): RefusedGroup[] {
    const groups = [...this.#byKey.values()].filter((group) => group.isAnswer === isAnswer)
    return groups
      .sort((a, b) => b.count - a.count)
      .map(({ enforcers, rules, count, byText }) => {
        const operations = [...byText.values()].sort((a, b) => b.count - a.count).slice(0, MAX_SHOWN)
        return { enforcers, rules, operations, different: byText.size, count }
      })
  }

  /** @param refusing the refusals of one operation, by one or more enforcers */
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

/** The operation as text, with the programs for which it is refused, unless all programs are refused. */
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
