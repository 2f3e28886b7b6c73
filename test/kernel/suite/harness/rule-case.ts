import type { BpfEvent } from './bpf-events.ts'
import type { Command, ContainerOptions } from './container.ts'
import type { Errno } from './errno.ts'
import { type AppArmorRecord, readRecords } from './records.ts'

/** One built-in rule, the attack that it is against, and the nearest thing that it must not touch. */
export interface Attempt {
  rule: string
  /** The difference from other cases of the same rule. */
  title?: string
  /** Why it cannot be shown on this kernel. */
  skip?: string | undefined
  /** Unconfined, before the attack. */
  prepare?: Command
  attack: Command
  /** How the program says that it was refused: by errno, or in other words. */
  refusal: Errno | { says: string }
  neighbour: Command
  /** Unconfined, after an attack that worked. */
  undo?: Command
}

/** An attempt with BPF's reports of it. */
export interface BpfCase extends Attempt {
  events: readonly BpfEvent[]
  /** The reports of an allowed attempt, if they differ: they include the steps after the first one. */
  observed?: readonly BpfEvent[]
}

/** An attempt with AppArmor's reports of it, from which BPF's reports follow. */
export interface RuleCase extends Attempt {
  records: readonly AppArmorRecord[]
  /** As in BpfCase. */
  observed?: readonly AppArmorRecord[]
  /** Why AppArmor cannot show it; then it is a case of BPF alone. */
  notAppArmor?: string
  /** In what the case of BPF is another one. */
  bpf?: Partial<BpfCase>
}

export interface RuleFamily extends Pick<ContainerOptions, 'flags'> {
  name: string
  cases: readonly RuleCase[]
  /** Cases of rules, or of parts of rules, that AppArmor does not carry. */
  onlyBpf?: readonly BpfCase[]
  /** Unconfined, before all of its attacks. */
  prepare?: Command
}

/** The last act: if its record comes next, nothing else was reported before. */
export const last: RuleCase = {
  rule: 'disable-access-passwd',
  attack: 'exec cat /etc/passwd',
  refusal: 'EACCES',
  neighbour: 'exec cat /etc/group',
  ...readRecords('cat', '/etc/passwd'),
}

/** Where the Services are that built-in rules are about, as a manager says it. */
export const serviceAddresses = [
  { target: 'service default/kubernetes', groups: [{ addresses: ['10.96.0.1'] }] },
  { target: 'service ingress-nginx/ingress-nginx-controller-admission', groups: [{ addresses: ['10.96.0.2'] }] },
  { target: 'service kube-system/ingress-nginx-controller-admission', groups: [] },
]

export const titleOf = ({ rule, title }: Attempt): string => (title === undefined ? rule : `${rule}, ${title}`)

/**
 * The cases that are tried without policies: one of each family, or one of each rule (VARMOR_RULES_DELETED=all). One of
 * a family is enough, because every attack is also shown to work where it is only observed.
 */
export function casesWhenDeleted<Case extends Attempt>(cases: readonly Case[]): Case[] {
  const running = cases.filter(({ skip }) => skip === undefined)
  const ofEach = [...new Map(running.toReversed().map((given) => [given.rule, given])).values()].reverse()
  return process.env['VARMOR_RULES_DELETED'] === 'all' ? ofEach : ofEach.slice(0, 1)
}
