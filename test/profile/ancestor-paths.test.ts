import { expect } from 'chai'
import fc from 'fast-check'
import { pathsOnTheWay, rootIsOnTheWay } from '../../src/profile/ancestor-paths.ts'
import { matchesPath } from '../../src/profile/path-pattern.ts'
import { arbitraryPattern, pathsNear, patternOf } from './arbitrary-patterns.ts'

const rows: [pattern: string, way: string[], root: boolean][] = [
  ['/etc/**', ['/etc'], true],
  ['/a/b/c', ['/a', '/a/b'], true],
  ['/**/.ssh/**', ['/**/.ssh'], false],
  ['/**/sh', [], false],
  ['/**/devices/**/tasks', ['/**/devices', '/**/devices/**'], false],
  ['/proc/**/mounts', ['/proc', '/proc/**'], true],
  ['/a**b/c', ['/a**', '/a**b'], true],
  ['/*/x', ['/*'], true],
  ['/proc**', [], true],
  ['*.log', [], false],
  ['**', [], false],
  ['**/a/b', ['**/a'], false],
  ['/**x/y', ['/**x'], false],
  ['/', [], true],
]

describe('the way to a protected path', () => {
  for (const [pattern, way, root] of rows) {
    it(`${pattern}: ${way.join(' ') || 'none'}${root ? ', and /' : ''}`, () => {
      expect(pathsOnTheWay(patternOf(pattern)).map(({ text }) => text)).to.deep.equal(way)
      expect(rootIsOnTheWay(patternOf(pattern))).to.equal(root)
    })
  }

  it('holds every directory whose move would carry a protected path out of the pattern', () => {
    const protectedPath = arbitraryPattern.chain((pattern) => fc.tuple(fc.constant(pattern), pathsNear(pattern)))
    fc.assert(
      fc.property(protectedPath, fc.constantFrom('/', '/zz', '/zz/y', '/a/zz'), ([pattern, path], moved) => {
        const text = path.toString()
        fc.pre(matchesPath(pattern, path) && !text.includes('//') && !text.endsWith('/'))
        for (let cut = text.indexOf('/', 1); cut > 0; cut = text.indexOf('/', cut + 1)) {
          const directory = text.slice(0, cut)
          const now = (moved === '/' ? '' : moved) + text.slice(moved === '/' ? cut - 1 : cut)
          if (matchesPath(pattern, Buffer.from(now)) || !now.startsWith('/')) continue
          // If the rule itself matches a directory, it already forbids to move this directory.
          const kept = [pattern, ...pathsOnTheWay(pattern)].some((way) => matchesPath(way, Buffer.from(directory)))
          expect(kept, `${directory} may move, and ${text} becomes ${now}`).to.equal(true)
        }
      }),
      { numRuns: 2000 },
    )
  })
})
