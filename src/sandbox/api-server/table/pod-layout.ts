import { at, isObject, type JsonObject, listOf, numberOf, objectOf, textOf } from '../schema/json.ts'
import { AGE, columnsOf, NAME } from './columns.ts'
import { since } from './human-duration.ts'
import type { TableLayout } from './table.ts'

const columns = () =>
  columnsOf('v1', 'Pod', [
    NAME,
    ['Ready', 'string', 'The aggregate readiness state of this pod for accepting traffic.'],
    ['Status', 'string', 'The aggregate status of the containers in this pod.'],
    [
      'Restarts',
      'string',
      'The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.',
    ],
    AGE,
    ['IP', 'string', 'status.podIP', 1],
    ['Node', 'string', 'spec.nodeName', 1],
    ['Nominated Node', 'string', 'status.nominatedNodeName', 1],
    ['Readiness Gates', 'string', 'spec.readinessGates', 1],
  ])

/** What the walk over a pod's containers found (kubernetes, pkg/printers/internalversion, printPod). */
interface Found {
  reason: string
  restarts: number
  /** When a container was last restarted, in milliseconds; 0 for never. */
  lastRestart: number
  ready: number
}

const lastExit = (status: JsonObject): number =>
  Date.parse(textOf(at(status, 'lastState', 'terminated', 'finishedAt'))) || 0

function exitReason(terminated: JsonObject): string {
  if (textOf(terminated.reason) !== '') return textOf(terminated.reason)
  const signal = numberOf(terminated.signal)
  return signal === 0 ? `ExitCode:${numberOf(terminated.exitCode)}` : `Signal:${signal}`
}

const isSidecar = (spec: JsonObject, name: string): boolean =>
  listOf(spec.initContainers).some(
    (container) => at(container, 'name') === name && at(container, 'restartPolicy') === 'Always',
  )

/** Why an init container keeps the pod from starting; undefined when it does not. */
function initReason(status: JsonObject, sidecar: boolean, index: number, count: number): string | undefined {
  const { terminated, waiting } = objectOf(status.state)
  if (isObject(terminated) && numberOf(terminated.exitCode) === 0) return undefined
  if (sidecar && status.started === true) return undefined
  if (isObject(terminated)) return `Init:${exitReason(terminated)}`
  const reason = textOf(at(waiting, 'reason'))
  return reason !== '' && reason !== 'PodInitializing' ? `Init:${reason}` : `Init:${index}/${count}`
}

interface Initial {
  all: Found
  sidecars: Found
  initializing: boolean
}

function walkInit(pod: JsonObject, reason: string): Initial {
  const spec = objectOf(pod.spec)
  const all: Found = { reason, restarts: 0, lastRestart: 0, ready: 0 }
  const sidecars: Found = { ...all }
  for (const [index, entry] of listOf(at(pod, 'status', 'initContainerStatuses')).entries()) {
    const status = objectOf(entry)
    const sidecar = isSidecar(spec, textOf(status.name))
    for (const found of sidecar ? [all, sidecars] : [all]) {
      found.restarts += numberOf(status.restartCount)
      found.lastRestart = Math.max(found.lastRestart, lastExit(status))
    }
    const why = initReason(status, sidecar, index, listOf(spec.initContainers).length)
    if (why !== undefined) return { all: { ...all, reason: why }, sidecars, initializing: true }
    const exited = isObject(at(status, 'state', 'terminated'))
    if (sidecar && !exited && status.ready === true) {
      all.ready++
      sidecars.ready++
    }
  }
  return { all, sidecars, initializing: false }
}

const hasCondition = (pod: JsonObject, type: string): boolean =>
  listOf(at(pod, 'status', 'conditions')).some(
    (condition) => at(condition, 'type') === type && at(condition, 'status') === 'True',
  )

function walkContainers(pod: JsonObject, start: Found): Found {
  const found = { ...start }
  let [hasRunning, errorReason] = [false, '']
  for (const entry of listOf(at(pod, 'status', 'containerStatuses')).toReversed()) {
    const status = objectOf(entry)
    const { waiting, terminated, running } = objectOf(status.state)
    found.restarts += numberOf(status.restartCount)
    found.lastRestart = Math.max(found.lastRestart, lastExit(status))
    if (textOf(at(waiting, 'reason')) !== '') found.reason = textOf(at(waiting, 'reason'))
    else if (isObject(terminated)) {
      found.reason = exitReason(terminated)
      if (numberOf(terminated.exitCode) !== 0) errorReason = found.reason
    } else if (status.ready === true && isObject(running)) {
      hasRunning = true
      found.ready++
    }
  }
  if (found.reason !== 'Completed') return found
  const settled =
    hasRunning && hasCondition(pod, 'Ready') ? 'Running' : errorReason || (hasRunning ? 'NotReady' : 'Completed')
  return { ...found, reason: settled }
}

function firstReason(pod: JsonObject): string {
  const status = objectOf(pod.status)
  const gated = listOf(status.conditions).some(
    (condition) => at(condition, 'type') === 'PodScheduled' && at(condition, 'reason') === 'SchedulingGated',
  )
  return gated ? 'SchedulingGated' : textOf(status.reason) || textOf(status.phase)
}

function walk(pod: JsonObject): Found {
  const reason = firstReason(pod)
  const initial = walkInit(pod, reason)
  const started = !initial.initializing || hasCondition(pod, 'Initialized')
  const found = started
    ? walkContainers(pod, { ...initial.sidecars, reason: initial.all.reason, ready: initial.all.ready })
    : initial.all
  if (at(pod, 'metadata', 'deletionTimestamp') === undefined) return found
  const { phase, reason: why } = objectOf(pod.status)
  if (why === 'NodeLost') return { ...found, reason: 'Unknown' }
  return phase === 'Succeeded' || phase === 'Failed' ? found : { ...found, reason: 'Terminating' }
}

function gatesText(pod: JsonObject): string {
  const gates = listOf(at(pod, 'spec', 'readinessGates'))
  if (gates.length === 0) return '<none>'
  const open = gates.filter((gate) => hasCondition(pod, textOf(at(gate, 'conditionType')))).length
  return `${open}/${gates.length}`
}

const orNone = (text: string): string => text || '<none>'

function cells(pod: JsonObject, now: number) {
  const { reason, restarts, lastRestart, ready } = walk(pod)
  const spec = objectOf(pod.spec)
  const sidecars = listOf(spec.initContainers).filter((container) => at(container, 'restartPolicy') === 'Always').length
  const ago = restarts !== 0 && lastRestart !== 0 ? ` (${since(new Date(lastRestart).toISOString(), now)} ago)` : ''
  return [
    textOf(at(pod, 'metadata', 'name')),
    `${ready}/${listOf(spec.containers).length + sidecars}`,
    reason,
    `${restarts}${ago}`,
    since(at(pod, 'metadata', 'creationTimestamp'), now),
    orNone(textOf(at(pod, 'status', 'podIPs', 0, 'ip'))),
    orNone(textOf(spec.nodeName)),
    orNone(textOf(at(pod, 'status', 'nominatedNodeName'))),
    gatesText(pod),
  ]
}

const completed = (reason: string, message: string): JsonObject[] => [
  { type: 'Completed', status: 'True', reason, message },
]

function conditions(pod: JsonObject): JsonObject[] {
  const phase = at(pod, 'status', 'phase')
  if (phase === 'Succeeded') return completed('Succeeded', 'The pod has completed successfully.')
  return phase === 'Failed' ? completed('Failed', 'The pod failed.') : []
}

/** Pods: READY STATUS RESTARTS AGE, and where they are. */
export const podLayout = (): TableLayout => ({ columns: columns(), cells, conditions })
