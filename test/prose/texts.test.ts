import { expect } from 'chai'
import { onlyTexts, textsOf } from './texts.ts'

const read = (path: string, source: string): string[] =>
  textsOf(path, source).map(({ kind, start, end }) => `${kind}: ${source.slice(start, end).trim()}`)

describe('texts of a source that the linter of prose reads', () => {
  const cases: [what: string, path: string, source: string, texts: string[]][] = [
    ['a comment of a line', 'src/a.ts', 'const a = 1 // says why', ['comment: says why']],
    [
      'a comment of a declaration',
      'src/a.ts',
      '/** Says what it is. */\nexport const a = 1',
      ['comment: * Says what it is.'],
    ],
    ['a comment at the end of a file', 'src/a.ts', 'f()\n// the end', ['comment: the end']],
    ['a text of four words', 'src/a.ts', "fail('cannot load the profile')", ['user text: cannot load the profile']],
    ['no text of three words', 'src/a.ts', "fail('cannot load profile')", []],
    [
      'a template',
      'src/a.ts',
      `fail(\`cannot load the profile \${name}\`)`,
      [`user text: cannot load the profile \${name}`],
    ],
    ['no mark inside a string', 'src/a.ts', "const url = 'https://example.com/a'", []],
    ['no text of a test', 'test/a.ts', "it('says what the user gets') // why", ['comment: why']],
    ['comments of C', 'native/a.c', '/* One. */\nint a; // two', ['comment: One.', 'comment: two']],
    ['comments of YAML', 'deploy/a.yaml', '# One.\na: "#b" # two', ['comment: One.', 'comment: two']],
    ['comments of a chart', 'deploy/a.tpl', '{{- /* One. */ -}}\na: b', ['comment: One.']],
    ['nothing of other files', 'a.json', '{"a": "four words of text"}', []],
  ]
  for (const [what, path, source, texts] of cases) {
    it(`has ${what}`, () => expect(read(path, source)).to.deep.equal(texts))
  }

  it('keeps each text at its line and column', () => {
    const source = "/**\n * Why: é\n */\nfail('cannot load the profile') // so"
    const masked = onlyTexts(source, textsOf('src/a.ts', source))
    expect(masked.length).to.equal(source.length)
    for (const word of ['Why', 'cannot load', 'so']) expect(masked.indexOf(word)).to.equal(source.indexOf(word))
    expect(masked).not.to.match(/fail|\/|\*/)
  })
})
