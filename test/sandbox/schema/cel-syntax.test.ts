import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { celComplaint, celEnvironment } from '../../../src/sandbox/api-server/schema/cel/program.ts'
import { syntaxErrors } from '../../../src/sandbox/api-server/schema/cel/syntax-errors.ts'

/** Expressions and what cel-go 0.29.2 says of each, as the server of Kubernetes 1.37 sets it up; nothing where it compiles. */
const recorded = readFileSync(new URL('../../fixtures/cel/syntax-errors.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as [expression: string, complaint: string])

describe('an expression that is no CEL', () => {
  const environment = celEnvironment(['self', 'oldSelf'])
  for (const [expression, complaint] of recorded) {
    it(`is told of as cel-go does: ${JSON.stringify(expression)}`, () => {
      expect(celComplaint(environment, expression) ?? '').to.equal(complaint)
    })
  }
})

describe('an expression that is CEL', () => {
  const expressions = [
    'self.a == 1 && !(self.b || has(self.c)) // and a comment',
    "self.all(x, x.startsWith('a\\'b') && x.matches(r'^\\d+$')) ? size(self) > -1 : self[0].b['c'] != null",
    '{"a": 1, "b": [1, 2.5e3, 0x1Fu, -3,]}.size() in [1u, 2u]',
    'self.?a.orValue("") == """more\nlines""" || b"x" == b\'x\'',
    '[?optional.of(1), 2].exists(i, i % 2 == 0 && --1 < 2 && !!true)',
    'google.protobuf.Value{number_value: 1.0} == .self && self.`a-b/c` == 1',
    ' ( ( self ) ) ',
    'true\n&&\n\ttrue',
  ]
  for (const expression of expressions) {
    it(`is not complained of: ${JSON.stringify(expression)}`, () => {
      expect(syntaxErrors(expression)).to.deep.equal([])
    })
  }
})
