import type { User } from '@kubernetes/client-node'

/** The kubeconfig's plugin for credentials cannot be started, or fails. A retry does not help. */
export class PluginError extends Error {
  override readonly name = 'PluginError'
}

const remedy =
  'install the plugin on this machine, or give a kubeconfig without a plugin: `kubectl config view --raw --minify --flatten`, ' +
  'with a token of `kubectl create token` in place of the plugin'

/** The failure of a credentials plugin; undefined if something else failed. */
export function pluginError(user: User | null, cause: unknown): PluginError | undefined {
  const command = user?.exec?.command ?? user?.authProvider?.config?.exec?.command
  if (command === undefined || !(cause instanceof Error)) return undefined
  const { code, syscall = '' } = cause as NodeJS.ErrnoException
  // The error is about another file, such as a certificate.
  if (code !== undefined && !syscall.startsWith('spawn')) return undefined
  return new PluginError(`the exec plugin ${command} of the user ${user?.name}: ${whyOf(cause, code)}; ${remedy}`, {
    cause,
  })
}

function whyOf(cause: Error, code: string | undefined): string {
  if (code !== undefined) return `it cannot be started (${code})`
  if (cause instanceof SyntaxError) return `its output is not JSON (${cause.message})`
  // client-node throws this when the output has no status.
  if (cause instanceof TypeError) return 'its output is not an ExecCredential with a status'
  return cause.message.trim() || 'it failed without a message'
}
