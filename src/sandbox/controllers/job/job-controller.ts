import { timestamp } from '../../api-server/context.ts'
import { sameJson } from '../../api-server/schema/json.ts'
import type { ClusterClient } from '../cluster-client.ts'
import { withCondition } from '../conditions.ts'
import { type Controller, controllerQueue, type Environment } from '../environment.ts'
import { BY_CONTROLLER } from '../informers.ts'
import { controllerOf } from '../ownership.ts'
import { deleteAll, PodControl, slowStart } from '../pod-control.ts'
import { conditionOf, isActive, isReady, isTerminating, phaseOf } from '../pod-state.ts'
import { podFromTemplate } from '../pod-template.ts'
import { jobs } from '../resources.ts'
import type { Condition, Job, JobStatus, Pod } from '../types.ts'

/**
 * Runs the pods of jobs to completion: `completions`, `parallelism`, `backoffLimit`, `suspend` and
 * `activeDeadlineSeconds`. Pods are counted as long as they are there; indexes, success policies and pod failure
 * policies are not looked at.
 */
export function startJobController(environment: Environment): Controller {
  const { informers } = environment
  const queue = controllerQueue(environment, 'job-controller', async (key, client) => {
    const job = informers.jobs.store.get(key)
    if (!job || job.metadata.deletionTimestamp || isFinished(job)) return
    const pods = informers.pods.store.find(BY_CONTROLLER, job.metadata.uid ?? '')
    await syncJob({ environment, client, job, pods, later: (delay) => queue.addAfter(key, delay) })
  })
  informers.jobs.onChange(({ key }) => queue.add(key))
  informers.pods.onChange(({ before, after }) => {
    const { metadata } = (after ?? before)!
    const owner = controllerOf(metadata)
    if (owner?.kind === jobs.kind) queue.add(`${metadata.namespace}/${owner.name}`)
  })
  return { name: 'job-controller', queue }
}

interface Task {
  readonly environment: Environment
  readonly client: ClusterClient
  readonly job: Job
  readonly pods: readonly Pod[]
  readonly later: (delay: number) => void
}

const isFinished = ({ status }: Job): boolean =>
  ['Complete', 'Failed'].some((type) => conditionOf(status?.conditions, type)?.status === 'True')

const countOf = (pods: readonly Pod[], phase: string): number => pods.filter((pod) => phaseOf(pod) === phase).length

async function syncJob(task: Task): Promise<void> {
  const { job, pods, environment, client } = task
  const active = pods.filter(isActive)
  const outcome = outcomeOf(task)
  const control = new PodControl(client, environment.events, {
    component: 'job-controller',
    resource: jobs,
    object: job,
  })
  const missing = outcome || job.spec.suspend ? -active.length : missingPods(task)
  if (missing > 0) await slowStart(missing, () => control.create(podFromTemplate(job.spec.template, job, jobs)))
  if (missing < 0) await deleteAll(control, active.slice(missing))
  const status = statusOf(task, outcome)
  if (!sameJson(status, job.status ?? {})) await client.update(jobs, { ...job, status }, 'status')
}

/** Negative when some are too much. */
function missingPods({ job, pods }: Task): number {
  const { parallelism = 1, completions } = job.spec
  const succeeded = countOf(pods, 'Succeeded')
  const active = pods.filter(isActive).length
  // Without a number of completions, the first success says that the work is done.
  const wanted =
    completions === undefined ? (succeeded > 0 ? active : parallelism) : Math.min(parallelism, completions - succeeded)
  return wanted - active
}

interface Outcome {
  readonly type: 'Complete' | 'Failed'
  readonly reason: string
  readonly message: string
}

function outcomeOf({ job, pods, environment, later }: Task): Outcome | undefined {
  const { completions, backoffLimit = 6, activeDeadlineSeconds } = job.spec
  const succeeded = countOf(pods, 'Succeeded')
  const restarts = pods.filter(isActive).reduce((sum, pod) => sum + restartsOf(pod), 0)
  if (countOf(pods, 'Failed') + restarts > backoffLimit)
    return { type: 'Failed', reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' }
  const done = completions === undefined ? succeeded > 0 && !pods.some(isActive) : succeeded >= completions
  if (done)
    return { type: 'Complete', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' }
  if (activeDeadlineSeconds === undefined || !job.status?.startTime) return undefined
  const left = Date.parse(job.status.startTime) + activeDeadlineSeconds * 1000 - environment.clock.now()
  if (left > 0) return void later(left)
  return { type: 'Failed', reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' }
}

const restartsOf = ({ status }: Pod): number =>
  (status?.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + restartCount, 0)

function statusOf({ job, pods, environment }: Task, outcome: Outcome | undefined): JobStatus {
  const now = timestamp(environment.clock.now())
  const active = outcome || job.spec.suspend ? [] : pods.filter(isActive)
  const { conditions = [], startTime = now } = job.status ?? {}
  const some = (name: string, count: number): Record<string, number> => (count > 0 ? { [name]: count } : {})
  return {
    ...some('active', active.length),
    ready: active.filter(isReady).length,
    terminating: pods.filter((pod) => isTerminating(pod) && !isEnded(pod)).length,
    ...some('succeeded', countOf(pods, 'Succeeded')),
    ...some('failed', countOf(pods, 'Failed')),
    ...(job.spec.suspend ? {} : { startTime }),
    ...(outcome?.type === 'Complete' ? { completionTime: now } : {}),
    uncountedTerminatedPods: {},
    ...(outcome ? { conditions: withOutcome(conditions, outcome, now) } : conditions.length > 0 ? { conditions } : {}),
  }
}

const isEnded = (pod: Pod): boolean => ['Succeeded', 'Failed'].includes(phaseOf(pod))

/** First the decision, then, since nothing of the job runs any more, the end itself. */
function withOutcome(conditions: readonly Condition[], { type, reason, message }: Outcome, now: string): Condition[] {
  const condition = (name: string): Condition => ({
    type: name,
    status: 'True',
    lastProbeTime: now,
    lastTransitionTime: now,
    reason,
    message,
  })
  const decided = withCondition(conditions, condition(type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget'))
  return withCondition(decided, condition(type))
}
