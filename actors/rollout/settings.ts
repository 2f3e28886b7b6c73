import type { SurveyOptions } from './survey.ts'

export interface RolloutSettings extends SurveyOptions {
  /** Milliseconds that a workload has to become healthy before the rollout pauses. */
  deadline: number
  /** Interval between health checks meanwhile, in milliseconds. */
  pollInterval: number
  /** Minimum interval between surveys that workload changes cause, in milliseconds. */
  surveyInterval: number
  /** Delay before a retry after the API refused, in milliseconds; randomized between half and all of it. */
  retryInterval: number
}

export const defaultRolloutSettings: RolloutSettings = {
  optIn: { key: 'sandbox.varmor.org/enable', value: 'true' },
  confineInitContainers: false,
  deadline: 600_000,
  pollInterval: 2_000,
  surveyInterval: 1_000,
  retryInterval: 10_000,
}
