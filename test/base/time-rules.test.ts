import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'

const root = join(import.meta.dirname, '../..')

describe('the rules of the linter about time', () => {
  const rows: [source: string, path: string, refused: boolean][] = [
    ['Date.now()', 'src/agent/a.ts', true],
    ['[1].map(Date.now)', 'actors/b.ts', true],
    ['new Date()', 'src/agent/c.ts', true],
    ['new Date(5)', 'src/agent/d.ts', true],
    ['performance.timeOrigin', 'src/agent/e.ts', true],
    ['clock.wall()', 'src/agent/f.ts', true],
    ['systemClock.wall', 'src/agent/g.ts', true],
    ['clock.now()', 'src/agent/h.ts', false],
    ["Date.parse('')", 'src/agent/i.ts', false],
    ['clock.wall()', 'src/audit/sink/sink.ts', false],
    ['Date.now()', 'test/j.ts', false],
  ]

  it('refuse the time of day but where a file is listed', () => {
    const folder = mkdtempSync(join(tmpdir(), 'varmor-rules-'))
    for (const name of ['biome.json', '.biome']) cpSync(join(root, name), join(folder, name), { recursive: true })
    for (const [source, path] of rows) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), `export const a = ${source}\n`)
    }
    const biome = join(root, 'node_modules/.bin/biome')
    const { stdout, stderr } = spawnSync(biome, ['lint', 'src', 'actors', 'test'], { cwd: folder, encoding: 'utf8' })
    rmSync(folder, { recursive: true })
    const said = stdout + stderr
    const refused = rows.map(([source, path]) => [source, said.includes(`${path}:1:`)])
    expect(refused, said).to.deep.equal(rows.map(([source, , is]) => [source, is]))
  })

  it('list no file that does not need it', () => {
    const { overrides } = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8'))
    const [, printing] = overrides as { includes: string[] }[]
    const listed = printing!.includes.flatMap((one) => (/^!.*\.ts$/.test(one) ? [one.slice(1)] : []))
    expect(listed).to.not.deep.equal([])
    const isNeeded = (path: string): boolean =>
      existsSync(join(root, path)) && /\.wall\b|\bwall:/.test(readFileSync(join(root, path), 'utf8'))
    expect(listed.filter((path) => !isNeeded(path))).to.deep.equal([])
  })
})
