import type { SurveyOptions } from './survey.ts'

export interface RolloutSettings extends SurveyOptions {
  /** Milliseconds for a restarted workload to become healthy; afterwards the rollout pauses. */
  deadline: number
  /** Interval between two health checks of a restarted workload, in milliseconds. */
  pollInterval: number
  /** Minimum interval between two surveys because of workload changes, in milliseconds. */
  surveyInterval: number
  /**
   * Delay before a retry after an API error, in milliseconds; the actor picks a random time between half and all of it.
   */
  retryInterval: number
}

export const defaultRolloutSettings: RolloutSettings = {
  optIn: { key: 'sandbox.varmor.org/enable', value: 'true' },
  appArmorField: true,
  confineInitContainers: false,
  sandboxedRuntimes: [],
  deadline: 600_000,
  pollInterval: 2_000,
  surveyInterval: 1_000,
  retryInterval: 10_000,
}
