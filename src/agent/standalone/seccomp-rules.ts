import { isObject } from '../../api/validate-schema.ts'

/**
 * Returns the rules of a seccomp filter as a text that is equal for equivalent filters. Equivalent filters may look
 * different, because Docker adds architectures, and runtimes omit values of 0. Undefined if the value is not a filter.
 * @param filter `linux.seccomp` of an OCI spec, or a profile
 */
export function seccompRules(filter: unknown): string | undefined {
  if (!isObject(filter)) return undefined
  const { defaultAction, defaultErrnoRet = 0, syscalls } = filter
  const rules = (Array.isArray(syscalls) ? syscalls : []).flatMap((rule: unknown) => {
    if (!isObject(rule)) return []
    const { names, action, errnoRet = 0, args } = rule
    const conditions = (Array.isArray(args) ? args : []).map((one: Record<string, unknown>) =>
      [one['index'], one['value'], one['valueTwo'] ?? 0, one['op']].join(' '),
    )
    const does = [action, errnoRet, ...conditions].join('|')
    return (Array.isArray(names) ? names : []).map((name) => `${name}|${does}`)
  })
  return JSON.stringify([defaultAction, defaultErrnoRet, ...[...new Set(rules)].sort()])
}
