import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { parse } from 'yaml'
import { tabledDocuments } from '../deploy/generate-docs.ts'
import { kinds } from '../src/api/crds.ts'
import { formatFieldError } from '../src/api/field-error.ts'
import { validatePolicy, validatePolicyUpdate } from '../src/api/validate.ts'
import { validateSchema } from '../src/api/validate-schema.ts'
import { ROOT, varmor } from './cli/run.ts'

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')
const chartReadme = 'deploy/helm/varmor/README.md'
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  chartReadme,
  'bench/README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]
const policiesIn = (file: string): string[] =>
  Array.from(read(file).matchAll(/^```yaml\n([\s\S]*?)^```/gm), ([, text]) => text!)

/** Anchors of a file's headings, as GitHub creates them. */
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
    for (const [name, text] of Object.entries(tabledDocuments)) expect(read(`docs/${name}`), name).to.equal(text())
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
    for (const file of ['docs/install.md', 'docs/policies.md'])
      for (const text of policiesIn(file)) {
        const path = join(folder, 'policy.yaml')
        writeFileSync(path, text)
        expect((await varmor(['validate', '-f', path])).stdout, text).to.match(/: valid/)
        const compiled = await varmor(['compile', '-f', path])
        expect(compiled.status, text + compiled.stderr).to.equal(0)
      }
  })

  it('lead through a real node by policies that are taken, and by the commands of docs/install.md', () => {
    const policies = policiesIn('docs/tutorial-node.md').map((text) => parse(text) as object)
    expect(policies).to.have.length(4)
    for (const [index, policy] of policies.entries()) {
      expect(validatePolicy(policy).map(formatFieldError)).to.deep.equal([])
      const before = policies[index - 1]
      if (before !== undefined) expect(validatePolicyUpdate(before, policy).map(formatFieldError)).to.deep.equal([])
    }
    const commands = (file: string): string[] => read(file).match(/^ {4}(kubectl|helm) .*$/gm) ?? []
    const bare = (line: string): string => line.replace(/ {2,}#.*$/, '').trim()
    const installed = commands('docs/install.md').map(bare)
    const typed = commands('docs/tutorial-node.md').map(bare)
    // A test of the kernel tier runs these commands on a node, in the form of docs/install.md.
    expect(installed.filter((line) => / demo | demo$|exec deploy/.test(line) && !typed.includes(line))).to.deep.equal(
      [],
    )
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

  it('have pictures that Mermaid can draw', async () => {
    // Without a browser, only the cleaner of labels is missing, which the grammar does not need.
    const { default: cleaner } = await import('dompurify')
    Object.assign(cleaner, { addHook: () => undefined, sanitize: (text: string) => text })
    const { default: mermaid } = await import('mermaid')
    const pictures = documents.flatMap((file) =>
      Array.from(read(file).matchAll(/^```mermaid\n([\s\S]*?)^```/gm), ([, text = '']) => ({ file, text })),
    )
    expect(new Set(pictures.map(({ file }) => file)).size).to.be.at.least(4)
    for (const { file, text } of pictures) expect(await mermaid.parse(text), file).to.include.keys('diagramType')
  })

  it('are short where everyone begins', () => {
    const lines = (file: string): number => read(file).split('\n').length - 1
    expect(lines('README.md')).to.be.at.most(120)
    expect(lines('CONTRIBUTING.md')).to.be.at.most(80)
  })

  it('say of each flag of upstream without a meaning that it has none', () => {
    const [, flags = ''] =
      /flagsWithoutMeaning" -\}\}\n(.+)\n/.exec(read('deploy/helm/varmor/templates/_helpers.tpl')) ?? []
    const words = flags.split(' ').filter((word) => word !== 'agent')
    expect(words).not.to.deep.equal([])
    for (const word of words) expect(read('docs/from-upstream.md')).to.include(`\`${word}\``)
  })

  it('have an example of each kind that its schema and its rules take', () => {
    const examples = policiesIn('docs/reference/fields.md').map((text) => parse(text) as { kind: string })
    expect(examples.map(({ kind }) => kind)).to.deep.equal(kinds.map(({ kind }) => kind))
    for (const example of examples) {
      const { schema, kind } = kinds.find((one) => one.kind === example.kind)!
      const errors = kind.endsWith('Policy') ? validatePolicy(example) : validateSchema(schema, example)
      expect(errors.map(formatFieldError), kind).to.deep.equal([])
    }
  })

  it('have commands that work on the first policy, a model, and a log', async () => {
    const [policy = ''] = policiesIn('docs/install.md')
    const [{ line: denied }] = JSON.parse(read('test/fixtures/audit/apparmor.json')) as [{ line: string }]
    const files: Record<string, string> = {
      'policy.yaml': policy,
      'old.yaml': policy,
      'new.yaml': policy.replace('mitigate-sa-leak', 'disable-write-etc'),
      'model.yaml': policiesIn('docs/trying-policies.md')[1]!,
      'violations.log': (await varmor(['decode', '-'], denied)).stdout,
      'audit.log': denied,
    }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    const prints: Record<string, RegExp> = {
      validate: /: valid/,
      compile: /serviceaccount/,
      rules: /mitigate-sa-leak/,
      'policy test': /./,
      'policy diff': /\/etc\//,
      'policy advise': /rules/,
      decode: /^\{"/,
    }
    const commands = Array.from(
      read('docs/policies.md').matchAll(/^ {4}node dist\/src\/cli\/varmor\.js (.+?)(?: {2,}#.*)?$/gm),
    )
    // These commands run until they are stopped; other tests run them.
    const isEndless = (command: string): boolean => /^(sandbox|agent|logs -f)/.test(command)
    const ending = commands.map(([, command = '']) => command).filter((command) => !isEndless(command))
    expect(ending.map((command) => /^(policy )?\w+/.exec(command)![0])).to.deep.equal(Object.keys(prints))
    for (const command of ending) {
      const words = command.split(' ').map((word) => (word in files ? join(folder, word) : word))
      const { stdout, stderr } = await varmor(words)
      expect(stderr, command).to.equal('')
      expect(stdout, command).to.match(prints[/^(policy )?\w+/.exec(command)![0]]!)
    }
  })

  it('has commands about trying policies that print what the page says', async () => {
    const page = read('docs/trying-policies.md')
    const [policy = '', model = ''] = policiesIn('docs/trying-policies.md')
    writeFileSync(join(folder, 'policy.yaml'), policy)
    writeFileSync(join(folder, 'model.yaml'), model)
    writeFileSync(join(folder, 'strict.yaml'), policy.replace('disable-write-etc', 'disable-curl'))
    const shown = Array.from(
      page.matchAll(/^ {4}varmor (policy [^|\n]+?)(?: \|.*)?\n[\s\S]*?^```text\n([\s\S]*?)^```$/gm),
    )
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
