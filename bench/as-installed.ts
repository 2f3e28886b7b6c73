import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

interface RoleValues {
  nodeOptions: string
}

/** What the chart gives each role where nobody says otherwise. */
export const chartValues: Readonly<Record<'manager' | 'agent', RoleValues>> = parse(
  readFileSync(join(import.meta.dirname, '../deploy/helm/varmor/values.yaml'), 'utf8'),
)

/** What the image sets for each role, the C library's memory for one; it has to be there where a process starts. */
export const imageEnvironment: Readonly<Record<string, string>> = Object.fromEntries(
  /^ENV (NODE_ENV=.*)$/m
    .exec(readFileSync(join(import.meta.dirname, '../deploy/Dockerfile'), 'utf8'))![1]!
    .split(' ')
    .map((setting) => setting.split('=') as [string, string]),
)

/** Options of Node.js that the chart gives an agent. */
export const agentFlags: readonly string[] = chartValues.agent.nodeOptions.split(' ')
