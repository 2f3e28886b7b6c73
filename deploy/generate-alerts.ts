import { writeFileSync } from 'node:fs'
import { stringify } from 'yaml'
import { alerts } from './prometheus/alerts.ts'

// Writes the rules for Prometheus from the table of alerts. Run it with `npm run generate`. A test fails if the file is
// out of date, or if it names a metric that neither agents nor managers have.

export const rulesFile = new URL('prometheus/varmor.rules.yaml', import.meta.url)

export function rulesText(): string {
  const rules = alerts.map(({ name, severity, expression, lasts, summary, remedy }) => ({
    alert: name,
    expr: expression,
    for: lasts,
    labels: { severity },
    annotations: { summary, description: remedy },
  }))
  const groups = [{ name: 'varmor', rules }]
  return `# Made by \`npm run generate\` from alerts.ts.\n${stringify({ groups }, { lineWidth: 0 })}`
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  writeFileSync(rulesFile, rulesText())
  console.log('deploy/prometheus/varmor.rules.yaml')
}
