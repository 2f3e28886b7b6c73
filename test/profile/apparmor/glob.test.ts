import { expect } from 'chai'
import fc from 'fast-check'
import { directoryGlobs, fileGlobs, pathGlob } from '../../../src/profile/apparmor/glob.ts'
import { matchesPath, type PathPattern, parsePathPattern } from '../../../src/profile/path-pattern.ts'
import { load, needsParser } from './loaded-profile.ts'

function parsed(text: string): PathPattern {
  const result = parsePathPattern(text)
  if (!result.ok) throw new Error(`${text}: ${result.problem}`)
  return result.pattern
}

/** Canonical paths of few letters. Patterns have the same letters, so that they often match. */
const names = fc
  .array(fc.constantFrom('a', 'b', '*', '{', 'é', '\n', '"', '\\'), { minLength: 1, maxLength: 3 })
  .map((s) => s.join(''))
const paths = fc.array(names, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`)
const pieces = fc.array(fc.constantFrom('a', 'b', '*', '**', '/', '/**/', '{', 'é', '\n', '"', '\\'), { maxLength: 7 })
const patterns = fc
  .tuple(fc.constantFrom('/', '**', ''), pieces)
  .map(([start, rest]) => (start + rest.join('')).replace(/\/{2,}/g, '/').replace(/(.)\/$/, '$1'))
  .filter((text) => parsePathPattern(text).ok)

/** Checks by the compiled tables, which the kernel would load, whether the glob in `rule` matches. */
function matcher(globs: readonly string[]): (i: number, path: string) => boolean {
  const profiles = load(
    ...globs.map((glob, i) => `abi <abi/3.0>,\nprofile p${i} flags=(attach_disconnected) { ${glob} r, }\n`),
  )
  return (i, path) => profiles.get(`p${i}`)!.file(path).allow.includes('r')
}

describe('AppArmor globs', () => {
  const rows: [pattern: string, glob: string][] = [
    ['/etc/shadow', '"/etc/shadow{,/}"'],
    ['/etc/**', '"/etc/**"'],
    ['/**/sh', '"/{,**/}sh{,/}"'],
    ['**ping', '"/**ping{,/}"'],
    ['**/x', '"/{,**/}x{,/}"'],
    ['**', '"/{,**}"'],
    ['*.log', '"/{,**/}*.log{,/}"'],
    ['/proc/*/mounts', '"/proc/?*/mounts{,/}"'],
    ['/a b"c', '"/a b\\042c{,/}"'],
    ['/[x]{y}?^@', '"/\\133x\\135\\173y\\175\\077\\136\\100{,/}"'],
    ['/new\nline', '"/new\\012line{,/}"'],
    ['/end\\', '"/end\\134{,/}"'],
    ['/', '"/"'],
  ]
  for (const [pattern, glob] of rows)
    it(`${JSON.stringify(pattern)} is ${glob}`, () => expect(pathGlob(parsed(pattern))).to.equal(glob))

  it('match in the kernel what the pattern matches, files and directories alike', function () {
    needsParser(this)
    const texts = fc.sample(patterns, { numRuns: 300, seed: 7 }).map(parsed)
    const tried = fc.sample(paths, { numRuns: 400, seed: 8 })
    const matches = matcher(texts.map(pathGlob))
    let matched = 0
    for (const [i, pattern] of texts.entries()) {
      for (const path of [...tried, ...tried.map((each) => pattern.text.replace(/\*+/g, each.slice(1)))]) {
        if (!/^\/([^/]+(\/[^/]+)*)?$/.test(path) || path.includes('\0')) continue
        const expected = matchesPath(pattern, Buffer.from(path))
        if (expected) matched += 1
        const seen = path === '/' ? [path] : [path, `${path}/`]
        for (const each of seen) expect(matches(i, each), JSON.stringify([pattern.text, each])).to.equal(expected)
      }
    }
    expect(matched).to.be.greaterThan(1000)
  })

  it('of files match no directory', function () {
    needsParser(this)
    const texts = ['/**/sh', '/opt/**', '/**', '**x', '/bin/*']
    const matches = matcher(texts.map((text) => fileGlobs([parsed(text)])[0]!))
    for (const [i, file] of ['/usr/sh', '/opt/a/b', '/a', '/usr/box', '/bin/cat'].entries()) {
      expect(matches(i, file), file).to.equal(true)
      expect(matches(i, `${file}/`), `${file}/`).to.equal(false)
    }
  })

  it('of directories match no file', function () {
    needsParser(this)
    const matches = matcher([...directoryGlobs([parsed('/etc')]), ...directoryGlobs([parsed('/**/.ssh')])])
    expect(matches(0, '/etc/')).to.equal(true)
    expect(matches(0, '/etc')).to.equal(false)
    expect(matches(0, '/etc/x/')).to.equal(false)
    expect(matches(1, '/.ssh/')).to.equal(true)
    expect(matches(1, '/root/.ssh/')).to.equal(true)
  })
})
