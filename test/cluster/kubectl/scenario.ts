/** One command line of a shell in a folder of its own, where `kubectl` is the one of the target's version. */
export interface Step {
  /** `$NAMESPACE` is the scenario's own, for names of what is in no namespace. */
  line: string
  /** Exit status; 0 if left out. */
  status?: number
  /** Text that its output has to contain, as a proof that the step does its job. */
  says?: string | RegExp
}

/** Command lines that build on each other, in a namespace of their own. */
export interface Scenario {
  title: string
  /** Needs more than the API server: the controllers of workloads. */
  needs?: 'controllers'
  /** Files in the folder, by name. */
  files?: Record<string, string>
  steps: Step[]
}

/** The output of a step, without differences between two equal runs. */
export interface StepResult {
  line: string
  status: number
  stdout: string
  stderr: string
}
