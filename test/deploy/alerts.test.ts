import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { rulesFile, rulesText } from '../../deploy/generate-alerts.ts'
import { managerMetricRows } from '../../deploy/generate-metrics-doc.ts'
import { alerts } from '../../deploy/prometheus/alerts.ts'
import { agentMetricTable } from '../../src/agent/metrics/agent-metrics.ts'
import { probe } from '../cluster/command.ts'
import { readQuery } from '../metrics/prom-query.ts'

/** Labels that Prometheus adds, and that of buckets. */
const added = ['instance', 'job', 'le']
/** Of Prometheus, and of Kubernetes' API server. */
const others: [string, string[]][] = [
  ['up', []],
  ['apiserver_admission_webhook_fail_open_count', ['name', 'type']],
  ['apiserver_admission_webhook_rejection_count', ['name', 'type', 'operation', 'error_type', 'rejection_code']],
]
const declared = new Map([
  ...others,
  ...managerMetricRows().map(({ name, labels }): [string, string[]] => [name, [...labels]]),
  ...agentMetricTable.map(({ name, labels = {} }): [string, string[]] => [name, Object.keys(labels)]),
])
/** Of a metric, or of a histogram whose buckets it is. */
const labelsOf = (name: string): string[] | undefined => {
  const found = declared.get(name) ?? declared.get(name.replace(/_(bucket|sum|count)$/, ''))
  return found && [...found, ...added]
}

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
})
