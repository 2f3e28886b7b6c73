/**
 * Prints a sample of the project's texts. Readers judge whether each text is clear at one reading. Usage:
 * sample.ts [SEED]
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { textsOf } from './texts.ts'

const seed = process.argv[2] ?? '1'
const sizes = { comment: 200, 'user text': 200, sentence: 100 }

const files = execFileSync('git', ['ls-files'], { encoding: 'utf8', maxBuffer: 2 ** 26 }).split('\n')
const found: { kind: keyof typeof sizes; place: string; text: string }[] = []
for (const path of files.filter((name) => !/(^|\/)fixtures\//.test(name))) {
  const isDocument = path.endsWith('.md')
  if (!isDocument && !/\.(ts|[ch]|ya?ml|tpl)$/.test(path)) continue
  const source = readFileSync(path, 'utf8')
  const lineAt = (offset: number): number => source.slice(0, offset).split('\n').length
  if (isDocument) {
    const prose = source.replace(/^(```|~~~)[\s\S]*?^\1/gm, '').replace(/^(#|\|| {4}).*$/gm, '')
    for (const [text] of prose.matchAll(/[A-Z`"][^.!?]*(?:[.!?](?=\S)[^.!?]*)*[.!?](?=\s)/g)) {
      found.push({ kind: 'sentence', place: path, text: text.replace(/\s+/g, ' ') })
    }
    continue
  }
  for (const { kind, start, end } of textsOf(path, source)) {
    const text = source
      .slice(start, end)
      .replace(/^\s*\*+ ?/gm, '')
      .replace(/\s+/g, ' ')
      .trim()
    if (text.split(' ').length > 3) found.push({ kind, place: `${path}:${lineAt(start)}`, text })
  }
}
/** The order depends only on the seed and the text itself, so a new text does not change the order of other texts. */
const rank = ({ place, text }: { place: string; text: string }): string =>
  createHash('sha256')
    .update(`${seed}\0${place.split(':')[0]}\0${text}`)
    .digest('hex')
for (const [kind, size] of Object.entries(sizes)) {
  const ofKind = found.filter((one) => one.kind === kind)
  const ranked = ofKind.map((one) => ({ ...one, rank: rank(one) })).sort((a, b) => (a.rank < b.rank ? -1 : 1))
  console.log(`# ${Math.min(size, ofKind.length)} of ${ofKind.length}: ${kind}`)
  for (const { place, text } of ranked.slice(0, size)) console.log(`${place}\t${text}`)
}
