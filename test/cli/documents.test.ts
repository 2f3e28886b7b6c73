import { expect } from 'chai'
import { readDocuments } from '../../src/cli/documents.ts'

function values(text: string): unknown[] {
  const { objects, errors } = readDocuments('f.yaml', text)
  expect(errors).to.deep.equal([])
  return objects.map(({ value }) => value)
}

function problem(text: string) {
  const { errors } = readDocuments('f.yaml', text)
  return errors[0]
}

const bomb = ['a: &a [x, x, x, x, x, x, x, x]']
for (let i = 1; i < 9; i++) {
  const [name, before] = [String.fromCharCode(97 + i), String.fromCharCode(96 + i)]
  bomb.push(`${name}: &${name} [${Array(8).fill(`*${before}`).join(', ')}]`)
}

const merges = ['a0: &a0 {b: 1}']
for (let i = 1; i < 40; i++) merges.push(`a${i}: &a${i} {<<: [*a${i - 1}, *a${i - 1}]}`)

describe('a manifest', () => {
  // biome-ignore format: a table reads better
  const read: [string, string, unknown][] = [
    ['booleans of YAML 1.1', 'a: on\nb: Off\nc: yes\nd: "no"', { a: true, b: false, c: true, d: 'no' }],
    ['octal, hexadecimal and binary numbers', 'a: 0100\nb: 0x40\nc: 0b11\nd: 0o17', { a: 64, b: 64, c: 3, d: 15 }],
    ['merge keys', 'a: &x {b: 1}\nc:\n  <<: *x\n  d: 2', { a: { b: 1 }, c: { b: 1, d: 2 } }],
    ['merge keys with several maps', 'a: &x {b: 1}\nc:\n  <<: [*x, {d: 2}]', { a: { b: 1 }, c: { b: 1, d: 2 } }],
    ['several merge keys', 'a: &x {b: 1}\nc:\n  <<: *x\n  <<: {d: 2}', { a: { b: 1 }, c: { b: 1, d: 2 } }],
    ['a key that looks like a merge key', '"<<": 1', { '<<': 1 }],
    ['anchors that are called the same', 'a: &x 1\nb: *x\nc: &x 2\nd: *x', { a: 1, b: 1, c: 2, d: 2 }],
    ['Windows line ends', 'a: 1\r\nb: |\r\n  x\r\n', { a: 1, b: 'x\n' }],
    ['dates as text', 'a: 2024-01-01', { a: '2024-01-01' }],
    ['JSON', '{"a": [1, {"b": null}]}', { a: [1, { b: null }] }],
  ]
  for (const [what, text, value] of read) {
    it(`is read as kubectl reads it: ${what}`, () => {
      expect(values(text)).to.deep.equal([value])
    })
  }

  it('may hold several documents, and empty ones', () => {
    const { objects } = readDocuments('f.yaml', '---\n---\na: 1\n---\n# nothing\n---\nb: 2\n')
    expect(objects.map(({ document, value }) => [document, value])).to.deep.equal([
      [2, { a: 1 }],
      [4, { b: 2 }],
    ])
  })

  it('is one object if its kind is not text, which validation refuses', () => {
    const { objects, errors } = readDocuments('f.yaml', 'kind: {toString: 1}\nitems: []\n')
    expect([objects.length, errors]).to.deep.equal([1, []])
  })

  it('may hold lists, whose items have places of their own', () => {
    const { objects } = readDocuments('f.yaml', 'kind: VarmorPolicyList\nitems:\n- a: 1\n- b:\n    c: 2\n')
    expect(objects.map(({ item, value }) => [item, value])).to.deep.equal([
      [1, { a: 1 }],
      [2, { b: { c: 2 } }],
    ])
    expect(objects[1]?.place('b.c')).to.deep.equal({ line: 5, column: 5 })
  })

  it('knows where each field stands, or what is around it', () => {
    const text =
      'metadata:\n  labels:\n    app.kubernetes.io/name: x\nspec:\n  rules:\n  - a\n  - b: &b {c: 1}\n  - *b\n'
    const place = readDocuments('f.yaml', text).objects[0]?.place ?? (() => undefined)
    expect(place('metadata.labels.app.kubernetes.io/name')).to.deep.equal({ line: 3, column: 5 })
    expect(place('spec.rules[0]')).to.deep.equal({ line: 6, column: 5 })
    expect(place('spec.rules[1].b.c')).to.deep.equal({ line: 7, column: 12 })
    expect(place('spec.rules[2].c')).to.deep.equal({ line: 7, column: 12 })
    expect(place('spec.rules[9].nope')).to.deep.equal({ line: 5, column: 3 })
    expect(place('')).to.deep.equal({ line: 1, column: 1 })
  })

  // biome-ignore format: a table reads better
  const refused: [string, string, RegExp, number?][] = [
    ['a key that comes twice', 'a: 1\nb: 2\na: 3', /unique/, 3],
    ['a key that comes twice in braces', 'a: 1\nb: {c: 1, "c": 2}', /unique/, 2],
    ['a tab for an indent', 'a:\n\tb: 1', /[Tt]ab/, 2],
    ['an alias without an anchor', 'a: *b', /alias/i],
    ['an alias of itself', 'a: &a [*a]', /refers to a value that contains the alias/],
    ['an alias of itself in an ordered map', 'a: &a !!omap [b: *a]', /refers to a value that contains the alias/],
    ['aliases that multiply', bomb.join('\n'), /aliases expand to more than 100000 values.*use fewer/, 6],
    ['aliases without end', `a: &a x\nb: [${Array(1_001).fill('*a').join(', ')}]`, /more than 1000 aliases.*write out/, 2],
    ['a merge key with nothing', 'a: 1\nb:\n  <<:\n  c: 1', /merge key needs a map/, 3],
    ['a merge key with a number', 'a: 1\n<<: 1', /merge key needs a map/, 2],
    ['a merge key with a list', 'a: &a [{b: 1}]\n<<: *a', /merge key needs a map/, 2],
    ['a merge key with what is no map among maps', 'a: &a {b: 1}\nc: {<<: [*a, 2]}', /merge key needs a map/, 2],
    ['a merge key by its tag', 'a: 1\n!!merge b: 1', /merge key needs a map/, 2],
    ['merge keys that multiply', merges.join('\n'), /aliases expand to more than 100000 values/, 15],
    ['an unknown tag', 'a: !secret 1', /tag/],
    ['a key that is no text', '? [a]\n: b', /key must be text/],
    ['lists nested by the thousand', '- '.repeat(20_000), /nested more than 100/],
    ['brackets nested by the thousand', '['.repeat(20_000), /nested more than 100/],
    ['a map of many keys', Array.from({ length: 20_001 }, (_, i) => `k${i}: 1`).join('\n'), /more than 20000 items/],
    ['many documents', '---\na\n'.repeat(10_001), /more than 10000 documents/, 20_001],
    ['words without end', '- a\n'.repeat(1_000_001), /words of YAML/],
    ['text', '---\na: 1\n---\nhello', /not an object with a kind/, 4],
    ['a list', '- a', /not an object with a kind/],
    ['a list with text in it', 'kind: List\nitems:\n- a', /not an object with a kind/, 3],
    ['something else altogether', '# Title\n\nSome *text*: `x` and\n| a | b |\n', /./],
  ]
  it('may have all the keys and aliases that are allowed, none of which is compared with all others', () => {
    const keys = Array.from({ length: 20_000 }, (_, i) => `k${i}: ${i}`).join('\n')
    const aliases = `a: &a x\nb: [${Array(1_000).fill('*a').join(', ')}]`
    const [many, short] = values(`${keys}\n---\n${aliases}`) as [object, { b: string[] }]
    expect([Object.keys(many).length, short.b.length]).to.deep.equal([20_000, 1_000])
  })

  it('that repeats a mistake has it named a hundred times, and how many more there are', () => {
    const { errors } = readDocuments('f.yaml', `kind: List\nitems:\n${'- a\n'.repeat(150)}`)
    expect(errors).to.have.length(101)
    expect(errors[99]).to.deep.include({ line: 102, item: 100 })
    expect(errors[100]).to.deep.equal({
      file: 'f.yaml',
      document: 1,
      line: 103,
      column: 3,
      problem: '50 more mistakes',
    })
  })

  for (const [what, text, expected, line = 1] of refused) {
    it(`is refused with its place: ${what}`, () => {
      const found = problem(text)
      expect(found?.problem).to.match(expected)
      if (what !== 'something else altogether') expect(found?.line).to.equal(line)
    })
  }
})
