import { writeFileSync } from 'node:fs'
import type { Panel, Row } from './grafana/panel.ts'
import { rows } from './grafana/panels.ts'
import { jsonText } from './json-text.ts'

// Writes the Grafana dashboard from its panels. Run it with `npm run generate`. A test fails if the file is out of
// date, or if it names a metric that neither agents nor managers have.

export const dashboardFile = new URL('grafana/varmor.json', import.meta.url)

const datasource = { type: 'prometheus', uid: '$datasource' }
const columns = 24

export function dashboardText(): string {
  return `${jsonText(dashboard())}\n`
}

function dashboard(): object {
  return {
    uid: 'varmor',
    title: 'vArmor',
    description: 'Violations, what is lost of them, the nodes and the managers. Made by `npm run generate`.',
    tags: ['varmor', 'security'],
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    templating: { list: [dataSources, nodesOf] },
    panels: layOut(rows),
  }
}

const dataSources = { type: 'datasource', name: 'datasource', label: 'Prometheus', query: 'prometheus', hide: 0 }

const nodesOf = {
  ...{ type: 'query', name: 'node', label: 'Agent', datasource, refresh: 2, sort: 1 },
  ...{ multi: true, includeAll: true, allValue: '.*', current: { text: 'All', value: '$__all' } },
  query: { query: 'label_values(varmor_audit_source, instance)', refId: 'nodes' },
}

function layOut(all: readonly Row[]): object[] {
  const panels: object[] = []
  let y = 0
  for (const row of all) {
    panels.push({ id: panels.length + 1, type: 'row', title: row.title, gridPos: { x: 0, y, w: columns, h: 1 } })
    y++
    const [w, h] = row.panels.every(({ kind }) => kind === 'stat') ? [4, 4] : [8, 8]
    row.panels.forEach((panel, i) => {
      const at = i * w
      const gridPos = { x: at % columns, y: y + Math.floor(at / columns) * h, w, h }
      panels.push({ id: panels.length + 1, ...panelOf(panel), gridPos })
    })
    y += Math.ceil((row.panels.length * w) / columns) * h
  }
  return panels
}

function panelOf({ title, description, kind = 'timeseries', unit, queries, alarm, least }: Panel): object {
  return {
    ...{ type: kind, title, description, datasource },
    fieldConfig: {
      defaults: { unit, ...thresholds(alarm, least), ...(kind === 'timeseries' && { min: 0 }) },
      overrides: [],
    },
    options: kind === 'stat' ? statOptions : seriesOptions,
    targets: queries.map(([expr, legendFormat], i) => ({
      ...{ refId: String.fromCharCode(65 + i), datasource, expr, legendFormat },
      ...(kind === 'stat' && { instant: true, range: false }),
    })),
  }
}

const statOptions = { colorMode: 'background', graphMode: 'none', reduceOptions: { calcs: ['lastNotNull'] } }
const seriesOptions = {
  legend: { displayMode: 'list', placement: 'bottom' },
  tooltip: { mode: 'multi', sort: 'desc' },
}

function thresholds(alarm: number | undefined, least: number | undefined): object {
  if (alarm !== undefined) return stepsAt('green', 'red', alarm)
  return least === undefined ? {} : stepsAt('red', 'green', least)
}

const stepsAt = (below: string, from: string, value: number): object => ({
  thresholds: {
    mode: 'absolute',
    steps: [
      { color: below, value: null },
      { color: from, value },
    ],
  },
})

if (process.argv[1] === new URL(import.meta.url).pathname) writeFileSync(dashboardFile, dashboardText())
