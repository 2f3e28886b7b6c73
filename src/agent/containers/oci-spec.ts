/** The parts that we use of an OCI runtime spec (config.md), which runtimes keep as JSON. */
export interface OciSpec {
  annotations?: Record<string, string>
  process?: { apparmorProfile?: string }
  linux?: { seccomp?: unknown }
}

/** @returns undefined for what is no JSON: a container without a spec that can be read is described by its labels alone */
export function parseSpec(text: string): object | undefined {
  try {
    return (JSON.parse(text) as object | null) ?? undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
