import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { metricsDocument, metricsText } from '../../deploy/generate-metrics-doc.ts'

describe('METRICS.md', () => {
  it('lists the metrics that there are; if not: npm run generate', () => {
    expect(readFileSync(metricsDocument, 'utf8')).to.equal(metricsText())
  })
})
