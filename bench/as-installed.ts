import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

interface RoleValues {
  nodeOptions: string
}

/** The chart's default values of each role. */
export const chartValues: Readonly<Record<'manager' | 'agent', RoleValues>> = parse(
  readFileSync(join(import.meta.dirname, '../deploy/helm/varmor/values.yaml'), 'utf8'),
)

/**
 * The image's environment for each role, such as memory settings of the C library. It must be set when a process
 * starts.
 */
export const imageEnvironment: Readonly<Record<string, string>> = Object.fromEntries(
  /^ENV (NODE_ENV=.*)$/m
    .exec(readFileSync(join(import.meta.dirname, '../deploy/Dockerfile'), 'utf8'))![1]!
    .split(' ')
    .map((setting) => setting.split('=') as [string, string]),
)

/** The chart's Node.js options for an agent. */
export const agentFlags: readonly string[] = chartValues.agent.nodeOptions.split(' ')
