import { allowed, type Decision, type FileOperation, type Operation, unknown } from '../operation.ts'
import { OWN_LABEL } from '../recorded.ts'
import { filesOf } from './file-decision.ts'
import { GlobMachine } from './glob-machine.ts'
import { baseRules } from './known-includes.ts'
import { mountMatch } from './mount-match.ts'
import type { ProfileRule, ReadProfile, RuleOf } from './profile-rules.ts'
import { readProfile } from './read-profile.ts'
import { expanded } from './variables.ts'
import { type Matched, maybeAll, verdictOf } from './verdicts.ts'

/** The decisions of a profile, and the programs for which the profile has child profiles. */
export interface AppArmorJudge {
  /** @param program the executable of the process, if known: the profile may have rules for this program alone */
  judge(operation: Operation, program?: string): Decision
  /** Paths of programs for which the profile has separate rules. */
  programs: readonly string[]
}

/**
 * Decides as the kernel does with the profile: the kernel refuses an operation that a rule denies or no rule allows.
 * The content of included files is unknown, except for the rules of abstractions/base about signals and tracing.
 */
export function appArmorJudge(text: string): AppArmorJudge {
  const profile = readProfile(text)
  const own = judgeOf(profile)
  const children = new Map([...profile.children].map(([name, child]) => [name, judgeOf(child, profile.name)]))
  const transitions = profile.rules.filter(
    (rule): rule is RuleOf<'file'> & { glob: string; child: string } =>
      rule.kind === 'file' && rule.child !== undefined && rule.glob !== undefined && children.has(rule.child),
  )
  const byProgram = new GlobMachine(transitions.map(({ glob }) => glob))
  return {
    judge: (operation, program) => {
      const [number] = program === undefined ? [] : byProgram.matching(program)
      const judge = number === undefined ? own : children.get(transitions[number]!.child)!
      return judge(operation)
    },
    programs: transitions.map(({ glob }) => unescaped(glob)),
  }
}

const unescaped = (glob: string): string =>
  Buffer.from(
    glob.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))),
    'latin1',
  ).toString()

/** The decisions of one profile, without its children. */
export function judgeOf(profile: ReadProfile, parent?: string): (operation: Operation) => Decision {
  const name = parent === undefined ? profile.name : `${parent}//${profile.name}`
  const rules = [...profile.rules, ...profile.includes.flatMap(baseRules)]
  const files = filesOf(rules, name)
  return (operation) => {
    const decision = operation.kind === 'file' ? files(operation) : otherDecision(profile, rules, name, operation)
    const sure = decision.outcome === 'denied' && decision.why !== undefined ? ofIncludes(profile, decision) : decision
    return profile.complain && sure.outcome !== 'allowed' ? { ...sure, outcome: 'audited' } : sure
  }
}

/** If no rule allows the operation, the decision is unknown for a profile with included files: a file may allow it. */
function ofIncludes({ includes }: ReadProfile, decision: Decision): Decision {
  if (includes.length === 0) return decision
  return {
    ...unknown(`no rule allows it, but files of the node that the profile includes may: ${includes.join(', ')}`),
    ...withExample(decision),
  }
}

const withExample = ({ example }: Decision): Partial<Decision> => (example === undefined ? {} : { example })

function otherDecision(
  profile: ReadProfile,
  rules: readonly ProfileRule[],
  name: string,
  operation: Exclude<Operation, FileOperation>,
): Decision {
  switch (operation.kind) {
    case 'capability':
      return of(rules, 'capability', ({ names }) => names === undefined || names.includes(operation.name))
    case 'socket':
      return of(rules, 'network', ({ domain, type }) => {
        if (domain !== undefined && domain !== operation.domain) return false
        if (type === undefined || type === operation.type) return true
        return operation.type === undefined ? 'maybe' : false
      })
    case 'ptrace':
      return of(rules, 'ptrace', ({ accesses, peer }) =>
        accesses.includes(operation.access) ? isPeer(peer, tracedLabel(operation), name) : false,
      )
    case 'signal':
      return of(rules, 'signal', ({ accesses, signals, peer }) => {
        if (!accesses.includes(operation.access)) return false
        const isSignal =
          signals === undefined || (operation.signal === undefined ? 'maybe' : signals.includes(operation.signal))
        return maybeAll([isSignal, isPeer(peer, operation.peer, name)])
      })
    case 'mount':
      return verdictOf(rules.map((rule) => ({ rule, matches: mountMatch(rule, operation, name) })))
    case 'userns':
      return profile.isNewer ? of(rules, 'userns', () => true) : allowed
    case 'egress':
    case 'userfaultfd':
    case 'syscall':
    case 'bpf':
      return allowed
  }
}

function of<Kind extends ProfileRule['kind']>(
  rules: readonly ProfileRule[],
  kind: Kind,
  matches: (rule: RuleOf<Kind>) => Matched,
): Decision {
  const isKind = (rule: ProfileRule): rule is RuleOf<Kind> => rule.kind === kind
  return verdictOf(rules.filter(isKind).map((rule) => ({ rule, matches: matches(rule) })))
}

/**
 * The label of the traced process. BPF records do not contain labels. Processes of a container share a label, except
 * programs with rules of their own.
 */
const tracedLabel = ({ peer, isOutside }: Extract<Operation, { kind: 'ptrace' }>): string | undefined =>
  peer ?? (isOutside === false ? OWN_LABEL : undefined)

/** Whether the peer of a rule matches a label. */
function isPeer(glob: string | undefined, label: string | undefined, name: string): Matched {
  if (glob === undefined) return true
  const globs = expanded(glob, name)
  if (label === undefined || globs === undefined) return 'maybe'
  return new GlobMachine(globs).matching(label === OWN_LABEL ? name : label).length > 0
}
