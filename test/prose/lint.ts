/** Runs textlint over Markdown, and over comments and texts for users in code. `npm run lint` runs this last. */

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createLinter, loadLinterFormatter, loadTextlintrc } from 'textlint'
import { onlyTexts, textsOf } from './texts.ts'

/** Maximum columns of a comment. The formatter wraps code, but not comments. */
const widest = 120
const notOurs = /(^|\/)fixtures\/|^deploy\/image\/packages\/|^package-lock\.json$/

/** The last column of the glossary's tables names words to avoid. */
const glossary = 'docs/glossary.md'
const lastColumn = /[^|\n]*\|$/gm

const linter = createLinter({ descriptor: await loadTextlintrc() })
const formatter = await loadLinterFormatter({ formatterName: 'unix' })
const files = execFileSync('git', ['ls-files'], { encoding: 'utf8', maxBuffer: 2 ** 26 })
  .split('\n')
  .filter((path) => path !== '' && !notOurs.test(path))
const results = []
let wide = 0
for (const path of files) {
  if (path.endsWith('.md')) {
    const text = readFileSync(path, 'utf8')
    results.push(await linter.lintText(path === glossary ? text.replace(lastColumn, '|') : text, path))
    continue
  }
  if (!/\.(ts|[ch]|ya?ml|tpl|sh)$/.test(path)) continue
  const source = readFileSync(path, 'utf8')
  const texts = textsOf(path, source)
  if (texts.length === 0) continue
  const masked = onlyTexts(source, texts)
  const result = await linter.lintText(masked, `${path}.txt`)
  results.push({ ...result, filePath: path })
  const comments = onlyTexts(
    source,
    texts.filter(({ kind }) => kind === 'comment'),
  )
  const [sourceLines, lines] = [source.split('\n'), comments.split('\n')]
  lines.forEach((line, index) => {
    if (line.trim() === '' || sourceLines[index]!.length <= widest || !/\s/.test(line.trim())) return
    wide += 1
    console.log(`${path}:${index + 1}: comment is wider than ${widest} columns`)
  })
}
const bad = results.filter(({ messages }) => messages.length > 0)
if (bad.length > 0) console.log(formatter.format(bad))
process.exitCode = bad.length + wide > 0 ? 1 : 0
