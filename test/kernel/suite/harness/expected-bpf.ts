import { expect } from 'chai'
import type { ContainerInfo, PolicyIdentity } from '../../../../src/audit/enrich/snapshot.ts'
import type { BpfEvent } from './bpf-events.ts'
import type { Mode } from './profiles.ts'
import { metadata, nodeName, type Violation } from './violations.ts'

interface Expected {
  mode: Mode
  container: ContainerInfo
  policy: PolicyIdentity
}

/** Checks each field of a line, as expectViolation does for AppArmor. */
function expectBpfViolation(line: Violation, { comm, event }: BpfEvent, expected: Expected): void {
  const { mode, container, policy } = expected
  const { initPid, mntNsID, profileName: _, ...owner } = container
  const whole = {
    level: mode === 'enforced' ? 'warn' : 'debug',
    ...{ metadata, nodeName, ...owner, pid: line['pid'], mntNsID, eventTimestamp: line['eventTimestamp'] },
    ...{ eventType: 'BPF', enforcer: 'BPF', action: mode === 'enforced' ? 'DENIED' : 'AUDIT' },
    ...{ profileName: policy.profileName, policyKind: policy.kind, policyName: policy.name },
    ...{ policyNamespace: policy.namespace, event },
    time: `${String(line['timestamp']).slice(0, 19)}Z`,
    message: 'violation event',
    ...{ schema: 1, timestamp: line['timestamp'], id: line['id'] },
    ...{ comm, exe: line['exe'], tid: line['pid'], ppid: line['ppid'], uid: 0, gid: 0 },
  }
  expect(line).to.deep.equal(whole)
  expect(Object.keys(line), 'order of fields').to.deep.equal(Object.keys(whole))
  expect(Object.keys(line.event), 'order of fields').to.deep.equal(Object.keys(event))
  expect(line['pid']).to.be.a('number').that.is.greaterThan(initPid)
  expect(line['ppid']).to.be.a('number').that.is.at.least(initPid)
  expect(line['exe']).to.match(/^\/[^\0]+$/)
  expect(line['timestamp']).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/)
  expect(Math.floor(Date.parse(String(line['timestamp'])) / 1000)).to.equal(line['eventTimestamp'])
  expect(line['id']).to.match(/^[0-9a-f]{12}-bpf-\d+\.\d{9}-[0-9a-f]{8}$/)
}

/**
 * Drops repeated capability events: the kernel may check one capability several times in a call, and AppArmor reports
 * only the first check.
 */
function withoutRepeats(lines: readonly Violation[]): Violation[] {
  const what = (line: Violation): string => JSON.stringify([line.event, line['comm'], line['pid']])
  return lines.filter((line, i) => {
    const before = lines[i - 1]
    return line.event['operation'] !== 'Capability' || before === undefined || what(line) !== what(before)
  })
}

/**
 * Checks that the lines report these events, with each field.
 * @param said output of the program, for the failure's text
 */
export function expectBpfEvents(
  lines: readonly Violation[],
  events: readonly BpfEvent[],
  { said, ...expected }: Expected & { said: string },
): void {
  const found = withoutRepeats(lines)
  const short = found.map(({ comm, event }) => ({ comm, event }))
  expect(short, `the events; it said ${said}`).to.deep.equal(events)
  for (const [i, event] of events.entries()) expectBpfViolation(found[i]!, event, expected)
}
