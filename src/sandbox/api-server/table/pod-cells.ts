import { at, isObject, type JsonObject, type JsonValue, listOf, numberOf, objectOf, textOf } from '../schema/json.ts'
import { since } from './human-duration.ts'

const isTrue = (pod: JsonObject, type: string): boolean =>
  listOf(at(pod, 'status', 'conditions')).some(
    (condition) => at(condition, 'type') === type && at(condition, 'status') === 'True',
  )

function exitReason(terminated: JsonObject): string {
  if (textOf(terminated.reason) !== '') return textOf(terminated.reason)
  const signal = numberOf(terminated.signal)
  return signal === 0 ? `ExitCode:${numberOf(terminated.exitCode)}` : `Signal:${signal}`
}

/** Why the first unfinished init container delays the pod's start; undefined if all init containers have finished. */
function initReason(pod: JsonObject): string | undefined {
  const statuses = listOf(at(pod, 'status', 'initContainerStatuses')).map(objectOf)
  for (const [index, { state, started }] of statuses.entries()) {
    const { terminated, waiting } = objectOf(state)
    if (started === true || at(terminated, 'exitCode') === 0) continue
    if (isObject(terminated)) return `Init:${exitReason(terminated)}`
    const reason = textOf(at(waiting, 'reason'))
    const count = listOf(at(pod, 'spec', 'initContainers')).length
    return reason !== '' && reason !== 'PodInitializing' ? `Init:${reason}` : `Init:${index}/${count}`
  }
  return undefined
}

const isRunning = (status: JsonObject): boolean => status.ready === true && isObject(at(status, 'state', 'running'))

/**
 * The reason of the first container that has a reason, otherwise `phase`. If other containers run, the reason of a
 * finished container does not count.
 */
function containerReason(pod: JsonObject, phase: string): string {
  const statuses = listOf(at(pod, 'status', 'containerStatuses')).map(objectOf)
  const reasons = statuses.map(({ state }) => {
    const { waiting, terminated } = objectOf(state)
    return textOf(at(waiting, 'reason')) || (isObject(terminated) ? exitReason(terminated) : '')
  })
  const reason = reasons.find((one) => one !== '') ?? phase
  if (reason !== 'Completed') return reason
  const failed = reasons.find((one) => one !== '' && one !== 'Completed')
  if (statuses.some(isRunning)) return isTrue(pod, 'Ready') ? 'Running' : (failed ?? 'NotReady')
  return failed ?? reason
}

/** The text in the STATUS column. */
function podReason(pod: JsonObject): string {
  const status = objectOf(pod.status)
  const phase = textOf(status.reason) || textOf(status.phase)
  const isDone = status.phase === 'Succeeded' || status.phase === 'Failed'
  if (at(pod, 'metadata', 'deletionTimestamp') !== undefined && !isDone)
    return status.reason === 'NodeLost' ? 'Unknown' : 'Terminating'
  return initReason(pod) ?? containerReason(pod, phase)
}

const orNone = (text: string): string => text || '<none>'

/** The cells READY, STATUS, RESTARTS and AGE, and the pod's addresses and node. */
export function podCells(pod: JsonObject, now: number): JsonValue[] {
  const { containers, initContainers, nodeName, readinessGates } = objectOf(pod.spec)
  const sidecars = listOf(initContainers).filter((container) => at(container, 'restartPolicy') === 'Always').length
  const statuses = ['initContainerStatuses', 'containerStatuses']
    .flatMap((name) => listOf(at(pod, 'status', name)))
    .map(objectOf)
  const restarts = statuses.reduce((sum, { restartCount }) => sum + numberOf(restartCount), 0)
  const ends = statuses.map((status) => textOf(at(status, 'lastState', 'terminated', 'finishedAt'))).sort()
  const last = ends.at(-1) ?? ''
  const gates = listOf(readinessGates)
  const open = gates.filter((gate) => isTrue(pod, textOf(at(gate, 'conditionType')))).length
  return [
    `${statuses.filter(isRunning).length}/${listOf(containers).length + sidecars}`,
    podReason(pod),
    restarts > 0 && last !== '' ? `${restarts} (${since(last, now)} ago)` : String(restarts),
    since(at(pod, 'metadata', 'creationTimestamp'), now),
    orNone(textOf(at(pod, 'status', 'podIPs', 0, 'ip'))),
    orNone(textOf(nodeName)),
    orNone(textOf(at(pod, 'status', 'nominatedNodeName'))),
    gates.length === 0 ? '<none>' : `${open}/${gates.length}`,
  ]
}

/** Conditions of a pod's row. With these, kubectl omits finished pods from some lists. */
export function podConditions(pod: JsonObject): JsonObject[] {
  const phase = at(pod, 'status', 'phase')
  if (phase !== 'Succeeded' && phase !== 'Failed') return []
  const message = phase === 'Succeeded' ? 'The pod has completed successfully.' : 'The pod failed.'
  return [{ type: 'Completed', status: 'True', reason: phase, message }]
}
