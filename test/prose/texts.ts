/** Finds the texts in a source file that people read: comments, and texts for users. */
import ts from 'typescript'

export interface Text {
  kind: 'comment' | 'user text'
  /** Offsets into the source. The range excludes comment marks and quotes. */
  start: number
  end: number
}

/** A string counts as a text for users if it is one line of at least four words. */
const fourWords = /^[^\n]*[A-Za-z][a-z'’]+(?:[ ,;:]+[\w'’`"$%{}()<>/.-]+){3,}/

/**
 * Finds comments in C, and in YAML, charts and shell. It would take a mark inside a string for a comment, but no source
 * of this project has such a string.
 */
const marks = {
  c: /\/\*(?<block>[\s\S]*?)\*\/|\/\/(?<line>[^\n]*)/g,
  yaml: /(?<=^|\s)#(?<line> [^\n]*)|\{\{-?\s*\/\*(?<block>[\s\S]*?)\*\//g,
}

function textsByMark(source: string, mark: RegExp): Text[] {
  return [...source.matchAll(mark)].map((match) => {
    const inside = match.groups?.['block'] ?? match.groups?.['line'] ?? ''
    const start = match.index + match[0].indexOf(inside)
    return { kind: 'comment', start, end: start + inside.length }
  })
}

function textsOfTypeScript(path: string, source: string): Text[] {
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true)
  const found = new Map<number, Text>()
  const add = (kind: Text['kind'], start: number, end: number): Map<number, Text> =>
    found.set(start, { kind, start, end })
  const visit = (node: ts.Node): void => {
    const children = node.getChildren(file).filter((child) => child.kind !== ts.SyntaxKind.JSDoc)
    if (children.length === 0) {
      const ranges = [
        ...(ts.getLeadingCommentRanges(source, node.pos) ?? []),
        ...(ts.getTrailingCommentRanges(source, node.end) ?? []),
      ]
      for (const { pos, end, kind } of ranges) {
        add('comment', pos + 2, kind === ts.SyntaxKind.MultiLineCommentTrivia ? end - 2 : end)
      }
    }
    const isText = ts.isStringLiteralLike(node) || ts.isTemplateExpression(node)
    if (isText && fourWords.test(node.getText(file)) && /[a-z]{3}/i.test(node.getText(file)))
      add('user text', node.getStart(file) + 1, node.end - 1)
    else for (const child of children) visit(child)
  }
  visit(file)
  return [...found.values()].sort((one, other) => one.start - other.start)
}

/** The texts of one source, in order; of tests and benches only the comments. @returns [] for other kinds of files */
export function textsOf(path: string, source: string): Text[] {
  if (/\.[ch]$/.test(path)) return textsByMark(source, marks.c)
  if (/\.(ya?ml|tpl|sh)$/.test(path)) return textsByMark(source, marks.yaml)
  if (!path.endsWith('.ts')) return []
  const texts = textsOfTypeScript(path, source)
  return /^(test|bench)\//.test(path) ? texts.filter(({ kind }) => kind === 'comment') : texts
}

/** Replaces everything except the texts by spaces, so that positions stay the same as in the source. */
export function onlyTexts(source: string, texts: readonly Text[]): string {
  const blank = (from: number, to?: number): string => source.slice(from, to).replace(/[^\n]/g, ' ')
  let [masked, end] = ['', 0]
  for (const text of texts) {
    masked += blank(end, text.start) + source.slice(text.start, text.end).replace(/^([ \t]*)\*(?!\/)/gm, '$1 ')
    end = text.end
  }
  return masked + blank(end)
}
