import { isObject } from '../../api/validate-schema.ts'

/**
 * What a seccomp filter does, as a text: equal for filters that runtimes have written otherwise and that do the same.
 * Undefined for what is no filter. Docker adds architectures, and runtimes leave out what is 0.
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
