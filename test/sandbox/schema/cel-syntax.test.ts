import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { celComplaint, celEnvironment } from '../../../src/sandbox/api-server/schema/cel/program.ts'

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
