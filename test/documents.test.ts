import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { parse } from 'yaml'
import { tabledDocuments } from '../deploy/generate-docs.ts'
import { ROOT, varmor } from './cli/run.ts'

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')
const documents = ['README.md', 'CONTRIBUTING.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)]
const policiesIn = (file: string): string[] =>
  Array.from(read(file).matchAll(/^```yaml\n([\s\S]*?)^```/gm), ([, text]) => text!)

/** As GitHub makes them of headings. */
const anchorsOf = (file: string): string[] =>
  Array.from(read(file).matchAll(/^#+ (.+)$/gm), ([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

describe('the documents', () => {
  const folder = mkdtempSync(join(tmpdir(), 'varmor-documents-'))
  after(() => rmSync(folder, { recursive: true }))

  it('have tables as their data say; if not: npm run generate', () => {
    for (const [name, text] of Object.entries(tabledDocuments))
      expect(read(name === 'README.md' ? name : `docs/${name}`), name).to.equal(text())
  })

  it('link to files and headings that there are', () => {
    for (const file of documents)
      for (const [, link = ''] of read(file).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
        const [path = '', anchor] = link.split('#')
        const target = path === '' ? file : join(dirname(file), path)
        expect(existsSync(join(ROOT, target)), `${file}: ${link}`).to.equal(true)
        if (anchor !== undefined) expect(anchorsOf(target), `${file}: ${link}`).to.include(anchor)
      }
  })

  it('have policies that are taken, and compile', async () => {
    for (const file of ['README.md', 'docs/policies.md'])
      for (const text of policiesIn(file)) {
        const path = join(folder, 'policy.yaml')
        writeFileSync(path, text)
        expect((await varmor(['validate', '-f', path])).stdout, text).to.match(/: valid/)
        const compiled = await varmor(['compile', '-f', path])
        expect(compiled.status, text + compiled.stderr).to.equal(0)
      }
  })

  it('name values that the chart has', () => {
    const values = parse(read('deploy/helm/varmor/values.yaml'), { version: '1.1', merge: true }) as object
    const isThere = (path: string): boolean => {
      let at: unknown = values
      for (const key of path.split('.')) {
        if (!isObject(at) || !(key in at)) return false
        at = at[key]
      }
      return true
    }
    const sections = Object.keys(values).join('|')
    const pattern = new RegExp(`\`((?:${sections})(?:\\.\\w+)+)(?:: [^\`]*)?\``, 'g')
    const named = documents.flatMap((file) => Array.from(read(file).matchAll(pattern), ([, path]) => path!))
    expect(named.length).to.be.greaterThan(15)
    const theirs = read('docs/from-upstream.md')
    const unknown = named.filter((path) => !isThere(path) && !theirs.includes(`\`${path}\``))
    expect(unknown).to.deep.equal([])
  })

  it('say of each flag of upstream without a meaning that it has none', () => {
    const [, flags = ''] =
      /flagsWithoutMeaning" -\}\}\n(.+)\n/.exec(read('deploy/helm/varmor/templates/_helpers.tpl')) ?? []
    const words = flags.split(' ').filter((word) => word !== 'agent')
    expect(words).not.to.deep.equal([])
    for (const word of words) expect(read('docs/from-upstream.md')).to.include(`\`${word}\``)
  })

  it('has commands of the README that work on its policy', async () => {
    const readme = read('README.md')
    writeFileSync(join(folder, 'policy.yaml'), policiesIn('README.md')[0]!)
    const commands = Array.from(
      readme.matchAll(/^ {4}node dist\/src\/cli\/varmor\.js (validate|compile|rules) (.+?)(?: {2,}#.*)?$/gm),
    )
    expect(commands.map(([, name]) => name)).to.deep.equal(['validate', 'compile', 'rules'])
    for (const [, name = '', rest = ''] of commands) {
      const flags = rest.split(' ').map((word) => (word === 'policy.yaml' ? join(folder, word) : word))
      const { status, stdout } = await varmor([name, ...flags])
      expect(status, name).to.equal(0)
      expect(stdout).to.match(/mitigate-sa-leak|serviceaccount|: valid/)
    }
  })

  it('has commands about trying policies that print what the page says', async () => {
    const page = read('docs/trying-policies.md')
    const [policy = '', model = ''] = policiesIn('docs/trying-policies.md')
    writeFileSync(join(folder, 'policy.yaml'), policy)
    writeFileSync(join(folder, 'model.yaml'), model)
    writeFileSync(join(folder, 'strict.yaml'), policy.replace('disable-write-etc', 'disable-curl'))
    const shown = Array.from(page.matchAll(/^ {4}varmor (policy [^|\n]+?)(?: \|.*)?\n[\s\S]*?^```\n([\s\S]*?)^```$/gm))
    expect(shown.map(([, command = '']) => command.split(' ')[1])).to.deep.equal(['test', 'diff', 'advise'])
    for (const [, command = '', output = ''] of shown) {
      const words = command.split(' ').map((word) => (word.endsWith('.yaml') ? join(folder, word) : word))
      const { stdout, stderr } = await varmor(words)
      expect(stderr).to.equal('')
      const isWhole = !command.startsWith('policy advise')
      if (isWhole) expect(stdout).to.equal(output)
      else for (const line of output.trimEnd().split('\n')) expect(stdout.split('\n')).to.include(line)
    }
  })
})
