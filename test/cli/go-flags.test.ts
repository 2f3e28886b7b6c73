import { expect } from 'chai'
import { Command } from 'commander'
import fc from 'fast-check'
import { readLikeGo } from '../../src/cli/go-flags.ts'
import { addAgent, addManager, addUninstall } from '../../src/cli/roles.ts'
import { varmor } from './run.ts'

const roles = new Command()
for (const add of [addManager, addAgent, addUninstall]) add(roles)
const optionsOf = (role: string) => roles.commands.find((each) => each.name() === role)!.options

const rows: { role: string; given: string[]; args: string[]; ignored?: string[] }[] = [
  { role: 'manager', given: ['--enableMetrics=true'], args: ['--enableMetrics'] },
  { role: 'manager', given: ['-enableMetrics=T'], args: ['--enableMetrics'] },
  { role: 'manager', given: ['--enableMetrics=0'], args: [] },
  {
    role: 'manager',
    given: ['--restartExistWorkloads', '--enableMetrics', '--restartExistWorkloads=false'],
    args: ['--enableMetrics'],
  },
  { role: 'manager', given: ['--enableMetrics=false', '--enableMetrics'], args: ['--enableMetrics'] },
  { role: 'manager', given: ['--enableMetrics=yes'], args: ['--enableMetrics=yes'] },
  { role: 'manager', given: ['-logFormat=json'], args: ['--logFormat=json'] },
  { role: 'agent', given: ['-logFormat', 'json'], args: ['--logFormat', 'json'] },
  { role: 'uninstall', given: ['-logFormat=json'], args: ['--logFormat=json'] },
  { role: 'agent', given: ['--unloadAllAaProfiles=true'], args: ['--unloadAllAaProfiles'] },
  { role: 'manager', given: ['-v=2'], args: ['--verbosity=2'] },
  { role: 'manager', given: ['--v', '2'], args: ['--verbosity', '2'] },
  { role: 'manager', given: ['-v2', '-h'], args: ['-v2', '-h'] },
  { role: 'manager', given: ['--webhookMatchLabel='], args: ['--webhookMatchLabel='] },
  {
    role: 'manager',
    given: ['--webhookMatchLabel', '-logFormat=json'],
    args: ['--webhookMatchLabel', '-logFormat=json'],
  },
  { role: 'manager', given: ['--no-generalise=false'], args: [] },
  { role: 'manager', given: ['--', '-logFormat=json'], args: ['--', '-logFormat=json'] },
  { role: 'manager', given: ['--restartExistWorkload', '-x=1', '-'], args: ['--restartExistWorkload', '-x=1', '-'] },
  {
    role: 'agent',
    given: ['--manager', 'a', 'b', '-logFormat=json'],
    args: ['--manager', 'a', 'b', '--logFormat=json'],
  },
  // Flags of the other role, or of neither role.
  { role: 'agent', given: ['--enableBehaviorModeling'], args: [], ignored: ['--enableBehaviorModeling'] },
  { role: 'agent', given: ['-webhookTimeout=3', '-v=1'], args: ['--verbosity=1'], ignored: ['-webhookTimeout=3'] },
  { role: 'manager', given: ['--unloadAllAaProfiles=false'], args: [], ignored: ['--unloadAllAaProfiles=false'] },
  { role: 'manager', given: ['--managerIP', '::', '--debug'], args: [], ignored: ['--managerIP', '--debug'] },
  { role: 'agent', given: ['--unloadAllAaProfile'], args: [], ignored: ['--unloadAllAaProfile'] },
  // Other programs, not roles.
  { role: 'manager', given: ['--preDelete'], args: ['--preDelete'] },
]

describe('Flags as upstream’s program takes them', () => {
  for (const { role, given, args, ignored = [] } of rows)
    it(`varmor ${role} ${given.join(' ')}: ${args.join(' ') || 'nothing'}`, () => {
      expect(readLikeGo(optionsOf(role), given, new Map())).to.deep.equal({ args, ignored, renamed: new Map() })
    })

  it('are what Go’s package flag makes of them', () => {
    const value = fc.oneof(fc.constantFrom('', '-', '--', '-switch', '--word=x', 'true', 'a=b'), fc.string())
    const dashes = fc.constantFrom('-', '--')
    const written = fc
      .tuple(dashes, fc.constantFrom(...names.keys(), 'unknown'), fc.option(value), value)
      .map(([dash, name, equals, next]) => {
        const word = `${dash}${name}${equals === null ? '' : `=${equals}`}`
        return names.get(name) === 'value' && equals === null ? [word, next] : [word]
      })
    const truth = fc
      .tuple(
        dashes,
        fc.constantFrom('switch', 'other', 'oldOther', 'debug'),
        fc.constantFrom(...trueTexts, ...falseTexts),
      )
      .map(([dash, name, text]) => [`${dash}${name}=${text}`])
    const lines = fc.tuple(fc.array(fc.oneof(written, truth)), fc.boolean()).map(([words, isCut]) => {
      const line = words.flat()
      return isCut ? line.slice(0, -1) : line
    })
    fc.assert(
      fc.property(lines, (line) => expect(ours(line)).to.deep.equal(parsedByGo(line)) && true),
      { numRuns: 2000 },
    )
  })

  it('are taken by roles, which say what means nothing to them', async () => {
    const nowhere = { KUBECONFIG: '', KUBERNETES_SERVICE_HOST: '', HOME: '/nonexistent' }
    const run = await varmor(['agent', '-enableBpfEnforcer=true', '--unloadAllAaProfiles=true'], '', nowhere)
    expect(run.stderr).to.match(/^warning: -enableBpfEnforcer=true has no effect on varmor agent\nerror: no cluster/)
    expect(run.status).to.equal(1)
    expect((await varmor(['compile', '-f=x'], '', nowhere)).stderr).not.to.include('warning')
  })
})

/** Flags of an invented role, which lacks two of upstream's flags. */
const names = new Map<string, 'switch' | 'value'>([
  ...(['switch', 'other', 'oldOther', 'debug'] as const).map((name) => [name, 'switch'] as const),
  ...(['word', 'oldWord', 'long', 'l', 'managerIP'] as const).map((name) => [name, 'value'] as const),
])
/** Two names of one variable, as Go's package flag permits. */
const former = new Map([
  ['oldOther', 'other'],
  ['oldWord', 'word'],
])
const second = new Map([...former, ['l', 'long']])
const foreign = ['debug', 'managerIP']
const trueTexts = ['1', 't', 'T', 'TRUE', 'true', 'True']
const falseTexts = ['0', 'f', 'F', 'FALSE', 'false', 'False']

/** The parsed options; undefined if the command line is refused. */
type Parsed = Record<string, unknown> | undefined

function ours(line: readonly string[]): Parsed {
  const role = new Command().exitOverride().configureOutput({ writeErr: () => undefined })
  role.option('--switch', '', false).option('--other', '', false).option('--word <text>').option('-l, --long <text>')
  try {
    const { unknown } = role.parseOptions(readLikeGo(role.options, line, former).args)
    return unknown.length > 0 ? undefined : role.opts()
  } catch {
    return undefined
  }
}

/** Parses each argument as `FlagSet.parseOne` of Go's package flag does. */
function parsedByGo(line: readonly string[]): Parsed {
  const values: Record<string, unknown> = { switch: false, other: false }
  const words = [...line]
  for (let word = words.shift(); word !== undefined && word.length > 1 && word[0] === '-'; word = words.shift()) {
    if (word === '--') break
    const text = word.slice(word[1] === '-' ? 2 : 1)
    if (text === '' || text[0] === '-' || text[0] === '=') return undefined
    const at = text.indexOf('=')
    const name = at < 0 ? text : text.slice(0, at)
    const kind = names.get(name)
    let value: string | undefined = at < 0 ? undefined : text.slice(at + 1)
    if (kind === undefined) return undefined
    if (kind === 'switch') {
      if (value !== undefined && ![...trueTexts, ...falseTexts].includes(value)) return undefined
      values[second.get(name) ?? name] = value === undefined || trueTexts.includes(value)
      continue
    }
    value ??= words.shift()
    if (value === undefined) return undefined
    values[second.get(name) ?? name] = value
  }
  for (const name of foreign) delete values[name]
  return values
}
