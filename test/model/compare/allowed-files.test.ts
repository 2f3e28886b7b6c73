import { expect } from 'chai'
import fc from 'fast-check'
import { Behaviour, merge } from '../../../src/model/behaviour.ts'
import { AllowedFiles } from '../../../src/model/compare/allowed-files.ts'
import { onlyIn } from '../../../src/model/compare/differences.ts'
import { arbitraryFact } from '../behaviour/arbitrary-facts.ts'

const files = [
  { path: '/srv/x', permissions: ['r'] },
  { path: '/srv/own', owner: true, permissions: ['r'] },
  { path: '/data/*', oldPath: '/data/1', permissions: ['r', 'w'] },
  { path: '/dirs/*/', oldPath: '/dirs/1/', permissions: ['r'] },
]

const rows: { title: string; path: string; asked: string[]; owner?: true; missing: string[] }[] = [
  { title: 'a file that it has', path: '/srv/x', asked: ['r'], missing: [] },
  { title: 'more than it has of a file', path: '/srv/x', asked: ['r', 'w'], missing: ['w'] },
  { title: 'another file', path: '/srv/xy', asked: ['r'], missing: ['r'] },
  { title: "an owner's file, of its owner", path: '/srv/own', asked: ['r'], owner: true, missing: [] },
  { title: "an owner's file, of others", path: '/srv/own', asked: ['r'], missing: ['r'] },
  { title: 'a file that a pattern matches', path: '/data/77', asked: ['r', 'a'], missing: [] },
  { title: 'a file below', path: '/data/7/7', asked: ['r'], missing: ['r'] },
  { title: 'a protected name that a pattern matches', path: '/data/docker.sock', asked: ['w'], missing: ['w'] },
  { title: 'a directory that a pattern matches', path: '/dirs/77/', asked: ['r'], missing: [] },
  { title: 'a file by a pattern of directories', path: '/dirs/77', asked: ['r'], missing: ['r'] },
]

describe('a model that is asked', () => {
  for (const { title, path, asked, owner, missing } of rows) {
    it(`for ${title} lacks ${missing.join(' ') || 'nothing'}`, () => {
      const file = { path, permissions: asked, ...(owner && { owner }) }
      expect(new AllowedFiles(files).missing(file)).to.deep.equal(missing)
    })
  }

  it('allows all that it was merged from', () => {
    const some = fc.array(arbitraryFact, { maxLength: 20 }).map((facts) => {
      const behaviour = new Behaviour()
      for (const add of facts) add(behaviour)
      return behaviour
    })
    fc.assert(
      fc.property(some, some, (a, b) => {
        const both = merge(a, b).toDynamicResult()
        // A mount is compared by all its flags together.
        const lacking = onlyIn(a.toDynamicResult(), both).filter(({ kind }) => kind !== 'mounts')
        expect(lacking).to.deep.equal([])
      }),
    )
  })
})
