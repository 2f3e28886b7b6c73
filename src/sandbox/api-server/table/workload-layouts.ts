import { at, type JsonObject, type JsonValue, listOf, numberOf, objectOf, textOf } from '../schema/json.ts'
import { AGE, CONTAINERS, type ColumnSpec, columnsOf, IMAGES, NAME } from './columns.ts'
import { humanDuration, since } from './human-duration.ts'
import { labelsText, selectorText, shownSelector } from './selector-text.ts'
import type { TableLayout } from './table.ts'

type Cells = (object: JsonObject, now: number) => JsonValue[]

export const nameOf = (object: JsonObject): string => textOf(at(object, 'metadata', 'name'))
export const ageOf = (object: JsonObject, now: number): string =>
  since(at(object, 'metadata', 'creationTimestamp'), now)

/** A layout whose columns are looked up when the kind is first asked for. */
export const layout =
  (apiVersion: string, kind: string, specs: readonly ColumnSpec[], cells: Cells) => (): TableLayout => ({
    columns: columnsOf(apiVersion, kind, specs),
    cells,
  })

function containers(spec: JsonValue | undefined): [string, string] {
  const list = listOf(at(spec, 'containers'))
  return [
    list.map((entry) => textOf(at(entry, 'name'))).join(','),
    list.map((entry) => textOf(at(entry, 'image'))).join(','),
  ]
}

const template = (object: JsonObject): [string, string] => containers(at(object, 'spec', 'template', 'spec'))
const status = (object: JsonObject, name: string): number => numberOf(at(object, 'status', name))
const desired = (object: JsonObject): number => numberOf(at(object, 'spec', 'replicas'))

export const deploymentLayout = layout(
  'apps/v1',
  'Deployment',
  [
    NAME,
    ['Ready', 'string', 'Number of the pod with ready state'],
    ['Up-to-date', 'string', 'status.updatedReplicas'],
    ['Available', 'string', 'status.availableReplicas'],
    AGE,
    CONTAINERS,
    IMAGES,
    ['Selector', 'string', 'spec.selector', 1],
  ],
  (object, now) => [
    nameOf(object),
    `${status(object, 'readyReplicas')}/${desired(object)}`,
    status(object, 'updatedReplicas'),
    status(object, 'availableReplicas'),
    ageOf(object, now),
    ...template(object),
    selectorText(at(object, 'spec', 'selector')),
  ],
)

const replicaColumns = [
  NAME,
  ['Desired', 'integer', 'spec.replicas'],
  ['Current', 'integer', 'status.replicas'],
  ['Ready', 'integer', 'status.readyReplicas'],
  AGE,
  CONTAINERS,
  IMAGES,
  ['Selector', 'string', 'spec.selector', 1],
] as const satisfies readonly ColumnSpec[]

export const replicaSetLayout = layout('apps/v1', 'ReplicaSet', replicaColumns, (object, now) => [
  nameOf(object),
  desired(object),
  status(object, 'replicas'),
  status(object, 'readyReplicas'),
  ageOf(object, now),
  ...template(object),
  shownSelector(at(object, 'spec', 'selector')),
])

export const statefulSetLayout = layout(
  'apps/v1',
  'StatefulSet',
  [NAME, ['Ready', 'string', 'Number of the pod with ready state'], AGE, CONTAINERS, IMAGES],
  (object, now) => [
    nameOf(object),
    `${status(object, 'readyReplicas')}/${desired(object)}`,
    ageOf(object, now),
    ...template(object),
  ],
)

export const daemonSetLayout = layout(
  'apps/v1',
  'DaemonSet',
  [
    NAME,
    ['Desired', 'integer', 'status.desiredNumberScheduled'],
    ['Current', 'integer', 'status.currentNumberScheduled'],
    ['Ready', 'integer', 'status.numberReady'],
    ['Up-to-date', 'integer', 'status.updatedNumberScheduled'],
    ['Available', 'integer', 'status.numberAvailable'],
    ['Node Selector', 'string', 'spec.template.spec.nodeSelector'],
    AGE,
    CONTAINERS,
    IMAGES,
    ['Selector', 'string', 'spec.selector', 1],
  ],
  (object, now) => [
    nameOf(object),
    ...[
      'desiredNumberScheduled',
      'currentNumberScheduled',
      'numberReady',
      'updatedNumberScheduled',
      'numberAvailable',
    ].map((name) => status(object, name)),
    labelsText(at(object, 'spec', 'template', 'spec', 'nodeSelector')),
    ageOf(object, now),
    ...template(object),
    shownSelector(at(object, 'spec', 'selector')),
  ],
)

export const controllerRevisionLayout = layout(
  'apps/v1',
  'ControllerRevision',
  [NAME, ['Controller', 'string', 'Controller of the object'], ['Revision', 'string', 'revision'], AGE],
  (object, now) => {
    const owner = listOf(at(object, 'metadata', 'ownerReferences'))
      .map(objectOf)
      .find((reference) => reference.controller === true)
    const [group = ''] = textOf(owner?.apiVersion).includes('/') ? textOf(owner?.apiVersion).split('/') : ['']
    const kind = textOf(owner?.kind).toLowerCase() + (group === '' ? '' : `.${group}`)
    const controller = owner === undefined ? '<none>' : `${kind}/${textOf(owner.name)}`
    return [nameOf(object), controller, numberOf(object.revision), ageOf(object, now)]
  },
)

function jobStatus(job: JsonObject): string {
  const has = (type: string) =>
    listOf(at(job, 'status', 'conditions')).some(
      (entry) => at(entry, 'type') === type && at(entry, 'status') === 'True',
    )
  if (has('Complete')) return 'Complete'
  if (has('Failed')) return 'Failed'
  if (at(job, 'metadata', 'deletionTimestamp') !== undefined) return 'Terminating'
  return ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'].find(has) ?? 'Running'
}

function jobCompletions(job: JsonObject): string {
  const { completions, parallelism } = objectOf(job.spec)
  const done = status(job, 'succeeded')
  if (typeof completions === 'number') return `${done}/${completions}`
  return numberOf(parallelism) > 1 ? `${done}/1 of ${numberOf(parallelism)}` : `${done}/1`
}

function jobDuration(job: JsonObject, now: number): string {
  const { startTime, completionTime } = objectOf(job.status)
  if (typeof startTime !== 'string') return ''
  const end = typeof completionTime === 'string' ? Date.parse(completionTime) : now
  return humanDuration(end - Date.parse(startTime))
}

export const jobLayout = layout(
  'batch/v1',
  'Job',
  [
    NAME,
    ['Status', 'string', 'Status of the job.'],
    ['Completions', 'string', 'status.succeeded'],
    ['Duration', 'string', 'Time required to complete the job.'],
    AGE,
    CONTAINERS,
    IMAGES,
    ['Selector', 'string', 'spec.selector', 1],
  ],
  (object, now) => [
    nameOf(object),
    jobStatus(object),
    jobCompletions(object),
    jobDuration(object, now),
    ageOf(object, now),
    ...template(object),
    shownSelector(at(object, 'spec', 'selector')),
  ],
)

const titled = (flag: JsonValue | undefined): string => (flag === true ? 'True' : flag === false ? 'False' : '<unset>')

export const cronJobLayout = layout(
  'batch/v1',
  'CronJob',
  [
    NAME,
    ['Schedule', 'string', 'spec.schedule'],
    ['Timezone', 'string', 'spec.timeZone'],
    ['Suspend', 'boolean', 'spec.suspend'],
    ['Active', 'integer', 'status.active'],
    ['Last Schedule', 'string', 'status.lastScheduleTime'],
    AGE,
    CONTAINERS,
    IMAGES,
    ['Selector', 'string', 'spec.jobTemplate.spec.selector', 1],
  ],
  (object, now) => {
    const last = at(object, 'status', 'lastScheduleTime')
    return [
      nameOf(object),
      textOf(at(object, 'spec', 'schedule')),
      textOf(at(object, 'spec', 'timeZone')) || '<none>',
      titled(at(object, 'spec', 'suspend')),
      listOf(at(object, 'status', 'active')).length,
      last === undefined ? '<none>' : since(last, now),
      ageOf(object, now),
      ...containers(at(object, 'spec', 'jobTemplate', 'spec', 'template', 'spec')),
      shownSelector(at(object, 'spec', 'jobTemplate', 'spec', 'selector')),
    ]
  },
)
