import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { expect } from 'chai'
import { parse } from 'yaml'
import { plainOptions } from '../../deploy/chart-options.ts'
import { chartFiles } from '../../deploy/generate-chart.ts'
import { agentOptions } from '../../src/options/agent.ts'
import { chart } from '../cluster/helm/helm.ts'

const text = (name: string): string => readFileSync(join(chart, name), 'utf8')

describe('the chart, and the tables of options', () => {
  const schema = JSON.parse(text('values.schema.json'))
  const accepts = new Ajv({ strict: false, allErrors: true }).compile(schema)

  for (const [name, wanted] of Object.entries(chartFiles()))
    it(`agree in ${name}; if not: npm run generate`, () => expect(text(name)).to.equal(wanted))

  it('agree about the defaults of the chart', () => {
    expect(accepts(parse(text('values.yaml'))), JSON.stringify(accepts.errors)).to.equal(true)
  })

  it('agree about bounds: the program reads the bounds that the schema has', () => {
    const bounded = plainOptions().flatMap(({ path, option: { type } }) => {
      const {
        type: kind,
        minimum,
        maximum,
      } = (type?.schema ?? {}) as { type?: string; minimum?: number; maximum?: number }
      return kind === 'integer' && minimum !== undefined && maximum !== undefined
        ? [{ path, type, minimum, maximum }]
        : []
    })
    expect(bounded.map(({ path }) => path.join('.'))).to.include('manager.shutdownDelaySeconds')
    for (const { path, type, minimum, maximum } of bounded) {
      const valuesWith = (value: number) => path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value)
      for (const [value, isTaken] of [
        ...[minimum, maximum].map((value) => [value, true] as const),
        ...[minimum - 1, maximum + 1].map((value) => [value, false] as const),
      ]) {
        expect(accepts(valuesWith(value)), `${path.join('.')}: ${value}`).to.equal(isTaken)
        if (isTaken) expect(type!.read(`${value}`)).to.equal(value)
        else expect(() => type!.read(`${value}`), `${path.join('.')}: ${value}`).to.throw(/whole number from/)
      }
    }
  })

  it('agree in words: the schema describes a value as its flag is described', () => {
    const { workers } = schema.properties.agent.properties
    expect(workers.description).to.equal('Threads that decode records; null: 1, or 2 on 3 or more cores.')
    expect(workers.description.toLowerCase()).to.include(agentOptions.workers.help)
    expect(schema.properties.agent.properties.hostPaths.description).to.match(/^Paths on the node\./)
  })
})
