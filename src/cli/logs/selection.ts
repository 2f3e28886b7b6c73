import { type Fields, reportsLoss, secondsOf, summaryOf, textOf, type Violation } from './violation.ts'

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
 * Whether a violation is wanted. A line about lost events always is: they may have been of the namespace, pod, policy or action that is
 * asked for. So is a line of numbers of a container whatever policy and action are asked for, which it does not name. A violation without
 * a pod and without a namespace of its policy is of a cluster policy, and may be of any namespace.
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
