import { type Fields, reportsLoss, secondsOf, textOf, type Violation } from './violation.ts'

/** Which violations are wanted; what is left out does not matter. Names may have `*` for any characters. */
export interface Selection {
  /** Of the pod; where none is known, of the policy. */
  namespace?: string
  pod?: string
  /** NAME, or NAMESPACE/NAME. */
  policy?: string
  /** Any of them, in capitals. */
  actions?: readonly string[]
  /** Unix seconds. What has no time is wanted at any. */
  since?: number
}

/**
 * Whether a violation is wanted. That events were lost is always wanted: nobody can say whether they were of the
 * namespace, pod, policy or action that is asked for.
 */
export function selector({ namespace, pod, policy, actions, since }: Selection): (violation: Violation) => boolean {
  const tests: ((fields: Fields) => boolean)[] = []
  if (namespace !== undefined) tests.push(test(namespace, (fields) => namespaceOf(fields)))
  if (pod !== undefined) tests.push(test(pod, (fields) => textOf(fields, 'podName')))
  if (policy !== undefined)
    tests.push(test(policy, (fields) => (policy.includes('/') ? policyOf(fields) : textOf(fields, 'policyName'))))
  if (actions !== undefined) tests.push((fields) => actionsOf(fields).some((action) => actions.includes(action)))
  return (violation) => {
    const isInTime = since === undefined || (secondsOf(violation) ?? since) >= since
    return isInTime && (reportsLoss(violation) || tests.every((isWanted) => isWanted(violation.fields)))
  }
}

/** `NAMESPACE/NAME`, of a cluster policy `NAME`; empty where no policy is known. */
export function policyOf(fields: Fields): string {
  const [namespace, name] = [textOf(fields, 'policyNamespace'), textOf(fields, 'policyName')]
  return namespace === '' || name === '' ? name : `${namespace}/${name}`
}

const namespaceOf = (fields: Fields): string =>
  textOf(fields, 'podName') === '' ? textOf(fields, 'policyNamespace') : textOf(fields, 'podNamespace')

/** A call that was logged and let through is `AUDIT|ALLOWED`. */
const actionsOf = (fields: Fields): string[] => textOf(fields, 'action').toUpperCase().split('|')

function test(pattern: string, text: (fields: Fields) => string): (fields: Fields) => boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  const whole = new RegExp(`^${parts.join('.*')}$`, 's')
  return (fields) => whole.test(text(fields))
}
