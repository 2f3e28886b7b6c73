import type { SurveyOptions } from './survey.ts'

export interface RolloutSettings extends SurveyOptions {
  /** How long a workload has to become well before the rollout pauses, in milliseconds. */
  deadline: number
  /** How often it is looked at meanwhile, in milliseconds. */
  pollInterval: number
  /** The least time from one look at all workloads to the next that their changes ask for, in milliseconds. */
  surveyInterval: number
  /** How soon to try again after the API refused, in milliseconds; half of it to all of it. */
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
