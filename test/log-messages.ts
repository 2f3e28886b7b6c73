/** The program's log messages at warning or error level, read from its sources. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

const ROOT = join(import.meta.dirname, '..')
const levels = new Set(['warn', 'error', 'fatal'])

/** What a name refers to: a value that it is initialised with, or a property that it is destructured from. */
type Meaning = { value: ts.Expression } | { property: string; alias: boolean } | undefined

function meaningIn(name: string, pattern: ts.BindingName): Meaning {
  if (ts.isIdentifier(pattern)) return undefined
  for (const element of pattern.elements) {
    if (!ts.isBindingElement(element)) continue
    if (!ts.isIdentifier(element.name)) {
      const inside = meaningIn(name, element.name)
      if (inside !== undefined) return inside
    } else if (element.name.text === name) return { property: name, alias: element.propertyName !== undefined }
  }
  return undefined
}

function meaningOf(name: string, declarations: Iterable<ts.VariableDeclaration | ts.ParameterDeclaration>): Meaning {
  for (const { name: pattern, initializer } of declarations) {
    if (!ts.isIdentifier(pattern)) {
      const inside = meaningIn(name, pattern)
      if (inside !== undefined) return inside
    } else if (pattern.text === name && initializer !== undefined) return { value: initializer }
  }
  return undefined
}

function declarationsOf(scope: ts.Node): Iterable<ts.VariableDeclaration | ts.ParameterDeclaration> {
  if (ts.isBlock(scope) || ts.isSourceFile(scope))
    return scope.statements.flatMap((one) => (ts.isVariableStatement(one) ? [...one.declarationList.declarations] : []))
  if (ts.isForOfStatement(scope) && ts.isVariableDeclarationList(scope.initializer))
    return scope.initializer.declarations
  return ts.isFunctionLike(scope) ? scope.parameters : []
}

/** The meaning of a name at this place, from the innermost scope that declares it. */
function resolved(name: string, at: ts.Node): Meaning {
  for (let scope = at.parent; scope !== undefined; scope = scope.parent) {
    const meaning = meaningOf(name, declarationsOf(scope))
    if (meaning !== undefined) return meaning
  }
  return undefined
}

/** All values that objects in this file assign to a property. */
function propertiesOf(name: string, file: ts.SourceFile): ts.Expression[] {
  const found: ts.Expression[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAssignment(node) && node.name.getText() === name) found.push(node.initializer)
    if (ts.isShorthandPropertyAssignment(node) && node.name.text === name) found.push(node.name)
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}

/**
 * The possible texts of an expression, with … for parts that are only known at run time. Empty for a parameter; then
 * the texts of its callers are read.
 */
function textsOf(node: ts.Expression): string[] {
  if (ts.isStringLiteralLike(node)) return [node.text]
  if (ts.isParenthesizedExpression(node) || ts.isAsExpression(node)) return textsOf(node.expression)
  if (ts.isConditionalExpression(node)) return [...textsOf(node.whenTrue), ...textsOf(node.whenFalse)]
  if (ts.isBinaryExpression(node)) {
    const right = textsOf(node.right)
    return textsOf(node.left).flatMap((left) => right.map((text) => left + text))
  }
  if (ts.isTemplateExpression(node))
    return node.templateSpans.reduce(
      (texts, { expression, literal }) => {
        const inside = ts.isIdentifier(expression) ? fixedTexts(expression) : ['…']
        return texts.flatMap((text) => inside.map((part) => text + part + literal.text))
      },
      [node.head.text],
    )
  if (!ts.isIdentifier(node)) return []
  const meaning = resolved(node.text, node)
  if (meaning === undefined) return []
  if ('value' in meaning) return textsOf(meaning.value)
  // A property under another name is read where the object is written.
  if (meaning.alias) return []
  return propertiesOf(meaning.property, node.getSourceFile()).flatMap((one) =>
    ts.isIdentifier(one) ? [] : textsOf(one),
  )
}

/** The possible texts of a name inside a text: its values if this file has them, otherwise …. */
function fixedTexts(name: ts.Identifier): string[] {
  const meaning = resolved(name.text, name)
  const texts = meaning !== undefined && 'value' in meaning ? textsOf(meaning.value) : []
  return texts.length === 0 || texts.length > 3 ? ['…'] : texts
}

/** A logging call: `logger.warn(fields, message)`, or `logTrouble(logger, error, fields, message)`. */
function messageOfCall({ expression, arguments: given }: ts.CallExpression): ts.Expression | undefined {
  if (ts.isIdentifier(expression) && expression.text === 'logTrouble') return given[3]
  const isLog =
    ts.isPropertyAccessExpression(expression) &&
    levels.has(expression.name.text) &&
    /log(ger)?$/i.test(expression.expression.getText())
  return isLog ? given[1] : undefined
}

/** The message of a source's notice, which the agent logs at the notice's level. */
function messageOfNotice({ properties }: ts.ObjectLiteralExpression): ts.Expression | undefined {
  const named = (name: string): ts.ObjectLiteralElementLike | undefined =>
    properties.find((one) => one.name?.getText() === name)
  const level = named('level')
  const message = named('message')
  if (level === undefined || message === undefined || !ts.isPropertyAssignment(level)) return undefined
  if (!textsOf(level.initializer).some((one) => levels.has(one))) return undefined
  if (ts.isShorthandPropertyAssignment(message)) return message.name
  return ts.isPropertyAssignment(message) ? message.initializer : undefined
}

/**
 * The text of `unreported` in the readiness: why no violation is reported. A text with a code concerns one source only,
 * and another source may work.
 */
function unreportedOf({ properties }: ts.ObjectLiteralExpression): ts.Expression | undefined {
  const names = new Set(properties.map(({ name }) => name?.getText()))
  if (!names.has('why') || !names.has('remedy') || names.has('code')) return undefined
  const why = properties.find(({ name }) => name?.getText() === 'why')!
  if (ts.isShorthandPropertyAssignment(why)) return why.name
  return ts.isPropertyAssignment(why) ? why.initializer : undefined
}

function messageOf(node: ts.Node): ts.Expression | undefined {
  if (ts.isCallExpression(node)) return messageOfCall(node)
  return ts.isObjectLiteralExpression(node) ? (messageOfNotice(node) ?? unreportedOf(node)) : undefined
}

function messagesOf(path: string, source: string): string[] {
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true)
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    const message = messageOf(node)
    if (message !== undefined) found.push(...textsOf(message))
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}

/** All messages at level warn or above, and all texts of `unreported` in the readiness, with their files. */
export function logMessages(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>()
  for (const room of ['src', 'actors'])
    for (const name of readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })) {
      const path = `${room}/${name}`
      if (!path.endsWith('.ts')) continue
      for (const message of messagesOf(path, readFileSync(join(ROOT, path), 'utf8')))
        found.set(message, [...(found.get(message) ?? []), path])
    }
  return found
}
