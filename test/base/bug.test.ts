import { AssertionError } from 'node:assert'
import { expect } from 'chai'
import { isBug, logTrouble } from '../../src/base/bug.ts'

const bugs = [new TypeError('a'), new RangeError('b'), new ReferenceError('c'), new AssertionError({ message: 'd' })]
const troubles = [new Error('ECONNREFUSED'), new SyntaxError('of the input of others'), 'text', undefined]

describe('a bug', () => {
  it('is distinguished from what passes by itself', () => {
    expect(bugs.map(isBug)).to.deep.equal(bugs.map(() => true))
    expect(troubles.map(isBug)).to.deep.equal(troubles.map(() => false))
  })

  it('is logged as an error with its stack, everything else as a warning', () => {
    const lines: object[] = []
    const log = (level: string) => (fields: object, message: string) => void lines.push({ level, message, ...fields })
    for (const error of [bugs[0], troubles[0]])
      logTrouble({ warn: log('warn'), error: log('error') }, error, { object: 'x' }, 'it is tried again')
    expect(lines).to.deep.equal([
      { level: 'error', message: 'a bug: it is tried again', object: 'x', err: bugs[0] },
      { level: 'warn', message: 'it is tried again', object: 'x' },
    ])
  })
})
