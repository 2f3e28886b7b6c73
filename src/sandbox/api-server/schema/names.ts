/**
 * The forms of names and keys, with the server's error texts (apimachinery, pkg/util/validation and
 * pkg/api/validate/content). Each check returns the errors.
 */
type Check = (text: string) => string[]

const bytes = (text: string): number => Buffer.byteLength(text)
const tooLong = (text: string, maximum: number): string[] =>
  bytes(text) > maximum ? [`must be no more than ${maximum} bytes`] : []

function formProblem(rule: string, pattern: string, examples: readonly string[]): string {
  const shown = examples.length === 0 ? '' : `e.g. ${examples.map((example) => `'${example}', `).join(' or ')}`
  return `${rule} (${shown}regex used for validation is '${pattern}')`
}

const form =
  (rule: string, pattern: string, ...examples: string[]): Check =>
  (text) =>
    new RegExp(`^(?:${pattern})$`).test(text) ? [] : [formProblem(rule, pattern, examples)]

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`

const subdomainForm = form(
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  SUBDOMAIN,
  'example.com',
)
const labelForm = form(
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  LABEL,
  'my-name',
  '123-abc',
)
const label1035Form = form(
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  '[a-z]([-a-z0-9]*[a-z0-9])?',
  'my-name',
  'abc-123',
)

export const subdomainProblems: Check = (text) => [...tooLong(text, 253), ...subdomainForm(text)]

export function labelProblems(text: string): string[] {
  const problems = labelForm(text)
  const dotted = problems.length > 0 && subdomainForm(text).length === 0
  return [...tooLong(text, 63), ...(dotted ? ['must not contain dots'] : problems)]
}

export const label1035Problems: Check = (text) => [...tooLong(text, 63), ...label1035Form(text)]

const KEY = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const KEY_RULE =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
const keyForm = form(KEY_RULE, KEY, 'MyName', 'my.name', '123-abc')

/** Errors of a label's or annotation's key, or of a finalizer: `example.com/name`. */
export function qualifiedNameProblems(text: string): string[] {
  const parts = text.split('/')
  if (parts.length > 2)
    return [
      `a valid label key ${formProblem(KEY_RULE, KEY, ['MyName', 'my.name', '123-abc'])} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ]
  const [name = '', prefix] = parts.reverse()
  const inPrefix = prefix === undefined ? [] : prefix === '' ? ['must be non-empty'] : subdomainProblems(prefix)
  const inName = [...(name === '' ? ['must be non-empty'] : tooLong(name, 63)), ...keyForm(name)]
  return [...inPrefix.map((problem) => `prefix part ${problem}`), ...inName.map((problem) => `name part ${problem}`)]
}

const valueForm = form(
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  `(${KEY})?`,
  'MyValue',
  'my_value',
  '12345',
)
export const labelValueProblems: Check = (text) => [...tooLong(text, 63), ...valueForm(text)]

/**
 * Errors of a name that occurs unescaped in paths, as in RBAC. A prefix may start with dots, because it may become a
 * name such as `..x`.
 */
export function pathSegmentProblems(text: string, isPrefix = false): string[] {
  if (!isPrefix && (text === '.' || text === '..')) return [`may not be '${text}'`]
  return ['/', '%'].filter((part) => text.includes(part)).map((part) => `may not contain '${part}'`)
}

const configKeyForm = form(
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
  '[-._a-zA-Z0-9]+',
  'key.name',
  'KEY_NAME',
  'key-name',
)
const parentPath: Check = (text) => {
  if (text === '.') return [`must not be '.'`]
  if (text === '..') return [`must not be '..'`]
  return text.startsWith('..') ? [`must not start with '..'`] : []
}
/** Errors of a key of a ConfigMap or Secret. */
export const configKeyProblems: Check = (text) => [...tooLong(text, 253), ...configKeyForm(text), ...parentPath(text)]
