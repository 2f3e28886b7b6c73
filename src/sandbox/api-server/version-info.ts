import { kubernetesVersion } from './schema/built-in-kinds.ts'
import type { JsonObject } from './schema/json.ts'

/** The body of `/version`: the release whose behaviour the server reproduces. */
export function versionInfo(): JsonObject {
  const gitVersion = kubernetesVersion()
  const [, major = '', minor = ''] = /^v(\d+)\.(\d+)/.exec(gitVersion) ?? []
  return {
    major,
    minor,
    emulationMajor: major,
    emulationMinor: minor,
    minCompatibilityMajor: major,
    minCompatibilityMinor: String(Number(minor) - 1),
    gitVersion,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: `node ${process.version}`,
    compiler: 'node',
    platform: `${process.platform === 'linux' ? 'linux' : process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  }
}
