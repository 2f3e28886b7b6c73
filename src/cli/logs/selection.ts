import { type Fields, reportsLoss, secondsOf, summaryOf, textOf, type Violation } from './violation.ts'

/** Selects violations. An absent field selects all violations. In names, `*` stands for any characters. */
export interface Selection {
  /** Namespace of the pod; of the policy if the pod is unknown. */
  namespace?: string
  pod?: string
  /** NAME, or NAMESPACE/NAME. */
  policy?: string
  /** Selects violations with one of these actions, in capital letters. */
  actions?: readonly string[]
  /** Unix seconds. Lines without a time are always selected. */
  since?: number
}

/**
 * Whether a violation is selected. A line about lost events is selected by its time alone, because selected events may
 * be lost. A line with counts has no policy and no action, so it matches every policy and action. A violation without a
 * pod and a policy namespace matches every namespace, because it belongs to a cluster policy.
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

/** `NAMESPACE/NAME` of the policy, or `NAME` of a cluster policy; empty if the policy is unknown. */
export function policyOf(fields: Fields): string {
  const [namespace, name] = [textOf(fields, 'policyNamespace'), textOf(fields, 'policyName')]
  return namespace === '' || name === '' ? name : `${namespace}/${name}`
}

const namespaceOf = (fields: Fields): string =>
  textOf(fields, 'podName') === '' ? textOf(fields, 'policyNamespace') : textOf(fields, 'podNamespace')

/** The actions of a violation. A call that was allowed and logged has `AUDIT|ALLOWED`. */
const actionsOf = (fields: Fields): string[] => textOf(fields, 'action').toUpperCase().split('|')

function test(pattern: string, text: (fields: Fields) => string): (fields: Fields) => boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  const whole = new RegExp(`^${parts.join('.*')}$`, 's')
  return (fields) => whole.test(text(fields))
}
