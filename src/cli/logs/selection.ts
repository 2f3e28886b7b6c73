import { type Fields, reportsLoss, secondsOf, summaryOf, textOf, type Violation } from './violation.ts'

/** The wanted violations; absent fields do not restrict. Names may have `*` for any characters. */
export interface Selection {
  /** The pod's; if unknown, the policy's. */
  namespace?: string
  pod?: string
  /** NAME, or NAMESPACE/NAME. */
  policy?: string
  /** Any of these, in capitals. */
  actions?: readonly string[]
  /** Unix seconds. Lines without a time always match. */
  since?: number
}

/**
 * Whether a violation is wanted. A line about lost events always is: they may have been of the requested namespace,
 * pod, policy or action. A container's line with counts ignores policy and action, which it does not name. A violation
 * without a pod and without a policy namespace belongs to a cluster policy, and may be of any namespace.
 */
export function selector({ namespace, pod, policy, actions, since }: Selection): (violation: Violation) => boolean {
  const tests: ((fields: Fields) => boolean)[] = []
  const ofEvents: ((fields: Fields) => boolean)[] = []
  if (namespace !== undefined) {
    const isOf = test(namespace, namespaceOf)
    tests.push((fields) => isOf(fields) || namespaceOf(fields) === '')
  }
  if (pod !== undefined) tests.push(test(pod, (fields) => textOf(fields, 'podName')))
  if (policy !== undefined)
    ofEvents.push(test(policy, (fields) => (policy.includes('/') ? policyOf(fields) : textOf(fields, 'policyName'))))
  if (actions !== undefined) ofEvents.push((fields) => actionsOf(fields).some((action) => actions.includes(action)))
  return (violation) => {
    const { fields } = violation
    if (since !== undefined && (secondsOf(violation) ?? since) < since) return false
    if (reportsLoss(violation)) return true
    return (summaryOf(violation) === undefined ? [...tests, ...ofEvents] : tests).every((isWanted) => isWanted(fields))
  }
}

/** `NAMESPACE/NAME`, for a cluster policy `NAME`; empty if the policy is unknown. */
export function policyOf(fields: Fields): string {
  const [namespace, name] = [textOf(fields, 'policyNamespace'), textOf(fields, 'policyName')]
  return namespace === '' || name === '' ? name : `${namespace}/${name}`
}

const namespaceOf = (fields: Fields): string =>
  textOf(fields, 'podName') === '' ? textOf(fields, 'policyNamespace') : textOf(fields, 'podNamespace')

/** A logged and allowed call is `AUDIT|ALLOWED`. */
const actionsOf = (fields: Fields): string[] => textOf(fields, 'action').toUpperCase().split('|')

function test(pattern: string, text: (fields: Fields) => string): (fields: Fields) => boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  const whole = new RegExp(`^${parts.join('.*')}$`, 's')
  return (fields) => whole.test(text(fields))
}
