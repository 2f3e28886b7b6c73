import { expect } from 'chai'
import { columns } from '../../src/cli/columns.ts'
import { paint, printable } from '../../src/cli/output.ts'

describe('output for a person', () => {
  const terminal = (isTTY: boolean) => ({ isTTY }) as NodeJS.WriteStream
  const saved = { NO_COLOR: process.env['NO_COLOR'], TERM: process.env['TERM'] }

  beforeEach(() => {
    delete process.env['NO_COLOR']
    process.env['TERM'] = 'xterm'
  })

  after(() => {
    for (const [name, value] of Object.entries(saved)) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })

  it('has colour on a terminal, and not when it goes elsewhere or NO_COLOR is set', () => {
    expect(paint(terminal(true))('bold', 'x')).to.equal('\u001b[1mx\u001b[22m')
    expect(paint(terminal(false))('bold', 'x')).to.equal('x')
    process.env['NO_COLOR'] = '1'
    expect(paint(terminal(true))('bold', 'x')).to.equal('x')
  })

  it('shows control and direction characters of a name instead of obeying them', () => {
    expect(printable('a\u001b[2J\n\u202eb')).to.equal('a\\u001b[2J\\u000a\\u202eb')
    expect(printable('naïve 名字')).to.equal('naïve 名字')
  })

  it('lines up columns, a very long cell aside', () => {
    const long = 'x'.repeat(100)
    expect(
      columns([
        ['a', 'b'],
        ['ccc', 'd'],
      ]),
    ).to.equal('a    b\nccc  d')
    expect(
      columns([
        ['a', 'b'],
        [long, 'd'],
      ]).split('\n')[0],
    ).to.have.length(64 + 2 + 1)
  })
})
