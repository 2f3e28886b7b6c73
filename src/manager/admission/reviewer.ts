import { once } from 'node:events'
import { CompilerError } from '../../../actors/compiler/ports.ts'
import { type FieldError, formatFieldError } from '../../api/field-error.ts'
import { type Clock, systemClock } from '../../base/clock.ts'
import { type AdmissionRequest, type AdmissionReview, allow, deny, parseAdmissionReview } from '../../kube/admission.ts'
import { addFinalizer, makesPolicy } from './add-finalizer.ts'
import { type MutateOptions, mutate } from './mutate.ts'
import type { PolicyIndex } from './policy-index.ts'
import { boundedWarnings, refusalMessage } from './review-text.ts'
import { type Caller, type ValidateOptions, validate } from './validate.ts'

/** The result of a review, for metrics and logs. */
export interface ReviewOutcome {
  request: AdmissionRequest
  allowed: boolean
  mutated: boolean
  /** The policy that confines the workload. */
  policy?: string
}

export interface ReviewerOptions {
  index: PolicyIndex
  /** Whether the index has all policies. Until then, reviews cannot be answered. */
  isSynced: () => boolean
  mutate: MutateOptions
  /** Resolves when the name of the policy's profile is decided; undefined if it is decided already. */
  settled?: (policyKey: string) => Promise<void> | undefined
  validate: Omit<ValidateOptions, 'index' | 'caller'>
  /**
   * Called with the result of each review that is not a dry run. `seconds`: time from the complete body to the answer.
   * Must not throw.
   */
  observe?: (outcome: ReviewOutcome, seconds: number) => void
  clock?: Clock
}

export type ReviewAnswer =
  | { status: 200; review: AdmissionReview }
  /**
   * 400: the body is not a review. 503: the review cannot be answered; the API server applies the webhook's
   * failurePolicy.
   */
  | { status: 400 | 503; message: string }

/**
 * Answers the API server's admission reviews (admission.k8s.io/v1). It writes no objects, so a dry run needs no special
 * treatment.
 */
export class Reviewer {
  #options: ReviewerOptions

  constructor(options: ReviewerOptions) {
    this.#options = options
  }

  async mutate(body: string, { signal }: Pick<Caller, 'signal'> = {}): Promise<ReviewAnswer> {
    const started = this.#begin(body)
    if ('status' in started) return started
    const judged = this.#mutated(started.request)
    const { policy } = judged.outcome
    const deciding = policy === undefined ? undefined : this.#options.settled?.(policy)
    if (deciding === undefined) return this.#end(started, judged)
    await Promise.race([deciding, ...(signal === undefined ? [] : [once(signal, 'abort')])])
    if (signal?.aborted)
      return { status: 503, message: 'The manager dropped this review in favour of other reviews; try again' }
    return this.#end(started, this.#mutated(started.request))
  }

  #mutated(request: AdmissionRequest): Judged {
    if (makesPolicy(request)) {
      const patch = addFinalizer(request)
      return { review: allow(request.uid, patch, []), outcome: { request, allowed: true, mutated: patch.length > 0 } }
    }
    const { patch, policy, warnings } = mutate(request, this.#options.index, this.#options.mutate)
    const review = allow(request.uid, patch, boundedWarnings(warnings))
    const outcome = { request, allowed: true, mutated: patch.length > 0, ...(policy !== undefined && { policy }) }
    return { review, outcome }
  }

  async validate(body: string, caller: Caller = {}): Promise<ReviewAnswer> {
    const started = this.#begin(body)
    if ('status' in started) return started
    try {
      return this.#end(started, await this.#judge(started.request, caller))
    } catch (error) {
      if (!(error instanceof CompilerError)) throw error
      if (error.code === 'STOPPED') return { status: 503, message: error.message }
      const { request } = started
      const message = `cannot check ${subjectOf(request)}: ${error.message}`
      const review = deny(request.uid, message, { code: 429, reason: 'TooManyRequests' })
      return this.#end(started, { review, outcome: { request, allowed: false, mutated: false } })
    }
  }

  async #judge(request: AdmissionRequest, caller: Caller): Promise<Judged> {
    const { errors, count, warnings } = await validate(request, {
      ...this.#options.validate,
      index: this.#options.index,
      caller,
    })
    const outcome = { request, allowed: errors.length === 0, mutated: false }
    if (outcome.allowed) return { review: allow(request.uid, [], boundedWarnings(warnings)), outcome }
    return { review: deny(request.uid, refusalMessage(subjectOf(request), errors, count)), outcome }
  }

  #begin(body: string): Started | Exclude<ReviewAnswer, { status: 200 }> {
    const { isSynced, clock = systemClock } = this.#options
    const since = clock.now()
    const parsed = parseAdmissionReview(body)
    if ('errors' in parsed) return { status: 400, message: badReview(parsed.errors) }
    if (!isSynced())
      return { status: 503, message: 'This manager has just started and does not know all policies yet; try again' }
    return { request: parsed.request, since }
  }

  #end({ request, since }: Started, { review, outcome }: Judged): ReviewAnswer {
    const { observe, clock = systemClock } = this.#options
    if (request.dryRun !== true) observe?.(outcome, (clock.now() - since) / 1000)
    return { status: 200, review }
  }
}

interface Started {
  request: AdmissionRequest
  since: number
}

interface Judged {
  review: AdmissionReview
  outcome: ReviewOutcome
}

const badReview = (errors: readonly FieldError[]): string =>
  `This is not an AdmissionReview of admission.k8s.io/v1: ${errors.map(formatFieldError).join('; ')}`

function subjectOf({ kind, namespace, name, object }: AdmissionRequest): string {
  const called = name || object?.metadata?.name || object?.metadata?.generateName || 'without a name'
  return namespace ? `${kind.kind} ${namespace}/${called}` : `${kind.kind} ${called}`
}
