import type { BpfEvent } from './bpf-events.ts'
import type { Command, ContainerOptions } from './container.ts'
import type { Errno } from './errno.ts'
import { type AppArmorRecord, readRecords } from './records.ts'

/** One built-in rule, the attack that it is against, and the nearest thing that it must not touch. */
export interface Attempt {
  rule: string
  /** What makes it another case of the same rule. */
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

/** What BPF reports of an attempt. */
export interface BpfCase extends Attempt {
  events: readonly BpfEvent[]
  /** What is reported where it is let through, if that is not the same: what comes after the first step too. */
  observed?: readonly BpfEvent[]
}

/** What AppArmor reports of it, from which follows what BPF does. */
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
  /** Of rules, or parts of rules, that AppArmor does not carry. */
  onlyBpf?: readonly BpfCase[]
  /** Unconfined, before all of its attacks. */
  prepare?: Command
}

/** What is done last: if its record is the next one, nothing else was reported before. */
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
 * Those that are tried without policies: one of each family, as where an attack is observed it works as well, or one of
 * each rule (VARMOR_RULES_DELETED=all).
 */
export function casesWhenDeleted<Case extends Attempt>(cases: readonly Case[]): Case[] {
  const running = cases.filter(({ skip }) => skip === undefined)
  const ofEach = [...new Map(running.toReversed().map((given) => [given.rule, given])).values()].reverse()
  return process.env['VARMOR_RULES_DELETED'] === 'all' ? ofEach : ofEach.slice(0, 1)
}
