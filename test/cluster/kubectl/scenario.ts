/** One command line of a shell in a separate folder, in which `kubectl` is the target's version. */
export interface Step {
  /** A shell line. `$NAMESPACE` is the scenario's namespace, also useful in the names of cluster-wide objects. */
  line: string
  /** Exit status; default 0. */
  status?: number
  /** Text that the output must contain, as proof that the step does its job. */
  says?: string | RegExp
}

/** Command lines that depend on each other, in their own namespace. */
export interface Scenario {
  title: string
  /** The scenario also needs the controllers of workloads, not only the API server. */
  needs?: 'controllers'
  /** Files in the scenario's folder, by name. */
  files?: Record<string, string>
  steps: Step[]
}

/** The output of a step, without differences between equal runs. */
export interface StepResult {
  line: string
  status: number
  stdout: string
  stderr: string
}
