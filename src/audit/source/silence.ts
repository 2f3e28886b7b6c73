import { type AuditRule, droppedBy, ruleText } from './audit-rules.ts'

/** Kinds of records that become violations. A bus daemon sends D-Bus records through the kernel. */
export const recordKinds = ['AppArmor', 'D-Bus', 'Seccomp'] as const
export type RecordKind = (typeof recordKinds)[number]

/** The cause of missing records of a kind: an audit rule, or a setting of AppArmor or Seccomp. */
export type SilenceReason = 'rule' | 'setting'

/** Records that the kernel does not create, so that no log of the node has them. */
export interface Silence {
  records: RecordKind
  reason: SilenceReason
  /** The reason, as a text for users. */
  why: string
  remedy: string
}

/** The state of the kernel's audit system. */
export interface AuditState {
  /** 0 off, 1 on, 2 on and locked. The kernel creates records of our types with any value. */
  enabled: number
  rules: readonly AuditRule[]
}

const types: Readonly<Record<RecordKind, { type: number; sent: boolean }>> = {
  // AppArmor uses AUDIT_AVC since Linux 2.6.36.
  AppArmor: { type: 1400, sent: false },
  'D-Bus': { type: 1107, sent: true },
  Seccomp: { type: 1326, sent: false },
}

/** The start of `why` in `lost` lines, by kind of record. */
const words: Readonly<Record<RecordKind, string>> = { AppArmor: 'apparmor', 'D-Bus': 'dbus', Seccomp: 'seccomp' }

/** The reason in `lost` lines and metrics. */
export const lossReason = ({ records, reason }: Pick<Silence, 'records' | 'reason'>): string =>
  `${words[records]}-${reason === 'rule' ? 'excluded' : 'quiet'}`

const nowhere = 'the kernel drops these records before any log gets them, so every source lacks them'
const locked = 2

/**
 * Finds the kinds of records that rules suppress.
 * @param appArmor whether the node has AppArmor. If not, AppArmor's records do not count as missing
 */
export function silencedByRules({ enabled, rules }: AuditState, appArmor: boolean): Silence[] {
  return recordKinds.flatMap((records): Silence[] => {
    const { type, sent } = types[records]
    const dropped = records === 'Seccomp' || appArmor ? droppedBy(rules, type, sent) : undefined
    if (dropped === undefined) return []
    const rule = ruleText(dropped.rule)
    const which = dropped.extent === 'all' ? `violations of ${records}` : `violations of ${records} by some processes`
    const why = `${which} are not reported: the audit rule "-a ${rule}" excludes their records; ${nowhere}`
    const files = 'delete the rule from /etc/audit/rules.d'
    const remedy =
      enabled === locked
        ? `${files} and restart the node, because its rules are locked (auditctl -e 2)`
        : `run auditctl -d ${rule}, and ${files}`
    return [{ records, reason: 'rule', why, remedy }]
  })
}

/** Reads a file below the node's root; undefined if it does not exist. */
export type ReadSetting = (path: string) => string | undefined

const appArmorFolder = 'sys/module/apparmor/parameters'
const loggedFile = 'proc/sys/kernel/seccomp/actions_logged'
/** Actions that the kernel logs by default. */
const actions = ['kill_process', 'kill_thread', 'trap', 'errno', 'user_notif', 'trace', 'log']

export const hasAppArmor = (read: ReadSetting): boolean => read(`${appArmorFolder}/enabled`) === 'Y'

/** Finds settings of the node that keep AppArmor and Seccomp from creating records of refusals. */
export function silencedBySettings(read: ReadSetting): Silence[] {
  const silences: Silence[] = []
  const mode = hasAppArmor(read) ? read(`${appArmorFolder}/audit`) : undefined
  if (mode?.startsWith('quiet'))
    silences.push({
      records: 'AppArmor',
      reason: 'setting',
      why: `violations of AppArmor are not reported: its parameter audit is "${mode}", so it does not write records of refused operations`,
      remedy: `run echo -n normal > /${appArmorFolder}/audit, and remove apparmor.audit from the kernel's command line`,
    })
  const logged = read(loggedFile)?.split(/\s+/)
  const missing = logged === undefined ? [] : actions.filter((action) => !logged.includes(action))
  // An older kernel does not have all actions.
  const known = read('proc/sys/kernel/seccomp/actions_avail')?.split(/\s+/) ?? actions
  const unlogged = missing.filter((action) => known.includes(action))
  if (unlogged.length > 0)
    silences.push({
      records: 'Seccomp',
      reason: 'setting',
      why: `violations of Seccomp with the action ${unlogged.join(', ')} are not reported: kernel.seccomp.actions_logged lacks it`,
      remedy: `run sysctl -w kernel.seccomp.actions_logged="${actions.filter((action) => known.includes(action)).join(' ')}"`,
    })
  return silences
}
