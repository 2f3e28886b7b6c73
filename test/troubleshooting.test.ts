import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import ts from 'typescript'
import { alerts } from '../deploy/prometheus/alerts.ts'
import { ROOT } from './cli/run.ts'
import { logMessages } from './log-messages.ts'

const document = readFileSync(join(ROOT, 'docs/troubleshooting.md'), 'utf8')
const [actions = '', messages = ''] = document.split('\n## Log messages\n')
/** Rows of the message tables: the message, its meaning, and the remedy. */
const rows = Array.from(messages.matchAll(/^\| `(.+?)` \| (.*) \| (.*) \|$/gm), ([, message = '', ...rest]) => ({
  message,
  rest,
}))

const parsed = (path: string): ts.SourceFile =>
  ts.createSourceFile(path, readFileSync(join(ROOT, path), 'utf8'), ts.ScriptTarget.Latest, true)

function nodesOf<Found extends ts.Node>(path: string, is: (node: ts.Node) => node is Found): Found[] {
  const found: Found[] = []
  const visit = (node: ts.Node): void => {
    if (is(node)) found.push(node)
    ts.forEachChild(node, visit)
  }
  visit(parsed(path))
  return found
}

/** Types and reasons of conditions: string literals in the files that write statuses. */
const wordsOf = (path: string): string[] =>
  nodesOf(path, ts.isStringLiteral)
    .map(({ text }) => text)
    .filter((text) => /^([A-Z][a-z]+)+$|^[A-Z]+(_[A-Z]+)+$/.test(text) && !['True', 'False'].includes(text))

function membersOf(path: string, name: string): string[] {
  const [union] = nodesOf(path, ts.isTypeAliasDeclaration).filter((one) => one.name.text === name)
  if (union !== undefined && ts.isUnionTypeNode(union.type))
    return union.type.types.map((one) => one.getText().replaceAll("'", ''))
  const [found] = nodesOf(path, ts.isInterfaceDeclaration).filter((one) => one.name.text === name)
  return (found?.members ?? []).flatMap((member) => member.name?.getText() ?? [])
}

/** By kind, all values that users may see; each must have its own row. */
const kinds: Record<string, string[]> = {
  'type and reason of a condition of a policy': wordsOf('actors/policy/policy-status.ts'),
  'reason of a condition of an ArmorProfile': wordsOf('actors/policy/profile-status.ts'),
  'type and reason of a condition of a model': wordsOf('actors/model/status.ts'),
  'reason of an Event': membersOf('actors/ports.ts', 'EventReason'),
  'field of the readiness': membersOf('src/agent/lifecycle/readiness.ts', 'ReadinessReport'),
  alert: alerts.map(({ name }) => name),
}

describe('docs/troubleshooting.md', () => {
  for (const [kind, words] of Object.entries(kinds))
    it(`has an entry for each ${kind}`, () => {
      expect(words.length).to.be.greaterThan(2)
      const missing = words.filter((word) => !new RegExp(`^\\|(?:.*\\|)? [^|]*\`${word}\`[^|]* \\|`, 'm').test(actions))
      expect([...new Set(missing)]).to.deep.equal([])
    })

  it('has an entry for each text at warn or above, and no other', () => {
    const logged = logMessages()
    expect(logged.size).to.be.greaterThan(100)
    const documented = new Set(rows.map(({ message }) => message))
    const missing = [...logged].filter(([message]) => !documented.has(message))
    expect(missing, 'without an entry').to.deep.equal([])
    expect(
      [...documented].filter((message) => !logged.has(message)),
      'not logged any longer',
    ).to.deep.equal([])
  })

  it('says of each text what it means and what to do', () => {
    for (const { message, rest } of rows) for (const text of rest) expect(text.trim(), message).not.to.equal('')
  })
})
