import { expect } from 'chai'
import fc from 'fast-check'
import { matchesPath } from '../../src/profile/path-pattern.ts'
import { overlap } from '../../src/profile/pattern-overlap.ts'
import { arbitraryPath, arbitraryPattern, pathsNear, patternOf } from './arbitrary-patterns.ts'

const rows: { one: string; other: string; meet: boolean }[] = [
  { one: '/a/*', other: '/a/b', meet: true },
  { one: '/a/*', other: '/a/b/c', meet: false },
  { one: '/a/x*', other: '/a/*y', meet: true },
  { one: '/a/x*', other: '/a/y*', meet: false },
  { one: '/etc/*', other: '/**/passwd', meet: true },
  { one: '/tmp/*/f', other: '/**/.ssh/**', meet: true },
  { one: '/tmp/tmp.*', other: '/**/sh', meet: false },
  { one: '/proc/*/stat', other: '/proc/**/mountinfo', meet: false },
  { one: '/proc/*/*', other: '/proc/**/mountinfo', meet: true },
  { one: '/dev/*', other: '/dev/sd*', meet: true },
  { one: '/dev/pts/*', other: '/dev/sd*', meet: false },
  { one: '/a', other: '/a', meet: true },
]

describe('two patterns', () => {
  for (const { one, other, meet } of rows) {
    it(`${one} and ${other} ${meet ? 'match a path in common' : 'match none in common'}`, () => {
      expect(overlap(patternOf(one), patternOf(other))).to.equal(meet)
      expect(overlap(patternOf(other), patternOf(one))).to.equal(meet)
    })
  }

  it('overlap whenever both match a path', () => {
    const pair = fc.tuple(arbitraryPattern, arbitraryPattern)
    const withPath = pair.chain(([one, other]) =>
      fc.tuple(fc.constant(one), fc.constant(other), fc.oneof(arbitraryPath, pathsNear(one), pathsNear(other))),
    )
    fc.assert(
      fc.property(withPath, ([one, other, path]) => {
        if (matchesPath(one, path) && matchesPath(other, path)) expect(overlap(one, other)).to.equal(true)
      }),
    )
  })
})
