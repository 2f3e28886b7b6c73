import { expect } from 'chai'
import { syscallNumber } from '../../../../src/api/linux-syscalls.ts'
import type { ContainerInfo, PolicyIdentity } from '../../../../src/audit/enrich/snapshot.ts'
import { linuxFrom } from './kernel-release.ts'
import type { Mode } from './profiles.ts'
import type { AppArmorRecord } from './records.ts'
import { metadata, nodeName, type Violation } from './violations.ts'

/** Fields of `event` with a value other than zero or empty. */
export type EventFields = Record<string, string | number>

/** All fields of libapparmor's record with zero or empty values, in the order of the log. */
const noAppArmorEvent = {
  ...{ version: 1, event: 4, pid: 0, peerPID: 0, task: 0, magicToken: 0, epoch: 0, auditSubId: 0, auditSubID: 0 },
  ...{ bitMask: 0, auditID: '', operation: '', deniedMask: '', requestedMask: '' },
  // (unsigned long)-1: the record names no owner.
  ...{ fsuid: Number(2n ** 64n - 1n), ouid: Number(2n ** 64n - 1n), profile: '', peerProfile: '', comm: '', name: '' },
  ...{ name2: '', namespace: '', attribute: '', parent: 0, info: '', peerInfo: '', errorCode: 0, activeHat: '' },
  ...{ netFamily: '', netProtocol: '', netSockType: '', netLocalAddr: '', netLocalPort: 0, netForeignAddr: '' },
  ...{ netForeignPort: 0, dbusBus: '', dbusPath: '', dbusInterface: '', dbusMember: '', signal: '', peer: '' },
  ...{ fsType: '', flags: '', srcName: '' },
}

/** AA_RECORD_DENIED and AA_RECORD_AUDIT of libapparmor (aalogparse.h). */
const recordTypes = { enforced: 4, observed: 2 }

export interface Expected {
  enforcer: 'AppArmor' | 'Seccomp'
  mode: Mode
  container: ContainerInfo
  policy: PolicyIdentity
  /** Fields of `event` with a value other than zero or empty. */
  event: EventFields
  /** Fields that this project adds after upstream's fields. */
  own: Readonly<Record<string, unknown>>
}

const actions = {
  AppArmor: { enforced: 'DENIED', observed: 'AUDIT' },
  Seccomp: { enforced: 'DENIED', observed: 'AUDIT|ALLOWED' },
}

/**
 * Checks each field of a line. Fields that no test can predict (times, serial numbers, process ids) are checked for
 * consistency.
 */
export function expectViolation(line: Violation, expected: Expected): void {
  const { enforcer, mode, container, policy, own } = expected
  const { initPid, mntNsID, profileName: _, refusedCalls: _calls, ...owner } = container
  const event = enforcer === 'AppArmor' ? appArmorEvent(line, expected) : seccompEvent(line, expected)
  const whole = {
    level: mode === 'enforced' ? 'warn' : 'debug',
    ...{ metadata, nodeName, ...owner, pid: line['pid'], mntNsID, eventTimestamp: line.event['epoch'] },
    ...{ eventType: enforcer, enforcer, action: actions[enforcer][mode], profileName: policy.profileName },
    ...{ policyKind: policy.kind, policyName: policy.name, policyNamespace: policy.namespace, event },
    time: new Date(Number(line.event['epoch']) * 1000).toISOString().replace('.000Z', 'Z'),
    message: 'violation event',
    ...{ schema: 1, timestamp: line['timestamp'], id: line['id'] },
    // The field exists only if the process still lives when the agent reads /proc; some attacks end at once.
    ...(line['process'] !== undefined && { process: line['process'] }),
    ...own,
  }
  expect(line).to.deep.equal(whole)
  expect(Object.keys(line), 'order of fields').to.deep.equal(Object.keys(whole))
  expect(Object.keys(line.event), 'order of fields').to.deep.equal(Object.keys(event))
  expect(line['pid']).to.be.a('number').that.is.greaterThan(initPid)
  expect(line.event['auditID']).to.match(/^\d{10}\.\d{3}:\d+$/)
  expect(line.event['auditID']).to.satisfy((id: string) => id.startsWith(`${line.event['epoch']}.`))
  const milliseconds = Number(/\.(\d{3}):/.exec(String(line.event['auditID']))?.[1])
  expect(Date.parse(String(line['timestamp']))).to.equal(Number(line.event['epoch']) * 1000 + milliseconds)
  const started = (line['process'] as { startTime?: string } | undefined)?.startTime
  if (started !== undefined) expect(Date.parse(started)).to.be.at.most(Date.parse(String(line['timestamp'])) + 100)
  expect(line['id']).to.match(/^[0-9a-f]{12}-audit-[0-9.:]+-[0-9a-f]{8}$/)
  expect(line['id']).to.include(`-audit-${line.event['auditID']}-`)
}

function appArmorEvent({ pid, event: { epoch, auditSubID, auditID } }: Violation, expected: Expected): object {
  expect(auditID).to.satisfy((id: string) => id.endsWith(`:${auditSubID}`))
  return {
    ...{ ...noAppArmorEvent, event: recordTypes[expected.mode], pid, epoch, auditID },
    ...{ auditSubId: auditSubID, auditSubID, profile: expected.policy.profileName, ...expected.event },
  }
}

function seccompEvent({ pid, event: { epoch, auditID } }: Violation, { event }: Expected): object {
  return { auditID, epoch, subj: 'unconfined', pid, comm: '', exe: '', syscall: '', ...event }
}

/**
 * Checks that the lines report these records, with each field.
 * @param said output of the program, for the failure's text
 */
export function expectRecords(
  lines: readonly Violation[],
  records: readonly AppArmorRecord[],
  { said, ...expected }: Pick<Expected, 'mode' | 'container' | 'policy'> & { said: string },
): void {
  if (lines.length !== records.length)
    expect.fail(`${lines.length} records, not ${records.length}; it said ${said}; ${JSON.stringify(lines)}`)
  for (const [i, { class: kind, event, extra }] of records.entries()) {
    const fields = expected.mode === 'enforced' ? event : { ...event, deniedMask: '' }
    const own = { ...(linuxFrom(6, 2) && { class: kind }), ...(extra !== undefined && { extra }) }
    expectViolation(lines[i]!, { enforcer: 'AppArmor', ...expected, event: fields, own })
  }
}

/** Fields of the record of a call that a filter logs. */
export interface LoggedCall extends EventFields {
  comm: string
  exe: string
  syscall: string
}

/** SECCOMP_RET_LOG and SECCOMP_RET_ERRNO, as records have them. */
const codes = { enforced: '0x50000', observed: '0x7ffc0000' }

/** Checks that a line reports a call by root on x86-64 that a container's filter refused or allowed. */
export function expectLoggedCall(
  line: Violation,
  { event, ...expected }: Pick<Expected, 'mode' | 'container' | 'policy'> & { event: LoggedCall },
): void {
  // The test cannot predict the address of the call in the program.
  const { ip } = line
  expect(ip).to.match(/^0x[0-9a-f]+$/)
  const call = { syscallNumber: syscallNumber(event.syscall, 'x86_64'), sig: 0, arch: 'c000003e', compat: 0, ip }
  const refused = expected.mode === 'enforced' && { filter: 'container' }
  const own = { ...call, code: codes[expected.mode], uid: 0, gid: 0, ...refused }
  expectViolation(line, { enforcer: 'Seccomp', ...expected, event, own })
}
