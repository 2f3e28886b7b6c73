import { agentOptions } from './agent.ts'
import { managerOptions } from './manager.ts'
import type { OptionTable } from './option.ts'
import { uninstallOptions } from './uninstall.ts'

/** The options of the roles that the chart starts. */
export const roleTables = {
  manager: managerOptions,
  agent: agentOptions,
  uninstall: uninstallOptions,
} as const satisfies Record<string, OptionTable>

export type Role = keyof typeof roleTables

export const isRole = (name: string): name is Role => Object.hasOwn(roleTables, name)
