import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { rulesFile, rulesText } from '../../deploy/generate-alerts.ts'
import { managerMetricRows } from '../../deploy/generate-metrics-doc.ts'
import { alerts } from '../../deploy/prometheus/alerts.ts'
import { agentMetricTable } from '../../src/agent/metrics/agent-metrics.ts'
import { probe, result } from '../cluster/command.ts'
import { readQuery } from '../metrics/prom-query.ts'

/** Labels that Prometheus adds, and the label of buckets. */
const added = ['instance', 'job', 'le']
/** Metrics of Prometheus, of any process, and of Kubernetes' API server. */
const others: [string, string[]][] = [
  ['up', []],
  ['process_start_time_seconds', []],
  ['apiserver_admission_webhook_fail_open_count', ['name', 'type']],
  ['apiserver_admission_webhook_rejection_count', ['name', 'type', 'operation', 'error_type', 'rejection_code']],
]
const declared = new Map([
  ...others,
  ...managerMetricRows().map(({ name, labels }): [string, string[]] => [name, [...labels]]),
  ...agentMetricTable.map(({ name, labels = {} }): [string, string[]] => [name, Object.keys(labels)]),
])
/** Labels of a metric, or of the histogram of a bucket metric. */
const labelsOf = (name: string): string[] | undefined => {
  const found = declared.get(name) ?? declared.get(name.replace(/_(bucket|sum|count)$/, ''))
  return found && [...found, ...added]
}

const agent = (instance: string): string => `job="varmor-agent-metrics-svc", instance="${instance}"`
const [n2, n3] = [agent('n2'), agent('n3')]
const [m1, m2, m3] = ['m1', 'm2', 'm3'].map((instance) => `job="varmor-metrics-svc", instance="${instance}"`)
const a1 = 'job="apiserver", instance="a1"'
const wholeNode = (instance: string): Record<string, string> => ({
  [`up{${agent(instance)}}`]: '1x150',
  [`process_start_time_seconds{${agent(instance)}}`]: '-90000x150',
  [`varmor_ready{${agent(instance)}}`]: '1x150',
  [`varmor_profiles{state="failed", ${agent(instance)}}`]: '0x150',
  [`varmor_audit_source{kind="none", ${agent(instance)}}`]: '0x150',
  [`varmor_audit_lost_total{where="ring", why="full", ${agent(instance)}}`]: '5x150',
  [`varmor_queue_age_seconds{queue="log", ${agent(instance)}}`]: '0x150',
})
const well: Record<string, string> = {
  ...wholeNode('n1'),
  [`up{${m1}}`]: '1x150',
  [`process_start_time_seconds{${m1}}`]: '-90000x150',
  [`varmor_leader{${m1}}`]: '1x150',
  [`varmor_leader{${m2}}`]: '0x150',
  [`varmor_policy_states{state="enforced", ${m1}}`]: '7x150',
  [`varmor_policy_states{state="not-ready", ${m1}}`]: '0x150',
  [`varmor_policy_states{state="partly-enforced", ${m1}}`]: '0x150',
  [`varmor_certificate_expiry_seconds{certificate="serving", ${m1}}`]: '7776000x150',
}
/** Series of a process in CrashLoopBackOff: five minutes without samples, then one sample. */
const again = (dead: string, alive: (start: number) => number): string =>
  Array.from({ length: 25 }, (_, n) => `${dead} ${alive(n * 360 + 300)}`).join(' ')
const situations: { what: string; series: Record<string, string>; says: string[] }[] = [
  { what: 'say nothing where all is well', series: well, says: [] },
  { what: 'say that no manager leads where none is there', series: wholeNode('n1'), says: ['VarmorNoLeader'] },
  {
    what: 'say that an agent is down, but not which failed for a moment',
    series: {
      ...well,
      [`up{${n2}}`]: '0x150',
      [`up{${n3}}`]: '1x110 0x5 1x50',
    },
    says: ['VarmorAgentDown'],
  },
  {
    what: 'say that agents and managers end again and again, and answer for a moment each time',
    series: {
      ...well,
      [`up{${n2}}`]: again('0x4', () => 1),
      [`process_start_time_seconds{${n2}}`]: again('stale _x4', (start) => start),
      [`up{${m1}}`]: again('0x4', () => 1),
      [`process_start_time_seconds{${m1}}`]: again('stale _x4', (start) => start),
      [`varmor_leader{${m1}}`]: again('stale _x4', () => 1),
      [`varmor_leader{${m2}}`]: again('stale _x4', () => 0),
    },
    says: ['VarmorAgentDown', 'VarmorManagerDown', 'VarmorNoLeader', 'VarmorRestarts'],
  },
  {
    what: 'say that a process ends again and again, and is there most of the time',
    series: {
      ...well,
      [`process_start_time_seconds{${n2}}`]: '60x94 5700x9 6300x9 6900x50',
    },
    says: ['VarmorRestarts'],
  },
  {
    what: 'say nothing of an agent and a manager that restarted twice, or of new agents and managers',
    series: {
      ...well,
      [`process_start_time_seconds{${n2}}`]: '60x94 5700x9 6300x50',
      [`process_start_time_seconds{${m3}}`]: '60x94 5700x9 6300x50',
      [`up{${n3}}`]: '_x104 0x8 1x50',
      [`up{${m3}}`]: '_x104 0x8 1x50',
    },
    says: [],
  },
  {
    what: 'say which records a kernel does not make, and nothing where an agent may not ask',
    series: {
      ...well,
      [`up{${n2}}`]: '1x150',
      [`varmor_audit_silenced{records="AppArmor", reason="rule", ${n2}}`]: '1x150',
      [`varmor_audit_silenced{records="Seccomp", reason="unknown", ${n3}}`]: '1x150',
    },
    says: ['VarmorRecordsSilenced'],
  },
  {
    what: 'say what is lost, each time',
    series: { ...well, [`varmor_audit_lost_total{where="ring", why="full", ${n2}}`]: '5x115 9x50' },
    says: ['VarmorViolationsLost'],
  },
  {
    what: 'say what is lost, fails or runs free for the first time, of which there was no series before',
    series: {
      ...well,
      [`up{${n2}}`]: '1x150',
      [`up{${a1}}`]: '1x150',
      [`varmor_audit_lost_total{where="kernel", why="full", ${n2}}`]: '_x115 80000x50',
      [`varmor_bpf_late_containers_total{${n2}}`]: '_x115 2x50',
      [`varmor_part_failures_total{part="pipeline", ${n2}}`]: '_x115 4x50',
      [`apiserver_admission_webhook_fail_open_count{name="mutatepod.varmor.org", type="admit", ${a1}}`]: '_x115 1x50',
    },
    says: ['VarmorContainersStartedFree', 'VarmorPartFailing', 'VarmorViolationsLost', 'VarmorWebhookUnanswered'],
  },
  {
    what: 'say that something is lost of which the number is not known',
    series: {
      ...well,
      [`up{${n2}}`]: '1x150',
      [`varmor_audit_lost_unknown_total{where="socket", why="overrun", ${n2}}`]: '_x115 1x50',
      [`varmor_part_failures_total{part="pipeline", ${n2}}`]: '_x115 3x50',
    },
    says: ['VarmorViolationsLost'],
  },
  {
    what: 'say what is lost since an agent began, of which no one was asked before',
    series: {
      ...well,
      [`up{${n2}}`]: '_x117 1x50',
      [`process_start_time_seconds{${n2}}`]: '_x117 6970x50',
      [`varmor_audit_lost_total{where="kernel", why="full", ${n2}}`]: '_x117 4x50',
    },
    says: ['VarmorViolationsLost'],
  },
  {
    what: 'say what an agent lost if it lost as much before its restart',
    series: {
      ...well,
      [`up{${n2}}`]: '1x150',
      [`process_start_time_seconds{${n2}}`]: '60x70 4320x80',
      [`varmor_audit_lost_total{where="kernel", why="full", ${n2}}`]: '5x70 stale _x41 5x50',
    },
    says: ['VarmorViolationsLost'],
  },
  {
    what: 'say no more what was lost long ago, where an agent did not answer for a moment since',
    series: {
      ...well,
      [`up{${n2}}`]: '1x104 0 1x50',
      [`process_start_time_seconds{${n2}}`]: '60x104 stale 60x50',
      [`varmor_audit_lost_total{where="ring", why="full", ${n2}}`]: '_x30 9x74 stale 9x50',
      [`up{${n3}}`]: '1x99 0x19 1x50',
      [`process_start_time_seconds{${n3}}`]: '60x99 stale _x19 60x50',
      [`varmor_audit_lost_total{where="ring", why="full", ${n3}}`]: '_x30 9x69 stale _x19 9x50',
    },
    says: ['VarmorAgentDown'],
  },
  ...[3, 14].map((back) => ({
    what: `say no more what was lost long ago, ${back} minutes after Prometheus was away for 80`,
    series: Object.fromEntries(
      Object.entries({
        ...well,
        [`varmor_bpf_late_containers_total{${agent('n1')}}`]: '3x150',
        [`apiserver_admission_webhook_fail_open_count{name="mutatepod.varmor.org", type="admit", ${a1}}`]: '4x150',
        [`up{${a1}}`]: '1x150',
        [`process_start_time_seconds{${a1}}`]: '-90000x150',
      }).map(([one, values]) => {
        const value = values.replace('x150', '')
        return [one, `${value}x${39 - back} _x80 ${value}x50`]
      }),
    ),
    says: [],
  })),
  {
    what: 'say nothing where Prometheus is new',
    series: Object.fromEntries(
      Object.entries(well).map(([one, values]) => [one, values.replace(/(\S+)x150/, '_x116 $1x50')]),
    ),
    says: [],
  },
  {
    what: 'say that policies are not ready, or enforced in part',
    series: {
      ...well,
      [`varmor_policy_states{state="not-ready", ${m1}}`]: '2x150',
      [`varmor_policy_states{state="partly-enforced", ${m1}}`]: '1x150',
    },
    says: ['VarmorPoliciesNotReady', 'VarmorEnforcementGaps'],
  },
  {
    what: 'say that managers have no room for what a tenant makes',
    series: { ...well, [`varmor_objects_outlined{resource="deployments", ${m1}}`]: '4x150' },
    says: ['VarmorObjectsOutlined'],
  },
  {
    what: 'say that a certificate ends, and that the webhook was not asked',
    series: {
      ...well,
      [`varmor_certificate_expiry_seconds{certificate="serving", ${m1}}`]: '600000x150',
      [`apiserver_admission_webhook_fail_open_count{name="mutatepod.varmor.org", type="admit", ${a1}}`]: '0x115 3x50',
      [`apiserver_admission_webhook_fail_open_count{name="pods.example.org", type="admit", ${a1}}`]: '0x115 3x50',
    },
    says: ['VarmorCertificateEnds', 'VarmorWebhookUnanswered'],
  },
]

describe('the alerts for Prometheus', () => {
  it('are made from their table; if not: npm run generate', () => {
    expect(readFileSync(rulesFile, 'utf8')).to.equal(rulesText())
  })

  for (const { name, expression, summary } of alerts)
    it(`${name} asks for metrics and labels that there are`, () => {
      const { metrics, groupings } = readQuery(expression)
      expect(metrics).not.to.deep.equal([])
      for (const metric of metrics) {
        expect(labelsOf(metric.name), metric.name).not.to.equal(undefined)
        for (const label of metric.labels) expect(labelsOf(metric.name), metric.name).to.include(label)
      }
      const known = new Set(metrics.flatMap((metric) => labelsOf(metric.name)!))
      const shown = Array.from(summary.matchAll(/\$labels\.(\w+)/g), ([, label]) => label!)
      for (const label of [...groupings, ...shown]) expect(known).to.include(label)
    })

  const promtool = probe('promtool', '--version') !== undefined
  it(`are rules to Prometheus${promtool ? '' : ' (skipped: needs promtool, of the package prometheus)'}`, function () {
    if (!promtool) this.skip()
    expect(probe('promtool', 'check', 'rules', fileURLToPath(rulesFile))).to.match(/SUCCESS/)
  })

  for (const { what, series, says } of situations)
    it(`${what}${promtool ? '' : ' (skipped: needs promtool)'}`, async function () {
      if (!promtool) this.skip()
      const folder = mkdtempSync(join(tmpdir(), 'varmor-alerts-'))
      try {
        const file = join(folder, 'tests.yaml')
        const input_series = Object.entries(series).map(([one, values]) => ({ series: one, values }))
        const alert_rule_test = alerts.map(({ name }) => ({
          ...{ eval_time: '2h', alertname: name },
          exp_alerts: [],
        }))
        const rules = { rule_files: [fileURLToPath(rulesFile)], evaluation_interval: '1m' }
        writeFileSync(file, JSON.stringify({ ...rules, tests: [{ interval: '1m', input_series, alert_rule_test }] }))
        const { status, stdout, stderr } = await result('promtool', ['test', 'rules', file])
        const wrong = Array.from(`${stdout}${stderr}`.matchAll(/alertname: (\w+)/g), ([, name]) => name)
        // The rule test expects no alert, so that promtool names the alerts that fire.
        expect(wrong.sort(), stdout + stderr).to.deep.equal([...says].sort())
        expect(status === 0).to.equal(says.length === 0)
      } finally {
        rmSync(folder, { recursive: true })
      }
    })
})
