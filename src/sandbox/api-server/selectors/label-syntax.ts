const namePattern = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/
const subdomainPattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const nameRule =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
const nameRegex = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const nameExamples = `(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${nameRegex}')`

/** What is wrong with the key of a label, in apimachinery's words (IsQualifiedName); undefined when nothing is. */
export function labelKeyProblem(key: string): string | undefined {
  const parts = key.split('/')
  if (parts.length > 2)
    return `a qualified name ${nameRule} ${nameExamples} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`
  const problems: string[] = []
  if (parts.length === 2) problems.push(...prefixProblems(parts[0]!))
  const name = parts[parts.length - 1]!
  if (name === '') problems.push('name part must be non-empty')
  else if (name.length > 63) problems.push('name part must be no more than 63 characters')
  if (!namePattern.test(name)) problems.push(`name part ${nameRule} ${nameExamples}`)
  return problems.length > 0 ? problems.join('; ') : undefined
}

function prefixProblems(prefix: string): string[] {
  if (prefix === '') return ['prefix part must be non-empty']
  const problems: string[] = []
  if (prefix.length > 253) problems.push('prefix part must be no more than 253 characters')
  if (!subdomainPattern.test(prefix))
    problems.push(
      "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    )
  return problems
}

/** What is wrong with the value of a label (IsValidLabelValue); undefined when nothing is. */
export function labelValueProblem(value: string): string | undefined {
  const problems: string[] = []
  if (value.length > 63) problems.push('must be no more than 63 characters')
  if (value !== '' && !namePattern.test(value))
    problems.push(
      `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(${nameRegex})?')`,
    )
  return problems.length > 0 ? problems.join('; ') : undefined
}
