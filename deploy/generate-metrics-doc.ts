import { writeFileSync } from 'node:fs'
import type { Metric } from 'prom-client'
import type { AgentMetric, LabelValues } from '../src/agent/metrics/agent-metric.ts'
import { agentMetricTable, lagMetric } from '../src/agent/metrics/agent-metrics.ts'
import { managerLabelValues } from '../src/manager/metrics/label-values.ts'
import { ManagerMetrics, type MetricSources } from '../src/manager/metrics/manager-metrics.ts'

// Writes the list of all metrics, from the code that serves them. Run it with `npm run generate`. A test fails if the
// file is out of date.

export const metricsDocument = new URL('../src/metrics/METRICS.md', import.meta.url)

interface Row {
  name: string
  type: string
  help: string
  labels: readonly string[]
}

/** Fields of a metric that exist at run time, but not in the types of prom-client. */
type Described = Metric & { name: string; help: string; labelNames: readonly string[] }

/** The metrics of a manager, except the metrics that prom-client adds for each process. */
export function managerMetricRows(): Row[] {
  const nothing = (): never => {
    throw new Error('the document has no values')
  }
  const sources: Record<keyof MetricSources, unknown> = {
    ...{ actors: nothing, certificates: nothing, isLeader: nothing, queues: nothing, policies: nothing },
    policyStates: nothing,
    ...{ models: nothing, outlines: nothing },
    ...{ eventsLost: nothing, failures: nothing, limiter: {} },
  }
  const { registry } = new ManagerMetrics(sources as MetricSources, { process: false })
  return (registry.getMetricsAsArray() as unknown as Described[]).map((metric) => ({
    ...{ name: metric.name, help: metric.help, labels: metric.labelNames },
    type: metric.constructor.name.toLowerCase(),
  }))
}

export function metricsText(): string {
  const managerRows = managerMetricRows()
  const managerLabels = [...new Set(managerRows.flatMap(({ labels }) => labels))].sort()
  const lag: Row = { ...lagMetric, type: 'histogram', labels: [] }
  return `# Metrics

\`npm run generate\` writes this page from the tables that define the metrics.
[Monitoring](../../docs/monitoring.md) says how to serve and scrape them. There are also
[a dashboard for Grafana](../../deploy/grafana/varmor.json) and
[alerts for Prometheus](../../deploy/prometheus/varmor.rules.yaml).

- Each process also serves its \`process_…\` and \`nodejs_…\` metrics.
- Each scrape reads the current values. Concurrent scrapes get the same answer.
- Counters of an agent continue when a component restarts.
- A record, report or review alone cannot create a label value. For each label, this page says how many values it can
  have.

## Agent

${agentMetricTable.map(agentEntry).join('\n')}
${entry(lag)}

An agent that loads profiles also has the metrics \`varmor_actor_…\` and \`varmor_api_…\` of a manager.

## Manager

${managerRows.map((row) => entry(row)).join('\n')}

| label | values |
| --- | --- |
${managerLabels.map((label) => `| \`${label}\` | ${valuesOfManager(label)} |`).join('\n')}
`
}

function agentEntry({ name, type, help, labels = {}, ofCluster = false }: AgentMetric): string {
  const lines = Object.entries(labels).map(([label, values]) => wrapped(`  - \`${label}\`: ${valuesText(values)}`))
  const where = ofCluster ? '; not with `--audit-only`' : ''
  return [wrapped(`- \`${name}\`, ${type}: ${help}${where}`), ...lines].join('\n')
}

const entry = ({ name, type, help, labels }: Row): string => {
  const by = labels.length === 0 ? '' : `, by ${labels.map((label) => `\`${label}\``).join(', ')}`
  return wrapped(`- \`${name}\`, ${type}${by}: ${help}`)
}

/** An item of a list, wrapped at 120 columns. Code is not wrapped. */
function wrapped(item: string): string {
  const [mark = ''] = /^ *- /.exec(item) ?? []
  const lines = ['']
  for (const word of item.slice(mark.length).match(/(?:`[^`]*`|\S)+/g) ?? []) {
    const longer = `${lines.at(-1)} ${word}`.trim()
    if (mark.length + longer.length > 120) lines.push(word)
    else lines[lines.length - 1] = longer
  }
  return mark + lines.join(`\n${' '.repeat(mark.length)}`)
}

const valuesText = (values: LabelValues): string =>
  typeof values === 'string' ? values : values.map((value) => `\`${value}\``).join(', ')

function valuesOfManager(label: string): string {
  const values = managerLabelValues[label]
  if (values === undefined) throw new Error(`say in label-values.ts what the label ${label} can be`)
  return values
}

if (process.argv[1] === new URL(import.meta.url).pathname) writeFileSync(metricsDocument, metricsText())
