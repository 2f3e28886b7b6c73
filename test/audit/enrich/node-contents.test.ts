import { expect } from 'chai'
import { readContents } from '../../../src/audit/enrich/node-contents.ts'

describe('a containers file', () => {
  const read = (container: object) =>
    readContents(JSON.stringify({ containers: [{ containerID: 'c1', ...container }] }))

  it('has workload and labels of a pod', () => {
    const about = { workload: { kind: 'Job', name: 'backup' }, podLabels: { app: 'web' }, podLabelsCut: false }
    const given = read(about)
    expect(given.ok && given.value.containers[0]).to.deep.include(about)
  })

  const mistakes: { what: string; container: object; path: string }[] = [
    { what: 'a workload of an unknown kind', container: { workload: { kind: 'X', name: 'a' } }, path: 'workload' },
    { what: 'a workload without a name', container: { workload: { kind: 'Job' } }, path: 'workload' },
    { what: 'a label that is no text', container: { podLabels: { app: 1 } }, path: 'podLabels' },
    { what: 'a text for yes', container: { podLabelsCut: 'yes' }, path: 'podLabelsCut' },
  ]
  for (const { what, container, path } of mistakes)
    it(`is refused with ${what}`, () => {
      const given = read(container)
      expect(given.ok).to.equal(false)
      if (!given.ok) expect(given.errors[0]).to.include({ code: 'WRONG_TYPE', path: `containers[0].${path}` })
    })
})
