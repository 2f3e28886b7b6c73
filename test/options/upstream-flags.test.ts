import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { upstreamFlags } from '../../src/cli/go-flags.ts'
import { flagOf, type Option, type OptionTable } from '../../src/options/option.ts'
import { isRole, roleTables } from '../../src/options/role-tables.ts'
import { sandboxNodeOptions, sandboxOptions } from '../../src/options/sandbox.ts'

/** A flag of upstream's program: the role that reads it, and the first and the last release that have it. */
interface UpstreamFlag {
  name: string
  kind: 'switch' | 'value'
  role: 'manager' | 'agent' | 'both' | 'uninstall'
  from: string
  to: string
}

const text = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const upstream = JSON.parse(text('test/fixtures/options/upstream-flags.json')) as UpstreamFlag[]
const tables: Record<string, OptionTable> = {
  ...roleTables,
  ...{ sandbox: sandboxOptions, 'sandbox-node': sandboxNodeOptions },
}
const declared = Object.entries(tables).flatMap(([role, table]) =>
  Object.entries(table).map(([key, option]) => ({ role, flag: flagOf(key, option), option })),
)
const names = (flags: readonly { name: string }[]): string[] => flags.map(({ name }) => name)

/** Whether upstream's flag is one of this role, or of both roles. */
const isOf = (role: string, flag: UpstreamFlag): boolean => flag.role === role || flag.role === 'both'

/** Names of the option that upstream has. */
const upstreamNames = (flag: string, { short }: Option<unknown>): string[] =>
  short === undefined ? [flag] : [flag, short]

describe('names of flags', () => {
  for (const { role, flag, option } of declared.filter(({ option }) => option.upstream))
    it(`varmor ${role}: upstream has --${flag}, as its table says`, () => {
      for (const name of upstreamNames(flag, option)) {
        const found = upstream.find((each) => each.name === name)
        expect(found, name).to.include({ kind: option.type === undefined ? 'switch' : 'value', to: '0.10.3' })
        expect(isOf(role, found!)).to.equal(true)
      }
    })

  for (const { role, flag, option } of declared.filter(({ option }) => !option.upstream))
    it(`varmor ${role}: --${flag} is not upstream's, so it is words joined by hyphens`, () => {
      expect(flag).to.match(/^[a-z0-9]+(-[a-z0-9]+)*$/)
      if (isRole(role)) expect(names(upstream)).not.to.include(flag).and.not.to.include(option.short)
    })

  it('of upstream are accepted, except flags with which its program has no role', () => {
    for (const kind of ['switch', 'value'] as const) {
      const wanted = names(upstream.filter((flag) => flag.kind === kind))
      expect([...upstreamFlags[kind], ...(kind === 'switch' ? ['preDelete', 'version'] : [])]).to.have.members(wanted)
    }
  })

  it('of upstream that no role has are the same in the program, the notes of the chart and the documents', () => {
    const owned = new Set(declared.flatMap(({ flag, option }) => upstreamNames(flag, option)))
    const without = [...upstreamFlags.switch, ...upstreamFlags.value].filter((name) => !owned.has(name))
    const [, listed = ''] =
      /define "varmor.flagsWithoutMeaning" -\}\}\n(.*)/.exec(text('deploy/helm/varmor/templates/_helpers.tpl')) ?? []
    expect(listed.split(' ')).to.have.members(without)
    const [, documented = ''] = /^\| in `args`: (.*?) \|/m.exec(text('docs/from-upstream.md')) ?? []
    expect(documented.replaceAll('`', '').split(', ')).to.have.members(without)
  })

  it('that were others before do not take the place of another flag', () => {
    const former = declared.flatMap(({ option }) => option.formerly ?? [])
    expect(former).to.have.length(17)
    const present = declared.map(({ flag }) => flag)
    for (const name of former) expect([...names(upstream), ...present]).not.to.include(name)
  })
})
