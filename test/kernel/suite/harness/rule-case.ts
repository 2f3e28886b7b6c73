import type { BpfEvent } from './bpf-events.ts'
import type { Command, ContainerOptions } from './container.ts'
import type { Errno } from './errno.ts'
import { type AppArmorRecord, readRecords } from './records.ts'

/** One built-in rule, an attack that the rule refuses, and the most similar operation that the rule must allow. */
export interface Attempt {
  rule: string
  /** The difference from other cases of the same rule. */
  title?: string
  /** The reason to skip the case on this kernel. */
  skip?: string | undefined
  /** Runs unconfined, before the attack. */
  prepare?: Command
  attack: Command
  /** How the program reports the refusal: with an errno, or with another text. */
  refusal: Errno | { says: string }
  neighbour: Command
  /** Runs unconfined, after a successful attack. */
  undo?: Command
}

/** An attempt with the BPF reports that it causes. */
export interface BpfCase extends Attempt {
  events: readonly BpfEvent[]
  /** The reports of an allowed attempt, if they differ; they include the operations after the first one. */
  observed?: readonly BpfEvent[]
}

/** An attempt with the AppArmor reports that it causes, from which the BPF reports are derived. */
export interface RuleCase extends Attempt {
  records: readonly AppArmorRecord[]
  /** As in BpfCase. */
  observed?: readonly AppArmorRecord[]
  /** The reason why AppArmor cannot show the case, which is then only a BPF case. */
  notAppArmor?: string
  /** Differences of the BPF case. */
  bpf?: Partial<BpfCase>
}

export interface RuleFamily extends Pick<ContainerOptions, 'flags'> {
  name: string
  cases: readonly RuleCase[]
  /** Cases of rules, or of parts of rules, that AppArmor does not enforce. */
  onlyBpf?: readonly BpfCase[]
  /** Runs unconfined, before all attacks of the family. */
  prepare?: Command
}

/** The last attack of a test. If its record is the next one, the log has no unexpected record. */
export const last: RuleCase = {
  rule: 'disable-access-passwd',
  attack: 'exec cat /etc/passwd',
  refusal: 'EACCES',
  neighbour: 'exec cat /etc/group',
  ...readRecords('cat', '/etc/passwd'),
}

/** Addresses of the Services that built-in rules protect, in the form that a manager resolves. */
export const serviceAddresses = [
  { target: 'service default/kubernetes', groups: [{ addresses: ['10.96.0.1'] }] },
  { target: 'service ingress-nginx/ingress-nginx-controller-admission', groups: [{ addresses: ['10.96.0.2'] }] },
  { target: 'service kube-system/ingress-nginx-controller-admission', groups: [] },
]

export const titleOf = ({ rule, title }: Attempt): string => (title === undefined ? rule : `${rule}, ${title}`)

/**
 * The cases to run without policies: one of each family, or one of each rule (VARMOR_RULES_DELETED=all). One case of a
 * family suffices, because other tests show that every attack works where it is only observed.
 */
export function casesWhenDeleted<Case extends Attempt>(cases: readonly Case[]): Case[] {
  const running = cases.filter(({ skip }) => skip === undefined)
  const ofEach = [...new Map(running.toReversed().map((given) => [given.rule, given])).values()].reverse()
  return process.env['VARMOR_RULES_DELETED'] === 'all' ? ofEach : ofEach.slice(0, 1)
}
