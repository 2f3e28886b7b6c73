import { expect } from 'chai'
import fc from 'fast-check'
import { matchesPath, parsePathPattern } from '../../src/profile/path-pattern.ts'
import { arbitraryPath, arbitraryPattern, patternOf } from './arbitrary-patterns.ts'

const rows: { pattern: string; matches: string[]; leaves: string[] }[] = [
  {
    pattern: '/a/secret',
    matches: ['/a/secret'],
    leaves: ['/a/secret2', '/a/secre', '/a/secret/', '/a/secret/x', '/b/a/secret'],
  },
  { pattern: '/', matches: ['/'], leaves: ['/a', ''] },
  { pattern: '/tmp/**', matches: ['/tmp/x', '/tmp/x/y'], leaves: ['/tmp', '/tmpx', '/var/tmp/x'] },
  { pattern: '/proc**', matches: ['/proc', '/proc/1', '/process'], leaves: ['/pro', '/x/proc'] },
  { pattern: '/tmp/**/x', matches: ['/tmp/x', '/tmp/a/x', '/tmp/a/b/x'], leaves: ['/tmpx', '/tmp/ax', '/tmp/x/y'] },
  { pattern: '/**/sh', matches: ['/sh', '/bin/sh', '/usr/bin/sh'], leaves: ['/bin/bash', '/bin/sh/x'] },
  { pattern: '/**/.ssh/**', matches: ['/.ssh/id', '/root/.ssh/a/b'], leaves: ['/root/.ssh', '/root/x.ssh/id'] },
  { pattern: '**', matches: ['/', '/a', '/a/b'], leaves: [] },
  { pattern: '**.log', matches: ['/x.log', '/a/.log', '/a/b/c.log'], leaves: ['/x.log1', '/x.log/y'] },
  { pattern: '/srv/*/key', matches: ['/srv/a/key', '/srv//key'], leaves: ['/srv/key', '/srv/a/b/key'] },
  { pattern: '/dev/sd*', matches: ['/dev/sd', '/dev/sda1'], leaves: ['/dev/sda/x', '/dev/s'] },
  { pattern: '*.log', matches: ['/x.log', '/a/b/.log'], leaves: ['/x.log/y', '/x.lo'] },
  { pattern: 'fi*', matches: ['/fi', '/a/file'], leaves: ['/a/xfi', '/fi/a'] },
  { pattern: 'passwd', matches: ['/passwd', '/etc/passwd'], leaves: ['/etc/passwd2', '/passwd/x'] },
  { pattern: '/a[b]{c}?', matches: ['/a[b]{c}?'], leaves: ['/ab{c}x', '/a[b]{c}x'] },
  { pattern: '/grüße/*', matches: ['/grüße/ä', '/grüße/'], leaves: ['/gruesse/a', '/grüß/e'] },
]

describe('a path pattern', () => {
  for (const { pattern, matches, leaves } of rows) {
    it(`${pattern} matches ${matches.join(' ')} and not ${leaves.join(' ')}`, () => {
      const matched = [...matches, ...leaves].filter((path) => matchesPath(patternOf(pattern), Buffer.from(path)))
      expect(matched).to.deep.equal(matches)
    })
  }

  it('matches bytes that are no UTF-8', () => {
    expect(matchesPath(patternOf('/x/*'), Buffer.from([0x2f, 0x78, 0x2f, 0xff, 0x80]))).to.equal(true)
  })

  it('does not let * or ** match NUL', () => {
    for (const text of ['/x/*', '/x/**', '/**/y']) {
      expect(matchesPath(patternOf(text), Buffer.from('/x/\0/y'))).to.equal(false)
    }
  })

  const refused = [
    '',
    'a/b',
    'a**',
    '/a//b',
    '/a/./b',
    '/a/..',
    '/a/',
    '.',
    '..',
    '/a\0',
    '/\ud800',
    `/${'a'.repeat(4096)}`,
    '/**/',
  ]
  for (const text of refused) {
    it(`refuses ${JSON.stringify(text.slice(0, 12))} and says why`, () => {
      const parsed = parsePathPattern(text)
      expect(parsed.ok ? '' : parsed.problem).to.match(/\w{3}/)
    })
  }

  const canonical = [
    ['/a/***/b', '/a/**/b'],
    ['/a/**/**/**/b', '/a/**/b'],
    ['/a/**/**', '/a/**'],
    ['*'.repeat(1000), '**'],
    ['/**'.repeat(1000), '/**'],
  ] as const
  for (const [given, text] of canonical) {
    it(`shortens ${given.slice(0, 20)} to ${text}`, () => expect(patternOf(given).text).to.equal(text))
  }

  it('of the longest kind is taken', () => {
    expect(patternOf(`/${'a'.repeat(4095)}`).tokens).to.have.length(1)
  })

  it('means the same when it is parsed again from its canonical text', () => {
    fc.assert(
      fc.property(arbitraryPattern, arbitraryPath, (pattern, path) => {
        expect(matchesPath(patternOf(pattern.text), path)).to.equal(matchesPath(pattern, path))
      }),
    )
  })

  it('agrees with the regular expression of the same meaning', () => {
    const letters = { bytes: '', star: '[^/\\0]*', globstar: '[^\\0]*', 'slash-globstar-slash': '/(?:[^\\0]*/)?' }
    fc.assert(
      fc.property(arbitraryPattern, arbitraryPath, (pattern, path) => {
        const source = pattern.tokens.map((token) =>
          token.kind === 'bytes'
            ? Buffer.from(token.bytes)
                .toString('latin1')
                .replace(/[?[\]*]/g, '\\$&')
            : letters[token.kind],
        )
        const expected = new RegExp(`^(?:${source.join('')})$`).test(path.toString('latin1'))
        expect(matchesPath(pattern, path)).to.equal(expected)
      }),
      { numRuns: 1000 },
    )
  })
})
