import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { parse } from 'yaml'
import { valuesWithImage } from '../../../deploy/release/chart-values.ts'
import { chart } from '../../cluster/helm/helm.ts'

const text = readFileSync(join(chart, 'values.yaml'), 'utf8')
const digest = `sha256:${'a'.repeat(64)}`

describe("the values of a release's chart", () => {
  it('name the image by its digest, and differ in nothing else', () => {
    const expected = parse(text)
    Object.assign(expected.image, { registry: 'ghcr.io', namespace: 'acme/team' })
    expected.manager.image.digest = digest
    expected.agent.image.digest = digest
    expect(parse(valuesWithImage(text, { host: 'ghcr.io', path: 'acme/team' }, digest))).to.deep.equal(expected)
  })

  it('keep their comments', () => {
    const changed = valuesWithImage(text, { host: 'ghcr.io', path: 'acme' }, digest)
    const different = changed.split('\n').filter((line) => !text.split('\n').includes(line))
    expect(different.map((line) => line.trim())).to.deep.equal([
      'registry: "ghcr.io"',
      'namespace: acme',
      `digest: "${digest}"`,
      `digest: "${digest}"`,
    ])
  })

  it('must have the places', () => {
    expect(() => valuesWithImage('image: {}\n', { host: 'a.b', path: '' }, digest)).to.throw('no image.registry')
  })
})
